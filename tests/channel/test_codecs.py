"""Every codec keeps its bound, its length and its range, for any finite values and any shape."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from party.channel.codecs.floats import Float32Codec
from party.channel.codecs.make import make_codec
from party.channel.codecs.ring import RingCodec
from party.channel.codecs.sparse import selected_columns
from party.configuration.run import CodecSection
from party.errors import ConfigurationError
from party.privacy.ring import Ring
from tests.support.cut_layouts import layout_of

SECTIONS = {
    "float16": {"kind": "float16"},
    "bfloat16": {"kind": "bfloat16"},
    "int8": {"kind": "int8"},
    "int4": {"kind": "int4"},
    "topk": {"kind": "topk", "fraction": 0.2},
    "topk of many": {"kind": "topk", "fraction": 0.5},
    "topk then int8": {"kind": "topk", "fraction": 0.3, "values": "int8"},
    "randomk": {"kind": "randomk", "fraction": 0.25},
    "randomk then int8": {"kind": "randomk", "fraction": 0.5, "values": "int8"},
}
UNITS = (24, 16, 1, 1)
LARGEST = float(np.finfo(np.float32).max)
SPECIAL = [0.0, -0.0, 1e-45, -1e-45, 1e-38, 65504.0, 65520.0, 1e6, 1e6 + 1, LARGEST, -LARGEST, 3.14159, -1.0]
VALUES = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from(SPECIAL)
MATRICES = st.integers(1, 9).flatmap(
    lambda rows: arrays.arrays(np.float32, (rows, sum(UNITS)), elements=VALUES.map(np.float32))
)
CONSTANT = np.full((5, sum(UNITS)), 1e6 / 3, np.float32)
ZERO = np.zeros((3, sum(UNITS)), np.float32)
FAR = (1e6 + np.arange(4 * sum(UNITS)).reshape(4, -1) % 7).astype(np.float32)


def codec_of(name, units=UNITS, rows=1000):
    return make_codec(CodecSection(**SECTIONS[name]), layout_of(units), seed=3, rows=rows, where="alice")


every_codec = pytest.mark.parametrize("name", SECTIONS)


@every_codec
@given(matrix=MATRICES, place=st.integers(0, 10))
@example(matrix=CONSTANT, place=0)
@example(matrix=ZERO, place=1)
@example(matrix=FAR, place=2)
def test_values_come_out_within_the_bound(name, matrix, place):
    codec = codec_of(name)
    with np.errstate(over="ignore"):
        data = codec.encode(matrix, place)
        assert len(data) == codec.encoded_bytes(len(matrix))
        decoded = codec.decode(data, len(matrix), place)
        assert decoded.dtype == np.float32
        assert decoded.shape == matrix.shape
        assert np.isfinite(decoded).all()
        error = np.abs(decoded.astype(np.float64) - matrix)
        assert (error <= codec.error_bound(matrix) * (1 + 1e-12)).all()
    assert codec.encode(matrix, place) == data


@pytest.mark.parametrize("units", [UNITS, (9, 1), (9,)])
@pytest.mark.parametrize("name", [*SECTIONS, "float32", "ring"])
def test_a_matrix_without_rows_is_encoded_in_no_bytes(name, units):
    layout, empty = layout_of(units), np.zeros((0, sum(units)), np.float32)
    made = {"float32": Float32Codec(layout), "ring": RingCodec(layout, Ring(2))}
    codec = made.get(name) or codec_of(name, units)
    assert codec.encode(empty, 0) == b""
    assert codec.encoded_bytes(0) == 0
    decoded = codec.decode(b"", 0, 0)
    assert (decoded.shape, decoded.dtype) == (empty.shape, np.float32)
    assert codec.error_bound(empty).shape == empty.shape


@every_codec
def test_bounds_mean_something(name):
    """For ordinary values a bound is no larger than the loss that the codec's name promises."""
    matrix = np.random.default_rng(0).normal(size=(200, sum(UNITS))).astype(np.float32)
    bound = codec_of(name).error_bound(matrix)
    span = np.ptp(matrix[:, :40], axis=1).max()
    column_span = np.ptp(matrix, axis=0).max()
    largest = {
        "float16": np.abs(matrix).max() / 2048,
        "bfloat16": np.abs(matrix).max() / 255,
        "int8": max(span, column_span) / 255 / 2 * 1.02,
        "int4": max(span, column_span) / 15 / 2 * 1.02,
    }
    assert bound.max() <= largest.get(name, np.abs(matrix).max())


@pytest.mark.parametrize("name", ["int8", "int4", "topk then int8", "randomk then int8"])
def test_constants_and_zeros_are_exact(name):
    for matrix in (ZERO, CONSTANT):
        codec = codec_of(name)
        decoded = codec.decode(codec.encode(matrix, 0), len(matrix), 0)
        if name in ("int8", "int4"):
            np.testing.assert_array_equal(decoded, matrix)
        kept = decoded != 0
        np.testing.assert_array_equal(decoded[kept], matrix[kept])
        assert kept.any() == matrix.any()


def test_values_far_from_zero_keep_their_differences():
    codec = codec_of("int8")
    decoded = codec.decode(codec.encode(FAR, 0), len(FAR), 0)
    assert np.abs(decoded - FAR).max() <= 6 / 255 / 2 * 1.02 + 0.0625  # half a step, and half a unit of float32 there


@given(matrix=MATRICES)
def test_topk_keeps_the_largest(matrix):
    codec = codec_of("topk")
    kept = selected_columns(sum(UNITS), 0.2)
    decoded = codec.decode(codec.encode(matrix, 0), len(matrix), 0)
    for row, out in zip(matrix, decoded, strict=True):
        chosen = np.flatnonzero(out)
        np.testing.assert_array_equal(out[chosen], row[chosen])
        assert len(chosen) == min(kept, np.count_nonzero(row))
        if len(chosen) == kept:
            assert np.delete(np.abs(row), chosen).max() <= np.abs(row[chosen]).min()


def test_randomk_draws_other_columns_for_each_batch_and_all_in_the_long_run():
    codec, matrix = codec_of("randomk"), np.ones((1, sum(UNITS)), np.float32)
    drawn = [np.flatnonzero(codec.decode(codec.encode(matrix, place), 1, place)[0]) for place in range(60)]
    assert len({tuple(one) for one in drawn}) > 50
    assert {column for one in drawn for column in one} == set(range(sum(UNITS)))
    np.testing.assert_array_equal(drawn[7], np.flatnonzero(codec.decode(codec.encode(matrix, 7), 1, 7)[0]))


@every_codec
def test_made_up_bytes_never_do_more_than_come_out_wrong(name):
    codec, generator = codec_of(name), np.random.default_rng(5)
    for _ in range(50):
        data = generator.bytes(codec.encoded_bytes(6))
        decoded = codec.decode(data, 6, 0)
        assert decoded.shape == (6, sum(UNITS))


@pytest.mark.parametrize(
    ("section", "units"),
    [
        ({"kind": "topk", "fraction": 0.9}, (8,)),
        ({"kind": "topk", "fraction": 0.99}, (64,)),
        ({"kind": "int8"}, (1,)),
    ],
)
def test_what_would_not_shrink_is_refused(section, units):
    rows = 1 if section["kind"] == "int8" else 100
    with pytest.raises(ConfigurationError, match=r"^alice: codec \w+ would not make \d+ columns shorter; expected f"):
        make_codec(CodecSection(**section), layout_of(units), seed=3, rows=rows, where="alice")


@given(matrix=MATRICES)
def test_as_they_are_no_bit_is_lost(matrix):
    codec = make_codec(CodecSection(), layout_of(UNITS), seed=3, rows=1, where="alice")
    data = codec.encode(matrix, 0)
    assert data == matrix.astype("<f4").tobytes() == codec.encode(np.asfortranarray(matrix), 0)
    assert codec.decode(data, len(matrix), 0).tobytes() == matrix.tobytes()
    assert not codec.decode(data, len(matrix), 0).flags.writeable


def test_narrow_tensors_have_no_range_of_their_own_in_every_row():
    layout = layout_of(UNITS)
    assert layout.columns == 42
    assert layout.narrow.tolist() == [40, 41]
    bytes_per_row = codec_of("int8").encoded_bytes(1000) / 1000
    assert 4 * 42 / bytes_per_row > 3.4
