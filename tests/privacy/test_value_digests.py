"""Digests of ids and values notice another value of a known id, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from party.privacy.value_digests import ValueDigests

SECRET = bytes(range(32))


def _table(**values: int) -> ValueDigests:
    return ValueDigests.of_table(SECRET, list(values), [bytes([one]) for one in values.values()])


def test_a_table_contradicts_another_value_of_a_known_id_only() -> None:
    known = _table(a=1, b=0, c=1)
    assert not _table(c=1, a=1).contradicts(known)
    assert not _table(d=1, e=0).contradicts(known)
    assert not _table(a=1, d=0).contradicts(known)
    assert _table(a=1, b=1).contradicts(known)
    assert _table(a=0).contradicts(known)
    assert not _table().contradicts(known)


def test_ids_are_known_whatever_their_value() -> None:
    assert _table(a=0, d=1, b=0).known_to(_table(a=1, b=0)).tolist().count(True) == 2


def test_joined_tables_have_every_id_once() -> None:
    joined = _table(a=1, b=0).joined(_table(b=0, c=1))
    assert len(joined) == 3
    for table in (_table(a=1), _table(b=0), _table(c=1)):
        assert table.known_to(joined).all()
        assert not table.contradicts(joined)
    for table in (_table(a=0), _table(b=1), _table(c=0)):
        assert table.contradicts(joined)
    assert joined.joined(_table(a=1, c=1)).to_bytes() == joined.to_bytes()


def test_digests_survive_storage() -> None:
    table = _table(a=1, b=0, c=2)
    assert ValueDigests.from_bytes(table.to_bytes()).to_bytes() == table.to_bytes()
    with pytest.raises(ValueError, match="differ in number"):
        ValueDigests.from_bytes(table.to_bytes()[:-8])


def test_neither_ids_nor_values_can_be_tried_without_the_secret() -> None:
    other = ValueDigests.of_table(bytes(32), ["a", "b"], [b"\1", b"\0"])
    assert not _table(a=1, b=0).known_to(other).any()


def test_two_ids_with_one_digest_do_not_contradict_themselves() -> None:
    ids, values = np.array([5, 7, 7, 9], np.uint64), np.array([1, 2, 3, 4], np.uint64)
    table = ValueDigests(ids, values)
    assert not table.contradicts(table)
    assert not ValueDigests(ids[2:3], values[2:3]).contradicts(table)
    assert ValueDigests(ids[2:3], np.array([8], np.uint64)).contradicts(table)
    assert table.joined(table).to_bytes() == table.to_bytes()


def test_a_value_is_told_from_the_end_of_an_id() -> None:
    first = ValueDigests.of_table(SECRET, ["ab"], [b"c"])
    second = ValueDigests.of_table(SECRET, ["a"], [b"bc"])
    assert not second.known_to(first).any()
    assert first.to_bytes()[8:] != second.to_bytes()[8:]
