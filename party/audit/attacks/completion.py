"""Labels by completing the model: a head of the attacker's own on its trained base model, fitted on a few labels."""

from __future__ import annotations

import numpy as np

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.label_material import LabelMaterial
from party.audit.linear_models import fit_logistic, fit_ridge
from party.audit.own_columns import Floats, Ints

KNOWN_LABELS = 100
DRAWS = 7  # the attack is repeated with other known rows; the median result is told
RIDGE_PENALTY = 20.0


def completion_attacks(material: LabelMaterial, seed: int = 0) -> list[AttackResult]:
    """Fits a linear head on the attacker's own hiddens of 100 labelled rows, without and with its own columns.

    The known labels orient the scores. No gradient is read: training has shaped the base model by them. Without a run,
    the same labels fit a model of own columns. The paper's head is a network that also learns from unlabelled rows.

    Args:
        material: what a feature party received and has.
        seed: of the choice of known rows.

    Returns:
        Two results; none if own hiddens or own columns are not given.

    Reference:
        Fu et al., "Label Inference Attacks Against Vertical Federated Learning", USENIX Security 2022, section 4.1.
    """
    hiddens, own = material.own_hiddens, material.own
    if hiddens is None or own is None:
        return []
    found: dict[str, list[tuple[float, float]]] = {"hiddens": [], "both": [], "columns": []}
    for draw in range(DRAWS):
        known = np.random.default_rng((seed, draw)).permutation(len(material.labels))[:KNOWN_LABELS]
        targets = material.labels[known].astype(np.float64)
        others = np.setdiff1d(np.arange(len(material.labels)), known)
        by_hiddens = fit_ridge(hiddens[known], targets, RIDGE_PENALTY).scores(hiddens)
        by_columns = fit_logistic(own.take(known), targets).log_odds(own)
        for name, scores in {
            "hiddens": by_hiddens,
            "columns": by_columns,
            "both": _standard(by_hiddens, known) + _standard(by_columns, known),
        }.items():
            found[name].append(material.area_of(scores[others], others))
    median = {name: sorted(areas)[DRAWS // 2] for name, areas in found.items()}
    names = {"completion": ("hiddens", "own model"), "completion with columns": ("both", "own model and columns")}
    return [
        AttackResult(
            secret=material.secret,
            attack=attack,
            attacker_has=f"{has}, {KNOWN_LABELS} labels",
            one_step=None,
            all_epochs=median[name][0],
            standard_error=median[name][1],
            without_run=median["columns"][0],
            reference="Fu et al. 2022, 4.1",
        )
        for attack, (name, has) in names.items()
    ]


def _standard(scores: Floats, rows: Ints) -> Floats:
    """Scores over their deviation on known rows."""
    return scores / (float(scores[rows].std()) + 1e-12)
