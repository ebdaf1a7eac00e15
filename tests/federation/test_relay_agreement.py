"""A coordinator that tells the parties different stories: they do not agree, and say why."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from party.errors import AlignmentError, HandshakeError, IdentityError, SealError, SessionError
from party.pb import party_pb2 as pb
from party.pb.handshake_pb2 import Hello, Purpose
from party.security.certificates import load_chain
from tests.support.relaying import Relay, assert_undisturbed, fit, flip, honest


@pytest.fixture
def organisations(relayed_organisations):
    return relayed_organisations


def rewrite(party, method, alter):
    """Alters every such call, for good."""

    def around(send, its_party, its_method, request):
        return send(alter(request) if (its_party, its_method) == (party, method) else request)

    return around


def altering_hello(sender, change):
    def alter(request):
        changed = []
        for data in request.hellos:
            hello = Hello.FromString(data)
            changed.append(change(hello) if hello.party == sender else data)
        del request.hellos[:]
        request.hellos.extend(changed)
        return request

    return alter


def substitute_share(hello):
    hello.share = X25519PrivateKey.generate().public_key().public_bytes_raw()
    return hello.SerializeToString(deterministic=True)


def other_seed(request):
    request.configuration = request.configuration.replace(b'"seed":5', b'"seed":6')
    return request


def other_purpose(request):
    request.purpose = Purpose.PURPOSE_ALIGN
    return request


def later_start(request):
    request.start_step = 1
    return request


@pytest.mark.parametrize(
    ("around", "error", "pattern"),
    [
        (
            rewrite("bob", "Agree", altering_hello("alice", substitute_share)),
            HandshakeError,
            "alice: handshake with bob: the signature does not verify",
        ),
        (
            rewrite("alice", "Agree", altering_hello("alice", substitute_share)),
            HandshakeError,
            "alice: this party's own statement came back changed",
        ),
        (rewrite("alice", "Open", other_seed), HandshakeError, "configuration_sha256 differs"),
        (rewrite("charlie", "Open", other_purpose), HandshakeError, "purpose differs"),
        (rewrite("alice", "Open", later_start), SessionError, "alice: only a run that is resumed starts from a"),
    ],
    ids=["share", "own share", "configuration", "purpose", "start_step"],
)
def test_different_stories_for_different_parties_are_refused(organisations, around, error, pattern):
    with pytest.raises(error, match=pattern):
        fit(organisations, around)


def test_the_coordinator_cannot_answer_for_a_party(organisations):
    """It is a trusted name with a certificate of its own, but not the party's."""
    certificates = organisations.certificates("coordinator")
    chain = [one.public_bytes(Encoding.DER) for one in load_chain(certificates / "coordinator.pem")]

    def forge(hello):
        del hello.certificate_chain[:]
        hello.certificate_chain.extend(chain)
        return substitute_share(hello)

    with pytest.raises(IdentityError, match="certificate of alice"):
        fit(organisations, rewrite("bob", "Agree", altering_hello("alice", forge)))


def test_a_hello_of_another_run_is_refused(organisations):
    old = {}

    def remember(send, party, method, request):
        reply = send(request)
        if method == "Open":
            old[party] = reply.hello
        return reply

    fit(organisations, remember)
    replay = rewrite("bob", "Agree", altering_hello("alice", lambda hello: old["alice"]))
    with pytest.raises(HandshakeError, match="bob: handshake with alice: run_id differs"):
        fit(organisations, replay)


def test_sessions_about_the_same_run_cannot_be_mixed(organisations):
    """Evaluations of one run state the same run_id, model and rows: only shares, nonces and signatures differ."""
    hellos, signatures = {}, {}

    def remember(send, party, method, request):
        reply = send(request)
        if method == "Open":
            hellos[party] = reply.hello
        if method == "Agree":
            signatures[party] = reply.signature
        return reply

    def replay(send, party, method, request):
        if (party, method) == ("bob", "Agree"):
            request = altering_hello("alice", lambda hello: hellos["alice"])(request)
        if (party, method) == ("bob", "Authenticate"):
            del request.signatures[:]
            request.signatures.extend(signatures.values())
        return send(request)

    with Relay(organisations.run_path, remember) as parties:
        parties.evaluate("train", run_id=organisations.run_id)
    with (
        Relay(organisations.run_path, replay) as parties,
        pytest.raises(HandshakeError, match=r"handshake with .*: the signature does not verify"),
    ):
        parties.evaluate("train", run_id=organisations.run_id)


@pytest.mark.parametrize(
    "lies",
    [
        {"bob": (pb.MESSAGE_KIND_PSI_SETUP, pb.MESSAGE_KIND_PSI_RESPONSE), "alice": (pb.MESSAGE_KIND_PSI_REQUEST,)},
        {
            "bob": (pb.MESSAGE_KIND_ALIGNMENT_PROOF,),
            "charlie": (pb.MESSAGE_KIND_ALIGNED_ELEMENTS, pb.MESSAGE_KIND_ALIGNMENT_COUNTERPROOF),
        },
    ],
    ids=["psi", "order"],
)
def test_an_altered_alignment_is_named_and_the_truth_goes_on(organisations, lies):
    context = organisations.servers["alice"].context
    before = context.alignment(context.tables.table("train"), organisations.names).rows
    errors = {}

    def around(send, party, method, request):
        if method == "Consume" and request.kind in lies.get(party, ()) and request.kind not in errors:
            altered = pb.ConsumeRequest.FromString(request.SerializeToString())
            flip(altered.envelope, place=0)
            errors[request.kind] = None
            with pytest.raises(SealError, match=f"{party}: the seal of .* from {request.sender} to {party} does not"):
                send(altered)
            errors[request.kind] = True
        return send(request)

    with Relay(organisations.run_path, around) as parties:
        parties.align(force=True)
    assert errors == dict.fromkeys([kind for kinds in lies.values() for kind in kinds], True)
    after = context.alignment(context.tables.table("train"), organisations.names).rows
    assert after.tolist() == before.tolist()


def test_reordered_messages_of_an_alignment_are_refused(organisations):
    """The request says which message comes: it must be the next one, whatever the relay says."""
    held = {}

    def around(send, party, method, request):
        if method != "Consume" or party != "bob" or request.kind != pb.MESSAGE_KIND_PSI_RESPONSE:
            return send(request)
        if request.sender == "alice" and request.index == 1 and not held:
            held["again"] = pb.ConsumeRequest.FromString(request.SerializeToString())
            held["again"].index = 2
            with pytest.raises(SealError, match="a relayed message stands in the wrong place"):
                send(held["again"])
            held["again"].envelope.index = 2
            with pytest.raises(SealError, match=r"the seal of psi_response 2 .* does not verify"):
                send(held["again"])
        return send(request)

    with Relay(organisations.run_path, around) as parties:
        (aligned,) = parties.align(force=True)
    assert held
    assert aligned.rows_in_common > 300


def test_parties_whose_alignments_differ_do_not_train(organisations):
    """The coordinator ends an alignment at one party only: that one has another alignment than the others."""

    def around(send, party, method, request):
        return pb.FinishReply() if (party, method) == ("alice", "Finish") else send(request)

    with Relay(organisations.run_path, around) as parties:
        parties.align(force=True)
        with pytest.raises(HandshakeError, match="alignment of dataset train differs"):
            parties.fit()
    with Relay(organisations.run_path, honest) as parties:
        parties.align()
        assert_undisturbed(organisations, parties.fit().run_id)


def test_a_changed_file_stops_the_next_run(organisations):
    frame = organisations.read_table("charlie", "train")
    organisations.write_frame("charlie", "train", frame.iloc[::-1])
    try:
        with pytest.raises(AlignmentError, match=r"charlie: dataset train is not aligned .* or its file has changed"):
            fit(organisations, honest)
    finally:
        organisations.write_frame("charlie", "train", frame)
    assert_undisturbed(organisations, fit(organisations, honest).run_id)
