"""Composes the channels: the only place that decides which stages a matrix passes, and how they are undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from party.channel.chain import Chain
from party.channel.codecs.make import make_codec
from party.channel.decision_channel import DecisionChannel
from party.channel.encoding_stage import EncodingStage
from party.channel.error_feedback import ResidualFeedback, SurrogateFeedback
from party.channel.incoming_channel import IncomingChannel
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.outgoing_channel import OutgoingChannel
from party.channel.route import Route
from party.channel.stage import Stage
from party.channel.tap import Observer, TapStage
from party.configuration.run import CodecSection, CodecsSection
from party.cut.layout import CutLayout
from party.security.sealing import SealingKeys

Direction = Literal["hidden", "gradient"]


@dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """The settings that determine the stages of all channels of a session.

    Attributes:
        party: name of this party, for errors.
        label_party: name of the label party, which receives hiddens and sends gradients.
        dataset: dataset of the session.
        rows: number of rows in the dataset.
        codecs: codecs of training; None in a session that does not train.
        largest_training_batch: number of rows in the largest batch of training.
        seed: the run's seed.
        observers: observers of what each peer sends, by its name.
        observe: sees the matrices that this party sends, as their receiver will; None if nobody does.
    """

    party: str
    label_party: str
    dataset: str
    rows: int
    codecs: CodecsSection | None = None
    largest_training_batch: int = 0
    seed: int = 0
    observers: Mapping[str, Observer] = field(default_factory=dict)
    observe: Observer | None = None

    def section(self, direction: Direction) -> CodecSection:
        """The codec section of a direction."""
        codecs = self.codecs or CodecsSection()
        return codecs.hidden if direction == "hidden" else codecs.gradient


@dataclass(frozen=True)
class FeatureChannels:
    """The channels of a feature party.

    Attributes:
        hiddens: sends hiddens to the label party.
        gradients: receives gradients from the label party.
        decisions: opens the decisions of the label party.
    """

    hiddens: OutgoingChannel
    gradients: IncomingChannel
    decisions: DecisionChannel


@dataclass(frozen=True)
class LabelChannels:
    """The channels of the label party to and from one feature party.

    Attributes:
        hiddens: receives hiddens from the feature party.
        gradients: sends gradients to the feature party.
        decisions: seals decisions for the feature party.
    """

    hiddens: IncomingChannel
    gradients: OutgoingChannel
    decisions: DecisionChannel


def feature_channels(settings: ChannelSettings, layout: CutLayout, keys: SealingKeys) -> FeatureChannels:
    """Makes the channels of a feature party.

    Args:
        settings: the session's channel settings.
        layout: column layout of its own matrices.
        keys: the session's sealing keys.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training.
    """
    out = Route(settings.party, settings.label_party, settings.dataset)
    back = Route(settings.label_party, settings.party, settings.dataset)
    incoming = _encoding("gradient", settings, layout, settings.party)
    return FeatureChannels(
        hiddens=OutgoingChannel(keys, out.hidden_slot, **_chains("hidden", settings, layout, settings.party)),
        gradients=IncomingChannel(
            keys, back.gradient_slot, training=incoming, observe=settings.observers.get(settings.label_party)
        ),
        decisions=DecisionChannel(keys, back),
    )


def label_channels(settings: ChannelSettings, layout: CutLayout, keys: SealingKeys, *, peer: str) -> LabelChannels:
    """Makes the label party's channels to and from one feature party.

    Args:
        settings: the session's channel settings.
        layout: column layout of the feature party's matrices.
        keys: the session's sealing keys.
        peer: name of the feature party.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training.
    """
    to_label = Route(peer, settings.label_party, settings.dataset)
    to_peer = Route(settings.label_party, peer, settings.dataset)
    incoming = _encoding("hidden", settings, layout, peer)
    # Only the sender holds residuals; both ends hold surrogates.
    surrogate_rows = settings.rows if settings.section("hidden").error_feedback else None
    return LabelChannels(
        hiddens=IncomingChannel(
            keys,
            to_label.hidden_slot,
            training=incoming,
            surrogate_rows=surrogate_rows,
            observe=settings.observers.get(peer),
        ),
        gradients=OutgoingChannel(keys, to_peer.gradient_slot, **_chains("gradient", settings, layout, peer)),
        decisions=DecisionChannel(keys, to_peer),
    )


def stages_of(
    direction: Direction, settings: ChannelSettings, encoding: MatrixEncoding, *, trains: bool
) -> tuple[Stage, ...]:
    """The stages of a direction in their fixed order: clip, noise, error feedback, codec, tap.

    A row's hiddens change little from epoch to epoch, so surrogate feedback sends differences. Gradients must add up
    over the steps, so residual feedback carries over what was lost.

    Args:
        direction: direction of the matrices.
        settings: the session's channel settings.
        encoding: encoding of the batches.
        trains: whether the batches belong to training.

    Returns:
        The stages; exactly one of them encodes.
    """
    codec = EncodingStage(encoding)
    tap = () if settings.observe is None else (TapStage(settings.observe),)
    if not (trains and settings.section(direction).error_feedback):
        return (codec, *tap)
    feedback = SurrogateFeedback if direction == "hidden" else ResidualFeedback
    return (feedback(codec), *tap)


def _chains(direction: Direction, settings: ChannelSettings, layout: CutLayout, feature_party: str) -> dict[str, Chain]:
    encodings = {
        "training": _encoding(direction, settings, layout, feature_party),
        "inference": MatrixEncoding.exact(layout),
    }
    return {
        purpose: Chain(stages_of(direction, settings, encoding, trains=purpose == "training"), layout, settings.rows)
        for purpose, encoding in encodings.items()
    }


def _encoding(direction: Direction, settings: ChannelSettings, layout: CutLayout, feature_party: str) -> MatrixEncoding:
    """Makes the encoding; refuses a codec that would not shorten the batches of training."""
    if settings.codecs is None:
        return MatrixEncoding.exact(layout)
    section = settings.section(direction)
    codec = make_codec(
        section,
        layout,
        seed=settings.seed,
        rows=settings.largest_training_batch,
        where=f"{settings.party}: training.codecs.{direction} for {feature_party}",
    )
    return MatrixEncoding(layout, codec, section.kind)
