"""Makes the models of a session, with their row sources and, in training, their optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from party.channel.compose import FEATURE_PARTIES
from party.cut.layout import CutLayout
from party.data.labels import LabelArrays, LabelNoise
from party.data.rows import InMemoryRows, RowSource, label_rows
from party.engine.absent_vectors import AbsentVectors
from party.engine.base_model import BaseModel
from party.engine.decorrelation import GROUPS, Decorrelation
from party.engine.fuse_model import FuseModel
from party.engine.instance_weights import InstanceWeights
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import OwnBase, TrainableFuseModel
from party.models.assembly import ABSENT, BASE, FUSE, PartyModels
from party.models.keras_objects import Optimizer
from party.models.label_tasks import LabelTasks
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.runtime.batch_setup import BatchSetup
from party.runtime.model_objects import party_losses, party_optimizer, party_scores


@dataclass(frozen=True, kw_only=True)
class HeadParts:
    """The parts of one head of a party.

    Attributes:
        models: its Keras models.
        labels: labels that it learns from, of all rows; None at a feature party.
        noise: how these labels were drawn, by label; empty for true ones.
        releases: whether anything leaves the party that it makes: the private head has no use for gradients by hiddens,
            its own or others.
    """

    models: PartyModels
    labels: LabelArrays | None = None
    noise: Mapping[str, LabelNoise] = field(default_factory=dict)
    releases: bool = True


class SessionModels:
    """Makes the base and fuse models of one head in a session.

    Args:
        setup: the session's setup.
        layouts: layouts of the matrices of every feature party, by party.
        head: the head; a feature party has one.
    """

    def __init__(self, setup: BatchSetup, layouts: Mapping[str, CutLayout], head: HeadParts) -> None:
        self._setup = setup
        self._head = head
        self._models = head.models
        self._configuration = setup.opening.context.configuration
        self._layouts = dict(layouts)
        fuse = head.models.fuse_layout
        self.losses: TaskLosses = party_losses(self._configuration, head.noise, fuse.scales if fuse else None)
        self.scores: Scores = party_scores(self._configuration)

    @property
    def has_base(self) -> bool:
        """Whether this party has features."""
        return BASE in self._models.models

    @property
    def layout(self) -> CutLayout:
        """Column layout of this party's matrices."""
        return CutLayout(self._models.specs)

    def base(self) -> BaseModel:
        """The base model outside of training."""
        return BaseModel(self._models.models[BASE], self._features(), self.layout, varying=self._varying)

    def trainable_base(self) -> TrainableBaseModel:
        """The base model in training."""
        return TrainableBaseModel(
            self._models.models[BASE],
            self._features(),
            self.layout,
            self._optimizer(),
            # The label party's own hiddens are never stale: only those that cross the network are sent ahead.
            depth=1 if self._configuration.holds_labels else self._setup.schedule.depth,
            instance_weights=self._instance_weights(),
            decorrelation=self._decorrelation(),
            varying=self._varying,
        )

    def fuse(self) -> FuseModel:
        """The fuse model outside of training."""
        return FuseModel(
            self._models.models[FUSE], self._labels(), self._all_layouts(), self._tasks(), absent=self._absent()
        )

    def trainable_fuse(self, base: TrainableBaseModel | None) -> TrainableFuseModel:
        """The fuse model in training.

        Args:
            base: this party's base model, which it also trains where several batches are under way; None without
                features.
        """
        return TrainableFuseModel(
            self._models.models[FUSE],
            self._labels(),
            self._all_layouts(),
            self._tasks(),
            optimizer=self._optimizer(),
            own=None if base is None else OwnBase(self._configuration.party, base),
            instance_weights=self._instance_weights(),
            gives_gradients=self._head.releases,
            absent=self._absent(),
        )

    @property
    def _varying(self) -> bool:
        """Whether batches of this party's entities have any number of them."""
        return self._setup.rows.own_map is not None

    def _features(self) -> RowSource:
        packed = self._setup.packed
        return InMemoryRows({}) if packed is None else self._models.row_source(packed)

    def _decorrelation(self) -> Decorrelation | None:
        section, groups = self._configuration.privacy.decorrelate, self._setup.groups
        if section is None or groups is None:
            return None
        return Decorrelation(InMemoryRows({GROUPS: groups}), section.weight, spread=self._varying)

    def _labels(self) -> RowSource:
        if self._head.labels is None:
            raise RuntimeError("labels were not read")
        return label_rows(self._head.labels)

    def _tasks(self) -> LabelTasks:
        return LabelTasks(self._models.fuse_outputs, self.losses, self.scores)

    def _absent(self) -> AbsentVectors | None:
        if ABSENT not in self._models.models:
            return None
        masked = self._setup.opening.run.masked_parties
        parties = self._models.absent_parties
        return AbsentVectors(
            self._models.models[ABSENT], {one: FEATURE_PARTIES if one in masked else one for one in parties}
        )

    def _all_layouts(self) -> dict[str, CutLayout]:
        own = {self._configuration.party: self.layout} if self.has_base else {}
        return {**self._layouts, **own}

    def _optimizer(self) -> Optimizer:
        return party_optimizer(self._configuration, self._setup.opening.run.training.optimizer)

    def _instance_weights(self) -> InstanceWeights:
        section = self._setup.opening.run.training.local_updates
        weighs = section is not None and self._head.releases
        return InstanceWeights(section.minimum_cosine if section is not None and weighs else None)
