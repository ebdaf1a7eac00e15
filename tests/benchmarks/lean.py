"""What the system costs before it trains: start-up, memory, alignment of two parties with 100,000 rows each."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from deploy.demo.federation import scenario_federation
from party.security.files import private_folder, write_atomically

HELP_RUNS = 5


def write_tables(folder: Path, rows: int) -> None:
    """Synthetic files of the demonstration's columns; nine of ten ids in common."""
    generator = np.random.default_rng(0)
    for party, share in (("alice", 0), ("bob", 10)):
        for dataset, count in (("train", rows), ("test", max(100, rows // 100))):
            offset = count // share if share else 0
            numbers = generator.permutation(np.arange(offset, offset + count))
            frame = pd.DataFrame({"ID": [f"{dataset}{number:012d}" for number in numbers]})
            if party == "alice":
                frame["UserID"] = generator.integers(0, 6040, count)
                frame["Gender"] = generator.choice(["F", "M"], count)
                frame["Age"] = generator.integers(7, 73, count)
                frame["Occupation"] = generator.integers(0, 21, count)
                frame["Zip-code"] = generator.integers(10000, 99999, count)
            else:
                frame["MovieID"] = generator.integers(0, 3952, count)
                frame["Rating"] = generator.integers(1, 6, count)
                frame["Title"] = [f"film {number}" for number in generator.integers(0, 3952, count)]
                frame["Genres"] = generator.choice(["Drama|War", "Comedy", "Crime|Drama|Thriller"], count)
                frame["Timestamp"] = generator.integers(870_000_000, 900_000_000, count)
            path = private_folder(folder / party) / f"{dataset}.csv"
            write_atomically(path, frame.to_csv(index=False).encode())


def resident_megabytes(process: int, kind: str) -> float:
    """`VmRSS` or `VmHWM` of a process."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"{kind}:\s+(\d+) kB", text)[1]) / 1024


def help_seconds() -> float:
    times = []
    for _ in range(HELP_RUNS):
        started_seconds = time.perf_counter()
        subprocess.run([sys.executable, "-m", "coordinator", "--help"], check=True, capture_output=True)
        times.append(time.perf_counter() - started_seconds)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    rows = parser.parse_args().rows
    figures: dict[str, float] = {"coordinator_help_seconds": help_seconds()}
    with tempfile.TemporaryDirectory() as name:
        folder = private_folder(Path(name) / "lean")
        write_tables(folder, rows)
        local = scenario_federation(folder, {"epochs": 1, "maximum_steps": 200})
        started_seconds = time.perf_counter()
        with local:
            figures["two_parties_ready_seconds"] = time.perf_counter() - started_seconds
            with local.connect() as federation:
                started_seconds = time.perf_counter()
                aligned = federation.align()
                figures["align_seconds"] = time.perf_counter() - started_seconds
                federation.fit()
            for party, process in local.processes.items():
                figures[f"{party}_resident_megabytes"] = resident_megabytes(process.pid, "VmRSS")
                figures[f"{party}_peak_megabytes"] = resident_megabytes(process.pid, "VmHWM")
    figures["rows_per_party"] = rows
    figures["rows_in_common"] = next(one.rows_in_common or 0 for one in aligned if one.dataset == "train")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
