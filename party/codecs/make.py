"""The codec that a run configuration names."""

from __future__ import annotations

from collections.abc import Sequence

from party.codecs.affine import AffineCodec
from party.codecs.codec import Codec, columns_of
from party.codecs.floats import BFloat16Codec, Float16Codec, Float32Codec
from party.codecs.sparse import RandomKCodec, TopKCodec
from party.configuration.run import CodecSection
from party.errors import ConfigurationError

VALUE_BITS = {"float32": 32, "int8": 8}


def make_codec(section: CodecSection, units: Sequence[int], seed: int, rows: int, where: str) -> Codec:
    """Makes a codec for the tensors of one party.

    Args:
        section: of the run configuration.
        units: width of each tensor, in order.
        seed: of the run.
        rows: of a batch, to see whether it becomes shorter.
        where: party and direction, for errors.

    Returns:
        The codec.

    Raises:
        ConfigurationError: the codec would not make these tensors shorter.
    """
    columns = columns_of(units)
    codec: Codec
    match section.kind:
        case "float32":
            return Float32Codec(columns)
        case "float16":
            codec = Float16Codec(columns)
        case "bfloat16":
            codec = BFloat16Codec(columns)
        case "int8":
            codec = AffineCodec(columns, 8)
        case "int4":
            codec = AffineCodec(columns, 4)
        case "topk":
            codec = TopKCodec(columns, section.kept_fraction, VALUE_BITS[section.values])
        case "randomk":
            codec = RandomKCodec(columns, section.kept_fraction, VALUE_BITS[section.values], seed)
    raw = Float32Codec(columns).encoded_bytes(rows)
    if codec.encoded_bytes(rows) >= raw:
        raise ConfigurationError(
            f"codec {section.kind} would not make {columns.total} columns shorter",
            where=where,
            expected=f"fewer than {raw} bytes for {rows} rows",
            received=f"{codec.encoded_bytes(rows)}",
            fix="lower its fraction or choose another one",
        )
    return codec
