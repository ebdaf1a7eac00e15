"""Assembles either side of a session's batches: models, channels and steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from party.channel.compose import (
    ChannelSettings,
    FeatureChannels,
    LabelChannels,
    feature_channels,
    label_channels,
    received_layouts,
)
from party.channel.message_bytes import MessageBytes
from party.channel.tap import Observer
from party.configuration.run import Mode
from party.cut.hidden import HiddenSpec
from party.cut.layout import CutLayout
from party.data.entities import Entities
from party.data.labels import LabelArrays, SessionLabels
from party.protocol.containment import ContainedFuse, Containment
from party.protocol.feature_exchanges import FeatureExchanges
from party.protocol.feature_steps import FeatureSteps
from party.protocol.halves import TrainableFuse
from party.protocol.label_assembly import LabelSetup, PrivateSetup
from party.protocol.label_assembly import label_exchanges as make_label_exchanges
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.label_halves import Halves, LabelHalves, TrainableHalves
from party.protocol.local_steps import FeatureLocalSteps, LabelLocalSteps
from party.protocol.local_updates import LocalUpdates
from party.protocol.request_journal import RequestJournal
from party.protocol.timings import Timings
from party.runtime.absence import away_layouts, mapped_entities, peer_entities, presence
from party.runtime.batch_setup import BatchSetup, private_labels
from party.runtime.meter_taps import gradient_observers, hidden_observers
from party.runtime.metric_release import metric_release
from party.runtime.own_entities import by_entity, own_entities
from party.runtime.plan import PairSecrets
from party.runtime.recordings import SessionRecordings, both_observers, received_observers, sent_observer
from party.runtime.row_observers import by_rows
from party.runtime.session_meters import SessionMeters
from party.runtime.session_models import HeadParts, SessionModels
from party.runtime.stopping_metric import check_stopping_metric, stopping_mode
from party.security.sealing import SealingKeys


@dataclass(frozen=True, kw_only=True)
class ExchangeParts:
    """The parts that a session's batches are exchanged with, once keys are agreed.

    Attributes:
        setup: the session's setup.
        peer_specs: specs of the hiddens of every other feature party.
        keys: the session's sealing keys.
        secrets: what this party shares with each peer.
        timings: records how long each activity takes.
        counted: counts the bytes of all messages.
        recordings: record what arrives and leaves; None unless the owner asks for it.
        journal: records the requests and compares those that are repeated after the run went back to a checkpoint; None
            in a session without checkpoints.
        on_pass: called when a pass of training or over held-out rows has ended and its metrics are available.
        meters: watch what leaves; None where the owner configured none, and outside of training.
    """

    setup: BatchSetup
    peer_specs: Mapping[str, tuple[HiddenSpec, ...]]
    keys: SealingKeys
    secrets: PairSecrets
    timings: Timings
    counted: MessageBytes = field(default_factory=MessageBytes)
    recordings: SessionRecordings | None = None
    journal: RequestJournal | None = None
    on_pass: Callable[[], None] = lambda: None
    meters: SessionMeters | None = None

    @property
    def layouts(self) -> dict[str, CutLayout]:
        """Column layouts of every other feature party, by party."""
        return {name: CutLayout(specs) for name, specs in self.peer_specs.items()}


def feature_exchanges(parts: ExchangeParts) -> FeatureExchanges:
    """Makes a feature party's side of the batches.

    Args:
        parts: the parts that the session's batches are exchanged with.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training.
    """
    setup, models = parts.setup, SessionModels(parts.setup, {}, HeadParts(models=parts.setup.models))
    party, entities = setup.opening.context.party, own_entities(setup)
    channels = _feature_channels(parts, models.layout, entities)
    if setup.training is None:
        return FeatureExchanges(
            party, setup.schedule, channels, entities=entities, base=models.base(), timings=parts.timings
        )
    base, local_updates = models.trainable_base(), _local_updates(setup)
    local_steps = None
    if local_updates is not None:
        local_steps = FeatureLocalSteps(local_updates, base, setup.schedule, parts.timings, entities=entities)
    return FeatureExchanges(
        party,
        setup.schedule,
        channels,
        entities=entities,
        base=base,
        timings=parts.timings,
        steps=FeatureSteps(base, channels.hiddens, parts.timings, local_steps),
        journal=parts.journal,
    )


def _feature_channels(parts: ExchangeParts, layout: CutLayout, entities: Entities) -> FeatureChannels:
    """The channels to and from the label party, with what observes them."""
    setup, settings = parts.setup, _channel_settings(parts)
    party, label_party = settings.party, settings.label_party
    sends = both_observers(
        hidden_observers(parts.meters, setup).get(party), sent_observer(parts.recordings, setup, label_party, layout)
    )
    settings = replace(
        settings,
        received=received_observers(parts.recordings, setup, {label_party: layout}),
        sent=_present({label_party: sends}),
    )
    if not settings.masked:
        settings = replace(settings, rows=entities.count)
    elif setup.rows.own_map is not None:
        received, sent = (by_entity(observers, entities) for observers in (settings.received, settings.sent))
        settings = replace(settings, received=received, sent=sent)
    mask_secrets = {peer: parts.secrets.mask_secret(peer) for peer in settings.masked if peer != party}
    return feature_channels(settings, layout, parts.keys, mask_secrets)


def label_exchanges(parts: ExchangeParts) -> LabelExchanges:
    """Makes the label party's side of the batches.

    Args:
        parts: the parts that the session's batches are exchanged with.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training, or the metric to stop by is undefined.
        DataError: a label cannot be used.
    """
    setup, context = parts.setup, parts.setup.opening.context
    if setup.read_labels is None:
        raise RuntimeError("the label party has no labels to read")
    labels = setup.read_labels()
    settings, head = _channel_settings(parts), _released_head(setup, labels)
    layouts = {**received_layouts(settings, parts.layouts), **away_layouts(setup)}
    models = SessionModels(setup, layouts, head)
    released = labels.true.values if labels.drawn is None else labels.drawn.arrays.values
    check_stopping_metric(setup, models.scores, released)
    halves, private = _halves(setup, models), _private_setup(setup, layouts, labels)
    return make_label_exchanges(
        LabelSetup(
            party=context.party,
            schedule=setup.schedule,
            channels=_label_channels(parts, settings, labels.true),
            halves=halves,
            entities=peer_entities(setup),
            presence=presence(setup),
            labels=released,
            private=private,
            containment=_containment(setup, labels),
            minimum_rows=setup.opening.grant.metrics.minimum_rows,
            timings=parts.timings,
            background=context.background,
            releaser=metric_release(setup, models.losses, models.scores, head.noise, transcript=parts.keys.transcript),
            on_pass=parts.on_pass,
            local_steps=_label_local_steps(parts, halves, private),
            journal=parts.journal,
            groups=setup.metric_groups,
            stopping_mode=_stopping_mode(setup, models),
        )
    )


def _stopping_mode(setup: BatchSetup, models: SessionModels) -> Mode:
    section = None if setup.training is None else setup.training.early_stopping
    return "min" if section is None else stopping_mode(setup.opening.context.party, section, models.scores)


def _label_channels(parts: ExchangeParts, settings: ChannelSettings, labels: LabelArrays) -> LabelChannels:
    """The channels to and from all feature parties, with what observes them."""
    setup, layouts = parts.setup, parts.layouts
    meters = gradient_observers(parts.meters, setup, labels.values, sorted(layouts))
    sent = {
        name: both_observers(meters.get(name), sent_observer(parts.recordings, setup, name, layout))
        for name, layout in layouts.items()
    }
    received = received_observers(parts.recordings, setup, received_layouts(settings, layouts))
    entities = mapped_entities(setup)
    settings = replace(
        settings,
        entities={name: one.count for name, one in entities.items()},
        received=by_rows(received, entities, setup.schedule),
        sent=by_rows(_present(sent), entities, setup.schedule),
    )
    return label_channels(settings, layouts, parts.keys)


def _present(observers: Mapping[str, Observer | None]) -> dict[str, Observer]:
    """The observers that there are."""
    return {name: observe for name, observe in observers.items() if observe is not None}


def _released_head(setup: BatchSetup, labels: SessionLabels) -> HeadParts:
    """The head that makes what leaves: the teacher with drawn labels, if any label is private."""
    if (setup.teacher is None) != (labels.drawn is None):
        raise RuntimeError("drawn labels need a teacher, and a teacher needs drawn labels")
    if setup.teacher is None or labels.drawn is None:
        return HeadParts(models=setup.models, labels=labels.true)
    return HeadParts(models=setup.teacher, labels=labels.drawn.arrays, noise=labels.drawn.noise)


def _private_setup(setup: BatchSetup, layouts: Mapping[str, CutLayout], labels: SessionLabels) -> PrivateSetup | None:
    """The private head, which alone sees true labels; None without private labels."""
    if labels.drawn is None:
        return None
    head = HeadParts(models=setup.models, labels=labels.true, releases=False)
    return PrivateSetup(_halves(setup, SessionModels(setup, layouts, head)), labels.true.values, Containment())


def _containment(setup: BatchSetup, labels: SessionLabels) -> Containment | None:
    """Keeps the errors of the only head where that is the private one, which predicts; None otherwise."""
    only_private = labels.drawn is None and private_labels(setup.opening.context.configuration.data.labels)
    return Containment() if only_private else None


def _halves(setup: BatchSetup, models: SessionModels) -> Halves:
    if setup.training is None:
        return LabelHalves(models.fuse(), models.base() if models.has_base else None)
    base = models.trainable_base() if models.has_base else None
    return TrainableHalves(models.trainable_fuse(base), base)


def _label_local_steps(parts: ExchangeParts, halves: Halves, private: PrivateSetup | None) -> LabelLocalSteps | None:
    local_updates = _local_updates(parts.setup)
    if local_updates is None:
        return None
    if not isinstance(halves, TrainableHalves):
        return None
    fuses: list[TrainableFuse | ContainedFuse] = [halves.fuse]
    if private is not None and isinstance(private.halves, TrainableHalves):
        fuses.append(ContainedFuse(private.halves.fuse, private.containment))
    setup = parts.setup
    return LabelLocalSteps(local_updates, fuses, setup.schedule, parts.timings, presence=presence(setup))


def _local_updates(setup: BatchSetup) -> LocalUpdates | None:
    """Makes the local updates; None outside of training and without their section."""
    section = setup.opening.run.training.local_updates
    if setup.training is None or section is None or not section.uses:
        return None
    return LocalUpdates(section, setup.row_key)


def _channel_settings(parts: ExchangeParts) -> ChannelSettings:
    setup = parts.setup
    opening, training = setup.opening, setup.opening.run.training
    return ChannelSettings(
        party=opening.context.party,
        label_party=opening.run.label_party,
        dataset=setup.rows.dataset,
        rows=len(setup.rows),
        codecs=None if setup.training is None else training.codecs,
        largest_training_batch=0 if setup.training is None else setup.training.largest_training_batch,
        seed=training.seed,
        masked=opening.run.masked_parties,
        counted=parts.counted,
    )
