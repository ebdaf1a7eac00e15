"""How rows of the label party refer to a table of a peer: the key columns of both, and `data.joins`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from party.configuration.paths import FilePath
from party.configuration.patterns import DATASET_PATTERN
from party.configuration.sections import Name
from party.configuration.strict import StrictModel

MAXIMUM_KEY_COLUMNS = 8
MAXIMUM_TRANSFORMS = 8

Transform = Literal["strip", "lower", "digits", "sha256"]
Transforms = Annotated[tuple[Transform, ...], Field(max_length=MAXIMUM_TRANSFORMS, strict=False)]
DatasetName = Annotated[str, Field(pattern=DATASET_PATTERN)]
Files = dict[DatasetName, FilePath]


def _as_columns(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise ValueError("must be the name of a column, or a list of them")
    return value


def _differ(columns: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(columns)) < len(columns):
        raise ValueError("names a column twice")
    return columns


_Column = Annotated[str, Field(min_length=1)]
KeyColumns = Annotated[
    tuple[_Column, ...],
    Field(min_length=1, max_length=MAXIMUM_KEY_COLUMNS, strict=False),
    BeforeValidator(_as_columns, json_schema_input_type=_Column | tuple[_Column, ...]),
    AfterValidator(_differ),
]


@dataclass(frozen=True)
class KeyRule:
    """How a row's key is made of its cells.

    Attributes:
        columns: the key's columns, in order.
        transforms: what happens to each cell, in order; both sides of a join have the same.
        transformed: whether the cells already hold the results.
    """

    columns: tuple[str, ...]
    transforms: tuple[Transform, ...] = ()
    transformed: bool = False


class JoinSection(StrictModel):
    """The rule by which the rows of all datasets of the label party refer to a table of one peer.

    Attributes:
        peer: the feature party that owns the table.
        key: the column, or columns, that hold the table's key; a key may repeat and may be empty.
        table: name of the table in the peer's configuration.
        kind: whether rows that find no partner are dropped (`inner`) or kept (`left`).
        transforms: what happens to each cell of the key before it is compared; the same as at the peer.
        transformed: whether the columns already hold the results of the transformations.
    """

    peer: Name
    key: KeyColumns
    table: DatasetName
    kind: Literal["inner", "left"] = "inner"
    transforms: Transforms = ()
    transformed: bool = False

    @model_validator(mode="after")
    def _names_results(self) -> Self:
        check_transformed(self.transforms, self.transformed)
        return self

    @property
    def rule(self) -> KeyRule:
        """How the key of a row is made."""
        return KeyRule(self.key, self.transforms, self.transformed)


def check_transformed(transforms: Sequence[Transform], transformed: bool) -> None:
    """Refuses to declare results of no transformation.

    Args:
        transforms: what happens to each cell of a key.
        transformed: whether the cells already hold the results.

    Raises:
        ValueError: there is no transformation whose results they could be.
    """
    if transformed and not transforms:
        raise ValueError("transformed: the columns hold the results of transforms, and none is named")


def check_joins(joins: Sequence[JoinSection], peers: Sequence[str], revealed: Iterable[str]) -> None:
    """Refuses joins that do not fit the label party's peers or policy.

    Args:
        joins: the label party's joins.
        peers: names of its peers.
        revealed: names in policy.reveal_row_counts.

    Raises:
        ValueError: the text names the key and the peer.
    """
    counts = Counter(join.peer for join in joins)
    for peer, count in counts.items():
        if peer not in peers:
            raise ValueError(f"data.joins names {peer}, which is not in peers")
        if count > 1:
            raise ValueError(f"data.joins names {peer} twice; one table of each peer can be joined")
    allowed = frozenset(revealed)
    for join in joins:
        if join.peer not in allowed:
            raise ValueError(_not_revealed(join))


def check_every_peer(joins: Sequence[JoinSection], peer_sets: Iterable[Iterable[str]]) -> None:
    """Refuses joins without one for a peer that a run may have.

    Args:
        joins: the label party's joins.
        peer_sets: the sets of peers that a run may have.

    Raises:
        ValueError: it names the peer.
    """
    joined = {join.peer for join in joins}
    lacking = sorted({peer for peers in peer_sets for peer in peers} - joined)
    if lacking:
        raise ValueError(
            f"data.joins has no join for {lacking[0]}: with joins every feature party of a run has one; add it, or"
            " leave the peer out of policy.peer_sets"
        )


def _not_revealed(join: JoinSection) -> str:
    left = ", and how many rows have no partner" if join.kind == "left" else ""
    return (
        f"policy.reveal_row_counts must name {join.peer}: by its join in data.joins, {join.peer} learns how many rows"
        f" each of its entities in common has here{left}"
    )
