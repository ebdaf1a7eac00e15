"""Run configurations that attack a party's time, memory or log."""

import json

LONGEST_TEXT = 2100  # of an error: what `party.transport.errors` lets through, and its JSON


def run(**training):
    return {"parties": ["alice", "bob"], "label_party": "bob", "training": training}


def schedule(boundaries):
    values = [0.1 / (1 + number) for number in range(boundaries + 1)]
    arguments = {"boundaries": list(range(1, boundaries + 1)), "values": values}
    return run(optimizer={"learning_rate": {"name": "PiecewiseConstantDecay", "arguments": arguments}})


def nested(depth):
    return b'{"training":{"optimizer":{"arguments":{"a":' + b"[" * depth + b"]" * depth + b"}}}}"


BOMBS = {
    "1,000 boundaries": json.dumps(schedule(1000)).encode(),
    "4,000 boundaries": json.dumps(schedule(4000)).encode(),
    "240 kB of unknown keys": json.dumps({f"key{number:010}": 1 for number in range(12_000)}).encode(),
    "60 kB of unknown keys": json.dumps({f"key{number}": 1 for number in range(5000)}).encode(),
    "one key of 60 kB": json.dumps({"k" * 60_000: 1}).encode(),
    "20,000 lists of the wrong kind": json.dumps(run(optimizer={"arguments": {"a": [[]] * 20_000}})).encode(),
    "5,000 arguments": json.dumps(run(optimizer={"arguments": {f"a{number}": 1 for number in range(5000)}})).encode(),
    "an argument of 60 kB": json.dumps(run(optimizer={"arguments": {"a": "x" * 60_000}})).encode(),
    "4,000 parties": json.dumps({"parties": [f"p{number:05}" for number in range(4000)], "label_party": "p"}).encode(),
    "10,000 datasets": json.dumps({**run(), "alignment": {"datasets": ["d"] * 10_000}}).encode(),
    "nested 900 times": nested(900),
    "nested 30,000 times": nested(30_000),
}
