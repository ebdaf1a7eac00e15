"""Test AUC with private labels, minus that without protection, on MovieLens-100K and UCI Adult, over several seeds.

Every run is a federation of real processes. The AUC is the label party's own, of its private head on true labels.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

from deploy import adult, movielens
from deploy.demo.experiment import TEST_FRACTION
from deploy.demo.federation import fresh_folder, scenario_federation
from deploy.demo.own_figures import last_evaluation
from deploy.demo.scenarios import ADULT, DEEPFM, Scenario
from party.security.files import private_folder, write_atomically

ADULT_INCOME = replace(
    ADULT,
    labels={"income": {"rule": "income == >50K"}},
    fuse={"kind": "dnn", "units": [32]},
)
SCENARIOS = {"movielens": DEEPFM, "adult": ADULT_INCOME}
TRAINING: dict[str, dict[str, object]] = {"movielens": {"epochs": 3, "batch_size": 128}, "adult": {}}
# The largest loss of AUC that a user should have to expect, by data set and epsilon.
ALLOWED = {"movielens": {2.0: 0.012, 1.0: 0.026}, "adult": {1.0: 0.003, 0.5: 0.005}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", dest="names", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    results: dict[str, dict[str, list[float]]] = {}
    for name in arguments.names:
        prepared = private_folder(folder / f"private-labels-{name}")
        results[name] = {
            _shown(epsilon): [_test_auc(name, prepared, seed, epsilon) for seed in arguments.seeds]
            for epsilon in (None, *ALLOWED[name])
        }
        _print_table(name, arguments.seeds, results[name])
    write_atomically(folder / "private-labels.json", json.dumps(results, indent=2).encode())


def _test_auc(name: str, folder: Path, seed: int, epsilon: float | None) -> float:
    """Trains one federation and returns the label party's own test AUC."""
    fresh_folder(folder)
    if name == "movielens":
        movielens.prepare(None, folder, seed=seed, test_fraction=TEST_FRACTION, rows=None, cache=folder / "cache")
    else:
        adult.prepare(folder, seed=seed, rows=None, cache=folder / "cache")
    training = {"seed": seed, **TRAINING[name]}
    scenario = _protected(SCENARIOS[name], epsilon)
    with scenario_federation(folder, training, scenario=scenario) as local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        federation.evaluate()
    auc = last_evaluation(folder, local.label_party, history.run_id)["auc"]
    print(f"{name} seed {seed} {_shown(epsilon)}: test AUC {auc:.4f}, {history.seconds:.0f} s", flush=True)
    return auc


def _protected(scenario: Scenario, epsilon: float | None) -> Scenario:
    if epsilon is None:
        return scenario
    labels = {key: {**label, "privacy": {"epsilon": epsilon}} for key, label in scenario.labels.items()}
    return replace(scenario, labels=labels)


def _shown(epsilon: float | None) -> str:
    return "none" if epsilon is None else f"epsilon {epsilon:g}"


def _print_table(name: str, seeds: list[int], by_epsilon: dict[str, list[float]]) -> None:
    print(f"\n{name:<12} {'mean AUC':>9} {'mean - none':>12} {'allowed':>8}  seeds {seeds}")
    allowed = {_shown(epsilon): bar for epsilon, bar in ALLOWED[name].items()}
    for shown, aucs in by_epsilon.items():
        loss = statistics.mean(aucs) - statistics.mean(by_epsilon["none"])
        bar = f"{-allowed[shown]:8.3f}" if shown in allowed else f"{'':>8}"
        print(f"{shown:<12} {statistics.mean(aucs):9.4f} {loss:12.4f} {bar}  {[round(auc, 4) for auc in aucs]}")


if __name__ == "__main__":
    main()
