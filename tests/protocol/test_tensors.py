import typing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from party.codecs.make import make_codec
from party.configuration.run import CodecKind, CodecSection
from party.errors import TensorError
from party.pb.tensor_pb2 import Codec, DataType, Tensor, TensorBundle
from party.protocol.hidden import Aggregation, HiddenSpec
from party.protocol.tensors import (
    CODECS,
    DTYPES,
    BatchCodec,
    decode_tensor,
    decode_tensors,
    encode_tensor,
    encode_tensors,
    maximum_bytes,
)

SPECS = (HiddenSpec("deep", 3, Aggregation.CONCAT), HiddenSpec("linear", 1, Aggregation.SUM))
anything = st.sampled_from(list(DTYPES.values())).flatmap(
    lambda dtype: arrays(
        dtype,
        array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements={"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else None,
    )
)


@given(anything)
def test_array_comes_back_bit_by_bit(array):
    message = Tensor.FromString(encode_tensor("x", array).SerializeToString())
    decoded = decode_tensor(message, array.dtype, array.shape, "here")
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tobytes() == array.tobytes()
    assert not decoded.flags.writeable


@given(anything)
def test_bytes_do_not_depend_on_memory_layout_or_byte_order(array):
    expected = encode_tensor("x", array)
    assert encode_tensor("x", np.asfortranarray(array).reshape(array.shape)) == expected
    assert encode_tensor("x", array.astype(array.dtype.newbyteorder(">"))) == expected
    twice = np.repeat(array[..., None], 2, axis=-1)[..., 0]  # not contiguous
    assert encode_tensor("x", twice) == expected


def test_bytes_by_hand():
    message = encode_tensor("x", np.array([[1.0, -2.0]], np.float32))
    assert message.data == bytes.fromhex("0000803f000000c0")
    assert (message.dtype, list(message.shape), message.codec) == (1, [1, 2], 1)


@pytest.mark.parametrize("dtype", ["float16", "complex64", "U3", "object", "uint8", "bool"])
def test_other_types_are_never_sent(dtype):
    with pytest.raises(KeyError):
        encode_tensor("x", np.zeros(2, dtype))


SOUND = encode_tensor("x", np.zeros((2, 3), np.float32))


def altered(**changes):
    message = Tensor()
    message.CopyFrom(SOUND)
    for field, value in changes.items():
        if field == "shape":
            del message.shape[:]
            message.shape.extend(value)
        else:
            setattr(message, field, value)
    return message


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (altered(dtype=DataType.DATA_TYPE_FLOAT64), "dtype differs; expected float32; received float64"),
        (altered(dtype=DataType.DATA_TYPE_INT32), "dtype differs"),
        (altered(dtype=0), "dtype differs; expected float32; received None"),
        (altered(dtype=99), "dtype differs; expected float32; received None"),
        (altered(shape=(3, 2)), "shape differs"),
        (altered(shape=(6,)), "shape differs"),
        (altered(shape=()), "shape differs"),
        (altered(shape=(2, 3, 1)), "shape differs"),
        (altered(shape=(2**63, 2, 3)), "shape differs"),
        (altered(codec=0), "codec differs"),
        (altered(codec=7), "codec differs"),
        (altered(data=SOUND.data[:-1]), "the number of bytes does not fit the shape"),
        (altered(data=SOUND.data + b"\0"), "the number of bytes does not fit the shape"),
        (altered(data=b""), "the number of bytes does not fit the shape"),
    ],
)
def test_tensor_that_was_not_agreed_is_refused(message, text):
    with pytest.raises(TensorError) as caught:
        decode_tensor(message, np.float32, (2, 3), "here")
    assert str(caught.value).startswith("here: ")
    assert text in str(caught.value)


def test_shape_whose_size_overflows_is_refused():
    shape = (2**32, 2**32)
    message = altered(shape=shape, data=b"")
    with pytest.raises(TensorError, match="the number of bytes does not fit the shape"):
        decode_tensor(message, np.float32, shape, "here")


def test_error_does_not_repeat_a_long_shape():
    message = altered(shape=[7] * 1000)
    with pytest.raises(TensorError) as caught:
        decode_tensor(message, np.float32, (2, 3), "here")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_that_is_not_finite_is_refused(value, dtype):
    message = encode_tensor("x", np.array([0, value, 0], dtype))
    with pytest.raises(TensorError, match="not finite; training diverged: lower the learning rate"):
        decode_tensor(message, dtype, (3,), "here")


def hiddens(rows):
    generator = np.random.default_rng(rows)
    return {spec.name: generator.normal(size=(rows, spec.units)).astype(np.float32) for spec in SPECS}


@given(st.integers(1, 30))
def test_hiddens_of_a_batch_come_back(rows):
    tensors = hiddens(rows)
    decoded = decode_tensors(encode_tensors(tensors, SPECS), SPECS, rows, "here")
    assert list(decoded) == [spec.name for spec in SPECS]
    for name, array in tensors.items():
        np.testing.assert_array_equal(decoded[name], array)


def test_bytes_follow_the_order_of_the_specs():
    tensors = hiddens(2)
    backwards = dict(reversed(tensors.items()))
    assert encode_tensors(backwards, SPECS) == encode_tensors(tensors, SPECS)


@given(st.lists(st.tuples(st.text("ab", min_size=1, max_size=64), st.integers(1, 999)), min_size=1), st.integers(1, 99))
def test_no_honest_message_is_too_long(parts, rows):
    specs = [HiddenSpec(name, units, Aggregation.SUM) for name, units in parts]
    tensors = {spec.name: np.ones((rows, spec.units), np.float32) for spec in specs}
    specs = [HiddenSpec(name, array.shape[1], Aggregation.SUM) for name, array in tensors.items()]
    assert len(encode_tensors(tensors, specs)) <= maximum_bytes(specs, rows)


def bundle(*tensors):
    return TensorBundle(tensors=tensors).SerializeToString()


DEEP, LINEAR = (encode_tensor(name, array) for name, array in hiddens(2).items())
RAW = encode_tensors(hiddens(2), SPECS)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "tensors differ; expected deep, linear; received 0 tensors"),
        (bundle(DEEP), "tensors differ; expected deep, linear; received 1 tensors"),
        (bundle(LINEAR, DEEP), "tensors differ"),
        (bundle(DEEP, DEEP), "tensors differ"),
        (bundle(DEEP, LINEAR, encode_tensor("x", np.zeros(0, np.float32))), "received 3 tensors"),
        (bundle(DEEP, encode_tensor("linear", np.zeros((3, 1), np.float32))), "here, tensor linear: shape differs"),
        (bundle(encode_tensor("deep", np.zeros((2, 3), np.int32)), LINEAR), "here, tensor deep: dtype differs"),
        (RAW[:-1], "message cannot be parsed"),
        (b"\xff" * 20, "message cannot be parsed"),
        (RAW + bytes(1000), "message is too long"),
    ],
)
def test_message_that_was_not_agreed_is_refused(data, text):
    with pytest.raises(TensorError) as caught:
        decode_tensors(data, SPECS, 2, "here")
    assert text in str(caught.value)


def test_batch_of_another_size_is_refused():
    with pytest.raises(TensorError, match="shape differs"):
        decode_tensors(encode_tensors(hiddens(2), SPECS), SPECS, 3, "here")
    with pytest.raises(TensorError):
        decode_tensors(encode_tensors(hiddens(40), SPECS), SPECS, 2, "here")


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
    bundle = TensorBundle.FromString(INT8.encode(ENCODED, 3))
    for name, value in fields.items():
        if name == "shape":
            bundle.tensors[0].shape[:] = value
        else:
            setattr(bundle.tensors[0], name, value)
    return bundle.SerializeToString()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (encode_tensors(ENCODED, LOSSY_SPECS), "codec differs; expected int8"),
        (recoded(codec=Codec.CODEC_INT4), "codec differs; expected int8"),
        (recoded(shape=[49, 7]), r"dtype or shape differs; expected float32 \(50, 7\)"),
        (recoded(dtype=DataType.DATA_TYPE_INT32), "dtype or shape differs"),
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
