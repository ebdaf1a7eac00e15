"""The configuration file of a party."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from party.configuration.addresses import Address
from party.configuration.audit import AuditSection
from party.configuration.budgets import SecretName, budget_warnings, check_budgets
from party.configuration.checkpoints import PartyCheckpointsSection
from party.configuration.data_files import entries_of, is_address, is_unencrypted
from party.configuration.feature_parties import FEWEST_SUMMANDS
from party.configuration.features import DataSection, MultiHotFeature, SequenceFeature
from party.configuration.fitting_negatives import check_negatives
from party.configuration.joins import check_every_peer, check_joins
from party.configuration.labels import group_columns
from party.configuration.meters import MetersSection
from party.configuration.models import AnyFuse, AnyModel, BSTModel, DeepFMFuse, DeepFMModel, DNNFuse, OwnModel
from party.configuration.monitoring import LogFormat, MonitoringPort, port_warnings
from party.configuration.negatives import NegativesSection
from party.configuration.partners import FileWithPartners
from party.configuration.paths import FilePath
from party.configuration.patterns import DIGEST_PATTERN
from party.configuration.policy import PolicySection
from party.configuration.privacy import PrivacySection
from party.configuration.private_labels import label_privacy_warnings
from party.configuration.run import OptimizerSection, RunConfiguration
from party.configuration.sections import KnownName, Name, TlsSection
from party.configuration.strict import StrictModel, load
from party.configuration.threads import ThreadsSection
from party.errors import ConfigurationError
from party.ownership import OTHERS, loose_mode, looseness

PurposeName = Literal["align", "train", "measure", "evaluate", "predict"]


class KnownCoordinator(KnownName):
    """A coordinator, and what it may request.

    Attributes:
        purposes: purposes of the sessions that it may open.
        datasets: datasets that it may name and whose row counts it may see; all of them if omitted.
    """

    purposes: tuple[PurposeName, ...] = Field(default=get_args(PurposeName), min_length=1, strict=False)
    datasets: tuple[str, ...] | None = Field(default=None, strict=False)


class PartyConfiguration(FileWithPartners):
    """One party's file, validated; paths in it are relative to `folder`.

    Attributes:
        party: name of this party, equal to the only DNS name of its certificate.
        listen: address and port to serve on.
        label_party: name of the party with the labels, this one or a peer.
        peers: the other parties.
        coordinators: the coordinators that may drive runs, and what each may request.
        tls: this party's certificate and key.
        state: folder for the party's records, alignments and models.
        data: files, features, labels.
        model: the base model; omitted at a label party without features.
        fuse: the fuse model, at the label party.
        optimizer: optimizer of this party's models, in place of the run's.
        privacy: how this party protects its columns.
        policy: what the owner allows.
        meters: what the owner watches of what leaves.
        checkpoints: the checkpoints that are retained of a run.
        audit: what is kept to find out what a run gives away, and the secrets that an audit is about.
        threads: threads of TensorFlow.
        pinned_secret: 64 hexadecimal digits in place of fresh randomness; only for tests and demonstrations.
        insecure: no TLS; only on loopback addresses.
        log_level: level of the party's log on standard error.
        log_format: lines of text, or one JSON object a line.
        health: port of the gRPC health service.
        prometheus: port of the metrics for Prometheus.
        tensorboard: whether the label party writes event files with its exact metrics.
    """

    other_files: ClassVar[Mapping[str, type[StrictModel]]] = {"the coordinator's file": RunConfiguration}

    party: Name
    listen: Address
    label_party: Name
    peers: tuple[KnownName, ...] = Field(min_length=1, strict=False)
    coordinators: tuple[KnownCoordinator, ...] = Field(min_length=1, strict=False)
    tls: TlsSection
    state: FilePath
    data: DataSection
    model: AnyModel | None = None
    fuse: AnyFuse | None = None
    optimizer: OptimizerSection | None = None
    privacy: PrivacySection = PrivacySection()
    policy: PolicySection = PolicySection()
    meters: MetersSection = MetersSection()
    checkpoints: PartyCheckpointsSection = PartyCheckpointsSection()
    audit: AuditSection = AuditSection()
    threads: ThreadsSection = ThreadsSection()
    pinned_secret: str | None = Field(default=None, pattern=DIGEST_PATTERN, repr=False)
    insecure: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: LogFormat = "text"
    health: MonitoringPort | None = None
    prometheus: MonitoringPort | None = None
    tensorboard: bool = False
    folder: Path = Field(default=Path(), exclude=True, strict=False)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        peers = [peer.name for peer in self.peers]
        names = [self.party, *peers, *(coordinator.name for coordinator in self.coordinators)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names used twice among party, peers and coordinators: {', '.join(twice)}")
        if self.label_party != self.party and self.label_party not in peers:
            raise ValueError("label_party must be this party or one of peers")
        if self.holds_labels and not self.data.labels:
            raise ValueError("the label party needs data.labels")
        if not self.holds_labels and (self.data.labels or self.fuse is not None):
            raise ValueError("data.labels and fuse belong to the label party only")
        if self.tensorboard and not self.holds_labels:
            raise ValueError("tensorboard belongs to the label party only: a feature party has no metrics")
        if not self.holds_labels and not self.data.features:
            raise ValueError("a feature party needs data.features")
        if self.model is not None and not self.data.features:
            raise ValueError("model needs data.features")
        if isinstance(self.fuse, DeepFMFuse) and not self._has_one_output:
            raise ValueError("fuse: deepfm has one output; several labels or classes need kind dnn or mmoe")
        if self.policy.require_secure_aggregation and len(peers) < FEWEST_SUMMANDS:
            raise ValueError("policy.require_secure_aggregation needs two feature parties: list two peers or more")
        weighted = [one.key for one in self.data.features if isinstance(one, MultiHotFeature) and one.value_separator]
        if isinstance(self.model, OwnModel) and weighted:
            raise ValueError(f"model: an own model reads no weights, and feature {weighted[0]} has value_separator")
        if isinstance(self.model, BSTModel):
            self._check_sequences(self.model)
        check_budgets(self.policy.budgets, self.holds_labels)
        self.meters.check_party(
            holds_labels=self.holds_labels,
            id_columns=self.data.id_columns,
            private_columns=() if self.privacy.columns is None else tuple(self.privacy.columns.columns),
            limits_labels=self.policy.maximum_label_reading is not None,
            private_labels=any(label.privacy is not None for label in self.data.labels.values()),
            limits_columns=self.policy.maximum_column_reading is not None,
        )
        self.audit.check_party(self.holds_labels)
        if not self.data.tables:  # the owner of tables has no list of the label party's datasets
            self._check_named_datasets()
        return self

    @model_validator(mode="after")
    def _privacy_fits(self) -> Self:
        self.privacy.check(self.data, self.holds_labels)
        check_negatives(self.data, holds_labels=self.holds_labels, records=self.audit.record)
        return self

    @model_validator(mode="after")
    def _joins_fit(self) -> Self:
        peers, policy, joins = [peer.name for peer in self.peers], self.policy, self.data.joins
        if not self.holds_labels and (joins or policy.reveal_row_counts):
            raise ValueError("data.joins and policy.reveal_row_counts belong to the label party only")
        if self.holds_labels and self.data.tables:
            raise ValueError("data.tables belongs to a feature party; the label party names its files in data.datasets")
        for name in policy.reveal_row_counts:
            if name not in peers:
                raise ValueError(f"policy.reveal_row_counts names {name}, which is not in peers")
        check_joins(joins, peers, policy.reveal_row_counts)
        if joins:
            check_every_peer(joins, [peers] if policy.peer_sets is None else policy.peer_sets)
        return self

    def _check_named_datasets(self) -> None:
        self._check_datasets("policy.inference_datasets", self.policy.inference_datasets)
        if "training_datasets" in self.policy.model_fields_set:
            self._check_datasets("policy.training_datasets", self.policy.training_datasets)
        for coordinator in self.coordinators:
            self._check_datasets(f"datasets of coordinator {coordinator.name}", coordinator.datasets)

    def _check_datasets(self, key: str, names: tuple[str, ...] | None) -> None:
        for name in names or ():
            if name not in self.data.datasets:
                raise ValueError(f"{key} names {name}, which is not in data.datasets")

    def _check_sequences(self, model: BSTModel) -> None:
        sequences = [feature for feature in self.data.features if isinstance(feature, SequenceFeature)]
        if not sequences:
            raise ValueError("model: bst needs a feature of kind sequence")
        without = [feature.key for feature in sequences if feature.target is None]
        if model.pooling == "target_attention" and without:
            raise ValueError(f"model.pooling: target_attention needs a target, and feature {without[0]} has none")

    @property
    def authority_files(self) -> tuple[Path, ...]:
        """The files of `ca` of all peers, then of all coordinators."""
        return tuple(self.path(one.ca) for one in (*self.peers, *self.coordinators))

    @property
    def warnings(self) -> tuple[str, ...]:
        """A sentence for every protection that is switched off or too weak, and for every budget that cannot work."""
        policy, exact_labels = self.policy, self.data.label_epsilon is None
        given_up = (
            (
                self.pinned_secret,
                "pinned_secret is for tests and demonstrations: weights can be guessed by its holders",
            ),
            (self.insecure, "insecure: calls come without TLS from any process of this machine"),
            (policy.running_metrics and exact_labels, "policy.running_metrics: metrics over few rows reveal labels"),
            (
                policy.exact_metrics and exact_labels,
                "policy.exact_metrics: exact metrics reveal labels to anyone who can craft hiddens",
            ),
            (policy.share_schema, "policy.share_schema: a coordinator is told names of columns and files"),
            (
                self.checkpoints.allow_other_numerics,
                "checkpoints.allow_other_numerics: a repeated step may be answered for different inputs",
            ),
            (
                self.audit.record,
                "audit.record: all that leaves and arrives is kept on disk, which is large and from which data of every"
                " party can be read; `party remove` removes it",
            ),
        )
        switched_off = (sentence for is_set, sentence in given_up if is_set)
        unencrypted = sorted(
            name for name, files in self.data.files.items() if any(map(is_unencrypted, entries_of(files)))
        )
        return (
            *switched_off,
            *(f"{name}: its files come over the network without encryption" for name in unencrypted),
            *port_warnings(self.health, self.prometheus),
            *label_privacy_warnings(self.data.labels),
            *budget_warnings(policy.budgets, self.protections),
        )

    @property
    def protections(self) -> Mapping[SecretName, float]:
        """Epsilon of the mechanism that protects each secret; a secret without one is released exactly."""
        columns = self.privacy.columns
        every: dict[SecretName, float | None] = {
            "labels": self.data.label_epsilon,
            "columns": None if columns is None else columns.epsilon,
        }
        return {secret: epsilon for secret, epsilon in every.items() if epsilon is not None}

    @property
    def holds_labels(self) -> bool:
        """Whether this party is the label party."""
        return self.party == self.label_party

    @property
    def base_model(self) -> AnyModel | None:
        """The base model's section, with defaults; None without features."""
        if not self.data.features:
            return None
        return self.model or DeepFMModel()

    @property
    def fuse_model(self) -> AnyFuse | None:
        """The fuse model's section, with defaults; None at a feature party."""
        if not self.holds_labels:
            return None
        if self.fuse is not None:
            return self.fuse
        fits_deepfm = isinstance(self.base_model, DeepFMModel | None) and self._has_one_output
        return DeepFMFuse() if fits_deepfm else DNNFuse(kind="dnn")

    @property
    def _has_one_output(self) -> bool:
        return sum(label.units for label in self.data.labels.values()) == 1

    def columns(self, dataset: str) -> tuple[str, ...]:
        """The columns, besides those of keys, that a file must have, ascending.

        Args:
            dataset: name of the dataset or table.
        """
        read = {*self.data.columns(dataset, trained_on=self.trains_on(dataset)), *self.privacy.read}
        if (negatives := self.negatives(dataset)) is not None:
            read |= negatives.read
        return tuple(sorted(read.union(self.meters.columns if self.trains_on(dataset) else ())))

    @property
    def list_columns(self) -> frozenset[str]:
        """The columns that may hold lists: those that features of several values read, and nothing else does."""
        data = self.data
        several = {name for feature in data.features if feature.has_several for name in feature.source_columns}
        whole = {name for feature in data.features if not feature.has_several for name in feature.source_columns}
        keys = {name for rule in data.key_rules.values() for name in rule.columns}
        read = {*data.id_columns, *keys, *group_columns(data.labels), *self.privacy.read, *self.meters.columns}
        read |= set() if data.negatives is None else {*data.negatives.user, *data.negatives.item}
        return frozenset(several - whole - read - {data.sample_weight})

    def negatives(self, dataset: str) -> NegativesSection | None:
        """How negatives are drawn for a dataset; None where it gets none."""
        section = self.data.negatives
        return section if section is not None and section.draws(dataset, self.data.unlabelled) else None

    def trains_on(self, dataset: str) -> bool:
        """Whether the owner allows to train on a dataset; a table serves all of them."""
        return dataset in self.data.tables or dataset in self.policy.training_datasets

    @property
    def compared_dataset(self) -> str | None:
        """The dataset that others are compared with: the first that the owner trains on; None with tables."""
        return next((name for name in self.policy.training_datasets if name in self.data.datasets), None)

    def files(self, dataset: str) -> tuple[Path | str, ...]:
        """The files of a dataset or table, in order: a path for each on this machine, else its address.

        Args:
            dataset: name of the dataset or table.
        """
        entries = entries_of(self.data.files[dataset])
        return tuple(entry if is_address(entry) else self.path(entry) for entry in entries)

    def path(self, relative: str) -> Path:
        """A path of the file, made absolute by the file's own folder."""
        return (self.folder / relative).resolve()


def load_party_configuration(path: Path) -> PartyConfiguration:
    """Reads and validates a party's configuration file.

    Args:
        path: the YAML file.

    Returns:
        The configuration, its paths relative to the file's folder.

    Raises:
        ConfigurationError: the file or a key of it cannot be used, or others may change it, or read a secret in it.
    """
    configuration = load(PartyConfiguration, path)
    # After loading: this covers everybody who can read or change what was loaded.
    secret = configuration.pinned_secret is not None
    received = looseness(path.stat(), OTHERS) if secret else loose_mode(path.stat(), stat.S_IWOTH)
    if received is not None:
        mode = "go-rwx" if secret else "o-w"
        raise ConfigurationError(
            "holds pinned_secret and is open to others" if secret else "can be changed by every user",
            where=path,
            expected="mode 0600, owned by the user of this process" if secret else "a file that its owner alone writes",
            received=received,
            fix=f"run chmod {mode} {path}" + (", and chown it if it is another user's" if secret else ""),
        )
    return configuration
