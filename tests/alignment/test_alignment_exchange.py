import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.alignment.messages import chunk_count, rows_of_chunk
from party.errors import AlignmentError, DataError, PolicyError, SessionError
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_ELEMENTS,
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_HIDDEN,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
)
from tests.support.alignment_driving import ALIGNMENT_ID, LABEL, ROW_SECRET, Exchange, feature_side, label_side, terms

PEER = "films"
OTHER = "bank"
IDS = [f"id-{number:03d}" for number in range(20)]
# Few characters, so that sets overlap; of one to four bytes, of both sides of the surrogates, and a zero.
SAMPLE_IDS = st.text(alphabet="a\0é\uffff\U00010000", min_size=1, max_size=3)


def id_lists(most):
    return st.lists(SAMPLE_IDS, min_size=1, max_size=most, unique=True)


def aligned_ids(ids, aligned):
    return [ids[row] for row in aligned.rows]


def in_common(*lists):
    return sorted(set.intersection(*map(set, lists)), key=lambda sample_id: sample_id.encode())


@settings(max_examples=25, deadline=None)
@given(label_ids=id_lists(14), feature_ids=id_lists(14), chunk_rows=st.integers(1, 20))
def test_result_is_the_plain_intersection_in_the_order_of_bytes(pool, label_ids, feature_ids, chunk_rows):
    expected = in_common(label_ids, feature_ids)
    ids = {LABEL: {"train": label_ids}, PEER: {"train": feature_ids}}
    with Exchange(pool, ids, chunk_rows=chunk_rows) as exchange:
        if not expected:
            with pytest.raises(AlignmentError, match="no id is in common"):
                exchange.run()
            return
        results = exchange.run()
    for party in ids:
        aligned = results[party]["train"]
        assert aligned_ids(ids[party]["train"], aligned) == expected
        assert aligned.rows.dtype == np.int32
        assert (aligned.alignment_id, aligned.row_secret) == (ALIGNMENT_ID, ROW_SECRET)


@settings(max_examples=8, deadline=None)
@given(label_ids=id_lists(10), one=id_lists(10), two=id_lists(10))
def test_third_party_leaves_what_all_three_have(pool, label_ids, one, two):
    ids = {LABEL: {"train": [*label_ids, "x"]}, PEER: {"train": ["x", *one]}, OTHER: {"train": [*two, "x"]}}
    with Exchange(pool, ids) as exchange:
        results = exchange.run()
    expected = in_common(*(datasets["train"] for datasets in ids.values()))
    for party in ids:
        assert aligned_ids(ids[party]["train"], results[party]["train"]) == expected


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(20)))
def test_permuted_file_changes_nothing_but_row_numbers(pool, order):
    plain = {LABEL: {"train": IDS[:15]}, PEER: {"train": IDS}}
    permuted = {LABEL: {"train": IDS[:15]}, PEER: {"train": [IDS[row] for row in order]}}
    with Exchange(pool, plain) as exchange:
        former = exchange.run()
    with Exchange(pool, permuted) as exchange:
        latter = exchange.run()
    assert former[LABEL]["train"].rows.tolist() == latter[LABEL]["train"].rows.tolist()
    assert [order[row] for row in latter[PEER]["train"].rows] == former[PEER]["train"].rows.tolist()


def test_composed_and_decomposed_characters_are_different_ids(pool):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    ids = {LABEL: {"train": [composed, "tea"]}, PEER: {"train": [decomposed, "tea"]}}
    with Exchange(pool, ids) as exchange:
        results = exchange.run()
    assert results[LABEL]["train"].rows.tolist() == [1]
    assert results[PEER]["train"].rows.tolist() == [1]


def test_datasets_are_aligned_each_for_itself(pool):
    ids = {
        LABEL: {"train": IDS[:12], "test": IDS[12:]},
        PEER: {"train": IDS[5:15], "test": IDS[15:0:-1]},
    }
    with Exchange(pool, ids) as exchange:
        results = exchange.run()
    assert aligned_ids(IDS[5:15], results[PEER]["train"]) == IDS[5:12]
    assert aligned_ids(IDS[15:0:-1], results[PEER]["test"]) == IDS[12:16]


def test_rows_in_common_are_told_once_known(pool):
    with Exchange(pool, {LABEL: {"train": IDS[:8]}, PEER: {"train": IDS[4:]}}) as exchange:
        exchange.run()
    # 4 setups, 2 requests, 2 answers and 4 messages of marks, of both of which the last tells, 2 proofs.
    assert exchange.counts == [0] * 7 + [4] + [0] * 3 + [4] * 3


def test_setup_may_come_after_the_answers(pool):
    with Exchange(pool, {LABEL: {"train": IDS[:8]}, PEER: {"train": IDS[4:]}}) as exchange:
        exchange.all(exchange.to_feature, MESSAGE_KIND_PSI_REQUEST, "train", PEER)
        exchange.all(exchange.to_label, MESSAGE_KIND_PSI_RESPONSE, "train", PEER)
        exchange.all(exchange.to_label, MESSAGE_KIND_PSI_SETUP, "train", PEER)
    assert exchange.counts == [0] * 7 + [4]


def test_last_message_can_be_asked_for_again_and_no_other(pool):
    with Exchange(pool, {LABEL: {"train": IDS}, PEER: {"train": IDS}}) as exchange:
        feature = exchange.features[PEER]
        first, total = feature.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0)
        assert total == 5
        assert feature.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0) == (first, total)
        second, _ = feature.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 1)
        assert second != first
        for index in (0, 3):
            with pytest.raises(SessionError, match="expected message 2 of 5"):
                feature.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, index)


def test_message_past_the_last_is_refused(pool):
    side = feature_side(pool, PEER, {"train": IDS[:4]}, {"train": 4})
    side.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0)
    with pytest.raises(SessionError, match="received message 1"):
        side.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 1)
    side.close()


def test_messages_are_not_made_before_their_time(pool):
    with Exchange(pool, {LABEL: {"train": IDS}, PEER: {"train": IDS}}) as exchange:
        with pytest.raises(SessionError, match="too early"):
            exchange.features[PEER].produce(MESSAGE_KIND_PSI_RESPONSE, "train", LABEL, 0)
        with pytest.raises(SessionError, match="before all answers"):
            exchange.label.produce(MESSAGE_KIND_ALIGNED_ELEMENTS, "train", PEER, 0)
        with pytest.raises(SessionError, match="before the peer proved"):
            exchange.label.produce(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "train", PEER, 0)
        with pytest.raises(SessionError, match="before all aligned elements"):
            exchange.features[PEER].produce(MESSAGE_KIND_ALIGNMENT_PROOF, "train", LABEL, 0)
        for side in (exchange.label, exchange.features[PEER]):
            with pytest.raises(SessionError, match="not complete"):
                side.results()


@pytest.mark.parametrize("kind", [MESSAGE_KIND_HIDDEN, 99])
def test_foreign_kinds_datasets_and_peers_are_refused(pool, kind):
    with Exchange(pool, {LABEL: {"train": IDS}, PEER: {"train": IDS}}) as exchange:
        for side, peer in ((exchange.label, PEER), (exchange.features[PEER], LABEL)):
            with pytest.raises(SessionError, match="never produces"):
                side.produce(kind, "train", peer, 0)
            with pytest.raises(SessionError, match="never consumes"):
                side.consume(kind, "train", peer, 0, message=b"")
            with pytest.raises(SessionError, match="dataset test"):
                side.produce(MESSAGE_KIND_PSI_SETUP, "test", peer, 0)
            with pytest.raises(SessionError, match="peer bakery"):
                side.consume(MESSAGE_KIND_PSI_REQUEST, "train", "bakery", 0, message=b"")


def test_two_alignments_share_no_encrypted_element(pool):
    elements = []
    for _ in range(2):
        side = feature_side(pool, PEER, {"train": IDS}, {"train": 4}, chunk_rows=20)
        message, _ = side.produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0)
        elements.append({message[start : start + 32] for start in range(0, len(message), 32)})
        side.close()
    assert [len(part) for part in elements] == [20, 20]
    assert not elements[0] & elements[1]


def test_too_small_an_intersection_is_refused_by_either_policy(pool):
    ids = {LABEL: {"train": IDS[:8]}, PEER: {"train": IDS[5:]}}
    with Exchange(pool, ids, minimum_intersection=4) as exchange:
        with pytest.raises(PolicyError, match=r"policy.minimum_intersection of party shop.*at least 4.*received 3"):
            exchange.run()
        with pytest.raises(SessionError):
            exchange.label.results()
    with Exchange(pool, ids) as exchange:
        exchange.features[PEER] = feature_side(pool, PEER, ids[PEER], {"train": 8}, minimum_intersection=4)
        with pytest.raises(PolicyError, match=r"policy.minimum_intersection of party films.*at least 4.*received 3"):
            exchange.run()
        with pytest.raises(SessionError):
            exchange.features[PEER].results()


def test_terms_refuse_too_many_rows_no_rows_and_other_datasets():
    with pytest.raises(PolicyError, match=r"policy.maximum_peer_rows of party shop.*at most 5 rows; received 6 rows"):
        terms(LABEL, {"train": IDS}, {PEER: {"train": 6}}, maximum_peer_rows=5)
    with pytest.raises(AlignmentError, match="dataset train at party films: there are no rows"):
        terms(LABEL, {"train": IDS}, {PEER: {"train": 0}})
    with pytest.raises(AlignmentError, match="dataset train at party shop: there are no rows"):
        terms(LABEL, {"train": []}, {PEER: {"train": 6}})
    with pytest.raises(AlignmentError, match="expected train; received test"):
        terms(LABEL, {"train": IDS}, {PEER: {"test": 6}})


def test_id_that_is_no_text_is_refused_without_showing_it(pool):
    with pytest.raises(DataError, match="cannot be written as UTF-8") as caught:
        label_side(pool, {"train": ["fine", "secret\ud800"]}, {PEER: {"train": 1}})
    assert "secret" not in str(caught.value)


@given(rows=st.integers(1, 10_000), chunk_rows=st.integers(1, 3000))
def test_chunks_add_up_to_all_rows(rows, chunk_rows):
    sizes = [rows_of_chunk(rows, chunk_rows, index) for index in range(chunk_count(rows, chunk_rows))]
    assert sum(sizes) == rows
    assert all(size == chunk_rows for size in sizes[:-1])
    assert 0 < sizes[-1] <= chunk_rows
