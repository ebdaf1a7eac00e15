import itertools

import pytest
from alignment_driving import ALIGNMENT_ID, LABEL, Exchange, pair_key

from party.alignment.digests import DigestChunk, digest_chunk_from_bytes, id_digest, order_proof
from party.errors import AlignmentError, SessionError
from party.pb.party_pb2 import (
    MESSAGE_KIND_ALIGNED_DIGESTS,
    MESSAGE_KIND_ALIGNMENT_PROOF,
    MESSAGE_KIND_PSI_REQUEST,
    MESSAGE_KIND_PSI_RESPONSE,
    MESSAGE_KIND_PSI_SETUP,
)

PEER = "films"
# The label party has 10 rows (chunks of 4, 4, 2), the feature party 9 (4, 4, 1), with 7 in common (4, 3).
IDS = {LABEL: {"train": [f"id-{n}" for n in range(10)]}, PEER: {"train": [f"id-{n}" for n in range(3, 12)]}}
PSI_KINDS = [MESSAGE_KIND_PSI_SETUP, MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_PSI_RESPONSE]
NAMES = {
    MESSAGE_KIND_PSI_SETUP: "PSI setup, dataset train, peer films",
    MESSAGE_KIND_PSI_REQUEST: "PSI request, dataset train, peer shop",
    MESSAGE_KIND_PSI_RESPONSE: "PSI response, dataset train, peer films",
    MESSAGE_KIND_ALIGNED_DIGESTS: "aligned digests, dataset train, peer shop",
    MESSAGE_KIND_ALIGNMENT_PROOF: "alignment proof, dataset train, peer films",
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


def refuses_digests(exchange, change, pattern, *, index=1, error=AlignmentError):
    exchange.alter = altering(
        MESSAGE_KIND_ALIGNED_DIGESTS,
        index,
        lambda message: change(digest_chunk_from_bytes(message, "test")).to_bytes(),
    )
    refuses(exchange, error, f"{NAMES[MESSAGE_KIND_ALIGNED_DIGESTS]}: {pattern}")
    with pytest.raises(SessionError, match="not complete"):
        exchange.features[PEER].results()


def test_unaltered_exchange_aligns(exchange):
    results = exchange.run()
    assert results[LABEL]["train"].rows.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert results[PEER]["train"].rows.tolist() == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", PSI_KINDS, ids=NAMES.get)
@pytest.mark.parametrize(
    "change",
    [
        lambda message: message[:-33],
        lambda message: message[:-1],
        lambda message: message + message[:33],
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
        side.consume(kind, "train", peer, 3, bytes(33))


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
    with pytest.raises(SessionError, match="before all answers came"):
        exchange.label.produce(MESSAGE_KIND_ALIGNED_DIGESTS, "train", PEER, 0)
    with pytest.raises(SessionError, match="not complete"):
        exchange.label.results()


def test_messages_out_of_order_or_twice_are_refused(exchange):
    first, _ = exchange.features[PEER].produce(MESSAGE_KIND_PSI_SETUP, "train", LABEL, 0)
    with pytest.raises(SessionError, match="expected message 0; received message 1"):
        exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 1, first)
    exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 0, first)
    with pytest.raises(SessionError, match="expected message 1; received message 0"):
        exchange.label.consume(MESSAGE_KIND_PSI_SETUP, "train", PEER, 0, first)


def test_refused_message_changes_nothing(exchange):
    refused = []

    def alter(kind, dataset, peer, index, message):
        if kind in NAMES and kind != MESSAGE_KIND_ALIGNMENT_PROOF:
            side = exchange.features[PEER] if peer_is_receiver(kind) else exchange.label
            sender = LABEL if peer_is_receiver(kind) else PEER
            with pytest.raises(AlignmentError):
                side.consume(kind, dataset, sender, index, message[:-1])
            refused.append(kind)
        return message

    def peer_is_receiver(kind):
        return kind in (MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_ALIGNED_DIGESTS)

    exchange.alter = alter
    assert exchange.run()[PEER]["train"].rows.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(refused) == 3 + 3 + 3 + 2


def test_setup_with_one_element_twice_is_refused(exchange):
    exchange.alter = altering(MESSAGE_KIND_PSI_SETUP, 0, lambda message: message[:33] + message[:-33])
    refuses(exchange, AlignmentError, f"{NAMES[MESSAGE_KIND_PSI_SETUP]}: elements .*received 1 repetitions")


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (MESSAGE_KIND_PSI_REQUEST, NAMES[MESSAGE_KIND_PSI_REQUEST]),
        (MESSAGE_KIND_PSI_RESPONSE, NAMES[MESSAGE_KIND_PSI_RESPONSE]),
    ],
)
def test_element_off_the_curve_is_refused(exchange, kind, named):
    exchange.alter = altering(kind, 1, lambda message: b"\x02" + b"\xff" * 32 + message[33:])
    refuses(exchange, AlignmentError, f"{named}: an element that is no point of the curve")


@pytest.mark.parametrize("kind", [MESSAGE_KIND_PSI_REQUEST, MESSAGE_KIND_PSI_RESPONSE], ids=NAMES.get)
def test_chunks_swapped_under_the_seal_never_align_rows_wrongly(pool, kind):
    """Swapping what the seal should keep in place gives the label party a wrong row; its digest then betrays it."""
    label_ids = [f"id-{number:02d}" for number in range(8)]
    ids = {LABEL: {"train": label_ids}, PEER: {"train": label_ids[:1]}}
    with Exchange(pool, ids) as swapped:
        send_all(swapped, MESSAGE_KIND_PSI_SETUP)
        requests = [swapped.label.produce(MESSAGE_KIND_PSI_REQUEST, "train", PEER, index)[0] for index in (0, 1)]
        for index in (0, 1):
            message = requests[1 - index if kind == MESSAGE_KIND_PSI_REQUEST else index]
            swapped.features[PEER].consume(MESSAGE_KIND_PSI_REQUEST, "train", LABEL, index, message)
        answers = [
            swapped.features[PEER].produce(MESSAGE_KIND_PSI_RESPONSE, "train", LABEL, index)[0] for index in (0, 1)
        ]
        for index in (0, 1):
            message = answers[1 - index if kind == MESSAGE_KIND_PSI_RESPONSE else index]
            swapped.label.consume(MESSAGE_KIND_PSI_RESPONSE, "train", PEER, index, message)
        with pytest.raises(AlignmentError, match="digests of no own id; received 1 unknown digests"):
            swapped.all(swapped.to_feature, MESSAGE_KIND_ALIGNED_DIGESTS, "train", PEER)


def test_unknown_digests_are_counted(exchange):
    stranger = id_digest(pair_key(LABEL, PEER), "train", "stranger")
    refuses_digests(
        exchange,
        lambda chunk: DigestChunk(chunk.alignment_id, chunk.total, (stranger, stranger, *chunk.digests[2:])),
        "digests of no own id; received 2 unknown digests",
    )


def test_digest_of_another_dataset_or_peer_is_unknown():
    digests = {
        id_digest(pair_key(LABEL, peer), dataset, "id-3")
        for peer, dataset in itertools.product((PEER, "bank"), ("train", "test"))
    }
    assert len(digests) == 4


def test_digest_twice_in_one_message_is_refused(exchange):
    refuses_digests(
        exchange,
        lambda chunk: DigestChunk(chunk.alignment_id, chunk.total, (chunk.digests[0], *chunk.digests[:-1])),
        "digests that are there more than once; received 1 repeated",
    )


def test_digest_of_a_former_message_is_refused(exchange):
    former = id_digest(pair_key(LABEL, PEER), "train", "id-3")
    refuses_digests(
        exchange,
        lambda chunk: DigestChunk(chunk.alignment_id, chunk.total, (*chunk.digests[:-1], former)),
        "digests that are there more than once; received 1 repeated",
    )


def test_digests_in_another_order_are_refused(exchange):
    refuses_digests(
        exchange,
        lambda chunk: DigestChunk(chunk.alignment_id, chunk.total, chunk.digests[::-1]),
        "digests that are not in the common order",
    )


def test_digest_that_belongs_before_the_former_message_is_refused(exchange):
    key = pair_key(LABEL, PEER)
    first, later = (
        [id_digest(key, "train", f"id-{number}") for number in numbers] for numbers in ((3, 4, 5, 9), (6, 7, 8))
    )

    def change(kind, dataset, peer, index, message):
        if kind != MESSAGE_KIND_ALIGNED_DIGESTS:
            return message
        return DigestChunk(ALIGNMENT_ID, 7, tuple((first, later)[index])).to_bytes()

    exchange.alter = change
    refuses(exchange, AlignmentError, "digests that are not in the common order")


@pytest.mark.parametrize(("index", "count"), [(0, 4), (1, 3)])
def test_fewer_or_more_digests_than_announced_are_refused(pool, index, count):
    changes = {"fewer": lambda digests: digests[:-1], "more": lambda digests: (*digests, bytes(16))}
    for word, change in changes.items():
        received = count + (1 if word == "more" else -1)
        with Exchange(pool, IDS) as exchange:
            refuses_digests(
                exchange,
                lambda chunk, change=change: DigestChunk(chunk.alignment_id, chunk.total, change(chunk.digests)),
                f"{word} digests than announced; expected {count} in message {index}; received {received}",
                index=index,
            )


def test_more_rows_in_common_than_there_are_is_refused(exchange):
    refuses_digests(
        exchange,
        lambda chunk: DigestChunk(chunk.alignment_id, 10, chunk.digests),
        "more rows in common than there can be; expected at most 9; received 10",
        index=0,
    )


def test_announcement_of_nothing_is_refused(exchange):
    exchange.alter = altering(
        MESSAGE_KIND_ALIGNED_DIGESTS, 0, lambda message: DigestChunk(ALIGNMENT_ID, 0, ()).to_bytes()
    )
    refuses(exchange, AlignmentError, "dataset train: no id is in common")


@pytest.mark.parametrize(
    "change",
    [
        lambda chunk: DigestChunk(bytes(16), chunk.total, chunk.digests),
        lambda chunk: DigestChunk(chunk.alignment_id, chunk.total - 1, chunk.digests[:-1]),
    ],
    ids=["alignment id", "total"],
)
def test_messages_of_two_alignments_are_refused(exchange, change):
    refuses_digests(exchange, change, "messages that belong to different alignments")


def test_digests_after_the_last_are_refused(exchange):
    exchange.run()
    message = DigestChunk(ALIGNMENT_ID, 7, (bytes(16),)).to_bytes()
    with pytest.raises(AlignmentError, match="more digests than announced; received message 2"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNED_DIGESTS, "train", LABEL, 2, message)


def test_digests_out_of_order_are_refused(exchange):
    message = DigestChunk(ALIGNMENT_ID, 7, (bytes(16),)).to_bytes()
    with pytest.raises(SessionError, match="expected message 0; received message 1"):
        exchange.features[PEER].consume(MESSAGE_KIND_ALIGNED_DIGESTS, "train", LABEL, 1, message)


@pytest.mark.parametrize("size", [0, 23, 25])
def test_digest_message_of_an_impossible_size_is_refused(size):
    with pytest.raises(AlignmentError, match=f"here: .*expected 24 bytes and 16 per digest; received {size} bytes"):
        digest_chunk_from_bytes(bytes(size), "here")


@pytest.mark.parametrize(
    "change",
    [lambda proof: bytes([proof[0] ^ 1]) + proof[1:], lambda proof: proof[:-1], lambda proof: b""],
    ids=["bit", "short", "empty"],
)
def test_altered_proof_is_refused(exchange, change):
    exchange.alter = altering(MESSAGE_KIND_ALIGNMENT_PROOF, 0, change)
    refuses(exchange, AlignmentError, f"{NAMES[MESSAGE_KIND_ALIGNMENT_PROOF]}: the peer's rows are not in the common")


def test_proof_is_taken_once_and_not_before_the_intersection(exchange):
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.label.consume(MESSAGE_KIND_ALIGNMENT_PROOF, "train", PEER, 0, bytes(32))
    exchange.run()
    with pytest.raises(SessionError, match="a proof out of order"):
        exchange.label.consume(MESSAGE_KIND_ALIGNMENT_PROOF, "train", PEER, 0, bytes(32))


def test_proof_depends_on_everything_it_covers():
    base = (bytes(32), PEER, "train", ALIGNMENT_ID, ("a", "bc"))
    changed = [
        (bytes(31) + b"\1", *base[1:]),
        (base[0], "bank", *base[2:]),
        (*base[:2], "test", *base[3:]),
        (*base[:3], bytes(16), base[4]),
        (*base[:4], ("bc", "a")),
        (*base[:4], ("ab", "c")),
        (*base[:4], ("a",)),
    ]
    proofs = {order_proof(*arguments) for arguments in (base, *changed)}
    assert len(proofs) == 8
    assert order_proof(*base) in proofs
