"""Encodes a matrix as the message to seal, and decodes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from party.channel.codecs.codec import Codec
from party.channel.codecs.floats import Float32Codec
from party.configuration.run import CodecKind
from party.cut.hidden import FloatArray, HiddenSpec
from party.cut.layout import CutLayout
from party.errors import ConfigurationError, TensorError
from party.pb.tensor_pb2 import DATA_TYPE_FLOAT32, Tensor
from party.pb.tensor_pb2 import Codec as CodecCode
from party.security.fields import has_at_most_fields

WireKind = CodecKind | Literal["ring"]  # masked sums take the place of a codec that a run could name

CODECS: Mapping[WireKind, CodecCode] = {
    "float32": CodecCode.CODEC_RAW,
    "float16": CodecCode.CODEC_FLOAT16,
    "bfloat16": CodecCode.CODEC_BFLOAT16,
    "int8": CodecCode.CODEC_INT8,
    "int4": CodecCode.CODEC_INT4,
    "topk": CodecCode.CODEC_TOPK,
    "randomk": CodecCode.CODEC_RANDOMK,
    "ring": CodecCode.CODEC_RING,
}
MAXIMUM_BATCH_BYTES = 60 << 20  # leaves room for envelopes in gRPC's limit of 64 MiB
VALUE_BYTES = 4
OVERHEAD_BYTES = 64  # of a message, besides its values
MAXIMUM_FIELDS = 8  # of a message


class MatrixEncoding:
    """Converts a matrix to and from the protobuf message that is sealed.

    Args:
        layout: column layout of the matrix.
        codec: codec of its values.
        kind: kind of the codec, as the run configuration names it, or `ring`.
    """

    def __init__(self, layout: CutLayout, codec: Codec, kind: WireKind) -> None:
        self.layout = layout
        self.codec = codec
        self._code = CODECS[kind]
        self._kind = kind

    @classmethod
    def exact(cls, layout: CutLayout) -> MatrixEncoding:
        """The lossless encoding."""
        return cls(layout, Float32Codec(layout), "float32")

    @property
    def is_exact(self) -> bool:
        """Whether decoding returns exactly the encoded values."""
        return self._code == CodecCode.CODEC_RAW

    def encode(self, matrix: FloatArray, position: int) -> bytes:
        """Encodes a matrix.

        Args:
            matrix: float32 (rows, columns).
            position: position of the batch in its schedule.

        Returns:
            A serialized Tensor.

        Raises:
            TensorError: a value is not finite; a codec might hide that from the receiver.
        """
        if not self.is_exact:
            finite(matrix, f"own tensors of exchange {position}")
        return self.message(self.codec.encode(matrix, position), len(matrix))

    def message(self, data: bytes, rows: int) -> bytes:
        """Wraps the bytes of an encoded matrix in a message.

        Args:
            data: bytes as the codec makes them.
            rows: number of rows in the matrix.

        Returns:
            A serialized Tensor.
        """
        shape = (rows, self.layout.columns)
        return Tensor(dtype=DATA_TYPE_FLOAT32, shape=shape, codec=self._code, data=data).SerializeToString()

    def decode(self, data: bytes, rows: int, position: int, where: object) -> FloatArray:
        """Decodes a message and checks it against what the parties agreed.

        Args:
            data: a serialized Tensor, as opened.
            rows: number of rows in the batch.
            position: position of the batch in its schedule.
            where: the slot of the message, for errors.

        Returns:
            float32 (rows, columns).

        Raises:
            TensorError: the message differs from what the parties agreed, or a value is not finite.
        """
        return finite(self.codec.decode(self.data(data, rows, where), rows, position), where)

    def data(self, message: bytes, rows: int, where: object) -> bytes:
        """Takes the bytes of an encoded matrix out of a message, checked against what the parties agreed.

        Args:
            message: a serialized Tensor, as opened.
            rows: number of rows in the batch.
            where: the slot of the message, for errors.

        Returns:
            As many bytes as the codec makes of so many rows.

        Raises:
            TensorError: the message differs from what the parties agreed.
        """
        encoded_bytes = self.codec.encoded_bytes(rows)
        tensor = _parse(message, max(maximum_bytes(self.layout, rows), OVERHEAD_BYTES + encoded_bytes), where)
        shape = (rows, self.layout.columns)
        if tensor.dtype != DATA_TYPE_FLOAT32:
            raise TensorError("dtype differs", where=where, expected="float32", received=f"number {tensor.dtype}")
        if len(tensor.shape) != len(shape) or tuple(tensor.shape) != shape:
            received = str(tuple(tensor.shape[: len(shape) + 1]))
            raise TensorError("shape differs", where=where, expected=str(shape), received=received)
        if tensor.codec != self._code:
            raise TensorError("codec differs", where=where, expected=self._kind)
        if len(tensor.data) != encoded_bytes:
            raise TensorError("the number of bytes does not fit the shape", where=where)
        return tensor.data


def check_batch_bytes(specs: Mapping[str, Sequence[HiddenSpec]], rows: int, where: str) -> None:
    """Refuses batches whose matrices do not fit into one message.

    Args:
        specs: specs of the hiddens by feature party.
        rows: number of rows in the largest batch.
        where: name of the party that checks, for errors.

    Raises:
        ConfigurationError: the batch is too large.
    """
    size = sum(maximum_bytes(CutLayout(sent), rows) for sent in specs.values())
    if size > MAXIMUM_BATCH_BYTES:
        raise ConfigurationError(
            f"a batch of {rows:,} rows does not fit into one message",
            where=where,
            expected=f"at most {MAXIMUM_BATCH_BYTES:,} bytes",
            received=f"{size:,}",
            fix="lower training.batch_size or training.evaluation_batch_size",
        )


def maximum_bytes(layout: CutLayout, rows: int) -> int:
    """The longest message that a matrix of so many rows can take.

    Args:
        layout: column layout of the matrix.
        rows: number of rows in the matrix.
    """
    return OVERHEAD_BYTES + VALUE_BYTES * rows * layout.columns


def _parse(data: bytes, longest: int, where: object) -> Tensor:
    if len(data) > longest:
        raise TensorError("message is too long", where=where)
    try:
        if not has_at_most_fields(data, MAXIMUM_FIELDS):
            raise DecodeError
        return Tensor.FromString(data)
    except DecodeError:
        raise TensorError("message cannot be parsed", where=where) from None


def finite(array: npt.NDArray[Any], where: object) -> npt.NDArray[Any]:
    """The array.

    Raises:
        TensorError: a value of it is not finite.
    """
    if not np.isfinite(array).all():
        raise TensorError(
            "holds values that are not finite", where=where, fix="training diverged: lower the learning rate"
        )
    return array
