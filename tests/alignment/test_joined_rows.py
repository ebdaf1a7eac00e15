from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.alignment.joined_rows import JoinedKeys, JoinedRows
from party.alignment.row_maps import MAP_ROWS, IncomingMaps, outgoing_maps
from party.alignment.terms import AlignedRows
from party.data.entities import RowMap
from party.data.ids import ids_of
from party.errors import AlignmentError, PolicyError, SessionError
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_ELEMENTS,
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
    MESSAGE_KIND_ROW_MAP,
)
from party.policy.alignment_rules import AlignmentRules
from party.security.row_secret import RowSecret
from tests.support.alignment_driving import LABEL, Exchange, feature_side, label_side

RULES = AlignmentRules("shop", minimum_intersection=1, maximum_peer_rows=1000)
ALIGNMENT_ID = bytes(range(16))
KEYS = "abcde"


def joined(rows, left, rules=RULES):
    """Joins of two tables; `rows` has, by dataset, the two keys of each row, None for an empty one."""
    joins = {}
    for place, (peer, is_left) in enumerate(zip(("films", "users"), left, strict=True)):
        codes = {
            dataset: np.array([-1 if keys[place] is None else KEYS.index(keys[place]) for keys in pairs], np.int32)
            for dataset, pairs in rows.items()
        }
        joins[peer] = JoinedKeys(peer=peer, table="table", left=is_left, keys=ids_of(list(KEYS)), codes=codes)
    orders = {dataset: np.arange(len(pairs))[::-1] for dataset, pairs in rows.items()}
    return JoinedRows(joins, orders, rules)


CELL = st.sampled_from([None, *KEYS])
ROWS = st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8)


@settings(max_examples=200)
@given(train=ROWS, test=ROWS, left=st.tuples(st.booleans(), st.booleans()), found=st.tuples(*[st.sets(CELL)] * 2))
def test_result_is_that_of_a_join_row_by_row(train, test, left, found):
    found = [sorted(keys - {None}) for keys in found]
    rows = {"train": train, "test": test}
    staying = {
        dataset: [
            row
            for row in range(len(pairs))[::-1]
            if all(left[place] or pairs[row][place] in found[place] for place in (0, 1))
        ]
        for dataset, pairs in rows.items()
    }
    work = joined(rows, left)
    numbers = {
        peer: np.array([KEYS.index(key) for key in keys], np.int64)
        for peer, keys in zip(("films", "users"), found, strict=True)
    }
    if not all(staying.values()):
        with pytest.raises(AlignmentError, match="no row has a partner"):
            work.resolve(numbers)
        return
    entities = work.resolve(numbers)
    assert {dataset: one.tolist() for dataset, one in work.rows.items()} == staying
    for place, peer in enumerate(("films", "users")):
        referred = {rows[dataset][row][place] for dataset in rows for row in staying[dataset]} & set(found[place])
        assert [KEYS[number] for number in entities[peer]] == sorted(referred)
        for dataset, pairs in rows.items():
            names = [pairs[row][place] for row in staying[dataset]]
            expected = [sorted(referred).index(name) if name in referred else -1 for name in names]
            assert work.maps[peer][dataset].entity_of_row.tolist() == expected
            assert work.maps[peer][dataset].entities == len(referred)
            (counts,) = [one for one in work.counts if (one.dataset, one.peer) == (dataset, peer)]
            cells = [pair[place] for pair in pairs]
            assert counts.rows == len(cells)
            assert counts.keys == len(set(cells) - {None})
            assert counts.keys_found == len(set(cells) & set(found[place]))
            assert counts.rows_with_partner == sum(cell in found[place] for cell in cells)
            assert counts.rows_in_common == len(staying[dataset])


def test_too_few_rows_are_refused_by_the_policy():
    rules = replace(RULES, minimum_intersection=3)
    work = joined({"train": [("a", "a"), ("b", "a"), ("c", "a")], "test": [("a", "a")]}, (True, True), rules)
    with pytest.raises(PolicyError, match=r"policy.minimum_intersection.*dataset test|dataset test.*minimum"):
        work.resolve({"films": np.array([0]), "users": np.array([0])})


# The messages of maps

MAPS = {"test": RowMap(np.array([0, 2, 2], np.int32), 3), "train": RowMap(np.array([1, -1], np.int32), 3)}
CODES = np.array([2, 1, 0, -1, 2], np.int32)  # keys c, b, a, none, c
ALIGNED = AlignedRows(ALIGNMENT_ID, np.arange(3), RowSecret(bytes(32), pinned=False))


def messages(maps=MAPS, alignment_id=ALIGNMENT_ID):
    outgoing = outgoing_maps(alignment_id, maps, "here")
    return [outgoing.take(index) for index in range(outgoing.total)]


def taken(sent, left=True, rows=None, rules=RULES):
    incoming = IncomingMaps(rows or {"train": 5, "test": 5}, left=left, rules=rules)
    for index, message in enumerate(sent):
        incoming.take(index, message, ALIGNED, "there")
    return incoming


def test_maps_arrive_as_they_were_sent():
    incoming = taken(messages())
    assert incoming.complete
    received = incoming.maps(3)
    for dataset, one in MAPS.items():
        assert received[dataset].entity_of_row.tolist() == one.entity_of_row.tolist()
        assert received[dataset].entity_of_row.dtype == np.int32


def test_long_maps_are_sent_in_slices():
    numbers = np.arange(MAP_ROWS + 5, dtype=np.int32) % 3
    sent = messages({"train": RowMap(numbers, 3)})
    assert [len(one) for one in sent[1:]] == [4 * MAP_ROWS, 20]
    incoming = taken(sent, rows={"train": len(numbers)})
    assert (incoming.maps(3)["train"].entity_of_row == numbers).all()


def changed(index, content):
    sent = messages()
    sent[index] = content
    return sent


@pytest.mark.parametrize(
    ("sent", "pattern"),
    [
        (changed(1, np.array([0, 2, 3], "<i4").tobytes()), "entities that are not in common"),
        (changed(1, np.array([0, 2, -2], "<i4").tobytes()), "entities that are not in common"),
        (changed(1, np.array([0, 2], "<i4").tobytes()), "wrong size"),
        (changed(1, np.array([0, 0, 0], "<i4").tobytes()), "no row refers to.*received 1 without one"),
        (changed(0, messages()[0][:-1]), "wrong size"),
        (messages(alignment_id=bytes(16)), "another alignment"),
        ([*messages(), b"\0\0\0\0"], "more messages"),
        (messages({**MAPS, "train": RowMap(np.zeros(6, np.int32), 3)}), "a number of rows that cannot be"),
        (messages({**MAPS, "train": RowMap(np.zeros(0, np.int32), 3)}), "a number of rows that cannot be"),
    ],
)
def test_maps_that_cannot_be_are_refused(sent, pattern):
    with pytest.raises(AlignmentError, match=pattern):
        taken(sent)


def test_an_inner_join_has_an_entity_for_every_row():
    with pytest.raises(AlignmentError, match="expected numbers from 0 to 2"):
        taken(messages(), left=False)


def test_messages_out_of_order_are_refused_and_change_nothing():
    sent = messages()
    incoming = IncomingMaps({"train": 5, "test": 5}, left=True, rules=RULES)
    with pytest.raises(SessionError, match="out of order"):
        incoming.take(1, sent[1], ALIGNED, "there")
    incoming.take(0, sent[0], ALIGNED, "there")
    incoming.take(1, sent[1], ALIGNED, "there")
    for index in (0, 1, 3):
        with pytest.raises((SessionError, AlignmentError)):
            incoming.take(index, sent[1], ALIGNED, "there")
    with pytest.raises(AlignmentError, match="no row refers to"):
        incoming.take(2, np.array([2, 2], "<i4").tobytes(), ALIGNED, "there")
    assert not incoming.complete
    incoming.take(2, sent[2], ALIGNED, "there")
    assert incoming.complete


def test_too_few_rows_are_refused_by_the_peers_policy():
    with pytest.raises(PolicyError, match="minimum_intersection"):
        taken(messages(), rules=replace(RULES, minimum_intersection=3))


# Both sides


def test_a_map_is_sent_after_the_proof_alone(pool):
    """Until a peer has proved that it holds the entities, it is not told how many rows they have."""
    keys = {"shop/users": ["a", "b", "c"]}
    join = JoinedKeys(peer="users", table="users", left=False, keys=ids_of(keys["shop/users"]), codes={"train": CODES})
    rows = JoinedRows({"shop/users": join}, {"train": np.arange(len(CODES))}, RULES)
    with Exchange(pool, {LABEL: keys, "users": {"shop/users": ["c", "x", "a"]}}) as exchange:
        exchange.label = label_side(pool, keys, {"users": {"shop/users": 3}}, joined=rows)
        incoming = IncomingMaps({"train": len(CODES)}, left=False, rules=RULES)
        exchange.features["users"] = feature_side(
            pool, "users", {"shop/users": ["c", "x", "a"]}, {"shop/users": 3}, maps=incoming
        )
        send = exchange.all
        for kind in (MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_RESPONSE):
            if kind == MESSAGE_KIND_PSI_RESPONSE:
                send(exchange.to_feature, MESSAGE_KIND_PSI_REQUEST, "shop/users", "users")
            send(exchange.to_label, kind, "shop/users", "users")
        send(exchange.to_feature, MESSAGE_KIND_ALIGNED_ELEMENTS, "shop/users", "users")
        with pytest.raises(SessionError, match="before the peer proved its order"):
            exchange.label.produce(MESSAGE_KIND_ROW_MAP, "shop/users", "users", 0)
        send(exchange.to_label, MESSAGE_KIND_ALIGNMENT_PROOF, "shop/users", "users")
        with pytest.raises(SessionError, match="before the label party proved its order"):
            exchange.to_feature(MESSAGE_KIND_ROW_MAP, "shop/users", "users", 0)
        send(exchange.to_feature, MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "shop/users", "users")
        with pytest.raises(SessionError, match="the map of all rows"):
            exchange.features["users"].results()
        send(exchange.to_feature, MESSAGE_KIND_ROW_MAP, "shop/users", "users")
        (aligned,) = exchange.features["users"].results().values()
    assert aligned.rows.tolist() == [2, 0]  # its rows of "a" and "c"
    assert incoming.maps(2)["train"].entity_of_row.tolist() == [1, 0, 1]
    assert rows.rows["train"].tolist() == [0, 2, 4]


def test_without_joins_there_are_no_maps(pool):
    kind = MESSAGE_KIND_ROW_MAP
    ids = {"train": ["a"]}
    with Exchange(pool, {LABEL: ids, "users": ids}) as exchange:
        with pytest.raises(SessionError, match="never produces"):
            exchange.label.produce(kind, "train", "users", 0)
        with pytest.raises(SessionError, match="never consumes"):
            exchange.features["users"].consume(kind, "train", LABEL, 0, message=b"")
