"""The exchanges of parties with natural tables in one process, with Keras models and real seals."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from party.channel.compose import FEATURE_PARTIES, ChannelSettings, feature_channels, label_channels
from party.configuration.labels import BinaryLabel
from party.configuration.run import TrainingSection
from party.data.entities import EveryRow, entities_of
from party.data.labels import LabelArrays
from party.data.rows import InMemoryRows, label_rows
from party.engine.absent_vectors import AbsentVectors
from party.engine.instance_weights import InstanceWeights
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import OwnBase, TrainableFuseModel
from party.models.absent import build_absent
from party.models.fuse_outputs import FuseOutputs
from party.models.label_tasks import LabelTasks
from party.models.losses import TaskLosses
from party.models.scores import Scores
from party.protocol.containment import Containment
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.protocol.label_assembly import LabelSetup, PrivateSetup, label_exchanges
from party.protocol.label_halves import TrainableHalves
from party.protocol.local_steps import FeatureLocalSteps, LabelLocalSteps
from party.protocol.local_updates import LocalUpdates
from party.protocol.party_dropout import PartyDropout
from party.protocol.peer_entities import PeerEntities
from party.protocol.presence import Presence
from party.protocol.schedule import TrainingSchedule, exchange_to_send
from tests.support.entity_tables import KEYS, inputs_of
from tests.support.keras_models import LAYOUT, OPTIMIZERS, SPECS, make_base, make_fuse
from tests.support.numpy_models import LABEL_PARTY, make_keys, make_timings

SECRET, ROW_KEY = bytes(range(32)), bytes(32)
SECTIONS = {"liked": BinaryLabel(rule="r > 3")}
TRAINING = {"batch_size": 12, "epochs": 20, "validation_fraction": 0.2, "evaluation_batch_size": 16, "seed": 4}


def make_models(fuse_width=12, specs=None):
    """Makes the models of all parties, always drawn alike, but each party's otherwise."""
    models = {name: make_base(name="base") for name in (*KEYS, LABEL_PARTY)}
    for number, base in enumerate(models.values()):
        for weight in base.trainable_variables:
            weight.assign(weight.value * (1 + 0.1 * number))
    return {**models, "fuse": make_fuse(fuse_width)}


def make_optimizers(name):
    return {one: OPTIMIZERS[name]() for one in (*KEYS, LABEL_PARTY, "fuse")}


class EntityRun:
    """A label party and two feature parties; no network.

    Args:
        tables: the tables.
        training: keys of the run's training section; an optimizer by its name.
        absent: parties with a learned vector for each hidden.
        two_heads: whether there is a private head, with models drawn alike.
    """

    def __init__(self, tables, training=None, *, optimizer="sgd", absent=(), two_heads=False):
        section = TrainingSection(**TRAINING | (training or {}))
        self.tables, self.section, self.optimizer = tables, section, optimizer
        self.schedule = TrainingSchedule(section, len(tables.labels), ROW_KEY)
        self.maps = {party: tables.row_map(party) for party in KEYS}
        self.absent_parties = tuple(absent)
        self.dropout = PartyDropout(section.party_dropout, SECRET, section.seed)
        self.presence = Presence(self.absent_parties, self.maps, dropout=self.dropout)
        self.models = make_models()
        self.absent_model = build_absent(dict.fromkeys(absent, SPECS)) if absent else None
        self.keys = make_keys(tuple(KEYS))
        self.background = ThreadPoolExecutor(1)
        self.halves = self._halves(self.models, self.absent_model)
        self.own_models = make_models() if two_heads else None
        self.label = label_exchanges(self._label_setup())
        self.features = {party: self._feature(party) for party in KEYS}
        self.sent = {party: deque() for party in KEYS}
        self.losses, self.gradients = [], []

    @property
    def masked(self):
        return tuple(KEYS) if self.section.secure_aggregation else ()

    def entities(self, party):
        return entities_of(self.maps[party], len(self.tables.labels), distinct=self.section.sends_distinct)

    def _settings(self, party):
        masked = self.masked
        counts = {} if masked else {one: self.entities(one).count for one in KEYS}
        settings = ChannelSettings(
            party=party,
            label_party=LABEL_PARTY,
            dataset="train",
            rows=len(self.tables.labels),
            codecs=self.section.codecs,
            largest_training_batch=self.schedule.largest_training_batch,
            seed=self.section.seed,
            masked=masked,
        )
        if party == LABEL_PARTY:
            return replace(settings, entities=counts)
        return replace(settings, rows=counts.get(party, settings.rows))

    def _halves(self, models, absent_model):
        optimizers = make_optimizers(self.optimizer)
        base = self._base(LABEL_PARTY, models, optimizers)
        layouts = dict.fromkeys([FEATURE_PARTIES] if self.masked else KEYS, LAYOUT)
        matrices = {party: FEATURE_PARTIES if self.masked else party for party in self.absent_parties}
        tasks = LabelTasks(
            FuseOutputs(labels=SECTIONS),
            TaskLosses(SECTIONS, uncertainty=False, party=LABEL_PARTY),
            Scores(SECTIONS, LABEL_PARTY),
        )
        fuse = TrainableFuseModel(
            models["fuse"],
            label_rows(LabelArrays(self.tables.labels[:, None])),
            {**layouts, LABEL_PARTY: LAYOUT},
            tasks,
            optimizer=optimizers["fuse"],
            own=OwnBase(LABEL_PARTY, base),
            instance_weights=self._instance_weights(),
            absent=AbsentVectors(absent_model, matrices) if absent_model else None,
        )
        return TrainableHalves(fuse, base)

    def _instance_weights(self):
        section = self.section.local_updates
        return InstanceWeights(None if section is None else section.minimum_cosine)

    def _base(self, party, models, optimizers):
        frame = self.tables.ratings if party == LABEL_PARTY else self.tables.owned[party]
        return TrainableBaseModel(
            models[party],
            InMemoryRows(inputs_of(frame)),
            LAYOUT,
            optimizers[party],
            depth=1 if party == LABEL_PARTY else self.schedule.depth,
            instance_weights=self._instance_weights(),
            varying=party != LABEL_PARTY,
        )

    def _label_setup(self):
        rows, labels = len(self.tables.labels), self.tables.labels[:, None]
        channels = label_channels(self._settings(LABEL_PARTY), dict.fromkeys(KEYS, LAYOUT), self.keys[LABEL_PARTY])
        every_row = {party: EveryRow(one) for party, one in self.maps.items()}
        entities = every_row if self.masked else {party: self.entities(party) for party in KEYS}
        private = None
        if self.own_models is not None:
            absent_model = build_absent(dict.fromkeys(self.absent_parties, SPECS))
            private = PrivateSetup(self._halves(self.own_models, absent_model), labels, Containment())
        return LabelSetup(
            party=LABEL_PARTY,
            schedule=self.schedule,
            channels=channels,
            halves=self.halves,
            labels=labels,
            entities=PeerEntities(rows, entities),
            presence=self.presence,
            private=private,
            minimum_rows=1,
            timings=make_timings(),
            background=self.background,
            local_steps=self._local_steps(),
        )

    def _local_updates(self):
        section = self.section.local_updates
        return None if section is None else LocalUpdates(section, ROW_KEY)

    def _local_steps(self):
        updates = self._local_updates()
        if updates is None:
            return None
        return LabelLocalSteps(updates, [self.halves.fuse], self.schedule, make_timings(), presence=self.presence)

    def _feature(self, party):
        base = self._base(party, self.models, make_optimizers(self.optimizer))
        masks = {other: bytes([7]) * 32 for other in self.masked if other != party}
        channels = feature_channels(self._settings(party), LAYOUT, self.keys[party], masks)
        entities, timings, updates = self.entities(party), make_timings(), self._local_updates()
        local_steps = None
        if updates is not None:
            local_steps = FeatureLocalSteps(updates, base, self.schedule, timings, entities=entities)
        steps = FeatureSteps(base, channels.hiddens, timings, local_steps)
        return FeatureExchanges(
            party, self.schedule, channels, entities=entities, base=base, timings=timings, steps=steps
        )

    def exchange(self):
        """Makes the next exchange."""
        position = self.label.position
        envelopes = []
        for party, feature in self.features.items():
            sent = self.sent[party]
            while (due := exchange_to_send(self.schedule, position, len(sent))) is not None:
                sent.append(feature.forward(due.position))
            envelopes.append(sent.popleft())
        gradients = self.label.fuse(position, envelopes).result()
        self.label.finish_update()
        self.gradients.append([one.SerializeToString() for one in gradients])
        for gradient in gradients:
            following = self.features[gradient.receiver].backward(position, gradient)
            if following is not None:
                self.sent[gradient.receiver].append(following)

    def train(self, steps):
        """Makes exchanges until so many training steps are done; returns the losses of all steps so far."""
        while self.label.step < steps and not self.label.finished:
            self.exchange()
        self.label.wait_for_update()
        return self.label.own_step_losses.since(0)

    def state(self):
        return {"label": self.label.state(), **{party: one.state() for party, one in self.features.items()}}

    def set_state(self, state):
        self.label.set_state(state["label"])
        for party, feature in self.features.items():
            feature.set_state(state[party])

    def close(self):
        self.background.shutdown()
