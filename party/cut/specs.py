"""Converts specs of hiddens to and from their messages."""

from __future__ import annotations

from collections.abc import Iterable

from party.cut.hidden import Aggregation, HiddenSpec
from party.errors import HandshakeError
from party.pb.tensor_pb2 import Aggregation as AggregationCode
from party.pb.tensor_pb2 import DataType, TensorSpec

CODES = {
    Aggregation.CONCAT: AggregationCode.AGGREGATION_CONCAT,
    Aggregation.SUM: AggregationCode.AGGREGATION_SUM,
}
AGGREGATIONS = {code: aggregation for aggregation, code in CODES.items()}
MAXIMUM_HIDDENS = 64
MAXIMUM_UNITS = 1 << 16
MAXIMUM_NAME_LENGTH = 64


def specs_to_messages(specs: Iterable[HiddenSpec]) -> list[TensorSpec]:
    """The messages that Hello carries for some specs."""
    return [
        TensorSpec(
            name=spec.name,
            dtype=DataType.DATA_TYPE_FLOAT32,
            row_shape=(spec.units,),
            aggregation=CODES[spec.aggregation],
        )
        for spec in specs
    ]


def specs_from_messages(messages: Iterable[TensorSpec], sender: str) -> tuple[HiddenSpec, ...]:
    """Reads and checks the specs that a party states.

    Args:
        messages: the messages as received.
        sender: name of the party that states them, for errors.

    Returns:
        The specs.

    Raises:
        HandshakeError: a spec cannot be used.
    """
    messages = list(messages)
    names = [message.name for message in messages]
    if not 1 <= len(messages) <= MAXIMUM_HIDDENS or len(set(names)) != len(names):
        raise HandshakeError("states no hiddens, too many, or one twice", where=sender)
    specs = []
    for message in messages:
        usable = (
            message.name.isidentifier()
            and len(message.name) <= MAXIMUM_NAME_LENGTH
            and message.dtype == DataType.DATA_TYPE_FLOAT32
            and len(message.row_shape) == 1
            and 1 <= message.row_shape[0] <= MAXIMUM_UNITS
            and message.aggregation in AGGREGATIONS
        )
        if not usable:
            raise HandshakeError(
                "states a hidden that cannot be used",
                where=sender,
                expected=f"float32 of 1 to {MAXIMUM_UNITS} units, concat or sum",
            )
        specs.append(HiddenSpec(message.name, message.row_shape[0], AGGREGATIONS[message.aggregation]))
    return tuple(specs)
