"""Throughput and test AUC on MovieLens-100K with masked sums, divided by and beside those without.

The columns of users are split between two feature parties. Runs of both kinds alternate, and so does which one is
first; the first epoch of each, which traces and compiles, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import pandas as pd

from coordinator.local_federation import LocalFederation
from deploy.demo.scenarios import DEEPFM
from deploy.movielens import prepare
from party.security.clock import utc_now
from party.security.files import private_folder
from tests.benchmarks.movielens_parties import federation_of
from tests.benchmarks.networks import Outcome, measure

SPLIT = {"alice": ("UserID", "Gender"), "charlie": ("Age", "Occupation", "Zip-code")}
LABEL_PARTY = "bob"
DATASETS = ("train", "test")
WANTED_RATIO = 0.85
POLICY = {"maximum_evaluations": 1000, "maximum_runs": 1000}
NEVER = {"every_seconds": 1e6}


def masked_parties(folder: Path, seed: int) -> LocalFederation:
    """Two parties with the columns of users, one with films and ratings; not started."""
    source = private_folder(folder / "source")
    prepare(None, source, seed=seed, test_fraction=0.1, rows=None, cache=folder.parent / "cache")
    users = {one: pd.read_csv(source / "alice" / f"{one}.csv", dtype=str, keep_default_na=False) for one in DATASETS}
    films = DEEPFM.companies[LABEL_PARTY]
    parties: dict[str, dict[str, object]] = {
        LABEL_PARTY: {
            "frames": {one: source / LABEL_PARTY / f"{one}.csv" for one in DATASETS},
            "features": films.features,
            "labels": DEEPFM.labels,
            "policy": POLICY,
        }
    }
    for name, columns in SPLIT.items():
        parties[name] = {
            "frames": {one: frame[["ID", *columns]] for one, frame in users.items()},
            "features": [one for one in DEEPFM.companies["alice"].features if one["column"] in columns],
            "policy": POLICY,
        }
    training = {"dataset": "train", "validation_fraction": 0.05, "seed": seed}
    return LocalFederation(
        private_folder(folder / f"parties-{utc_now():%H%M%S}"), parties, training=training, run={"checkpoints": NEVER}
    )


def pairs_of_runs(local: LocalFederation, training: dict[str, object], pairs: int) -> dict[bool, list[Outcome]]:
    """Trains pairs of runs, with and without masked sums."""
    outcomes: dict[bool, list[Outcome]] = {True: [], False: []}
    for pair in range(pairs):
        for masked in (True, False) if pair % 2 else (False, True):
            with federation_of(local, {**training, "secure_aggregation": masked}) as federation:
                outcomes[masked].append(measure(federation))
    return outcomes


def print_outcomes(training: dict[str, object], outcomes: dict[bool, list[Outcome]]) -> None:
    rates = {masked: [one.samples_per_second for one in found] for masked, found in outcomes.items()}
    ratios = [masked / plain for masked, plain in zip(rates[True], rates[False], strict=True)]
    print(
        f"batch {training['batch_size']:>5}: masked {statistics.median(rates[True]):>8,.0f} samples/s, unmasked"
        f" {statistics.median(rates[False]):>8,.0f}; ratio {statistics.median(ratios):.3f}"
        f" [{min(ratios):.2f} to {max(ratios):.2f}], wanted {WANTED_RATIO}",
        flush=True,
    )
    for masked, found in outcomes.items():
        areas = ", ".join(f"{one.test_auc:.4f}" for one in found)
        print(f"  test AUC {'masked' if masked else 'unmasked':<9} {areas}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1024])
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    root = private_folder(arguments.folder.resolve())
    for seed in arguments.seeds:
        print(f"seed {seed}")
        with masked_parties(private_folder(root / f"masks-{seed}"), seed) as local:
            with local.connect() as federation:
                federation.align()
            for batch_size in arguments.batch_sizes:
                training: dict[str, object] = {"batch_size": batch_size, "epochs": arguments.epochs}
                print_outcomes(training, pairs_of_runs(local, training, arguments.pairs))


if __name__ == "__main__":
    main()
