import dataclasses

import numpy as np
import pytest

from party.alignment.aligned_elements import AlignedElements, AlignmentSummary, aligned_elements_from_bytes
from party.alignment.curve import ELEMENT_BYTES, hash_to_curve, new_key
from party.alignment.order_proof import OrderProof
from party.alignment.psi import answer_request, encrypt
from party.data.ids import ids_of
from party.errors import AlignmentError, SessionError
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_ELEMENTS,
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
)
from party.security.row_secret import RowSecret
from tests.support.alignment_driving import ALIGNMENT_ID, LABEL, ROW_SECRET, Exchange, pair_key
from tests.support.x25519_points import OF_SMALL_ORDER, PRIME, decode, encode, inverse

PEER = "films"
# The label party has 10 rows (chunks of 4, 4, 2), the feature party 9 (4, 4, 1), with 7 in common.
IDS = {LABEL: {"train": [f"id-{n}" for n in range(10)]}, PEER: {"train": [f"id-{n}" for n in range(3, 12)]}}
FROM_LABEL = (MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_ALIGNED_ELEMENTS, MESSAGE_KIND_ALIGNMENT_COUNTERPROOF)
PSI_KINDS = [MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_PSI_RESPONSE]
NAMES = {
    MESSAGE_KIND_PSI_SETUP: "PSI setup, dataset train, peer films",
    MESSAGE_KIND_PSI_REQUEST: "PSI request, dataset train, peer shop",
    MESSAGE_KIND_PSI_RESPONSE: "PSI response, dataset train, peer films",
    MESSAGE_KIND_ALIGNED_ELEMENTS: "aligned elements, dataset train, peer shop",
    MESSAGE_KIND_ALIGNMENT_PROOF: "alignment proof, dataset train, peer films",
    MESSAGE_KIND_ALIGNMENT_COUNTERPROOF: "alignment counterproof, dataset train, peer shop",
}


@pytest.fixture
def exchange(pool):
    with Exchange(pool, IDS) as ready:
        yield ready


def altering(kind, index, change):
    def alter(its_kind, dataset, peer, its_index, message):
        return change(message) if (its_kind, its_index) == (kind, index) else message

    return alter


def send_all(exchange, kind):
    send = exchange.to_feature if kind == MESSAGE_KIND_PSI_REQUEST else exchange.to_label
    exchange.all(send, kind, "train", PEER)


def refuses(exchange, error, pattern):
    with pytest.raises(error, match=pattern) as caught:
        exchange.run()
    assert "id-" not in str(caught.value)
    with pytest.raises(SessionError, match="not complete"):
        exchange.label.results()


def refuses_elements(exchange, change, pattern, *, index=1):
    """Alters a message of marks, of 4 elements, 4 elements and 1."""
    count = (4, 4, 1)[index]

    def alter(message):
        changed = change(aligned_elements_from_bytes(message, count, "test"))
        return changed if isinstance(changed, bytes) else changed.to_bytes()

    exchange.alter = altering(MESSAGE_KIND_ALIGNED_ELEMENTS, index, alter)
    refuses(exchange, AlignmentError, f"{NAMES[MESSAGE_KIND_ALIGNED_ELEMENTS]}: {pattern}")
    with pytest.raises(SessionError, match="not complete"):
        exchange.features[PEER].results()


def summary_with(**changes):
    return lambda part: dataclasses.replace(part, summary=dataclasses.replace(part.summary, **changes))


def test_unaltered_exchange_aligns(exchange):
    results = exchange.run()
    assert results[LABEL]["train"].rows.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert results[PEER]["train"].rows.tolist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", PSI_KINDS, ids=NAMES.get)
@pytest.mark.parametrize(
    "change",
    [
        lambda message: message[:-ELEMENT_BYTES],
        lambda message: message[:-1],
        lambda message: message + message[:ELEMENT_BYTES],
        lambda message: message * 100,
        lambda message: b"",
    ],
    ids=["element missing", "byte missing", "element more", "oversized", "empty"],
)
@pytest.mark.parametrize("index", [0, 2])
def test_chunk_of_another_size_is_refused(exchange, kind, change, index):
    exchange.alter = altering(kind, index, change)
    refuses(exchange, AlignmentError, f"{NAMES[kind]}: a message of the wrong size; expected .* elements")


@pytest.mark.parametrize("kind", PSI_KINDS, ids=NAMES.get)
def test_chunk_more_than_declared_is_refused(exchange, kind):
    send_all(exchange, MESSAGE_KIND_PSI_SETUP)
    send_all(exchange, MESSAGE_KIND_PSI_REQUEST)
    send_all(exchange, MESSAGE_KIND_PSI_RESPONSE)
    side = exchange.features[PEER] if kind == MESSAGE_KIND_PSI_REQUEST else exchange.label
    peer = LABEL if kind == MESSAGE_KIND_PSI_REQUEST else PEER
    with pytest.raises(AlignmentError, match=f"{NAMES[kind]}: more messages than .*expected 3 .*received message 3"):
        side.consume(kind, "train", peer, 3, message=bytes(ELEMENT_BYTES))


@pytest.mark.parametrize("kind", PSI_KINDS, ids=NAMES.get)
def test_truncated_series_gives_no_result(exchange, kind):
    for each in PSI_KINDS:
        if each == kind:
            send = exchange.to_feature if kind == MESSAGE_KIND_PSI_REQUEST else exchange.to_label
            send(kind, "train", PEER, 0)
            send(kind, "train", PEER, 1)
            if kind == MESSAGE_KIND_PSI_REQUEST:
                break
        else:
            send_all(exchange, each)
    assert set(exchange.counts) == {0}
    with pytest.raises(SessionError, match="before all answers arrived"):
        exchange.label.produce(MESSAGE_KIND_ALIGNED_ELEMENTS, "train", PEER, 0)
    with pytest.raises(SessionError, match="not complete"):
        exchange.label.results()


def test_messages_out_of_order_or_twice_are_refused(exchange):
    first, _ = exchange.features[PEER].produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0)
    with pytest.raises(SessionError, match="expected message 0; received message 1"):
        exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 1, message=first)
    exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 0, message=first)
    with pytest.raises(SessionError, match="expected message 1; received message 0"):
        exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 0, message=first)


def test_refused_message_changes_nothing(exchange):
    refused = []

    def alter(kind, dataset, peer, index, message):
        from_label = kind in FROM_LABEL
        side = exchange.features[PEER] if from_label else exchange.label
        with pytest.raises(AlignmentError, match="of the wrong size"):
            side.consume(kind, dataset, LABEL if from_label else PEER, index, message=message[:-1])
        refused.append(kind)
        return message

    exchange.alter = alter
    assert exchange.run()[PEER]["train"].rows.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(refused) == 3 + 3 + 3 + 3 + 1 + 1


@pytest.mark.parametrize("kind", [MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_RESPONSE], ids=NAMES.get)
@pytest.mark.parametrize("index", [0, 1])
def test_one_element_or_answer_twice_is_refused(exchange, kind, index):
    """Of one message, or of two: an answer that counts for two ids would claim one that the peer does not have."""
    first = []

    def alter(its_kind, dataset, peer, its_index, message):
        if its_kind == kind:
            first.append(message[:ELEMENT_BYTES])
            if its_index == index:
                return message[:ELEMENT_BYTES] + first[0] + message[2 * ELEMENT_BYTES :]
        return message

    exchange.alter = alter
    refuses(exchange, AlignmentError, f"{NAMES[kind]}: elements that occur more than once; received 1 repetitions")


NO_POINTS = {
    **{name: encode(u) for name, u in OF_SMALL_ORDER.items()},
    "twist": encode(2),
    "not below the prime": encode(PRIME + 9),
    "highest bit": hash_to_curve("id-3")[:-1] + bytes([hash_to_curve("id-3")[-1] | 0x80]),
    "all ones": b"\xff" * ELEMENT_BYTES,
}


@pytest.mark.parametrize("element", NO_POINTS.values(), ids=NO_POINTS)
@pytest.mark.parametrize("kind", [MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_REQUEST], ids=NAMES.get)
def test_element_off_the_curve_is_refused(exchange, kind, element):
    exchange.alter = altering(kind, 1, lambda message: element + message[ELEMENT_BYTES:])
    refuses(exchange, AlignmentError, f"{NAMES[kind]}: an element that is no point of the curve")


@pytest.mark.parametrize("element", NO_POINTS.values(), ids=NO_POINTS)
def test_an_answer_off_the_curve_matches_nothing(exchange, element):
    exchange.alter = altering(MESSAGE_KIND_PSI_RESPONSE, 1, lambda message: element + message[ELEMENT_BYTES:])
    results = exchange.run()
    label, feature = ([IDS[name]["train"][row] for row in results[name]["train"].rows] for name in (LABEL, PEER))
    assert label == feature
    assert len(label) in (6, 7)
    assert set(label) <= set(IDS[LABEL]["train"]) & set(IDS[PEER]["train"])


def test_an_element_moved_by_a_point_of_small_order_counts_as_the_same_element(exchange):
    """The two differ on the wire, but not once they are multiplied."""

    def alter(message):
        moved = encode(inverse(decode(message[:ELEMENT_BYTES])))  # the sum with (0, 0)
        return message[:ELEMENT_BYTES] + moved + message[2 * ELEMENT_BYTES :]

    exchange.alter = altering(MESSAGE_KIND_PSI_SETUP, 0, alter)
    pattern = f"{NAMES[MESSAGE_KIND_PSI_SETUP]}: elements that occur more than once; received 1 repetitions"
    refuses(exchange, AlignmentError, pattern)


@pytest.mark.parametrize("scalar", [None, new_key()], ids=["unchanged", "under a key of its own"])
def test_a_feature_party_that_answers_with_its_own_elements_claims_nothing(pool, scalar):
    """An answer counts only if it is the request's element under the key of the setup."""
    ids = [f"id-{n}" for n in range(4)]
    with Exchange(pool, {LABEL: {"train": ids}, PEER: {"train": ids}}) as exchange:
        setup = []

        def alter(kind, dataset, peer, index, message):
            if kind == MESSAGE_KIND_PSI_SETUP:
                setup.append(message)
            if kind != MESSAGE_KIND_PSI_RESPONSE:
                return message
            return setup[0] if scalar is None else answer_request(scalar, setup[0], "test")

        exchange.alter = alter
        refuses(exchange, AlignmentError, "dataset train: no id is in common")


@pytest.mark.parametrize("kind", [MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_RESPONSE], ids=NAMES.get)
def test_a_feature_party_that_sends_back_what_it_gets_claims_nothing(pool, kind):
    """The label party's own encrypted ids, as setup or as answers."""
    ids = [f"id-{n}" for n in range(4)]
    with Exchange(pool, {LABEL: {"train": ids}, PEER: {"train": ids}}) as exchange:
        requests, _ = exchange.label.produce(MESSAGE_KIND_PSI_REQUEST, "train", PEER, 0)
        exchange.alter = altering(kind, 0, lambda message: requests)
        refuses(exchange, AlignmentError, "dataset train: no id is in common")


def test_encrypted_ids_cannot_be_tested_against_guesses(pool):
    """A dictionary of all ids, under keys of its own, meets none of the elements on the wire."""
    seen = set()

    def alter(kind, dataset, peer, index, message):
        if kind in PSI_KINDS:
            seen.update(message[at : at + ELEMENT_BYTES] for at in range(0, len(message), ELEMENT_BYTES))
        return message

    with Exchange(pool, IDS, alter) as exchange:
        exchange.run()
    guesses = [f"id-{n}" for n in range(12)]
    known = {hash_to_curve(guess) for guess in guesses}
    known |= {encrypt(key, [guess]) for guess in guesses for key in (new_key(), b"\0" * 32)}
    assert len(seen) == 9 + 10 + 10
    assert not seen & known


@pytest.mark.parametrize("kind", [MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_PSI_RESPONSE], ids=NAMES.get)
def test_chunks_swapped_under_the_seal_never_align_rows_wrongly(pool, kind):
    """Swapping what the seal should keep in place gives the label party a wrong row; the proof then betrays it."""
    label_ids = [f"id-{number:02d}" for number in range(8)]
    ids = {LABEL: {"train": label_ids}, PEER: {"train": label_ids[:1]}}
    with Exchange(pool, ids) as swapped:
        send_all(swapped, MESSAGE_KIND_PSI_SETUP)
        requests = [swapped.label.produce(MESSAGE_KIND_PSI_REQUEST, "train", PEER, index)[0] for index in (0, 1)]
        for index in (0, 1):
            message = requests[1 - index if kind == MESSAGE_KIND_PSI_REQUEST else index]
            swapped.features[PEER].consume(MESSAGE_KIND_PSI_REQUEST, "train", LABEL, index, message=message)
        answers = [
            swapped.features[PEER].produce(MESSAGE_KIND_PSI_RESPONSE, "train", LABEL, index)[0] for index in (0, 1)
        ]
        for index in (0, 1):
            message = answers[1 - index if kind == MESSAGE_KIND_PSI_RESPONSE else index]
            swapped.label.consume(MESSAGE_KIND_PSI_RESPONSE, "train", PEER, index, message=message)
        swapped.all(swapped.to_feature, MESSAGE_KIND_ALIGNED_ELEMENTS, "train", PEER)
        with pytest.raises(AlignmentError, match="the peer's rows are not in the common order"):
            swapped.to_label(MESSAGE_KIND_ALIGNMENT_PROOF, "train", PEER, 0)
        assert_nothing_is_kept(swapped)


def assert_nothing_is_kept(exchange):
    with pytest.raises(SessionError, match="before the peer proved its order"):
        exchange.label.produce(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "train", PEER, 0)
    for side in (exchange.label, exchange.features[PEER]):
        with pytest.raises(SessionError, match="not complete"):
            side.results()


def test_the_answer_says_no_more_than_which_elements_are_in_common(exchange):
    """In the order of the setup, which the feature party drew: neither ids nor their order come back."""
    answers = {}

    def alter(kind, dataset, peer, index, message):
        if kind == MESSAGE_KIND_ALIGNED_ELEMENTS:
            answers[index] = aligned_elements_from_bytes(message, (4, 4, 1)[index], "test")
        return message

    exchange.alter = alter
    exchange.run()
    marks = np.concatenate([answers[index].marks for index in range(3)])
    setup_order = exchange.features[PEER]._servers["train"].setup_order
    ids = [IDS[PEER]["train"][row] for row in setup_order]
    assert [one in IDS[LABEL]["train"] for one in ids] == marks.tolist()


def test_marks_of_elements_that_the_label_party_cannot_name_are_never_kept(exchange):
    """A cheating label party marks what it does not hold, to get hiddens of it: it cannot prove that it knows them."""

    def alter(kind, dataset, peer, index, message):
        if kind == MESSAGE_KIND_ALIGNED_ELEMENTS:
            part = aligned_elements_from_bytes(message, (4, 4, 1)[index], "test")
            every = np.ones_like(part.marks)
            summary = dataclasses.replace(part.summary, total=9)
            return AlignedElements(summary, every).to_bytes()
        return message

    exchange.alter = alter
    with pytest.raises(AlignmentError, match="the peer's rows are not in the common order"):
        exchange.run()
    assert_nothing_is_kept(exchange)
    with pytest.raises(AlignmentError, match=f"{NAMES[MESSAGE_KIND_ALIGNMENT_COUNTERPROOF]}: the peer's rows are not"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "train", LABEL, 0, message=bytes(32))


def marking(change):
    """Changes the marks of one message and leaves the total."""
    return lambda part: dataclasses.replace(part, marks=change(part.marks))


def test_more_elements_than_announced_are_refused(exchange):
    refuses_elements(
        exchange, summary_with(total=1), "more elements than announced; expected 1; received [234]", index=0
    )


def test_fewer_elements_than_announced_are_refused(exchange):
    summaries = []

    def alter(kind, dataset, peer, index, message):
        if kind != MESSAGE_KIND_ALIGNED_ELEMENTS:
            return message
        part = aligned_elements_from_bytes(message, (4, 4, 1)[index], "test")
        summaries.append(part.summary)
        return marking(np.zeros_like)(part).to_bytes() if index < 2 else message

    exchange.alter = alter
    refuses(
        exchange,
        AlignmentError,
        f"{NAMES[MESSAGE_KIND_ALIGNED_ELEMENTS]}: fewer elements than announced; expected 7; received [01]",
    )


def test_more_rows_in_common_than_there_are_is_refused(exchange):
    refuses_elements(
        exchange,
        summary_with(total=10),
        "more rows in common than there can be; expected at most 9; received 10",
        index=0,
    )


def test_announcement_of_nothing_is_refused(exchange):
    summary = AlignmentSummary(ALIGNMENT_ID, 0, ROW_SECRET, bytes(ELEMENT_BYTES))
    nothing = AlignedElements(summary, np.zeros(4, np.bool_)).to_bytes()
    exchange.alter = altering(MESSAGE_KIND_ALIGNED_ELEMENTS, 0, lambda message: nothing)
    refuses(exchange, AlignmentError, "dataset train: no id is in common")


@pytest.mark.parametrize(
    "changes",
    [
        {"alignment_id": bytes(16)},
        {"total": 8},
        {"row_secret": RowSecret(bytes(32), pinned=False)},
        {"row_secret": RowSecret(ROW_SECRET.secret, pinned=True)},
        {"share": bytes(ELEMENT_BYTES)},
    ],
    ids=["alignment id", "total", "row secret", "pinned", "share"],
)
def test_messages_of_two_alignments_are_refused(exchange, changes):
    refuses_elements(exchange, summary_with(**changes), "messages that belong to different alignments")


@pytest.mark.parametrize(
    "change",
    [lambda message: message[:-1] + bytes([message[-1] | 1]), lambda message: message[:24] + b"\2" + message[25:]],
    ids=["spare bits", "flag"],
)
def test_marks_of_what_is_not_there_are_refused(exchange, change):
    refuses_elements(exchange, lambda part: change(part.to_bytes()), "a message that marks elements that do not exist")


def test_marks_after_the_last_are_refused(exchange):
    exchange.run()
    summary = AlignmentSummary(ALIGNMENT_ID, 7, ROW_SECRET, bytes(ELEMENT_BYTES))
    message = AlignedElements(summary, np.ones(1, np.bool_)).to_bytes()
    with pytest.raises(AlignmentError, match=r"more messages than .*received message 3"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNED_ELEMENTS, "train", LABEL, 3, message=message)


def test_marks_out_of_order_are_refused(exchange):
    summary = AlignmentSummary(ALIGNMENT_ID, 7, ROW_SECRET, bytes(ELEMENT_BYTES))
    message = AlignedElements(summary, np.ones(4, np.bool_)).to_bytes()
    with pytest.raises(SessionError, match="expected message 0; received message 1"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNED_ELEMENTS, "train", LABEL, 1, message=message)


@pytest.mark.parametrize("size", [0, 89, 90, 92])
def test_message_of_marks_of_an_impossible_size_is_refused(size):
    with pytest.raises(AlignmentError, match=f"here: .*expected 91 bytes for 9 elements; received {size} bytes"):
        aligned_elements_from_bytes(bytes(size), 9, "here")


@pytest.mark.parametrize("kind", [MESSAGE_KIND_ALIGNMENT_PROOF, MESSAGE_KIND_ALIGNMENT_COUNTERPROOF], ids=NAMES.get)
def test_altered_proof_is_refused(exchange, kind):
    exchange.alter = altering(kind, 0, lambda proof: proof[:-1] + bytes([proof[-1] ^ 1]))
    with pytest.raises(AlignmentError, match=f"{NAMES[kind]}: the peer's rows are not in the common order"):
        exchange.run()
    with pytest.raises(SessionError, match="not complete"):
        exchange.features[PEER].results()


@pytest.mark.parametrize("change", [lambda proof: proof[:-1], lambda proof: b"", lambda proof: proof + b"\0"])
@pytest.mark.parametrize("kind", [MESSAGE_KIND_ALIGNMENT_PROOF, MESSAGE_KIND_ALIGNMENT_COUNTERPROOF], ids=NAMES.get)
def test_proof_of_another_size_is_refused(exchange, kind, change):
    exchange.alter = altering(kind, 0, change)
    with pytest.raises(AlignmentError, match=f"{NAMES[kind]}: a message of the wrong size"):
        exchange.run()


@pytest.mark.parametrize("share", NO_POINTS.values(), ids=NO_POINTS)
def test_a_share_of_a_proof_off_the_curve_is_refused(pool, share):
    """Under a share of small order every list of ids would have the same proof."""
    with Exchange(pool, IDS) as to_label:
        to_label.alter = altering(MESSAGE_KIND_ALIGNMENT_PROOF, 0, lambda proof: share + proof[ELEMENT_BYTES:])
        refuses(to_label, AlignmentError, "an element that is no point of the curve")

    def alter(kind, dataset, peer, index, message):
        if kind != MESSAGE_KIND_ALIGNED_ELEMENTS:
            return message
        return summary_with(share=share)(aligned_elements_from_bytes(message, (4, 4, 1)[index], "test")).to_bytes()

    with Exchange(pool, IDS, alter) as to_feature:
        refuses(to_feature, AlignmentError, "an element that is no point of the curve")
        with pytest.raises(SessionError, match="not complete"):
            to_feature.features[PEER].results()


def test_a_proof_that_failed_is_not_followed_by_another_try(exchange):
    """Each try would test one more list of ids against the same share."""
    tries = []

    def alter(kind, dataset, peer, index, message):
        if kind == MESSAGE_KIND_ALIGNMENT_PROOF:
            with pytest.raises(AlignmentError, match="not in the common order"):
                exchange.label.consume(kind, dataset, peer, index, message=message[:ELEMENT_BYTES] + bytes(32))
            tries.append(message)
        return message

    exchange.alter = alter
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.run()
    assert len(tries) == 1


def test_a_proof_sent_back_proves_nothing(exchange):
    """What the feature party sent is no counterproof, and its share is not the label party's."""
    proofs = []

    def alter(kind, dataset, peer, index, message):
        if kind == MESSAGE_KIND_ALIGNMENT_PROOF:
            proofs.append(message)
        return proofs[0][ELEMENT_BYTES:] if kind == MESSAGE_KIND_ALIGNMENT_COUNTERPROOF else message

    exchange.alter = alter
    with pytest.raises(AlignmentError, match="the peer's rows are not in the common order"):
        exchange.run()


def test_proof_is_taken_once_and_not_before_the_intersection(exchange):
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.label.consume(MESSAGE_KIND_ALIGNMENT_PROOF, "train", PEER, 0, message=bytes(64))
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "train", LABEL, 0, message=bytes(32))
    exchange.run()
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.label.consume(MESSAGE_KIND_ALIGNMENT_PROOF, "train", PEER, 0, message=bytes(64))
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNMENT_COUNTERPROOF, "train", LABEL, 0, message=bytes(32))


def test_proof_depends_on_everything_it_covers():
    base = (pair_key(LABEL, PEER), "train", ALIGNMENT_ID, ids_of(["a", "bc"]))
    changed = [
        (bytes(32), *base[1:]),
        (base[0], "test", *base[2:]),
        (*base[:2], bytes(16), base[3]),
        (*base[:3], ids_of(["bc", "a"])),
        (*base[:3], ids_of(["ab", "c"])),
        (*base[:3], ids_of(["a"])),
    ]
    one, other = OrderProof(*base), OrderProof(*base)
    assert one.of(PEER, other.share, "here") == other.of(PEER, one.share, "here")
    assert one.of(PEER, other.share, "here") != one.of(LABEL, other.share, "here")
    for arguments in changed:
        stranger = OrderProof(*arguments)
        assert one.of(PEER, stranger.share, "here") != stranger.of(PEER, one.share, "here"), arguments


def test_two_proofs_of_one_list_share_nothing():
    """So a list cannot be guessed from what one of them shows."""
    arguments = (pair_key(LABEL, PEER), "train", ALIGNMENT_ID, ids_of(["a"]))
    assert len({OrderProof(*arguments).share for _ in range(3)}) == 3
