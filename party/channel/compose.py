"""Composes the channels: the only place that decides which stages a matrix passes, and how they are undone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from party.channel.by_purpose import ByPurpose
from party.channel.chain import Chain
from party.channel.codecs.make import make_codec
from party.channel.codecs.ring import RingCodec
from party.channel.decision_channel import DecisionChannel
from party.channel.decoders import MessageDecoder, SumDecoder
from party.channel.encoding_stage import EncodingStage
from party.channel.error_feedback import ResidualFeedback, SurrogateFeedback, SurrogateStage
from party.channel.incoming_chain import IncomingChain
from party.channel.incoming_channel import IncomingChannel
from party.channel.incoming_stage import IncomingStage
from party.channel.masking import MaskStage
from party.channel.matrix_encoding import MatrixEncoding
from party.channel.message_bytes import ByteCounter, MessageBytes, Way
from party.channel.outgoing_channel import OutgoingChannel
from party.channel.route import Route
from party.channel.stage import Stage
from party.channel.tap import Observer, TapStage
from party.configuration.run import CodecSection, CodecsSection
from party.cut.layout import CutLayout
from party.privacy.pads import Masks
from party.privacy.ring import Ring
from party.security.sealing import SealingKeys

Direction = Literal["hidden", "gradient"]
FEATURE_PARTIES = "feature parties"  # names the one matrix of all of them; no party can have this name


@dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """The settings that determine the stages of all channels of a session.

    Attributes:
        party: name of this party, for errors.
        label_party: name of the label party, which receives hiddens and sends gradients.
        dataset: dataset of the session.
        rows: number of rows in the dataset, or of entities in a feature party's own table.
        entities: at the label party, number of entities by feature party whose rows are not those of the dataset.
        codecs: codecs of training; None in a session that does not train.
        largest_training_batch: number of rows in the largest batch of training.
        seed: the run's seed.
        received: observers of the matrices that this party's channels return, by their names.
        sent: observers of the matrices that this party sends, as their receiver will see them, by receiver.
        masked: names of the feature parties, ascending, if the label party gets the masked sum of their hiddens instead
            of each party's own.
        counted: counts the bytes of all messages.
    """

    party: str
    label_party: str
    dataset: str
    rows: int
    entities: Mapping[str, int] = field(default_factory=dict)
    codecs: CodecsSection | None = None
    largest_training_batch: int = 0
    seed: int = 0
    received: Mapping[str, Observer] = field(default_factory=dict)
    sent: Mapping[str, Observer] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    counted: MessageBytes = field(default_factory=MessageBytes)

    def section(self, direction: Direction) -> CodecSection:
        """The codec section of a direction."""
        codecs = self.codecs or CodecsSection()
        return codecs.hidden if direction == "hidden" else codecs.gradient

    def sizes(self, way: Way, direction: Direction) -> ByPurpose[ByteCounter]:
        """The counters of the messages of a direction.

        Args:
            way: whether this party sends or receives them.
            direction: direction of the matrices.
        """
        if direction == "hidden" and self.masked:
            ring = self.counted.counter(way, "ring")
            return ByPurpose(ring, ring)
        exact = self.counted.counter(way, "float32")
        return ByPurpose(
            exact if self.codecs is None else self.counted.counter(way, self.section(direction).kind), exact
        )

    def rows_of(self, feature_party: str) -> int:
        """Number of different rows that matrices to and from a feature party have."""
        return self.entities.get(feature_party, self.rows)


@dataclass(frozen=True)
class FeatureChannels:
    """The channels of a feature party.

    Attributes:
        hiddens: sends hiddens to the label party.
        gradients: receives gradients from the label party.
        decisions: opens the decisions of the label party.
        by_row: whether matrices have a row for each row of a batch, as the parts of a sum must; otherwise for each of
            its entities.
    """

    hiddens: OutgoingChannel
    gradients: IncomingChannel
    decisions: DecisionChannel
    by_row: bool


@dataclass(frozen=True)
class LabelChannels:
    """The channels of the label party to and from the feature parties.

    Attributes:
        hiddens: receive hiddens, by the name of the matrix: that of its feature party, or FEATURE_PARTIES for the sum
            of all.
        gradients: send gradients, by feature party.
        decisions: seal decisions, by feature party.
    """

    hiddens: Mapping[str, IncomingChannel]
    gradients: Mapping[str, OutgoingChannel]
    decisions: Mapping[str, DecisionChannel]

    @property
    def matrices(self) -> dict[str, str]:
        """By feature party, ascending, the name of the matrix that its hiddens are in."""
        return {sender: name for name, channel in self.hiddens.items() for sender in channel.senders}


def feature_channels(
    settings: ChannelSettings, layout: CutLayout, keys: SealingKeys, mask_secrets: Mapping[str, bytes] | None = None
) -> FeatureChannels:
    """Makes the channels of a feature party.

    Args:
        settings: the session's channel settings.
        layout: column layout of its own matrices.
        keys: the session's sealing keys.
        mask_secrets: the 32 bytes shared with each other feature party, by party, for a masked sum.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training.
    """
    out = Route(settings.party, settings.label_party, settings.dataset)
    back = Route(settings.label_party, settings.party, settings.dataset)
    chains = _chains("hidden", settings, layout, settings.party)
    incoming = _incoming_chains("gradient", settings, layout, settings.party)
    mask = _mask(settings, layout, mask_secrets or {})
    return FeatureChannels(
        hiddens=OutgoingChannel(
            keys,
            out.hidden_slot,
            chains=chains,
            sizes=settings.sizes("sent", "hidden"),
            mask=mask,
        ),
        gradients=IncomingChannel(
            keys,
            {settings.label_party: back.gradient_slot},
            incoming,
            sizes=settings.sizes("received", "gradient"),
            observe=settings.received.get(settings.label_party),
        ),
        decisions=DecisionChannel(keys, back),
        by_row=bool(settings.masked),
    )


def label_channels(settings: ChannelSettings, layouts: Mapping[str, CutLayout], keys: SealingKeys) -> LabelChannels:
    """Makes the label party's channels to and from all feature parties.

    Args:
        settings: the session's channel settings.
        layouts: column layouts of the matrices of each feature party, by party.
        keys: the session's sealing keys.

    Raises:
        ConfigurationError: a codec would not shorten the batches of training.
    """
    label, dataset = settings.label_party, settings.dataset
    slots = {peer: Route(peer, label, dataset).hidden_slot for peer in sorted(layouts)}
    to_peer = {peer: Route(label, peer, dataset) for peer in sorted(layouts)}
    hiddens: dict[str, IncomingChannel] = {}
    for name, layout in received_layouts(settings, layouts).items():
        senders = slots if settings.masked else {name: slots[name]}
        chains = _incoming_chains("hidden", settings, layout, name)
        sizes, observe = settings.sizes("received", "hidden"), settings.received.get(name)
        hiddens[name] = IncomingChannel(keys, senders, chains, sizes=sizes, observe=observe)
    gradients: dict[str, OutgoingChannel] = {}
    for peer, route in to_peer.items():
        outgoing, sizes = _chains("gradient", settings, layouts[peer], peer), settings.sizes("sent", "gradient")
        gradients[peer] = OutgoingChannel(keys, route.gradient_slot, chains=outgoing, sizes=sizes)
    return LabelChannels(hiddens, gradients, {peer: DecisionChannel(keys, route) for peer, route in to_peer.items()})


def received_layouts(settings: ChannelSettings, layouts: Mapping[str, CutLayout]) -> dict[str, CutLayout]:
    """Column layouts of the matrices that the label party's channels return, by their names.

    Args:
        settings: the session's channel settings.
        layouts: column layouts of the matrices of each feature party, by party; all equal with a masked sum.
    """
    if settings.masked:
        return {FEATURE_PARTIES: layouts[settings.masked[0]]}
    return {peer: layouts[peer] for peer in sorted(layouts)}


def stages_of(
    direction: Direction,
    settings: ChannelSettings,
    encoding: MatrixEncoding,
    *,
    trains: bool,
    observe: Observer | None = None,
) -> tuple[Stage, ...]:
    """The stages of a direction in their fixed order: clip, noise, error feedback, codec, tap; mask and seal follow.

    A row's hiddens change little from epoch to epoch, so surrogate feedback sends differences. Gradients must add up
    over the steps, so residual feedback carries over what was lost.

    Args:
        direction: direction of the matrices.
        settings: the session's channel settings.
        encoding: encoding of the batches.
        trains: whether the batches belong to training.
        observe: sees the matrices as their receiver will; None if nobody does.

    Returns:
        The stages; exactly one of them encodes.
    """
    codec = EncodingStage(encoding)
    tap = () if observe is None else (TapStage(observe),)
    if not (trains and settings.section(direction).error_feedback):
        return (codec, *tap)
    feedback = SurrogateFeedback if direction == "hidden" else ResidualFeedback
    return (feedback(codec), *tap)


def _chains(direction: Direction, settings: ChannelSettings, layout: CutLayout, feature_party: str) -> ByPurpose[Chain]:
    encodings = _encodings(direction, settings, layout, feature_party)
    observe = settings.sent.get(settings.label_party if direction == "hidden" else feature_party)
    made = [
        Chain(
            stages_of(direction, settings, encoding, trains=trains, observe=observe),
            layout,
            settings.rows_of(feature_party),
        )
        for trains, encoding in ((True, encodings.training), (False, encodings.inference))
    ]
    return ByPurpose(*made)


def _incoming_chains(
    direction: Direction, settings: ChannelSettings, layout: CutLayout, feature_party: str
) -> ByPurpose[IncomingChain]:
    """The receiver's chains; only a sender holds residuals, while both ends hold surrogates."""
    is_sum = direction == "hidden" and bool(settings.masked)
    has_surrogates = direction == "hidden" and settings.section("hidden").error_feedback
    surrogates: tuple[IncomingStage, ...] = (SurrogateStage(),) if has_surrogates else ()
    encodings = _encodings(direction, settings, layout, feature_party)
    made = []
    for encoding, stages in ((encodings.training, surrogates), (encodings.inference, ())):
        decoder = SumDecoder(encoding) if is_sum else MessageDecoder(encoding)
        made.append(IncomingChain(decoder, stages, layout, settings.rows_of(feature_party)))
    return ByPurpose(*made)


def _encodings(
    direction: Direction, settings: ChannelSettings, layout: CutLayout, feature_party: str
) -> ByPurpose[MatrixEncoding]:
    """The encodings of the batches of training and of all others."""
    if direction == "hidden" and settings.masked:
        ring = _ring_encoding(settings, layout)
        return ByPurpose(ring, ring)
    return ByPurpose(_encoding(direction, settings, layout, feature_party), MatrixEncoding.exact(layout))


def _mask(settings: ChannelSettings, layout: CutLayout, secrets: Mapping[str, bytes]) -> MaskStage | None:
    """The mask of a feature party's hiddens; None if each message may be read by itself."""
    if not settings.masked:
        return None
    if sorted([settings.party, *secrets]) != list(settings.masked):
        raise RuntimeError("a masked sum needs a secret with every other feature party")
    return MaskStage(_ring_encoding(settings, layout), Masks(settings.party, secrets))


def _ring_encoding(settings: ChannelSettings, layout: CutLayout) -> MatrixEncoding:
    """The encoding of the messages of a masked sum, whatever the session does."""
    return MatrixEncoding(layout, RingCodec(layout, Ring(len(settings.masked))), "ring")


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
