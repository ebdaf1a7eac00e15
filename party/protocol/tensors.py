"""The tensors of a batch to and from the bytes of a sealed message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from party.codecs.codec import Codec, columns_of
from party.codecs.floats import Float32Codec
from party.configuration.run import CodecKind
from party.errors import ConfigurationError, TensorError
from party.pb.tensor_pb2 import DATA_TYPE_FLOAT32, Tensor
from party.pb.tensor_pb2 import Codec as CodecCode
from party.protocol.hidden import FloatArray, HiddenSpec, Tensors
from party.security.fields import has_at_most_fields

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
VALUE_BYTES = 4
OVERHEAD_BYTES = 64  # of a message besides its values
MAXIMUM_FIELDS = 8  # of a message


class BatchCodec:
    """Encodes the tensors of a party's batches, all of them side by side.

    Args:
        specs: the tensors, in order.
        codec: of their matrix.
        kind: of the codec, as the run configuration names it.
    """

    def __init__(self, specs: Sequence[HiddenSpec], codec: Codec, kind: CodecKind) -> None:
        self.specs = tuple(specs)
        self.codec = codec
        self.columns = sum(spec.units for spec in self.specs)
        self._code = CODECS[kind]
        self._kind = kind
        ends = accumulate(spec.units for spec in self.specs)
        self._slices = {spec.name: slice(end - spec.units, end) for spec, end in zip(self.specs, ends, strict=True)}

    @classmethod
    def plain(cls, specs: Sequence[HiddenSpec]) -> BatchCodec:
        """Sends values as they are."""
        return cls(specs, Float32Codec(columns_of([spec.units for spec in specs])), "float32")

    def matrix(self, tensors: Tensors) -> FloatArray:
        """The tensors side by side, float32 (rows, columns)."""
        return np.concatenate([tensors[spec.name] for spec in self.specs], axis=1)

    def named(self, matrix: FloatArray) -> Tensors:
        """Views of a matrix by name, float32 (rows, units)."""
        return {name: matrix[:, columns] for name, columns in self._slices.items()}

    def encode(self, tensors: Tensors, position: int) -> bytes:
        """The tensors of a batch as one message.

        Args:
            tensors: by name, float32 (rows, units).
            position: of the batch in its schedule.

        Returns:
            A serialized Tensor.

        Raises:
            TensorError: a value is not finite, which a codec might hide from the receiver.
        """
        matrix = self.matrix(tensors)
        if self._code != CodecCode.CODEC_RAW:
            finite(matrix, f"own tensors of exchange {position}")
        data = self.codec.encode(matrix, position)
        return Tensor(dtype=DATA_TYPE_FLOAT32, shape=matrix.shape, codec=self._code, data=data).SerializeToString()

    def decode(self, data: bytes, rows: int, position: int, where: object) -> Tensors:
        """The tensors of a batch, checked against what was agreed.

        Args:
            data: a serialized Tensor, as opened from its seal.
            rows: of the batch.
            position: of the batch in its schedule.
            where: what the message is, for errors.

        Returns:
            Tensors by name, float32 (rows, units).

        Raises:
            TensorError: anything differs from what was agreed, or a value is not finite.
        """
        encoded_bytes = self.codec.encoded_bytes(rows)
        message = _parse(data, max(maximum_bytes(self.specs, rows), OVERHEAD_BYTES + encoded_bytes), where)
        shape = (rows, self.columns)
        if message.dtype != DATA_TYPE_FLOAT32:
            raise TensorError("dtype differs", where=where, expected="float32", received=f"number {message.dtype}")
        if len(message.shape) != len(shape) or tuple(message.shape) != shape:
            received = str(tuple(message.shape[: len(shape) + 1]))
            raise TensorError("shape differs", where=where, expected=str(shape), received=received)
        if message.codec != self._code:
            raise TensorError("codec differs", where=where, expected=self._kind)
        if len(message.data) != encoded_bytes:
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
    return OVERHEAD_BYTES + sum(VALUE_BYTES * rows * spec.units for spec in specs)


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
