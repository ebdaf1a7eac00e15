"""Reads a large file as `party serve` does at its start, twice: processor seconds, and memory that is no file's.

The first start parses the file and stores its columns; the second maps what was stored.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.data.store.column_stores import COLUMNS_FOLDER, ColumnStores
from party.runtime.tables import Tables
from party.security.files import private_folder

STEP_ROWS = 1_000_000
MIB = 1 << 20
KIB = 1 << 10
COLUMNS = {"town": 50_000, "price": 0, "age": 100, "kind": 3, "shop": 2_000, "flag": 2}  # distinct values; 0: numbers


def write(path: Path, rows: int, seed: int) -> None:
    """Writes a file of an id, six features and a label."""
    generator, writer = np.random.default_rng(seed), None
    for start in range(0, rows, STEP_ROWS):
        count = min(STEP_ROWS, rows - start)
        columns = {
            name: generator.integers(0, distinct, count) if distinct else np.round(generator.normal(size=count), 3)
            for name, distinct in COLUMNS.items()
        }
        ids = pa.array([f"u{number:09d}" for number in range(start, start + count)])
        table = pa.table({"id": ids, **columns, "label": generator.integers(0, 2, count)})
        writer = writer or csv.CSVWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def memory_mib() -> tuple[float, float]:
    """Anonymous memory of this process now, and its largest resident memory so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {line.split(":")[0]: line.split(":")[1] for line in lines if line.startswith(("RssAnon", "VmHWM"))}
    anonymous, peak = (int(sizes[key].split()[0]) * KIB / MIB for key in ("RssAnon", "VmHWM"))
    return anonymous, peak


def read(folder: Path) -> None:
    """Reads the file as at a start, and prints what it took."""
    content = {
        "party": "alice",
        "label_party": "alice",
        "listen": "127.0.0.1:0",
        "state": "state",
        "tls": {"certificate": "alice.pem", "key": "alice-key.pem"},
        "coordinators": [{"name": "coordinator", "ca": "coordinator.pem"}],
        "peers": [{"name": "bob", "ca": "bob.pem", "spki_sha256": "0" * 64}],
        "model": {"kind": "dnn", "embedding_dimension": 4, "units": [8]},
        "fuse": {"kind": "dnn"},
        "data": {
            "id": "id",
            "datasets": {"train": str(folder / "train.csv")},
            "labels": {"clicked": {"rule": "label == 1"}},
            "features": [
                {"column": name, "kind": "vocabulary" if distinct else "numeric"} for name, distinct in COLUMNS.items()
            ],
        },
    }
    configuration = validate(PartyConfiguration, content, folder / "alice.yaml")
    before, started, used = memory_mib(), time.monotonic(), time.process_time()
    tables = Tables(configuration, lambda: None, ColumnStores(folder / COLUMNS_FOLDER))  # type: ignore[arg-type]
    tables.read_all()
    seconds, processor = time.monotonic() - started, time.process_time() - used
    rows, after = tables.table("train").rows, memory_mib()
    print(
        f"{rows:,} rows in {seconds:.1f} s, {processor:.1f} processor seconds ({rows / processor:,.0f} rows each);"
        f" anonymous memory {after[0] - before[0]:+.0f} MiB after it, peak {after[1] - before[1]:+.0f} MiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--read", action="store_true", help="Read the file that is there, once.")
    arguments = parser.parse_args()
    folder = private_folder(private_folder(arguments.folder.resolve()) / "column-scale")
    if arguments.read:
        read(folder)
        return
    write(folder / "train.csv", arguments.rows, arguments.seed)
    for start in ("first start", "second start"):
        print(start, end=": ", flush=True)
        command = [sys.executable, "-m", "tests.benchmarks.column_scale", "--folder", str(arguments.folder), "--read"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
