"""Test AUC on MovieLens-100K of the split run, of pooled training and of bob alone, over several seeds.

Each seed has its own split into training and test rows, its own held-out rows,
its own order of batches and its own initial weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

from deploy.demo.demonstration import run_demonstration
from party.security.files import private_folder, write_atomically

AUC_TOLERANCE = 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    results = {
        seed: run_demonstration(folder / f"quality-{seed}", None, seed=seed, epochs=arguments.epochs, batch_size=128)
        for seed in arguments.seeds
    }
    print(f"\n{'seed':>6} {'split':>8} {'pooled':>8} {'bob alone':>10} {'split - pooled':>15}")
    differences = []
    for seed, rows in results.items():
        split, pooled, alone = (row["test_auc"] for row in rows.values())
        differences.append(split - pooled)
        print(f"{seed:>6} {split:>8.4f} {pooled:>8.4f} {alone:>10.4f} {differences[-1]:>15.6f}")
    largest = max(abs(difference) for difference in differences)
    print(f"mean difference {statistics.mean(differences):.6f}, largest {largest:.6f}, allowed {AUC_TOLERANCE}")
    content = {str(seed): rows for seed, rows in results.items()}
    write_atomically(folder / "quality.json", json.dumps(content, indent=2).encode())


if __name__ == "__main__":
    main()
