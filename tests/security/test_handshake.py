"""A relay that lies: every lie is refused before keys exist, by an error that names what differs."""

import os
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.party import PartyConfiguration
from party.configuration.run import RunConfiguration
from party.configuration.strict import validate
from party.errors import HandshakeError, IdentityError, SessionError
from party.ledger.file import Ledger
from party.pb.handshake_pb2 import Confirmation, DatasetRows, Hello, HelloSignature, Purpose, Role
from party.pb.party_pb2 import MESSAGE_KIND_CONFIRM, MESSAGE_KIND_HIDDEN
from party.policy.admission import make_admission
from party.policy.requests import Release, SessionRequest
from party.protocol.phases import SessionPhase
from party.runtime.plan import PlanFacts
from party.runtime.session import PartySession
from party.security.certificates import sign
from party.security.handshake import MAXIMUM_HELLO_BYTES, SHARED_FIELDS, Handshake
from party.security.protocol import PROTOCOL
from party.security.sealing import Slot
from party.security.trust import TrustedName
from tests.support import issuing
from tests.support.agreeing import (
    AUTHORITIES,
    IDENTITIES,
    LEAVES,
    NAMES,
    TRUSTED,
    Meeting,
    changed,
    handshake,
    roles,
    statement,
)
from tests.support.configuration_cases import label_party
from tests.support.issuing import COORDINATOR, NOW

OTHER_VALUES = {
    "protocol": PROTOCOL + 1,
    "code_version": "1.2.4",
    "run_id": b"another run, 16b",
    "purpose": Purpose.PURPOSE_PREDICT,
    "configuration_sha256": b"\1" * 32,
    "start_step": 40,
    "lineage": b"\2" * 32,
    "dataset": "test",
    "insecure": True,
    "shuffled_party": "alice",
    "shuffled_column": 2,
}
PRIME = 2**255 - 19
ORDER_EIGHT = "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"
LOW_ORDER_SHARES = {
    "0": bytes(32),
    "1": (1).to_bytes(32, "little"),
    "p - 1": (PRIME - 1).to_bytes(32, "little"),
    "p": PRIME.to_bytes(32, "little"),
    "p + 1": (PRIME + 1).to_bytes(32, "little"),
    "order 8": bytes.fromhex(ORDER_EIGHT),
    "31 bytes": b"\5" * 31,
    "33 bytes": b"\5" * 33,
    "nothing": b"",
}


def test_keys_open_exactly_what_their_peer_sealed():
    meeting = Meeting()
    keys = meeting.keys()
    ciphertexts = set()
    for sender in NAMES:
        for receiver in set(NAMES) - {sender}:
            slot = Slot(sender, receiver, MESSAGE_KIND_HIDDEN, "train", index=0, rows=8)
            envelope = keys[sender].seal(slot, b"the same message")
            ciphertexts.add(envelope.ciphertext)
            assert keys[receiver].open(slot, envelope) == b"the same message"
    assert len(ciphertexts) == len(NAMES) * (len(NAMES) - 1), "a key serves one direction of one pair"
    pairs = {
        frozenset((one, other)): meeting.sides[one].pair_key(other) for one in NAMES for other in NAMES if one < other
    }
    assert len(set(pairs.values())) == len(pairs)
    for pair, key in pairs.items():
        one, other = sorted(pair)
        assert meeting.sides[other].pair_key(one) == key


def test_each_pair_has_a_secret_for_masks_in_each_session():
    """That of two feature parties differs from everything that the label party derives, and from other sessions'."""
    found, others = [], set()
    for _ in range(2):
        meeting = Meeting()
        meeting.keys()
        alice, carol, label = (meeting.sides[name] for name in ("alice", "carol", "bob"))
        assert alice.mask_secret("carol") == carol.mask_secret("alice")
        assert len(alice.mask_secret("carol")) == 32
        found.append(alice.mask_secret("carol"))
        others |= {label.mask_secret("alice"), label.mask_secret("carol"), alice.pair_key("carol")}
    assert len({*found, *others}) == 8


def test_a_mask_secret_is_the_key_of_its_formula():
    meeting = Meeting()
    meeting.keys()
    alice = meeting.sides["alice"]
    public = X25519PublicKey.from_public_bytes(alice.hellos["carol"].share)
    info = b"vsl/1 mask\0" + b"".join(
        len(one).to_bytes(4, "big") + one for one in (b"alice", b"carol", bytes([Purpose.PURPOSE_TRAIN]))
    )
    key = HKDF(algorithm=SHA256(), length=32, salt=alice.transcript, info=info).derive(alice._share.exchange(public))
    assert meeting.sides["carol"].mask_secret("alice") == key


def test_every_field_of_hello_is_checked_somewhere():
    checked_apart = {"party", "role", "parties", "datasets", "outputs", "share", "nonce", "certificate_chain"}
    checked_apart |= {"joins", "tables"}  # of an alignment: party/runtime/join_agreement.py
    assert {field.name for field in Hello.DESCRIPTOR.fields} == set(SHARED_FIELDS) | checked_apart
    assert set(OTHER_VALUES) == set(SHARED_FIELDS)


@pytest.mark.parametrize("field", SHARED_FIELDS)
def test_parties_that_state_different_runs_do_not_agree(field):
    meeting = Meeting(changes={"alice": {field: OTHER_VALUES[field]}})
    hellos = list(meeting.hellos.values())
    for name in ("bob", "carol"):
        with pytest.raises(HandshakeError, match=f"{name}: handshake with alice: {field} differs"):
            meeting.sides[name].agree(hellos)
    with pytest.raises(HandshakeError, match=f"alice: handshake with bob: {field} differs"):
        meeting.sides["alice"].agree(hellos)


@pytest.mark.parametrize("field", SHARED_FIELDS)
def test_a_relay_cannot_hide_that_parties_run_different_things(field):
    """It shows everybody a Hello of alice that fits, though alice stated and signs another one."""
    meeting = Meeting(changes={"alice": {field: OTHER_VALUES[field]}})
    fitting = changed(meeting.hellos["alice"], **{field: getattr(statement("bob"), field)})
    unfitting = {name: changed(meeting.hellos[name], **{field: OTHER_VALUES[field]}) for name in ("bob", "carol")}
    meeting.agree({"alice": unfitting, "bob": {"alice": fitting}, "carol": {"alice": fitting}})
    for name, signer in (("alice", "bob"), ("bob", "alice"), ("carol", "alice")):
        with pytest.raises(HandshakeError, match=f"{name}: handshake with {signer}: the signature does not verify"):
            meeting.sides[name].authenticate(meeting.signatures)


@pytest.mark.parametrize("field", ["share", "nonce"])
def test_a_substituted_share_is_noticed_by_every_party(field):
    meeting = Meeting()
    coordinators = X25519PrivateKey.generate().public_key().public_bytes_raw()
    meeting.agree({"bob": {"alice": changed(meeting.hellos["alice"], **{field: coordinators})}})
    for name, signer in (("alice", "bob"), ("bob", "alice"), ("carol", "bob")):
        with pytest.raises(HandshakeError, match=f"{name}: handshake with {signer}: the signature does not verify"):
            meeting.sides[name].authenticate(meeting.signatures)


def test_a_share_substituted_in_all_views_is_noticed_by_its_owner():
    meeting = Meeting()
    substituted = changed(meeting.hellos["alice"], share=X25519PrivateKey.generate().public_key().public_bytes_raw())
    with pytest.raises(HandshakeError, match="alice: this party's own statement came back changed"):
        meeting.agree({name: {"alice": substituted} for name in NAMES})


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a flipped bit may make it negative
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_bit_of_a_hello_can_be_flipped(data):
    meeting = Meeting()
    hello = bytearray(meeting.hellos["alice"])
    position = data.draw(st.integers(0, len(hello) * 8 - 1))
    hello[position // 8] ^= 1 << position % 8
    with pytest.raises((HandshakeError, IdentityError)):
        meeting.agree({"bob": {"alice": bytes(hello)}})
        meeting.sides["bob"].authenticate(meeting.signatures)


def test_a_hello_of_another_session_does_not_fit_its_run():
    old = Meeting().hellos["alice"]
    new = Meeting(everybody={"run_id": OTHER_VALUES["run_id"]})
    with pytest.raises(HandshakeError, match="bob: handshake with alice: run_id differs"):
        new.sides["bob"].agree([old, new.hellos["bob"], new.hellos["carol"]])


def test_a_hello_and_its_signature_of_another_session_of_the_same_run_are_refused():
    old, new = Meeting(), Meeting()
    old.agree()
    new.sides["bob"].agree([old.hellos["alice"], new.hellos["bob"], new.hellos["carol"]])
    with pytest.raises(HandshakeError, match="bob: handshake with alice: the signature does not verify"):
        new.sides["bob"].authenticate(old.signatures)


def test_a_signature_of_another_session_is_refused():
    old, new = Meeting(), Meeting()
    old.agree()
    new.agree()
    by_party = {signature.party: signature for signature in new.signatures}
    by_party["carol"] = next(signature for signature in old.signatures if signature.party == "carol")
    with pytest.raises(HandshakeError, match="bob: handshake with carol: the signature does not verify"):
        new.sides["bob"].authenticate(list(by_party.values()))


def test_a_signature_speaks_for_its_own_party_only():
    """Even where two parties had one key, the signature of one would not be the other's."""
    meeting = Meeting()
    meeting.agree()
    by_party = {signature.party: signature.signature for signature in meeting.signatures}
    swapped = [
        HelloSignature(party="alice", signature=by_party["carol"]),
        HelloSignature(party="carol", signature=by_party["alice"]),
    ]
    with pytest.raises(HandshakeError, match="bob: handshake with alice: the signature does not verify"):
        meeting.sides["bob"].authenticate(swapped)
    own_key = Meeting()
    own_key.agree()
    transcript_alone = sign(IDENTITIES["alice"].key, own_key.sides["bob"].transcript)
    carols = HelloSignature(party="carol", signature=own_key.signatures[2].signature)
    with pytest.raises(HandshakeError, match="bob: handshake with alice: the signature does not verify"):
        own_key.sides["bob"].authenticate([HelloSignature(party="alice", signature=transcript_alone), carols])


@pytest.mark.parametrize("withheld", ["alice", "carol"])
def test_a_withheld_signature_is_named(withheld):
    meeting = Meeting()
    meeting.agree()
    rest = [signature for signature in meeting.signatures if signature.party != withheld]
    with pytest.raises(HandshakeError, match=f"bob: handshake with {withheld}: the signature is missing"):
        meeting.sides["bob"].authenticate(rest)


def test_a_party_cannot_take_another_role():
    meeting = Meeting(changes={"alice": {"role": Role.ROLE_LABEL}})
    with pytest.raises(HandshakeError, match="bob: handshake with alice: role differs"):
        meeting.sides["bob"].agree(list(meeting.hellos.values()))


def test_parties_must_see_the_same_roles():
    swapped = {"parties": roles(label_party="alice"), "role": Role.ROLE_LABEL}
    meeting = Meeting(changes={"alice": swapped})
    with pytest.raises(HandshakeError, match="carol: handshake with alice: parties or roles differ"):
        meeting.sides["carol"].agree(list(meeting.hellos.values()))


def test_a_subset_of_the_peers_is_refused():
    meeting = Meeting()
    pattern = "bob: the parties of this session .* expected alice, bob, carol; received alice, bob"
    with pytest.raises(HandshakeError, match=pattern):
        meeting.sides["bob"].agree([meeting.hellos["alice"], meeting.hellos["bob"]])


def test_an_added_party_is_refused_and_leaves_no_trace():
    meeting = Meeting()
    mallory = handshake("mallory", (*NAMES, "mallory")).hello
    with pytest.raises(HandshakeError, match=r"the parties of this session .* received alice, bob, carol, mallory"):
        meeting.sides["bob"].agree([*meeting.hellos.values(), mallory])
    meeting.agree()
    assert set(meeting.sides["bob"].hellos) == set(NAMES)


def test_an_exchanged_party_is_refused():
    meeting = Meeting()
    shown = {**meeting.hellos, "alice": handshake("mallory", (*NAMES, "mallory")).hello}
    with pytest.raises(HandshakeError, match=r"the parties of this session .* received bob, carol, mallory"):
        meeting.sides["bob"].agree(list(shown.values()))


def test_the_name_of_an_unknown_party_cannot_forge_lines_of_a_log():
    meeting = Meeting()
    strange = changed(meeting.hellos["alice"], party="x\n2026-01-01 INFO all is well \x1b[2J" + "y" * 100)
    with pytest.raises(HandshakeError) as caught:
        meeting.sides["bob"].agree([strange, meeting.hellos["bob"], meeting.hellos["carol"]])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("twin", ["the same", "another"])
def test_two_hellos_of_one_party_are_refused(twin):
    meeting = Meeting()
    second = meeting.hellos["alice"] if twin == "the same" else Meeting().hellos["alice"]
    with pytest.raises(HandshakeError, match="bob: two statements of one party; received alice"):
        meeting.sides["bob"].agree([*meeting.hellos.values(), second])


@pytest.mark.parametrize(
    ("datasets", "pattern"),
    [
        ([DatasetRows(dataset="train", rows=100, alignment_id=b"b" * 16)], "alignment of dataset train differs"),
        ([DatasetRows(dataset="train", rows=99, alignment_id=b"a" * 16)], "alignment of dataset train differs"),
        ([DatasetRows(dataset="test", rows=100, alignment_id=b"a" * 16)], "datasets differ"),
        ([], "datasets differ"),
    ],
    ids=["alignment", "rows", "name", "none"],
)
def test_differently_aligned_parties_do_not_agree(datasets, pattern):
    meeting = Meeting(changes={"alice": {"datasets": datasets}})
    with pytest.raises(HandshakeError, match=f"bob: handshake with alice: {pattern}"):
        meeting.sides["bob"].agree(list(meeting.hellos.values()))


def test_only_while_aligning_rows_may_differ():
    rows = {name: {"datasets": [DatasetRows(dataset="train", rows=number)]} for number, name in enumerate(NAMES, 5)}
    assert set(Meeting(changes=rows, everybody={"purpose": Purpose.PURPOSE_ALIGN}).keys()) == set(NAMES)


@pytest.mark.parametrize("share", LOW_ORDER_SHARES.values(), ids=LOW_ORDER_SHARES)
def test_a_share_that_gives_away_the_key_is_refused(share):
    """A party that colludes with the coordinator states and signs it, so that no signature can notice."""
    meeting = Meeting()
    meeting.sides["alice"].hello = changed(meeting.hellos["alice"], share=share)
    meeting.agree()
    with pytest.raises(HandshakeError, match="bob: handshake with alice: share is no usable X25519 key"):
        meeting.sides["bob"].authenticate(meeting.signatures)


OWN_AUTHORITY = issuing.authority("authority of a coordinator")
CHAINS = {
    "another party's": (LEAVES["carol"], IdentityError, "certificate of alice"),
    "of the coordinator's own authority": (issuing.leaf(OWN_AUTHORITY, names=("alice",)), IdentityError, "alice"),
    "for coordinators": (
        issuing.leaf(AUTHORITIES["alice"], names=("alice",), usages=COORDINATOR),
        IdentityError,
        "certificate of alice",
    ),
    "unreadable": (None, IdentityError, "certificate_chain cannot be parsed"),
    "absent": ((), HandshakeError, "certificate_chain is empty"),
}


@pytest.mark.parametrize("which", CHAINS)
def test_nobody_can_answer_for_a_party_without_its_certificate(which):
    issued, error, pattern = CHAINS[which]
    chain = [b"\x30\x03abc"] if issued is None else []
    if hasattr(issued, "certificate"):
        chain = [issued.certificate.public_bytes(issuing.serialization.Encoding.DER)]
    meeting = Meeting()
    share = X25519PrivateKey.generate().public_key().public_bytes_raw()
    forged = changed(meeting.hellos["alice"], share=share, certificate_chain=chain)
    with pytest.raises(error, match=pattern):
        meeting.sides["bob"].agree([forged, meeting.hellos["bob"], meeting.hellos["carol"]])


@pytest.mark.parametrize("data", [b"\xff\xff", b"\0" * 5, b"\x82" * 64, bytes(MAXIMUM_HELLO_BYTES + 1)])
def test_a_statement_that_is_none_is_refused(data):
    meeting = Meeting()
    with pytest.raises(HandshakeError, match="bob: a statement that cannot be parsed"):
        meeting.sides["bob"].agree([data, meeting.hellos["bob"], meeting.hellos["carol"]])


class NoPlan:
    """A session about nothing: what PartySession needs of a plan until keys are agreed."""

    facts = PlanFacts(datasets=(), release=Release(rows=0))

    @property
    def agreement(self):
        return self

    def agreed(self, hellos):
        pass

    def confirmation(self, pair_key, peer):
        return Confirmation()


class SlowTrust(TrustedName):
    """A peer whose certificate takes long enough to verify for another call to come in between."""

    meanwhile = staticmethod(lambda: None)

    def verify(self, *arguments):
        type(self).meanwhile()
        return super().verify(*arguments)


@pytest.fixture
def grant(tmp_path):
    """Of a real owner, with a real ledger."""
    configuration = validate(PartyConfiguration, label_party(), "x")
    run = RunConfiguration(parties=("bank", "shop"), label_party="bank")
    request = SessionRequest(
        coordinator=configuration.coordinators[0].name,
        purpose=Purpose.PURPOSE_TRAIN,
        run_id=bytes(16),
        run=run,
        dataset="",
        resume=False,
    )
    ledger = Ledger(tmp_path / "state", lambda: NOW)
    yield make_admission(configuration, ledger, now=lambda: NOW, random_bytes=os.urandom).admit(request)
    ledger.close()


def test_calls_at_the_same_time_cannot_mix_two_agreements(monkeypatch, grant):
    """The keys of one agreement must not be derived from the shares of another, whose signatures nobody checked."""
    other = handshake("alice", ("alice", "bob"))
    peers = {"alice": SlowTrust("alice", TRUSTED["alice"].authorities)}
    own = Handshake(IDENTITIES["bob"], statement("bob", ("alice", "bob")), peers, random_bytes=os.urandom, now=NOW)
    session = PartySession(NoPlan(), own, grant, party="bob", peers=["alice"])
    coordinators = X25519PrivateKey.generate().public_key().public_bytes_raw()
    forged = changed(other.hello, share=coordinators)
    refusals = []

    def second():
        try:
            session.agree([forged, own.hello])
        except SessionError as error:
            refusals.append(error)

    intruder = threading.Thread(target=second)

    def meanwhile():
        monkeypatch.setattr(SlowTrust, "meanwhile", staticmethod(lambda: None))
        intruder.start()
        intruder.join(timeout=0.3)

    monkeypatch.setattr(SlowTrust, "meanwhile", staticmethod(meanwhile))
    session.agree([other.hello, own.hello])
    intruder.join()
    assert session.phase is SessionPhase.AGREED
    assert len(refusals) == 1
    assert "call out of order" in str(refusals[0])
    signatures = [other.agree([other.hello, own.hello])]
    (confirmation,) = session.authenticate(signatures)
    own_signature = own.agree([other.hello, own.hello])
    keys = other.authenticate([own_signature])
    assert keys.open(Slot("bob", "alice", MESSAGE_KIND_CONFIRM, "", index=0, rows=0), confirmation) == b""


def test_a_session_cannot_be_authenticated_twice_at_the_same_time(monkeypatch, grant):
    """A second set of the same keys would count its nonces from the start again."""
    sides = {name: handshake(name, ("alice", "bob")) for name in ("alice", "bob")}
    session = PartySession(NoPlan(), sides["bob"], grant, party="bob", peers=["alice"])
    hellos = [side.hello for side in sides.values()]
    signatures = [sides["alice"].agree(hellos), session.agree(hellos)]
    derive = Handshake.authenticate
    outcomes = []

    def call():
        try:
            outcomes.append(session.authenticate(signatures))
        except SessionError as error:
            outcomes.append(error)

    intruder = threading.Thread(target=call)

    def slow(self, received):
        monkeypatch.setattr(Handshake, "authenticate", derive)
        intruder.start()
        intruder.join(timeout=0.3)
        return derive(self, received)

    monkeypatch.setattr(Handshake, "authenticate", slow)
    call()
    intruder.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SessionError", "list"]
