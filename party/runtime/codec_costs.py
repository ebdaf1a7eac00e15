"""What codecs cost at this party, measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from party.codecs.make import make_codec
from party.configuration.run import CodecSection, TrainingSection
from party.errors import ConfigurationError
from party.protocol.hidden import HiddenSpec
from party.protocol.tensors import BatchCodec

REPETITIONS = 5
MEASURED = "measured codec"


@dataclass(frozen=True)
class CodecCost:
    """What a codec costs for the hiddens, or the gradients, of one batch of training.

    Attributes:
        codec: as the run configuration names it.
        message_bytes: of all messages, before they are sealed.
        encode_seconds: of all messages.
        decode_seconds: of all messages.
    """

    codec: CodecSection
    message_bytes: int
    encode_seconds: float
    decode_seconds: float


def measure_codecs(
    codecs: Iterable[CodecSection],
    specs: Mapping[str, Sequence[HiddenSpec]],
    rows: int,
    training: TrainingSection,
    monotonic: Callable[[], float],
) -> list[CodecCost]:
    """Measures codecs on random tensors; those that would not make every party's messages shorter are left out.

    Args:
        codecs: to measure.
        specs: the tensors of each feature party.
        rows: of a batch.
        training: of the run, for its seed.
        monotonic: seconds of a monotonic clock.

    Returns:
        The costs, in the order of the codecs.
    """
    costs = []
    for section in codecs:
        try:
            made = {
                name: make_codec(section, [spec.units for spec in sent], training.seed, rows, MEASURED)
                for name, sent in specs.items()
            }
        except ConfigurationError:
            continue
        batches = [BatchCodec(sent, made[name], section.kind) for name, sent in specs.items()]
        each = [_measure(batch, rows, training.seed, monotonic) for batch in batches]
        sizes, encoding, decoding = zip(*each, strict=True)
        costs.append(CodecCost(section, sum(sizes), sum(encoding), sum(decoding)))
    return costs


def _measure(batch: BatchCodec, rows: int, seed: int, monotonic: Callable[[], float]) -> tuple[int, float, float]:
    """Bytes of a message, and the least seconds of encoding and decoding."""
    generator = np.random.default_rng(seed)
    tensors = {spec.name: generator.standard_normal((rows, spec.units), np.float32) for spec in batch.specs}
    encoding, decoding = [], []
    message = b""
    for _ in range(REPETITIONS):
        started = monotonic()
        message = batch.encode(tensors, 0)
        encoded = monotonic()
        batch.decode(message, rows, 0, MEASURED)
        encoding.append(encoded - started)
        decoding.append(monotonic() - encoded)
    return len(message), min(encoding), min(decoding)
