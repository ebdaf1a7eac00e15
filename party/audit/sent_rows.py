"""The rows of the audit's table that one party can fill in: attacks on what it sent, judged by what it knows itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from party.audit.attacks.active_head import active_head_attack
from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.membership import MEMBERSHIP
from party.audit.meters.targets import Target
from party.audit.own_columns import Ints
from party.audit.own_knowledge import OwnKnowledge
from party.audit.received import Received
from party.audit.recording_audit import attack_columns, attack_labels
from party.audit.report.audit_row import UNKNOWN, AuditRow, Figure
from party.audit.report.judgement import epsilon_ceiling, judge
from party.audit.report.spending import SpentSecret
from party.audit.truth import Truth

OTHER_COLUMNS = "without a run needs the attacker's columns, which this party does not have"
CANNOT = "needs the attacker's columns and model, which this party does not have"
MASKED = "an upper bound: {receiver} got the sum with {others} other feature parties' hiddens"
MEMBERSHIP_NOTE = "by construction: an alignment tells both parties which of their ids the other one has"
ACTIVE_NOTE = (
    "simulated here: own base model, new weights, no decorrelation; one epoch of gradients for the secret, then an"
    " evaluation"
)
BOUNDED_NOTE = "not simulated with private columns: their epsilon bounds what a label party that lies gets of them"
UNBOUNDED_NOTE = "not simulated with private columns; their epsilon does not bound this secret"
ONE_CLASS = "all known entities are of one class, so that no head can be trained for the secret"
TOLD_MORE = "of this run alone: other sessions released more of the same secret than this epsilon, see the ledger below"
FEW_ENTITIES = "too few entities that every epoch has, or all known ones of one class"
ACTIVE_KNOWN = 200
CLASSES = 2
ACTIVE_HEAD, ACTIVE_HAS = "active head", f"hiddens, at most {ACTIVE_KNOWN} known, gradients of its choice"
Hijack = Callable[[Ints, NDArray[np.bool_]], Received]


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """What protects a secret, as far as figures depend on it.

    Attributes:
        epsilon: of the whole secret; None without a mechanism.
        masked_with: number of other feature parties in a masked sum; 0 without one.
    """

    epsilon: float | None = None
    masked_with: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnSecrets:
    """The secrets of a feature party.

    Attributes:
        truth: secrets by name, and entities.
        private: names of those that the epsilon bounds: the column is private, and an entity has one draw of it.
    """

    truth: Truth = field(repr=False)
    private: frozenset[str] = frozenset()


def label_rows(sent: Received, targets: Sequence[Target], guarantee: Guarantee, *, seed: int) -> list[AuditRow]:
    """Attacks of a feature party on the labels, from the gradients that left for it.

    Args:
        sent: the gradients.
        targets: what is told apart of every label.
        guarantee: what protects the labels.
        seed: of the attackers' choices.
    """
    rows, attacker = [], sent.header.receiver
    for target in targets:
        secret = target.name if target.about == "one of two classes" else f"{target.name}: {target.about}"
        labels = target.positive.astype(np.int64)
        results = attack_labels(sent, Truth({secret: labels}, np.arange(len(labels))), OwnKnowledge(), seed=seed)
        rows += [_row(result, attacker, guarantee.epsilon) for result in results]
        for attack, has in (("posterior", "gradients, own columns"), ("completion", "own trained model, 100 labels")):
            rows.append(_unmeasured(secret, attack, (attacker, has), CANNOT))
    return rows


def column_rows(
    sent: Received, secrets: ColumnSecrets, guarantee: Guarantee, *, seed: int, hijack: Hijack | None
) -> list[AuditRow]:
    """Attacks of the label party on the columns, from the hiddens that left for it.

    Args:
        sent: the hiddens.
        secrets: what is told apart.
        guarantee: what protects the private columns.
        seed: of the attackers' choices.
        hijack: returns the hiddens of a run in which the label party lies, given a secret and the rows in which it
            knows it; None where that is not simulated.
    """
    receiver = sent.header.receiver
    masked = MASKED.format(receiver=receiver, others=guarantee.masked_with) if guarantee.masked_with else ""
    epsilons = {name: guarantee.epsilon if name in secrets.private else None for name in secrets.truth.secrets}
    results = attack_columns(sent, secrets.truth, OwnKnowledge(), seed=seed)
    rows = [_row(result, receiver, epsilons.get(result.secret), note=masked) for result in results]
    unseen = set(epsilons) - {result.secret for result in results}
    for secret, epsilon in epsilons.items():
        if secret in unseen:
            rows.append(_unmeasured(secret, "probe", (receiver, "hiddens"), FEW_ENTITIES, epsilon=epsilon))
        if hijack is None:
            note = UNBOUNDED_NOTE if epsilon is None else BOUNDED_NOTE
            rows.append(_unmeasured(secret, ACTIVE_HEAD, (receiver, ACTIVE_HAS), note, epsilon=epsilon))
        else:
            rows.append(_active_head(secrets.truth, secret, hijack, (receiver, seed)))
    return rows


def _active_head(truth: Truth, secret: str, hijack: Hijack, attacker: tuple[str, int]) -> AuditRow:
    receiver, seed = attacker
    count = int(truth.entities.max()) + 1
    known = np.sort(np.random.default_rng((seed, ACTIVE_KNOWN)).permutation(count)[: min(ACTIVE_KNOWN, count // 2)])
    is_known = np.isin(truth.entities, known)
    if len(np.unique(truth.secrets[secret][is_known])) < CLASSES:
        return _unmeasured(secret, ACTIVE_HEAD, (receiver, ACTIVE_HAS), ONE_CLASS)
    hiddens = hijack(truth.secrets[secret], is_known)
    material = ColumnMaterial(hiddens=hiddens, secrets=truth.secrets, entities=truth.entities)
    result = replace(active_head_attack(material, secret, known), attacker_has=ACTIVE_HAS)
    return _row(result, receiver, None, note=ACTIVE_NOTE)


def membership_row(peers: Sequence[str]) -> AuditRow:
    """What parties learn about each other's ids, which no protection hides.

    Args:
        peers: names of the other parties.
    """
    return AuditRow(
        secret=MEMBERSHIP,
        attack="invented ids",
        attacker_has="ids to ask for",
        attacker=", ".join(peers),
        one_step=None,
        all_epochs=1.0,
        standard_error=0.0,
        without_run=0.5,
        ceiling=None,
        verdict="open",
        note=MEMBERSHIP_NOTE,
        reference="the purpose of set intersection",
    )


def noting_other_sessions(
    rows: Sequence[AuditRow], spent: Sequence[SpentSecret], epsilon: float | None
) -> list[AuditRow]:
    """The rows, those with a ceiling noted where the ledger says that the ceiling does not hold over all sessions.

    Args:
        rows: the rows of a party, which has one kind of secret.
        spent: what its ledger says of it over all sessions.
        epsilon: what protects it in this run; None without a mechanism.
    """
    if epsilon is None or not any(one.is_exact or one.epsilon > epsilon for one in spent):
        return list(rows)
    return [
        row if row.ceiling is None else row.model_copy(update={"note": "; ".join(filter(None, (TOLD_MORE, row.note)))})
        for row in rows
    ]


def _row(result: AttackResult, attacker: str, epsilon: float | None, *, note: str = "") -> AuditRow:
    without: Figure = UNKNOWN if result.without_run is None else _figure(result.without_run)
    ceiling = None if epsilon is None else epsilon_ceiling(epsilon)
    every = _figure(result.all_epochs)
    error = result.standard_error if math.isfinite(result.standard_error) else None
    notes = [note] if note else []
    if without == UNKNOWN:
        notes.append(OTHER_COLUMNS)
    return AuditRow(
        secret=result.secret,
        attack=result.attack,
        attacker_has=result.attacker_has,
        attacker=attacker,
        one_step=None if result.one_step is None else _figure(result.one_step),
        all_epochs=every,
        standard_error=error,
        without_run=without,
        ceiling=ceiling,
        verdict=judge(every, error, without_run=without, ceiling=ceiling),
        note="; ".join(notes),
        reference=result.reference,
    )


def _unmeasured(
    secret: str, attack: str, attacker: tuple[str, str], note: str, *, epsilon: float | None = None
) -> AuditRow:
    name, has = attacker
    return AuditRow(
        secret=secret,
        attack=attack,
        attacker_has=has,
        attacker=name,
        one_step=None,
        all_epochs=UNKNOWN,
        standard_error=None,
        without_run=UNKNOWN,
        ceiling=None if epsilon is None else epsilon_ceiling(epsilon),
        verdict="not measured",
        note=note,
    )


def _figure(value: float) -> Figure:
    """The value; None where an area cannot be computed, as one class is absent."""
    return float(value) if math.isfinite(value) else None
