"""Arrays to and from the bytes of a sealed message."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from party.codecs.codec import Codec
from party.configuration.run import CodecKind
from party.errors import ConfigurationError, TensorError
from party.pb.tensor_pb2 import Codec as CodecCode
from party.pb.tensor_pb2 import DataType, Tensor, TensorBundle
from party.protocol.hidden import FloatArray, HiddenSpec, Tensors
from party.protocol.specs import MAXIMUM_HIDDENS
from party.security.fields import has_at_most_fields

DTYPES: Mapping[DataType, np.dtype[Any]] = {
    DataType.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    DataType.DATA_TYPE_FLOAT64: np.dtype("<f8"),
    DataType.DATA_TYPE_INT32: np.dtype("<i4"),
    DataType.DATA_TYPE_INT64: np.dtype("<i8"),
}
TYPE_CODES = {dtype: code for code, dtype in DTYPES.items()}
CODECS: Mapping[CodecKind, CodecCode] = {
    "float32": CodecCode.CODEC_RAW,
    "float16": CodecCode.CODEC_FLOAT16,
    "bfloat16": CodecCode.CODEC_BFLOAT16,
    "int8": CodecCode.CODEC_INT8,
    "int4": CodecCode.CODEC_INT4,
    "topk": CodecCode.CODEC_TOPK,
    "randomk": CodecCode.CODEC_RANDOMK,
}
MAXIMUM_BATCH_BYTES = 60 << 20  # leaves room for envelopes in the 64 MiB that gRPC takes
FIELD_OVERHEAD_BYTES = 64  # of names, shapes and tags, besides the name's own length


def encode_tensor(name: str, array: npt.NDArray[np.generic]) -> Tensor:
    """One array as a message.

    Args:
        name: of the tensor.
        array: of a dtype in DTYPES and any shape.

    Returns:
        The message, its values little-endian in C order.
    """
    dtype = array.dtype.newbyteorder("<")
    data = np.ascontiguousarray(array, dtype=dtype).tobytes()
    return Tensor(name=name, dtype=TYPE_CODES[dtype], shape=array.shape, codec=CodecCode.CODEC_RAW, data=data)


def encode_tensors(tensors: Tensors, specs: Sequence[HiddenSpec]) -> bytes:
    """The tensors of a batch as one message, in the order of the specs.

    Args:
        tensors: by name, float32 (rows, units).
        specs: what was agreed.

    Returns:
        A serialized TensorBundle.
    """
    return TensorBundle(tensors=[encode_tensor(spec.name, tensors[spec.name]) for spec in specs]).SerializeToString()


def decode_tensor(message: Tensor, expected: npt.DTypeLike, shape: tuple[int, ...], where: str) -> npt.NDArray[Any]:
    """One message as an array, checked against what was agreed.

    Args:
        message: as received.
        expected: dtype that was agreed.
        shape: that was agreed.
        where: what the message is, for errors.

    Returns:
        A read-only view of the message's bytes.

    Raises:
        TensorError: dtype, shape, codec or length differ, or a value is not finite.
    """
    dtype = DTYPES.get(message.dtype)
    if dtype != np.dtype(expected):
        raise TensorError("dtype differs", where=where, expected=str(np.dtype(expected)), received=str(dtype))
    if tuple(message.shape) != shape:
        received = str(tuple(message.shape)[: len(shape) + 1])
        raise TensorError("shape differs", where=where, expected=str(shape), received=received)
    if message.codec != CodecCode.CODEC_RAW:
        raise TensorError("codec differs", where=where, expected="raw")
    # math.prod: numpy's product overflows to 0 and would let a huge shape pass.
    if len(message.data) != math.prod(shape) * dtype.itemsize:
        raise TensorError("the number of bytes does not fit the shape", where=where)
    array = np.frombuffer(message.data, dtype=dtype).reshape(shape)
    return finite(array, where) if dtype.kind == "f" else array


def decode_tensors(data: bytes, specs: Sequence[HiddenSpec], rows: int, where: str) -> Tensors:
    """The tensors of a batch, checked against what was agreed.

    Args:
        data: a serialized TensorBundle, as opened from its seal.
        specs: what was agreed, in order.
        rows: of the batch.
        where: what the message is, for errors.

    Returns:
        Tensors by name, float32 (rows, units).

    Raises:
        TensorError: anything differs from what was agreed.
    """
    bundle = _parse_bundle(data, specs, rows, where)
    names = [tensor.name for tensor in bundle.tensors]
    if names != [spec.name for spec in specs]:
        expected = ", ".join(spec.name for spec in specs)
        raise TensorError("tensors differ", where=where, expected=expected, received=f"{len(names)} tensors")
    return {
        spec.name: decode_tensor(tensor, np.float32, (rows, spec.units), f"{where}, tensor {spec.name}")
        for spec, tensor in zip(specs, bundle.tensors, strict=True)
    }


@dataclass(frozen=True)
class BatchCodec:
    """Encodes the tensors of a party's training batches, all of them side by side.

    Attributes:
        specs: the tensors, in order.
        codec: of their matrix; None where they travel one by one and as they are.
        kind: of the codec, as the run configuration names it.
    """

    specs: tuple[HiddenSpec, ...]
    codec: Codec | None = None
    kind: CodecKind = "float32"

    @property
    def columns(self) -> int:
        """Of the matrix."""
        return sum(spec.units for spec in self.specs)

    def matrix(self, tensors: Tensors) -> FloatArray:
        """The tensors side by side, float32 (rows, columns)."""
        return np.concatenate([tensors[spec.name] for spec in self.specs], axis=1)

    def named(self, matrix: FloatArray) -> Tensors:
        """Views of a matrix by name, float32 (rows, units)."""
        ends = np.cumsum([spec.units for spec in self.specs])
        return {spec.name: matrix[:, end - spec.units : end] for spec, end in zip(self.specs, ends, strict=True)}

    def encode(self, tensors: Tensors, position: int) -> bytes:
        """The tensors of a batch as one message.

        Args:
            tensors: by name, float32 (rows, units).
            position: of the batch in its schedule.

        Raises:
            TensorError: a value is not finite, which a codec might hide from the receiver.
        """
        if self.codec is None:
            return encode_tensors(tensors, self.specs)
        matrix = finite(self.matrix(tensors), f"own tensors of exchange {position}")
        message = Tensor(
            dtype=DataType.DATA_TYPE_FLOAT32,
            shape=matrix.shape,
            codec=CODECS[self.kind],
            data=self.codec.encode(matrix, position),
        )
        return TensorBundle(tensors=[message]).SerializeToString()

    def decode(self, data: bytes, rows: int, position: int, where: str) -> Tensors:
        """The tensors of a batch, checked against what was agreed.

        Args:
            data: a serialized TensorBundle, as opened from its seal.
            rows: of the batch.
            position: of the batch in its schedule.
            where: what the message is, for errors.

        Returns:
            Tensors by name, float32 (rows, units).

        Raises:
            TensorError: anything differs from what was agreed, or a value is not finite.
        """
        if self.codec is None:
            return decode_tensors(data, self.specs, rows, where)
        bundle = _parse_bundle(data, self.specs, rows, where)
        shape = (rows, self.columns)
        if len(bundle.tensors) != 1 or bundle.tensors[0].codec != CODECS[self.kind]:
            raise TensorError("codec differs", where=where, expected=self.kind)
        (message,) = bundle.tensors
        if message.dtype != DataType.DATA_TYPE_FLOAT32 or tuple(message.shape) != shape:
            raise TensorError("dtype or shape differs", where=where, expected=f"float32 {shape}")
        if len(message.data) != self.codec.encoded_bytes(rows):
            raise TensorError("the number of bytes does not fit the shape", where=where)
        return self.named(finite(self.codec.decode(message.data, rows, position), where))


def check_batch_bytes(specs: Mapping[str, Sequence[HiddenSpec]], rows: int, where: str) -> None:
    """Refuses batches whose hiddens would not fit into one message.

    Args:
        specs: the hiddens of every feature party.
        rows: of the largest batch.
        where: party that checks, for errors.

    Raises:
        ConfigurationError: the batch is too large.
    """
    size = sum(maximum_bytes(sent, rows) for sent in specs.values())
    if size > MAXIMUM_BATCH_BYTES:
        raise ConfigurationError(
            f"a batch of {rows:,} rows does not fit into one message",
            where=where,
            expected=f"at most {MAXIMUM_BATCH_BYTES:,} bytes",
            received=f"{size:,}",
            fix="lower training.batch_size or training.evaluation_batch_size",
        )


def maximum_bytes(specs: Iterable[HiddenSpec], rows: int) -> int:
    """The longest message that a batch of these tensors can take."""
    return sum(4 * rows * spec.units + len(spec.name) + FIELD_OVERHEAD_BYTES for spec in specs)


def _parse_bundle(data: bytes, specs: Sequence[HiddenSpec], rows: int, where: str) -> TensorBundle:
    if len(data) > maximum_bytes(specs, rows):
        raise TensorError("message is too long", where=where)
    try:
        if not has_at_most_fields(data, MAXIMUM_HIDDENS):
            raise DecodeError
        return TensorBundle.FromString(data)
    except DecodeError:
        raise TensorError("message cannot be parsed", where=where) from None


def finite(array: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    """The array.

    Raises:
        TensorError: a value of it is not finite.
    """
    if not np.isfinite(array).all():
        raise TensorError(
            "holds values that are not finite", where=where, fix="training diverged: lower the learning rate"
        )
    return array
