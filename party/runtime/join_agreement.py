"""Whether the joins of the label party fit the tables of its peers, as all of them state in Hello."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from party.errors import HandshakeError
from party.pb.handshake_pb2 import Hello, JoinStatement, TableStatement
from party.security.printable import printable


def check_modes(party: str, label_party: str, hellos: Mapping[str, Hello]) -> None:
    """Refuses parties of which some have the same datasets as the label party and others tables, or the wrong ones.

    Args:
        party: name of this party, for errors.
        label_party: name of the label party.
        hellos: hellos by party.

    Raises:
        HandshakeError: it names both configurations.
    """
    joins = bool(hellos[label_party].joins)
    for peer, hello in sorted(hellos.items()):
        if peer == label_party or bool(hello.tables) == joins:
            continue
        if party not in (peer, label_party):
            continue  # they tell their owners
        expected = f"data.tables at {peer}" if joins else f"data.datasets at {peer}"
        received = f"data.datasets at {peer}" if joins else f"data.tables at {peer}"
        said = "joins in data.joins" if joins else "no data.joins"
        raise HandshakeError(
            f"the label party has {said}",
            where=f"{party}: alignment of {label_party} with {peer}",
            expected=expected,
            received=received,
            fix="give the label party data.joins and every peer data.tables, or all parties data.datasets",
        )


def agreed_table(party: str, hello: Hello, join: JoinStatement) -> TableStatement:
    """The table that a join refers to; refuses one that does not fit.

    Args:
        party: name of this party, for errors.
        hello: hello of the party that owns the table.
        join: the label party's join.

    Raises:
        HandshakeError: the table is not known there, or its key is made in another way; it names both configurations.
    """
    asked = printable(join.table)
    where = f"{party}: join with table {asked} of {join.peer}"
    table = next((one for one in hello.tables if one.table == join.table), None)
    if table is None:
        raise HandshakeError(
            "the table is not known at its owner",
            where=where,
            expected=f"{asked}, as data.joins has it",
            received=f"data.tables of {join.peer} with {_listed(one.table for one in hello.tables)}",
            fix="correct table in data.joins, or add the table",
        )
    if table.key_columns != join.key_columns:
        raise HandshakeError(
            "the numbers of key columns differ",
            where=where,
            expected=f"{table.key_columns} columns, as data.id of {join.peer} has",
            received=f"{join.key_columns} columns, as key in data.joins has",
            fix="name the same columns in the same order at both",
        )
    if list(table.transforms) != list(join.transforms):
        raise HandshakeError(
            "the transformations of the keys differ",
            where=where,
            expected=f"transforms {_listed(table.transforms)}, as data of {join.peer} has",
            received=f"transforms {_listed(join.transforms)}, as data.joins has",
            fix="declare the same transforms in the same order at both",
        )
    if table.rows < 1:
        raise HandshakeError("the table has no rows", where=where)
    return table


def _listed(names: Iterable[str]) -> str:
    """Names that a peer sent, made safe for one line."""
    return "[" + ", ".join(printable(name) for name in names) + "]"


def joined_name(peer: str, table: str) -> str:
    """The name of a table in the messages of an alignment; two peers may have tables of one name.

    Args:
        peer: name of the feature party that owns it.
        table: name of the table there.
    """
    return f"{peer}/{table}"


def joined_datasets(hellos: Mapping[str, Hello]) -> tuple[str, ...]:
    """All datasets, unless all parties have one valid alignment of all of them.

    Args:
        hellos: hellos by party, which state the same datasets.
    """
    ids = {one.alignment_id for hello in hellos.values() for one in hello.datasets}
    if len(ids) == 1 and ids != {b""}:
        return ()
    return tuple(dict.fromkeys(one.dataset for hello in hellos.values() for one in hello.datasets))
