"""What all attacks on labels reach with private labels, and the most that epsilon allows, over several seeds.

Every run is a federation of real processes on MovieLens-100K or UCI Adult; its feature party records and attacks. Ends
with 1 if an attack is above its ceiling by more than three standard errors of its own figure (Hanley and McNeil 1982).

Epsilon bounds what a row's own label adds, not what the features of both parties say of it. `--canaries` tells these
apart: the labels of a share of rows become fair coins, and the exit status counts the figures of these rows alone.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path

import numpy as np

from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import last_evaluation
from party.audit.linear_models import cross_fitted_log_odds
from party.audit.received_file import received_files
from party.audit.recording_audit import attack_label
from party.audit.report.judgement import ERRORS, epsilon_ceiling
from party.metrics.area_under_curve import area_under_curve
from party.security.files import private_folder
from tests.benchmarks.canaries import JudgedMaterial, put_canaries
from tests.benchmarks.leaks import CASES, attacker, honest_run

EPSILONS = {"movielens": (2.0, 1.0), "adult": (1.0, 0.5)}
WITH_COLUMNS = ("posterior", "completion", "completion with columns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", dest="names", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--epsilons", type=float, nargs="+", help="default: those of the data set")
    parser.add_argument("--canaries", type=float, metavar="SHARE", help="of rows whose label becomes a fair coin")
    arguments = parser.parse_args()
    folder = private_folder(arguments.folder.resolve())
    print_results = print_canaries if arguments.canaries else print_table
    above = 0
    for name in arguments.names:
        for epsilon in arguments.epsilons or EPSILONS[name]:
            results = [attacks(name, folder, seed, epsilon, canaries=arguments.canaries) for seed in arguments.seeds]
            above += print_results(f"{name}, epsilon {epsilon:g}", arguments.seeds, results)
    print(f"{above} above the ceiling by more than {ERRORS:g} standard errors")
    sys.exit(1 if above else 0)


def attacks(name, folder, seed, epsilon, *, canaries=None):
    """Trains one federation with private labels, and returns the results of its attacks with their ceilings.

    With canaries those of canaries, each with its ceiling and the result on all other rows.
    """
    case = CASES[name]
    labels = {key: {**label, "privacy": {"epsilon": epsilon}} for key, label in case.scenario.labels.items()}
    case = dataclasses.replace(case, scenario=dataclasses.replace(case.scenario, labels=labels))
    prepared = fresh_folder(private_folder(folder / f"label-ceiling-{name}"))
    case.prepare(prepared, seed, folder / "cache")
    victim = prepared / case.scenario.label_party / f"train.{case.scenario.extension}"
    coins = put_canaries(victim, name, canaries, seed) if canaries else []
    run_id, local = honest_run(case, prepared, seed)
    feature_party = attacker(local, case.feature_party, case.scenario.label_party, run_id, case)
    auc = last_evaluation(prepared, case.scenario.label_party, run_id)["auc"]
    print(f"{name} seed {seed} epsilon {epsilon:g}: own test AUC {auc:.4f}, run {run_id}", flush=True)
    flips = dict.fromkeys(case.labels.rules, 1.0 - epsilon_ceiling(epsilon))
    knowledge = dataclasses.replace(feature_party.knowledge(with_model=True), flip_probabilities=flips)
    if coins:
        of_coins, of_others = results_apart(feature_party, case.labels, knowledge, coins)
        return [(one, epsilon_ceiling(epsilon), other) for one, other in zip(of_coins, of_others, strict=True)]
    (truth,) = feature_party.truth(case.labels).secrets.values()
    ceilings = {False: epsilon_ceiling(epsilon), True: ceiling_with_columns(knowledge.columns, truth, epsilon, seed)}
    results = feature_party.audit(case.labels, knowledge=knowledge)
    return [(one, ceilings[one.attack in WITH_COLUMNS]) for one in results]


def results_apart(feature_party, secrets, knowledge, canaries):
    """The results of all attacks on canaries, and on all other rows."""
    (received,) = received_files(feature_party.folder, "gradient")
    ((name, truth),) = feature_party.truth(secrets).secrets.items()
    are_canaries = np.isin(feature_party.ids, canaries)
    return [
        attack_label(
            JudgedMaterial(
                secret=name,
                gradients=received,
                labels=truth,
                own=knowledge.columns,
                own_hiddens=knowledge.hiddens,
                flip_probability=knowledge.flip_probabilities[name],
                judged=judged,
            ),
            feature_party.seed,
        )
        for judged in (are_canaries, ~are_canaries)
    ]


def ceiling_with_columns(columns, truth, epsilon, seed):
    """The area with own columns, as a model of true labels reads them, and the best answer that epsilon allows."""
    rows = np.arange(len(truth))
    odds = cross_fitted_log_odds(columns, truth.astype(np.float64), rows)
    kept = np.random.default_rng(seed).random(len(truth)) < epsilon_ceiling(epsilon)
    answers = np.where(kept, truth, 1 - truth)
    return area_under_curve(odds + epsilon * (2 * answers - 1), truth.astype(np.float64))


def print_table(title, seeds, results):
    """Prints the figure and ceiling of each attack by seed; returns how many figures are above."""
    print(f"\n{title:<26}" + "".join(f"{f'seed {seed}':>16}{'ceiling':>9}" for seed in seeds))
    count = 0
    for by_seed in zip(*results, strict=True):
        count += sum(is_above(one, ceiling) for one, ceiling in by_seed)
        print(f"{by_seed[0][0].attack:<26}" + "".join(text(one, ceiling) for one, ceiling in by_seed), flush=True)
    return count


def print_canaries(title, seeds, results):
    """As `print_table`, of canaries; beside them what the same attack reaches on all other rows."""
    print(f"\n{title:<26}" + "".join(f"{f'canaries, {seed}':>16}{'ceiling':>9}{'others':>9}" for seed in seeds))
    count = 0
    for by_seed in zip(*results, strict=True):
        count += sum(is_above(one, ceiling) for one, ceiling, _ in by_seed)
        texts = (f"{text(one, ceiling)}{figure(others):8.4f} " for one, ceiling, others in by_seed)
        print(f"{by_seed[0][0].attack:<26}" + "".join(texts), flush=True)
    return count


def text(one, ceiling):
    mark = "!" if is_above(one, ceiling) else " "
    return f"{figure(one):8.4f} ± {one.standard_error:.4f}{ceiling:8.4f}{mark}"


def is_above(one, ceiling):
    return figure(one) > ceiling + ERRORS * one.standard_error


def figure(one):
    """The area, whichever side the attack took."""
    return max(one.all_epochs, 1.0 - one.all_epochs)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
