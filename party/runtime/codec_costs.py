"""Measures what codecs cost at this party."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from party.channel.codecs.make import make_codec
from party.channel.matrix_encoding import MatrixEncoding
from party.configuration.run import CodecSection
from party.cut.layout import CutLayout
from party.errors import ConfigurationError

REPETITIONS = 5
MEASURED = "measured codec"


@dataclass(frozen=True)
class MeasuredCodec:
    """The cost of a codec for the hiddens, or the gradients, of one training batch.

    Attributes:
        codec: the codec's section of the run configuration.
        message_bytes: total size of the messages before they are sealed, in bytes.
        encode_seconds: time to encode all messages, in seconds.
        decode_seconds: time to decode all messages, in seconds.
    """

    codec: CodecSection
    message_bytes: int
    encode_seconds: float
    decode_seconds: float


def measure_codecs(
    codecs: Iterable[CodecSection],
    layouts: Mapping[str, CutLayout],
    *,
    rows: int,
    seed: int,
    monotonic: Callable[[], float],
) -> list[MeasuredCodec]:
    """Measures codecs on random matrices; omits those that would not shorten the messages of every party.

    Args:
        codecs: codecs to measure.
        layouts: layouts of each feature party's matrices.
        rows: number of rows in a batch.
        seed: the run's seed.
        monotonic: returns the seconds of a monotonic clock.

    Returns:
        The costs, in the order of the codecs.
    """
    costs = []
    for section in codecs:
        try:
            made = {
                name: make_codec(section, layout, seed=seed, rows=rows, where=MEASURED)
                for name, layout in layouts.items()
            }
        except ConfigurationError:
            continue
        encodings = [MatrixEncoding(layout, made[name], section.kind) for name, layout in layouts.items()]
        each = [_measure(one, rows, seed, monotonic) for one in encodings]
        sizes, encoding, decoding = zip(*each, strict=True)
        costs.append(MeasuredCodec(section, sum(sizes), sum(encoding), sum(decoding)))
    return costs


def _measure(
    encoding: MatrixEncoding, rows: int, seed: int, monotonic: Callable[[], float]
) -> tuple[int, float, float]:
    """Bytes of a message, and the shortest times to encode and decode it, in seconds."""
    generator = np.random.default_rng(seed)
    matrix = generator.standard_normal((rows, encoding.layout.columns), np.float32)
    encode_seconds, decode_seconds = [], []
    message = b""
    for _ in range(REPETITIONS):
        started = monotonic()
        message = encoding.encode(matrix, 0)
        encoded = monotonic()
        encoding.decode(message, rows, 0, MEASURED)
        encode_seconds.append(encoded - started)
        decode_seconds.append(monotonic() - encoded)
    return len(message), min(encode_seconds), min(decode_seconds)
