"""Milliseconds to encode and decode a 4096 x 64 matrix on one core, for every codec."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from party.codecs.codec import Codec
from party.codecs.make import RAW_BYTES, make_codec
from party.configuration.run import CodecSection
from party.security.files import private_folder, write_atomically

ROWS, COLUMNS = 4096, 64
WARM_UP = 5
BAR_MILLISECONDS = 3.0
SEED = 7
CODECS = {
    "float16": {"kind": "float16"},
    "bfloat16": {"kind": "bfloat16"},
    "int8": {"kind": "int8"},
    "int4": {"kind": "int4"},
    "topk 0.1": {"kind": "topk", "fraction": 0.1},
    "topk 0.1, int8": {"kind": "topk", "fraction": 0.1, "values": "int8"},
    "topk 0.2, int8": {"kind": "topk", "fraction": 0.2, "values": "int8"},
    "randomk 0.1": {"kind": "randomk", "fraction": 0.1},
    "randomk 0.1, int8": {"kind": "randomk", "fraction": 0.1, "values": "int8"},
}
BARRED = ("float16", "bfloat16", "int8", "topk 0.1, int8")


def milliseconds(call: Callable[[], object], repetitions: int) -> list[float]:
    """Of every repetition."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repetitions):
        started_seconds = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - started_seconds))
    return times


def measure(codec: Codec, repetitions: int) -> dict[str, float]:
    matrix = np.random.default_rng(SEED).normal(size=(ROWS, COLUMNS)).astype(np.float32)
    data = codec.encode(matrix, 0)
    encode = milliseconds(lambda: codec.encode(matrix, 0), repetitions)
    decode = milliseconds(lambda: codec.decode(data, ROWS, 0), repetitions)
    return {
        "encode_median": statistics.median(encode),
        "encode_least": min(encode),
        "decode_median": statistics.median(decode),
        "decode_least": min(decode),
        "bytes": len(data),
        "ratio": RAW_BYTES * matrix.size / len(data),
    }


def print_result(name: str, result: dict[str, float]) -> None:
    slowest = max(result["encode_median"], result["decode_median"])
    bar = (
        ""
        if name not in BARRED
        else f"  under {BAR_MILLISECONDS:g} ms: {'yes' if slowest < BAR_MILLISECONDS else 'no'}"
    )
    print(
        f"{name:<18} {result['encode_median']:>8.2f} {result['encode_least']:>8.2f}"
        f" {result['decode_median']:>8.2f} {result['decode_least']:>8.2f}"
        f" {result['bytes']:>9,} {result['ratio']:>6.2f}{bar}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--repetitions", type=int, default=300)
    arguments = parser.parse_args()
    # Threads that NumPy's libraries may have started share the one core from here on.
    core = min(os.sched_getaffinity(0))
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})
    print(f"{'milliseconds':<18} {'encode':>8} {'least':>8} {'decode':>8} {'least':>8} {'bytes':>9} {'ratio':>6}")
    results = {}
    for name, section in CODECS.items():
        codec = make_codec(CodecSection.model_validate(section), [COLUMNS], SEED, ROWS, "benchmark")
        if codec is None:
            raise ValueError(f"{name} encodes nothing")
        results[name] = measure(codec, arguments.repetitions)
        print_result(name, results[name])
    content = json.dumps({"rows": ROWS, "columns": COLUMNS, "milliseconds": results}, indent=2)
    write_atomically(private_folder(arguments.folder.resolve()) / "codecs.json", content.encode())


if __name__ == "__main__":
    main()
