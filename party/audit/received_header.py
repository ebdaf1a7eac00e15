"""The first line of a file of received or sent batches: whose they are, and the columns that they have."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from party.configuration.strict import StrictModel
from party.cut.layout import CutLayout

SUFFIX = ".batches"

MessageName = Literal["gradient", "hidden"]
PurposeOfBatches = Literal["training", "inference"]


class ReceivedColumns(StrictModel):
    """The columns of one named hidden.

    Attributes:
        name: name of the hidden.
        units: number of its columns.
    """

    name: str
    units: int


class ReceivedHeader(StrictModel):
    """What all batches of a file have in common.

    Attributes:
        kind: what was sent.
        sender: name of the party that sent it.
        receiver: name of the party that received it; either of the two recorded it.
        dataset: dataset of the session.
        purpose: whether the session trained; positions of the two are counted apart.
        hiddens: columns of every hidden, in the order of the matrix.
    """

    format: Literal[1] = 1
    kind: MessageName
    sender: str
    receiver: str
    dataset: str
    purpose: PurposeOfBatches
    hiddens: tuple[ReceivedColumns, ...] = Field(strict=False)

    @property
    def file_name(self) -> str:
        """Name of the file: unique among those of a run."""
        return f"{self.dataset}.{self.purpose}.{self.kind}s-from-{self.sender}{SUFFIX}"

    @property
    def sent_file_name(self) -> str:
        """Name of the file at the sender: unique among those of a run."""
        return f"{self.dataset}.{self.purpose}.{self.kind}s-to-{self.receiver}{SUFFIX}"

    def to_line(self) -> bytes:
        """The line as JSON, with its line feed."""
        return self.model_dump_json().encode() + b"\n"

    def columns_of(self, hidden: str) -> slice | None:
        """The columns of a hidden by its name; None if there is none."""
        start = 0
        for one in self.hiddens:
            if one.name == hidden:
                return slice(start, start + one.units)
            start += one.units
        return None


def received_columns(layout: CutLayout) -> tuple[ReceivedColumns, ...]:
    """The columns of a layout, for a header."""
    return tuple(ReceivedColumns(name=spec.name, units=spec.units) for spec in layout.specs)
