"""Aligns and begins to train many rows over a table: seconds and resident memory of each party.

Bob has rows that refer to users, alice a table of users. Half of bob's users are known to alice.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from coordinator.local_federation import LocalFederation
from deploy.demo.federation import fresh_folder
from party.security.files import private_folder

STEPS = 50
KNOWN_FRACTION = 0.5
GIB = 1 << 30
KIB = 1 << 10


def write_tables(folder: Path, rows: int, users: int, seed: int) -> dict[str, Path]:
    """Writes both files; alice's users are the first part of bob's and as many that bob has not."""
    random = np.random.default_rng(seed)
    paths = {"bob": folder / "clicks.csv", "alice": folder / "users.csv"}
    first = round(users * (1 - KNOWN_FRACTION))
    with paths["alice"].open("w") as file:
        file.write("user,age,city\n")
        ages, cities = random.integers(18, 90, users), random.integers(0, 500, users)
        file.writelines(
            f"u{number + first:09d},{age},c{city}\n"
            for number, (age, city) in enumerate(zip(ages.tolist(), cities.tolist(), strict=True))
        )
    with paths["bob"].open("w") as file:
        file.write("user,item,click\n")
        who = random.integers(0, users, rows)
        what, clicks = random.integers(0, 2000, rows), random.integers(0, 2, rows)
        file.writelines(
            f"u{user:09d},i{item},{click}\n"
            for user, item, click in zip(who.tolist(), what.tolist(), clicks.tolist(), strict=True)
        )
    return paths


def memory_of(process_id: int) -> tuple[float, float]:
    """Resident memory of a process now and at most, in GiB."""
    lines = (Path("/proc") / str(process_id) / "status").read_text().splitlines()
    sizes = {line.split(":")[0]: line.split(":")[1] for line in lines if line.startswith(("VmRSS", "VmHWM"))}
    return tuple(int(sizes[key].split()[0]) * KIB / GIB for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--users", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--kind", choices=("inner", "left"), default="left")
    arguments = parser.parse_args()
    root = fresh_folder(private_folder(arguments.folder.resolve()) / "table-scale")
    paths = write_tables(root, arguments.rows, arguments.users, arguments.seed)
    parties: dict[str, dict[str, object]] = {
        "alice": {
            "tables": {"users": paths["alice"]},
            "id": "user",
            "features": [{"column": "age", "kind": "numeric"}, {"column": "city", "kind": "vocabulary"}],
        },
        "bob": {
            "frames": {"train": paths["bob"]},
            "joins": [{"peer": "alice", "key": "user", "table": "users", "kind": arguments.kind}],
            "features": [{"column": "item", "kind": "vocabulary"}],
            "labels": {"clicked": {"rule": "click == 1"}},
            "policy": {"reveal_row_counts": ["alice"]},
        },
    }
    training = {"dataset": "train", "batch_size": 1024, "maximum_steps": STEPS}
    started_seconds = time.monotonic()

    def note(what: str) -> None:
        memory = {name: memory_of(one.pid) for name, one in local.processes.items()}
        shown = ", ".join(f"{name} {now:.2f} GiB (at most {most:.2f})" for name, (now, most) in memory.items())
        print(f"{time.monotonic() - started_seconds:6.0f} s  {what}: {shown}", flush=True)

    local = LocalFederation(root, parties, training=training, run={"evaluate_dataset": "train"})
    with local, local.connect() as federation:
        note("both parties have read their files")
        for aligned in federation.align():
            print(aligned, flush=True)
        note("aligned")
        history = federation.fit()
        note(f"trained {STEPS} steps at {history.samples_per_second:,.0f} samples/s")
    for name in parties:
        stored = sum(
            path.stat().st_size for path in (root / name / "state" / "alignments").rglob("*") if path.is_file()
        )
        print(f"{name}: {stored / arguments.rows:.1f} stored bytes per row", flush=True)


if __name__ == "__main__":
    main()
