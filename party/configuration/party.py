"""The configuration file of a party."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from party.configuration.features import DataSection, SequenceFeature
from party.configuration.models import AnyFuse, AnyModel, BSTModel, DeepFMFuse, DeepFMModel, DNNFuse
from party.configuration.run import CodecKind, OptimizerSection
from party.configuration.sections import Address, KnownName, Name, TlsSection
from party.configuration.strict import StrictModel, load


class PolicySection(StrictModel):
    """What this party's owner allows others to ask for.

    Attributes:
        minimum_batch: fewest rows in any batch of training, the last of an epoch included.
        minimum_metric_rows: fewest rows behind any metric that the coordinator is told.
        maximum_epochs: most epochs of one run.
        maximum_restores: how many times one run may go back to a checkpoint, or to its beginning.
        minimum_intersection: fewest rows in common that an alignment may end with.
        maximum_peer_rows: most rows that a peer may bring to an alignment.
        allowed_aggregations: how hiddens may meet those of other parties.
        allowed_codecs: how the tensors of a training batch may be encoded.
        inference_datasets: datasets that may be evaluated and predicted; all where absent.
        allow_predict: whether predictions may be written at the label party.
        peer_sets: sets of peers that a run may have; only all of `peers` where absent.
    """

    minimum_batch: int = Field(default=1, ge=1)
    minimum_metric_rows: int = Field(default=32, ge=1)
    maximum_epochs: int = Field(default=1000, ge=1)
    maximum_restores: int = Field(default=100, ge=0)
    minimum_intersection: int = Field(default=1, ge=1)
    maximum_peer_rows: int = Field(default=100_000_000, ge=1)
    allowed_aggregations: tuple[Literal["concat", "sum"], ...] = Field(
        default=("concat", "sum"), min_length=1, strict=False
    )
    allowed_codecs: tuple[CodecKind, ...] = Field(default=get_args(CodecKind), min_length=1, strict=False)
    inference_datasets: tuple[str, ...] | None = Field(default=None, strict=False)
    allow_predict: bool = True
    peer_sets: tuple[Annotated[tuple[Name, ...], Field(strict=False)], ...] | None = Field(default=None, strict=False)


class ThreadsSection(StrictModel):
    """Threads of TensorFlow; part of what decides equality of bits.

    Attributes:
        intra_operation: threads inside one operation; `auto` is as many as there are cores for this process, up to
            MAXIMUM_AUTOMATIC_THREADS; 0 leaves it to TensorFlow.
        inter_operation: operations at the same time; 0 leaves it to TensorFlow.
    """

    intra_operation: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    inter_operation: int = Field(default=1, ge=0)


class CheckpointsSection(StrictModel):
    """What this party keeps of a run to go on from.

    Attributes:
        keep: checkpoints that all parties have, the latest ones; an older one serves where a later one is damaged.
        allow_other_numerics: whether a run may go on with other libraries, threads or another processor than it began
            with, and so with other last bits than a run that was never stopped.
    """

    keep: int = Field(default=2, ge=2)
    allow_other_numerics: bool = False


class PartyConfiguration(StrictModel):
    """One party's file, validated; paths in it are relative to `folder`.

    Attributes:
        party: own name, equal to the certificate's only DNS name.
        listen: address and port to serve on.
        label_party: name of the party with the labels, this one or a peer.
        peers: the other parties.
        coordinators: who may drive runs.
        tls: own certificate and key.
        state: folder of the party's own records, alignments and models.
        data: files, features, labels.
        model: the base model; absent at a label party without features.
        fuse: the fuse model, at the label party.
        optimizer: of this party's own models, in place of the run's.
        policy: what the owner allows.
        checkpoints: what is kept of a run to go on from.
        threads: of TensorFlow.
        pinned_secret: 64 hexadecimal digits in place of fresh randomness; only for tests and demonstrations.
        insecure: no TLS, loopback only.
        log_level: of the party's log on standard error.
    """

    party: Name
    listen: Address
    label_party: Name
    peers: tuple[KnownName, ...] = Field(min_length=1, strict=False)
    coordinators: tuple[KnownName, ...] = Field(min_length=1, strict=False)
    tls: TlsSection
    state: str
    data: DataSection
    model: AnyModel | None = None
    fuse: AnyFuse | None = None
    optimizer: OptimizerSection | None = None
    policy: PolicySection = PolicySection()
    checkpoints: CheckpointsSection = CheckpointsSection()
    threads: ThreadsSection = ThreadsSection()
    pinned_secret: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", repr=False)
    insecure: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
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
        if not self.holds_labels and not self.data.features:
            raise ValueError("a feature party needs data.features")
        if self.model is not None and not self.data.features:
            raise ValueError("model needs data.features")
        if isinstance(self.fuse, DeepFMFuse) and not self._has_one_output:
            raise ValueError("fuse: deepfm has one output; several labels or classes need kind dnn or mmoe")
        if isinstance(self.model, BSTModel):
            self._check_sequences(self.model)
        for allowed in self.policy.inference_datasets or ():
            if allowed not in self.data.datasets:
                raise ValueError(f"policy.inference_datasets names {allowed}, which is not in data.datasets")
        return self

    def _check_sequences(self, model: BSTModel) -> None:
        sequences = [feature for feature in self.data.features if isinstance(feature, SequenceFeature)]
        if not sequences:
            raise ValueError("model: bst needs a feature of kind sequence")
        without = [feature.key for feature in sequences if feature.target is None]
        if model.pooling == "target_attention" and without:
            raise ValueError(f"model.pooling: target_attention needs a target, and feature {without[0]} has none")

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
        ConfigurationError: the file or a key of it cannot be used.
    """
    return load(PartyConfiguration, path)
