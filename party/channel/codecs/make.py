"""Makes the codec that a run configuration names."""

from __future__ import annotations

from party.channel.codecs.affine import AffineCodec
from party.channel.codecs.codec import Codec
from party.channel.codecs.floats import BFloat16Codec, Float16Codec, Float32Codec
from party.channel.codecs.sparse import RandomKCodec, TopKCodec
from party.configuration.run import CodecSection
from party.cut.layout import CutLayout
from party.errors import ConfigurationError

VALUE_BITS = {"float32": 32, "int8": 8}


def make_codec(section: CodecSection, layout: CutLayout, *, seed: int, rows: int, where: str) -> Codec:
    """Makes a codec for the matrices of one party.

    Args:
        section: section of the run configuration.
        layout: column layout of the matrices.
        seed: the run's seed.
        rows: number of rows in a batch, to check that the codec shortens it.
        where: name of the party and direction, for errors.

    Returns:
        The codec.

    Raises:
        ConfigurationError: the codec would not make these matrices shorter.
    """
    codec: Codec
    match section.kind:
        case "float32":
            return Float32Codec(layout)
        case "float16":
            codec = Float16Codec(layout)
        case "bfloat16":
            codec = BFloat16Codec(layout)
        case "int8":
            codec = AffineCodec(layout, 8)
        case "int4":
            codec = AffineCodec(layout, 4)
        case "topk":
            codec = TopKCodec(layout, section.selected_fraction, VALUE_BITS[section.values])
        case "randomk":
            codec = RandomKCodec(layout, section.selected_fraction, VALUE_BITS[section.values], seed=seed)
    raw = Float32Codec(layout).encoded_bytes(rows)
    if codec.encoded_bytes(rows) >= raw:
        raise ConfigurationError(
            f"codec {section.kind} would not make {layout.columns} columns shorter",
            where=where,
            expected=f"fewer than {raw} bytes for {rows} rows",
            received=f"{codec.encoded_bytes(rows)}",
            fix="lower its fraction or choose another one",
        )
    return codec
