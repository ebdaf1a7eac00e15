import typing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.channel.codecs.affine import AffineCodec
from party.channel.codecs.make import make_codec
from party.channel.matrix_encoding import CODECS, MatrixEncoding, maximum_bytes
from party.configuration.run import CodecKind, CodecSection
from party.errors import TensorError
from party.pb.tensor_pb2 import Codec, Tensor
from tests.support.cut_layouts import layout_of
from tests.support.messages import tensor_message

LAYOUT = layout_of([3, 1])
PLAIN = MatrixEncoding.exact(LAYOUT)
SOUND = np.arange(8, dtype=np.float32).reshape(2, 4)
RAW = tensor_message(SOUND)


def matrix_of(rows, columns=LAYOUT.columns):
    return np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)


@given(st.integers(1, 30))
def test_a_matrix_comes_back_bit_by_bit(rows):
    matrix = matrix_of(rows)
    decoded = PLAIN.decode(PLAIN.encode(matrix, 0), rows, 0, "here")
    assert decoded.tobytes() == matrix.tobytes()
    assert not decoded.flags.writeable


def test_a_message_by_hand():
    message = Tensor.FromString(PLAIN.encode(np.array([[1.0, 0.0, 0.5, -2.0]], np.float32), 0))
    assert message.data == bytes.fromhex("0000803f 00000000 0000003f 000000c0")
    assert (message.dtype, list(message.shape), message.codec) == (1, [1, 4], 1)


def test_bytes_do_not_depend_on_memory_layout():
    matrix = matrix_of(5)
    expected = PLAIN.encode(matrix, 0)
    assert PLAIN.encode(np.asfortranarray(matrix), 0) == expected
    assert PLAIN.encode(np.repeat(matrix, 2, axis=1)[:, ::2], 0) == expected  # not contiguous


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (tensor_message(SOUND, dtype=2), "dtype differs; expected float32; received number 2"),
        (tensor_message(SOUND, dtype=0), "dtype differs; expected float32; received number 0"),
        (tensor_message(SOUND, shape=(4, 2)), "shape differs; expected (2, 4); received (4, 2)"),
        (tensor_message(SOUND, shape=(8,)), "shape differs"),
        (tensor_message(SOUND, shape=()), "shape differs"),
        (tensor_message(SOUND, shape=(2, 4, 1)), "shape differs"),
        (tensor_message(SOUND[:1]), "shape differs; expected (2, 4); received (1, 4)"),
        # numpy's product of these is 0, which is also the number of bytes
        (tensor_message(SOUND, shape=(2**32, 2**32), data=b""), "shape differs"),
        (tensor_message(SOUND, codec=0), "codec differs; expected float32"),
        (tensor_message(SOUND, codec=7), "codec differs"),
        (tensor_message(SOUND, data=SOUND.tobytes()[:-1]), "the number of bytes does not fit the shape"),
        (tensor_message(SOUND, data=SOUND.tobytes() + b"\0"), "the number of bytes does not fit the shape"),
        (tensor_message(SOUND, data=b""), "the number of bytes does not fit the shape"),
        (b"", "dtype differs"),
        (RAW[:-1], "message cannot be parsed"),
        (b"\xff" * 20, "message cannot be parsed"),
        (b"\x08\x01" * 20, "message cannot be parsed"),  # one field, many times
        (RAW + bytes(1000), "message is too long"),
        *(
            (tensor_message(np.full_like(SOUND, value)), "not finite; training diverged")
            for value in (np.nan, np.inf, -np.inf)
        ),
    ],
)
def test_message_that_was_not_agreed_is_refused(data, text):
    with pytest.raises(TensorError) as caught:
        PLAIN.decode(data, 2, 0, "here")
    assert str(caught.value).startswith("here: ")
    assert text in str(caught.value)


def test_error_does_not_repeat_a_long_shape():
    message = tensor_message(SOUND, shape=[7] * 40, data=b"")
    with pytest.raises(TensorError) as caught:
        PLAIN.decode(message, 2, 0, "here")
    assert len(str(caught.value)) < 100


@given(st.lists(st.integers(1, 5) | st.integers(1, 99), min_size=1, max_size=40), st.integers(1, 99))
def test_no_honest_message_is_too_long(units, rows):
    layout = layout_of(units)
    matrix = matrix_of(rows, layout.columns)
    assert len(MatrixEncoding.exact(layout).encode(matrix, 0)) <= maximum_bytes(layout, rows)
    for kind in ("int8", "int4"):  # whose last batch may be longer than its values, as it has few rows
        encoding = MatrixEncoding(layout, AffineCodec(layout, int(kind.removeprefix("int"))), kind)
        assert encoding.decode(encoding.encode(matrix, 0), rows, 0, "here").shape == matrix.shape


def test_every_codec_of_a_run_has_its_own_code():
    assert set(CODECS) == {*typing.get_args(CodecKind), "ring"}
    assert set(CODECS.values()) == set(Codec.values()) - {Codec.CODEC_UNSPECIFIED}


LOSSY = layout_of([6, 1])
ENCODED = np.hstack([np.arange(300, dtype=np.float32).reshape(50, 6), np.ones((50, 1), np.float32)])


def lossy(kind):
    section = CodecSection(kind=kind, **({"fraction": 0.3} if kind in ("topk", "randomk") else {}))
    return MatrixEncoding(LOSSY, make_codec(section, LOSSY, seed=1, rows=50, where="alice"), kind)


INT8 = lossy("int8")


def test_an_encoded_matrix_comes_back_near():
    decoded = INT8.decode(INT8.encode(ENCODED, 3), 50, 3, "x")
    np.testing.assert_array_equal(decoded[:, 6], ENCODED[:, 6])
    np.testing.assert_allclose(decoded, ENCODED, atol=5 / 255)


def recoded(**fields):
    message = Tensor.FromString(INT8.encode(ENCODED, 3))
    return tensor_message(ENCODED, **{"shape": [50, 7], "codec": message.codec, "data": message.data, **fields})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (MatrixEncoding.exact(LOSSY).encode(ENCODED, 3), "codec differs; expected int8"),
        (recoded(codec=Codec.CODEC_INT4), "codec differs; expected int8"),
        (recoded(shape=[49, 7]), r"shape differs; expected \(50, 7\); received \(49, 7\)"),
        (recoded(dtype=2), "dtype differs"),
        (recoded(data=b"\0" * 10), "the number of bytes does not fit the shape"),
        (recoded(data=b"\xff" * INT8.codec.encoded_bytes(50)), "holds values that are not finite"),
        (b"\xff", "message cannot be parsed"),
        (bytes(100_000), "message is too long"),
    ],
)
def test_an_encoded_matrix_that_is_not_what_was_agreed_is_refused(data, text):
    with pytest.raises(TensorError, match=f"^x: {text}"):
        INT8.decode(data, 50, 3, "x")


@pytest.mark.parametrize("kind", [kind for kind in typing.get_args(CodecKind) if kind != "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_codec_hides_a_value_that_is_not_finite(kind, value):
    matrix = ENCODED.copy()
    matrix[7, 2] = value
    with pytest.raises(TensorError, match="own tensors of exchange 3: holds values that are not finite"):
        lossy(kind).encode(matrix, 3)
