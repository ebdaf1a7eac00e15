import typing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from messages import tensor_message

from party.codecs.affine import AffineCodec
from party.codecs.codec import columns_of
from party.codecs.make import make_codec
from party.configuration.run import CodecKind, CodecSection
from party.errors import TensorError
from party.pb.tensor_pb2 import Codec, Tensor
from party.protocol.hidden import Aggregation, HiddenSpec
from party.protocol.tensors import (
    CODECS,
    BatchCodec,
    maximum_bytes,
)

SPECS = (HiddenSpec("deep", 3, Aggregation.CONCAT), HiddenSpec("linear", 1, Aggregation.SUM))
PLAIN = BatchCodec.plain(SPECS)
SOUND = np.arange(8, dtype=np.float32).reshape(2, 4)
RAW = tensor_message(SOUND)


def hiddens(rows, specs=SPECS):
    generator = np.random.default_rng(rows)
    return {spec.name: generator.normal(size=(rows, spec.units)).astype(np.float32) for spec in specs}


@given(st.integers(1, 30))
def test_hiddens_of_a_batch_come_back_bit_by_bit(rows):
    tensors = hiddens(rows)
    decoded = PLAIN.decode(PLAIN.encode(tensors, 0), rows, 0, "here")
    assert list(decoded) == [spec.name for spec in SPECS]
    for name, array in tensors.items():
        assert decoded[name].tobytes() == array.tobytes()
        assert not decoded[name].flags.writeable


def test_a_message_by_hand():
    tensors = {"linear": np.array([[-2.0]], np.float32), "deep": np.array([[1.0, 0.0, 0.5]], np.float32)}
    message = Tensor.FromString(PLAIN.encode(tensors, 0))
    assert message.data == bytes.fromhex("0000803f 00000000 0000003f 000000c0")
    assert (message.dtype, list(message.shape), message.codec) == (1, [1, 4], 1)


def test_bytes_do_not_depend_on_memory_layout_or_the_order_of_the_names():
    tensors = hiddens(5)
    expected = PLAIN.encode(tensors, 0)
    assert PLAIN.encode({name: np.asfortranarray(array) for name, array in tensors.items()}, 0) == expected
    assert PLAIN.encode(dict(reversed(tensors.items())), 0) == expected
    wide = {name: np.repeat(array, 2, axis=1)[:, ::2] for name, array in tensors.items()}  # not contiguous
    assert PLAIN.encode(wide, 0) == expected


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
    specs = [HiddenSpec(f"h{place}", width, Aggregation.SUM) for place, width in enumerate(units)]
    assert len(BatchCodec.plain(specs).encode(hiddens(rows, specs), 0)) <= maximum_bytes(specs, rows)
    for kind in ("int8", "int4"):  # whose last batch may be longer than its values, as it has few rows
        codec = BatchCodec(specs, AffineCodec(columns_of(units), int(kind.removeprefix("int"))), kind)
        assert list(codec.decode(codec.encode(hiddens(rows, specs), 0), rows, 0, "here")) == [one.name for one in specs]


def test_every_codec_of_a_run_has_its_own_code():
    assert set(CODECS) == set(typing.get_args(CodecKind))
    assert set(CODECS.values()) == set(Codec.values()) - {Codec.CODEC_UNSPECIFIED}


LOSSY_SPECS = (HiddenSpec("deep", 6, Aggregation.CONCAT), HiddenSpec("linear", 1, Aggregation.SUM))
INT8 = BatchCodec(LOSSY_SPECS, make_codec(CodecSection(kind="int8"), (6, 1), 1, 50, "alice"), "int8")
ENCODED = {"deep": np.arange(300, dtype=np.float32).reshape(50, 6), "linear": np.ones((50, 1), np.float32)}


def test_an_encoded_batch_comes_back_by_name_and_near():
    decoded = INT8.decode(INT8.encode(ENCODED, 3), 50, 3, "x")
    assert list(decoded) == ["deep", "linear"]
    np.testing.assert_array_equal(decoded["linear"], ENCODED["linear"])
    np.testing.assert_allclose(decoded["deep"], ENCODED["deep"], atol=5 / 255)


def recoded(**fields):
    message = Tensor.FromString(INT8.encode(ENCODED, 3))
    return tensor_message(ENCODED["deep"], **{"shape": [50, 7], "codec": message.codec, "data": message.data, **fields})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (BatchCodec.plain(LOSSY_SPECS).encode(ENCODED, 3), "codec differs; expected int8"),
        (recoded(codec=Codec.CODEC_INT4), "codec differs; expected int8"),
        (recoded(shape=[49, 7]), r"shape differs; expected \(50, 7\); received \(49, 7\)"),
        (recoded(dtype=2), "dtype differs"),
        (recoded(data=b"\0" * 10), "the number of bytes does not fit the shape"),
        (recoded(data=b"\xff" * INT8.codec.encoded_bytes(50)), "holds values that are not finite"),
        (b"\xff", "message cannot be parsed"),
        (bytes(100_000), "message is too long"),
    ],
)
def test_an_encoded_batch_that_is_not_what_was_agreed_is_refused(data, text):
    with pytest.raises(TensorError, match=f"^x: {text}"):
        INT8.decode(data, 50, 3, "x")


@pytest.mark.parametrize("kind", [kind for kind in typing.get_args(CodecKind) if kind != "float32"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_codec_hides_a_value_that_is_not_finite(kind, value):
    section = CodecSection(kind=kind, **({"fraction": 0.3} if kind in ("topk", "randomk") else {}))
    codec = BatchCodec(LOSSY_SPECS, make_codec(section, (6, 1), 1, 50, "alice"), kind)
    deep = ENCODED["deep"].copy()
    deep[7, 2] = value
    with pytest.raises(TensorError, match="own tensors of exchange 3: holds values that are not finite"):
        codec.encode({**ENCODED, "deep": deep}, 3)
