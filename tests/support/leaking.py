"""Federations whose parties record what they receive, and a label party that lies."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from coordinator import LocalFederation
from party.audit.attacks.active_head import active_head_attack, crafted_labels
from party.audit.attacks.column_material import ColumnMaterial
from party.audit.own_knowledge import OwnKnowledge, read_own_columns
from party.audit.received_file import received_files
from party.audit.recording import FOLDER, read_ids
from party.audit.recording_audit import audit_recording
from party.audit.truth import read_named_table, read_truth, rows_of
from party.configuration.party import load_party_configuration
from party.runtime.records import RunRecords
from party.runtime.trained_hiddens import trained_hiddens

RECORD = {"audit": {"record": True}}


@dataclass(frozen=True)
class Secrets:
    """What one party may want to know of another one's file: rules by name, and the column that names the entity."""

    rules: dict[str, str]
    entity: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """A party of a federation that recorded a run, and the file of its victim."""

    local: LocalFederation
    name: str
    victim: Path
    run_id: str
    dataset: str = "train"
    seed: int = 0
    own: Path = field(init=False)

    def __post_init__(self):
        configuration = load_party_configuration(self.local.party_path(self.name))
        object.__setattr__(self, "own", configuration.path(configuration.data.datasets[self.dataset]))

    @property
    def folder(self):
        return received_folder(self.local, self.name, self.run_id)

    @property
    def ids(self):
        return read_ids(self.folder, self.dataset)

    def truth(self, secrets):
        return read_truth(self.victim, self.ids, secrets.rules, entity=secrets.entity)

    def knowledge(self, with_model=False):
        """Own columns and, at a feature party, the hiddens of the own trained model."""
        configuration = load_party_configuration(self.local.party_path(self.name))
        features, hiddens = configuration.data.features, None
        if not features:
            return OwnKnowledge()
        if with_model:
            records = RunRecords(self.local.state_path(self.name) / "runs", self.name)
            table = read_named_table(self.own, "ID", configuration.data.columns(self.dataset, trained_on=True))
            rows = rows_of(table, self.ids)
            hiddens = trained_hiddens(configuration, records, self.run_id, table, rows=rows)
        return OwnKnowledge(columns=read_own_columns(self.own, self.ids, features), hiddens=hiddens)

    def audit(self, secrets, with_model=False, knowledge=None):
        knowledge = knowledge or self.knowledge(with_model)
        return audit_recording(self.folder, self.truth(secrets), knowledge, seed=self.seed)


def received_folder(local, name, run_id):
    return local.state_path(name) / "runs" / run_id / FOLDER


def lying_parties(feature_party, liar, victim, secrets, known):
    """Descriptions for a federation in which the label party trains on the secret of some entities.

    Args:
        feature_party: name and description of the honest party, whose file is `victim`.
        liar: name of the label party.
        victim: the honest party's file, from which the ids and the known secrets are taken.
        secrets: one rule, and the entity.
        known: number of entities whose secret the liar knows.

    Returns:
        The descriptions, and the secret and entity by id.
    """
    ids = read_named_table(victim, "ID", []).ids.tolist()
    truth = read_truth(victim, ids, secrets.rules, entity=secrets.entity)
    (secret,) = truth.secrets.values()
    chosen = np.random.default_rng(0).permutation(int(truth.entities.max()) + 1)[:known]
    crafted = crafted_labels(secret, truth.entities, chosen)
    frame = pd.DataFrame({"ID": ids, "wanted": crafted.labels, "weight": crafted.weights})
    name, description = feature_party
    return {
        name: description,
        liar: {
            "frames": {"train": frame},
            "labels": {"wanted": {"rule": "wanted == 1"}},
            "data": {"sample_weight": "weight", "features": []},
            **RECORD,
        },
    }


def active_head(local, liar, victim, secrets, run_id):
    """The result of the active head, from what the liar recorded of an evaluation of the trained rows."""
    attacker = Attacker(local=local, name=liar, victim=victim, run_id=run_id)
    truth = attacker.truth(secrets)
    weights = pd.read_csv(attacker.own, dtype=str).set_index("ID").loc[attacker.ids, "weight"].astype(float).to_numpy()
    (received,) = received_files(attacker.folder, "hidden", "inference")
    material = ColumnMaterial(hiddens=received, secrets=truth.secrets, entities=truth.entities)
    return active_head_attack(material, next(iter(secrets.rules)), np.unique(truth.entities[weights > 0]))
