"""Begins to train on many rows: memory of each party that no file backs, stage by stage.

Both parties have a file of the same ids with four columns each; bob's has the labels besides. The alignment is not
computed but written into both state folders, as one that ended with all rows in common, unless --align asks for it:
`tests.benchmarks.alignment` measures that. With --users, alice has a table of so many users instead, bob's rows refer
to them, and the join is computed.

Memory is `RssAnon`, sampled while a stage runs: pages that files back are left out, as the kernel drops them when it
needs room. That of TensorFlow is what a process holds that imports and configures it as a party does, and nothing else.
With --cgroup-mib, the kernel holds each party to so much memory in a control group, which needs root.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from coordinator.local_federation import LocalFederation
from coordinator.local_party import LocalParty
from deploy.demo.federation import fresh_folder
from party.alignment.store import AlignmentStore, StoredAlignment
from party.data.store.column_stores import COLUMNS_FOLDER
from party.data.store.stored_columns import describe
from party.security.files import private_folder
from party.security.row_secret import pinned_row_secret
from tests.benchmarks.memory_limit import limited_memory

PARTIES = ("alice", "bob")
STEP_ROWS = 1_000_000
KIB_PER_MIB = 1024
BYTES_PER_MIB = 1 << 20
SAMPLE_SECONDS = 0.02
SECRET = "5a" * 32  # so that two runs on the same rows are the same bit by bit
ALIGNMENT_ID = bytes(16)
DATASET = "train"
COLUMNS = {"town": 50_000, "price": 0, "age": 100, "kind": 3}  # distinct values; 0: numbers
FEATURES = [{"column": name, "kind": "vocabulary" if distinct else "numeric"} for name, distinct in COLUMNS.items()]
BARE_TENSORFLOW = """
from pathlib import Path
from party.configuration.threads import ThreadsSection
from party.engine.numerics import configure_tensorflow
configure_tensorflow(ThreadsSection())
print(Path("/proc/self/status").read_text())
"""


def write(path: Path, rows: int, seed: int, *, key: str, users: int = 0, label: bool, padding: int) -> None:
    """Writes a file; with users, the key of a row is a user drawn at random, else the row's own."""
    generator, writer = np.random.default_rng(seed), None
    for start in range(0, rows, STEP_ROWS):
        count = min(STEP_ROWS, rows - start)
        columns = {
            name: generator.integers(0, distinct, count) if distinct else np.round(generator.normal(size=count), 3)
            for name, distinct in COLUMNS.items()
        }
        keys = generator.integers(0, users, count) if users else np.arange(start, start + count)
        if label:
            columns["label"] = generator.integers(0, 2, count)
        if padding:
            columns["padding"] = pa.array(["x" * padding] * count)
        table = pa.table({key: pa.array([f"u{number:09d}" for number in keys.tolist()]), **columns})
        writer = writer or csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def anonymous_mib(status: str) -> float:
    found = re.search(r"RssAnon:\s+(\d+) kB", status)  # a process that has ended has none
    return 0.0 if found is None else int(found[1]) / KIB_PER_MIB


def tensorflow_mib() -> float:
    """Memory of a process that imports and configures TensorFlow."""
    run = subprocess.run([sys.executable, "-c", BARE_TENSORFLOW], capture_output=True, text=True, check=True)
    return anonymous_mib(run.stdout)


class MemoryWatch:
    """Notes the most memory of every process of some parties."""

    def __init__(self, processes: Mapping[str, LocalParty]) -> None:
        self._processes = processes
        self._most = dict.fromkeys(processes, 0.0)
        self._ended = threading.Event()
        self.peaks = dict.fromkeys(processes, 0.0)

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            for name, process in self._processes.items():
                if not process.is_running:
                    continue
                now = anonymous_mib(Path(f"/proc/{process.pid}/status").read_text())
                self._most[name], self.peaks[name] = max(self._most[name], now), max(self.peaks[name], now)

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._sample)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def stage(self) -> dict[str, float]:
        """The most since the last call."""
        found, self._most = self._most, dict.fromkeys(self._processes, 0.0)
        return found


def parties_of(folder: Path, arguments: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Writes the files of both parties, and describes the parties."""
    paths = {name: folder / f"{name}.csv" for name in PARTIES}
    users, padding = arguments.users, arguments.padding
    key = "user" if users else "ID"
    write(paths["alice"], users or arguments.rows, 1, key=key, label=False, padding=padding)
    write(paths["bob"], arguments.rows, 2, key=key, users=users, label=True, padding=padding)
    shared = {"features": FEATURES, "pinned_secret": SECRET}
    bob = {
        "frames": {DATASET: paths["bob"]},
        "labels": {"clicked": {"rule": "label == 1"}},
        "policy": {"reveal_row_counts": ["alice"]} if users else {},
    }
    if not users:
        return {"alice": {**shared, "frames": {DATASET: paths["alice"]}}, "bob": {**shared, **bob}}
    joins = [{"peer": "alice", "key": key, "table": "users", "kind": "left"}]
    return {
        "alice": {**shared, "tables": {"users": paths["alice"]}, "id": key},
        "bob": {**shared, **bob, "joins": joins},
    }


def write_alignment(state: Path, path: Path, rows: int) -> None:
    """Writes the alignment that all rows are in common, in the order of the file, which is that of the ids."""
    stores = [describe(one).sha256 for one in (state / COLUMNS_FOLDER).glob("*")]
    sha256 = stores[0] if stores else hashlib.sha256(path.read_bytes()).hexdigest()
    stored = StoredAlignment(
        alignment_id=ALIGNMENT_ID,
        rows=np.arange(rows),
        data_sha256=bytes.fromhex(sha256),
        id_column="ID",
        parties=PARTIES,
        row_secret=pinned_row_secret(bytes.fromhex(SECRET), DATASET),
    )
    AlignmentStore(state / "alignments").save(DATASET, stored)


@contextmanager
def limited(local: LocalFederation, limit_mib: int | None) -> Iterator[None]:
    """Makes each party enter a control group of its own as it starts, and prints at the end what each held."""
    if limit_mib is None:
        yield
        return
    with ExitStack() as stack:
        limits = {}
        for name, process in local.processes.items():
            limits[name] = stack.enter_context(limited_memory(f"training-scale-{name}", limit_mib * BYTES_PER_MIB))
            process.command = limits[name].command(process.command)
        yield
        for name, limit in limits.items():
            most_mib = limit.most_bytes() / BYTES_PER_MIB
            print(f"{name}: held to {limit_mib} MiB, {most_mib:.0f} at most with files, {limit.killed()} killed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--users", type=int, default=0)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--align", action="store_true", help="Compute the alignment of ids.")
    parser.add_argument("--padding", type=int, default=0, help="Characters of a column that nothing reads.")
    parser.add_argument("--cgroup-mib", type=int, help="Hold each party to so much, pages of files included.")
    parser.add_argument("--limit-mib", type=float, help="Fail where a party held more.")
    arguments = parser.parse_args()
    root = fresh_folder(private_folder(arguments.folder.resolve()) / "training-scale")
    parties = parties_of(root, arguments)
    training = {"dataset": DATASET, "batch_size": 1024, "maximum_steps": arguments.steps}
    run = {"checkpoints": {"every_steps": max(1, arguments.steps // 2)}}
    bare, started = tensorflow_mib(), time.monotonic()
    print(f"TensorFlow alone: {bare:.0f} MiB", flush=True)
    local = LocalFederation(root, parties, training=training, run=run)

    def note(what: str) -> None:
        shown = ", ".join(f"{name} {most:.0f} MiB at most, {most - bare:+.0f}" for name, most in watch.stage().items())
        print(f"{time.monotonic() - started:6.0f} s  {what}: {shown}", flush=True)

    watch = MemoryWatch(local.processes)
    with limited(local, arguments.cgroup_mib), watch.running(), local, local.connect() as federation:
        note("both parties have read their files")
        if arguments.users or arguments.align:
            for aligned in federation.align():
                print(aligned, flush=True)
            note("aligned")
        else:
            for name in PARTIES:
                write_alignment(local.state_path(name), root / f"{name}.csv", arguments.rows)
        history = federation.fit()
        note(f"trained {arguments.steps} steps at {history.samples_per_second:,.0f} samples/s")
    for name in PARTIES:
        (weights,) = local.state_path(name).glob("runs/*/weights.npz")
        with np.load(weights) as arrays:
            digest = hashlib.sha256(b"".join(arrays[one].tobytes() for one in sorted(arrays))).hexdigest()
        stored = len(list((local.state_path(name) / COLUMNS_FOLDER).glob("*")))
        print(f"{name}: digest of the weights {digest[:16]}, columns {'on disk' if stored else 'in memory'}")
    most = max(watch.peaks.values())
    if arguments.limit_mib is not None and most > arguments.limit_mib:
        sys.exit(f"a party held {most:.0f} MiB, more than {arguments.limit_mib:.0f} MiB")


if __name__ == "__main__":
    main()
