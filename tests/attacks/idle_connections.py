"""Anybody who reaches the port: 2,000 idle TCP connections at once and 200 more per second, from another address."""

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import grpc

from coordinator import connect
from tests.attacks.outcome import Outcome
from tests.support.calling import channel_to
from tests.support.organisations import Organisations

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "127.0.0.2"
AT_ONCE = 2000
PER_SECOND = 200
LONGEST_SECONDS = 60
ENTRIES = 10


@contextmanager
def idlers(port, at_once=AT_ONCE, per_second=PER_SECOND, source=SOURCE):
    """An attacker's process; inside of the context it holds its first connections and goes on."""
    command = [sys.executable, "-m", "tests.attacks.idlers"]
    arguments = [str(one) for one in (port, source, at_once, per_second, LONGEST_SECONDS)]
    process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        if process.stdout.readline() != "holding\n":
            raise AssertionError("the attacker did not get to hold connections")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def weights_after(organisations, path):
    """A run's weights at every party, as bytes by name; with the seconds that it took from connecting on."""
    begin_seconds = time.monotonic()
    with connect(path) as parties:
        parties.align()
        run = parties.fit()
    seconds = time.monotonic() - begin_seconds
    return {
        (name, key): value.tobytes()
        for name in organisations.names
        for key, value in organisations.weights(name, run.run_id).items()
    }, seconds


def seconds_to_enter(organisations):
    """How long a coordinator needs for a new connection and its first call."""
    begin_seconds = time.monotonic()
    with channel_to(organisations, "alice") as channel:
        grpc.channel_ready_future(channel).result(LONGEST_SECONDS)
        channel.unary_unary("/split.v1.Party/Describe")(b"", timeout=LONGEST_SECONDS)
    return time.monotonic() - begin_seconds


def undisturbed_and_attacked(folder, seed, epochs):
    """Weights of two runs of one configuration, the second one under attack at both parties from before it begins."""
    training = {"seed": seed, "epochs": epochs}
    with Organisations(folder, training=training) as organisations:
        organisations.start()
        path = organisations.write_run()
        weights_after(organisations, path)  # whatever a first run takes longer is not what an attack takes
        undisturbed = weights_after(organisations, path)
        with idlers(organisations.ports["alice"]), idlers(organisations.ports["bob"]):
            attacked = weights_after(organisations, path)
            entry_seconds = max(seconds_to_enter(organisations) for _ in range(ENTRIES))
    return undisturbed, attacked, entry_seconds


def attack(folder, seed):
    """Tries to stop a run, and to keep its coordinator from connecting at all."""
    (expected, calm_seconds), (received, seconds), entry_seconds = undisturbed_and_attacked(
        Path(folder), seed, epochs=40
    )
    equal = expected == received
    return Outcome(
        asset="a training run, without a certificate",
        before="1,100 idle connections ended it after 0.3 s",
        now=f"run of {seconds:.1f} s ({calm_seconds:.1f} s undisturbed), weights {'equal' if equal else 'DIFFER'}; "
        f"another connection takes {entry_seconds:.2f} s at most",
        held=equal,
    )
