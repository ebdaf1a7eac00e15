"""The message of a matrix, ready to be sealed."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class EncodedMatrix:
    """The message that a chain made from a matrix; only such messages are sealed as matrices.

    Only `Chain` and `MaskStage` make one, and the code that restores a batch under way from a checkpoint.

    Attributes:
        content: a serialized Tensor.
    """

    content: bytes = field(repr=False)
