"""Runs every attack that a recording and the auditor's knowledge allow."""

from __future__ import annotations

from pathlib import Path

from party.audit.attacks.attack_result import AttackResult
from party.audit.attacks.clustering import clustering_attack
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.attacks.completion import completion_attacks
from party.audit.attacks.direction import direction_attack
from party.audit.attacks.known_labels import known_labels_attack
from party.audit.attacks.label_material import LabelMaterial
from party.audit.attacks.linear_sign import linear_sign_attack
from party.audit.attacks.linking import linking_attack
from party.audit.attacks.norm import norm_attack
from party.audit.attacks.posterior import posterior_attack
from party.audit.attacks.probe import probe_attacks
from party.audit.attacks.spectral import spectral_attack
from party.audit.own_knowledge import OwnKnowledge
from party.audit.received import Received
from party.audit.received_file import received_files
from party.audit.truth import Truth
from party.errors import StorageError


def audit_recording(
    folder: Path, truth: Truth, knowledge: OwnKnowledge | None = None, *, seed: int = 0
) -> list[AttackResult]:
    """Runs the attacks that fit what a folder holds: on labels with gradients, on columns with hiddens.

    Args:
        folder: the folder `received` of a run, at the party that plays the attacker.
        truth: what the attacks are judged by, in the common order of the recording.
        knowledge: what the attacker has besides; None for nothing.
        seed: of the attackers' choices.

    Returns:
        A result for each attack and secret; none without gradients or hiddens of training.

    Raises:
        StorageError: a file of the folder cannot be read, or the folder holds none.
    """
    knowledge = knowledge or OwnKnowledge()
    gradients, hiddens = received_files(folder, "gradient"), received_files(folder, "hidden")
    if not (gradients or hiddens):
        raise StorageError(
            "holds nothing that was received in training",
            where=folder,
            fix="train with `audit: {record: true}` in the party's file",
        )
    results = []
    for received in gradients:
        results += attack_labels(received, truth, knowledge, seed=seed)
    for received in hiddens:
        results += attack_columns(received, truth, knowledge, seed=seed)
    return results


def attack_labels(received: Received, truth: Truth, knowledge: OwnKnowledge, *, seed: int = 0) -> list[AttackResult]:
    """Runs the attacks of a feature party on every secret.

    Args:
        received: the gradients that it received.
        truth: the labels.
        knowledge: what it has besides.
        seed: of its choices.
    """
    results = []
    for name, labels in truth.secrets.items():
        material = LabelMaterial(
            secret=name,
            gradients=received,
            labels=labels,
            own=knowledge.columns,
            own_hiddens=knowledge.hiddens,
            flip_probability=knowledge.flip_probabilities.get(name, 0.0),
        )
        results += attack_label(material, seed)
    return results


def attack_label(material: LabelMaterial, seed: int = 0) -> list[AttackResult]:
    """Runs the attacks of a feature party on one secret.

    Args:
        material: what it received and has.
        seed: of its choices.
    """
    spectral, scores = spectral_attack(material)
    results = [
        norm_attack(material),
        direction_attack(material, seed),
        spectral,
        clustering_attack(material),
        linear_sign_attack(material),
        known_labels_attack(material, seed),
        posterior_attack(material, scores),
        *completion_attacks(material, seed),
    ]
    return [one for one in results if one is not None]


def attack_columns(received: Received, truth: Truth, knowledge: OwnKnowledge, *, seed: int = 0) -> list[AttackResult]:
    """Runs the attacks of a label party on the columns of one feature party.

    Args:
        received: the hiddens that it received.
        truth: the columns, and the entities of the rows.
        knowledge: what it has besides.
        seed: of its choices.
    """
    material = ColumnMaterial(hiddens=received, secrets=truth.secrets, entities=truth.entities, own=knowledge.columns)
    linked = linking_attack(material, seed)
    return [*([] if linked is None else [linked]), *probe_attacks(material, seed)]
