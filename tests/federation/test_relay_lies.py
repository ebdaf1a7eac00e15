"""A coordinator that alters, moves, repeats or drops messages between parties is named, and no more than a delay."""

import re

import pytest

from party.errors import SealError, SessionError
from tests.support.relaying import Liar, Tamper, assert_undisturbed, fit, flip, honest, replace


@pytest.fixture
def organisations(relayed_organisations):
    return relayed_organisations


def hidden_of(request, sender):
    return next(one for one in request.hiddens if one.sender == sender)


def flip_hidden(request, memory):
    flip(hidden_of(request, "alice"))
    return request


def flip_tag_of_hidden(request, memory):
    flip(hidden_of(request, "charlie"), place=-1)
    return request


def flip_nonce_of_hidden(request, memory):
    flip(hidden_of(request, "charlie"), "nonce", -1)
    return request


def replay_hidden(request, memory):
    replace(hidden_of(request, "alice"), memory.hiddens[0]["alice"])
    return request


def replay_hidden_relabelled(request, memory):
    replace(hidden_of(request, "alice"), memory.hiddens[0]["alice"], relabel=True)
    return request


def swap_hiddens(request, memory):
    alice, charlie = memory.hiddens[1]["alice"], memory.hiddens[1]["charlie"]
    replace(hidden_of(request, "alice"), charlie, relabel=True)
    replace(hidden_of(request, "charlie"), alice, relabel=True)
    return request


def reflect_gradient(request, memory):
    replace(hidden_of(request, "alice"), memory.gradients[0]["alice"], relabel=True)
    return request


def drop_hidden(request, memory):
    del request.hiddens[:]
    request.hiddens.append(memory.hiddens[1]["alice"])
    return request


def double_hidden(request, memory):
    replace(hidden_of(request, "charlie"), memory.hiddens[1]["alice"])
    return request


def added_hidden(request, memory):
    request.hiddens.add().sender = "mallory"
    return request


def flip_gradient(request, memory):
    flip(request.gradient)
    return request


def replay_gradient(request, memory):
    replace(request.gradient, memory.gradients[0]["alice"])
    return request


def replay_gradient_relabelled(request, memory):
    replace(request.gradient, memory.gradients[0]["alice"], relabel=True)
    return request


def other_partys_gradient(request, memory):
    replace(request.gradient, memory.gradients[1]["charlie"])
    return request


def other_partys_gradient_relabelled(request, memory):
    replace(request.gradient, memory.gradients[1]["charlie"], relabel=True)
    return request


def reflect_hidden(request, memory):
    replace(request.gradient, memory.hiddens[1]["alice"], relabel=True)
    return request


def drop_gradient(request, memory):
    request.ClearField("gradient")
    return request


def later_position(request, memory):
    request.position += 1
    return request


WRONG_PLACE = "a relayed message stands in the wrong place"
LIES = [
    ("bob", "Fuse", flip_hidden, SealError, "bob: the seal of hidden 1 of train from alice to bob does not verify"),
    ("bob", "Fuse", flip_tag_of_hidden, SealError, "the seal of hidden 1 of train from charlie to bob does not verify"),
    ("bob", "Fuse", flip_nonce_of_hidden, SealError, "the seal of hidden 1 of train from charlie to bob does not"),
    ("bob", "Fuse", replay_hidden, SealError, WRONG_PLACE + r".* expected hidden 1 .* received hidden 0 of train from"),
    ("bob", "Fuse", replay_hidden_relabelled, SealError, "the seal of hidden 1 of train from alice to bob does not"),
    ("bob", "Fuse", swap_hiddens, SealError, "the seal of hidden 1 of train from alice to bob does not verify"),
    ("bob", "Fuse", reflect_gradient, SealError, "the seal of hidden 1 of train from alice to bob does not verify"),
    ("bob", "Fuse", drop_hidden, SessionError, "needs the hiddens of every feature party.* expected alice, charlie"),
    ("bob", "Fuse", double_hidden, SessionError, "needs the hiddens of every feature party, each once"),
    ("bob", "Fuse", added_hidden, SessionError, "needs the hiddens of every feature party.* received 3 messages"),
    ("bob", "Fuse", later_position, SessionError, "bob: call out of order; expected Fuse 1; received Fuse 2"),
    (
        "alice",
        "Backward",
        flip_gradient,
        SealError,
        "alice: the seal of gradient 1 of train from bob to alice does not",
    ),
    ("alice", "Backward", replay_gradient, SealError, WRONG_PLACE + r".* received gradient 0 of train from bob"),
    ("alice", "Backward", replay_gradient_relabelled, SealError, "the seal of gradient 1 .* does not verify"),
    ("alice", "Backward", other_partys_gradient, SealError, WRONG_PLACE + r".* received .* from bob to charlie"),
    ("alice", "Backward", other_partys_gradient_relabelled, SealError, "the seal of gradient 1 .* does not verify"),
    ("alice", "Backward", reflect_hidden, SealError, "the seal of gradient 1 .* does not verify"),
    ("alice", "Backward", drop_gradient, SealError, WRONG_PLACE),
    ("alice", "Backward", later_position, SessionError, "expected Backward 1; received Backward 2"),
]


@pytest.mark.parametrize("lies", [LIES[start::6] for start in range(6)], ids=lambda lies: lies[0][2].__name__)
def test_one_lie_is_named_and_the_truth_goes_on(organisations, lies):
    """Several lies in one run, at most two that count for one party; the run ends with the same bits."""
    liar = Liar(lies)
    run_id = fit(organisations, liar).run_id
    for told, (_, _, alter, error, pattern) in zip(liar.errors, lies, strict=True):
        assert type(told) is error, alter
        assert re.search(pattern, str(told)), alter
    assert_undisturbed(organisations, run_id)


def flip_confirmation(request):
    flip(request.confirmations[0])
    return request


def swap_confirmations(request):
    one, other = request.confirmations
    one.ciphertext, other.ciphertext = other.ciphertext, one.ciphertext
    return request


def drop_confirmation(request):
    del request.confirmations[1]
    return request


@pytest.mark.parametrize(
    ("alter", "pattern"),
    [
        (flip_confirmation, "the seal of confirm 0 from alice to bob does not verify"),
        (swap_confirmations, "the seal of confirm 0 from alice to bob does not verify"),
        (drop_confirmation, "bob: handshake with charlie: the confirmation is missing"),
    ],
)
def test_nothing_starts_before_every_confirmation_verifies(organisations, alter, pattern):
    def unordered(request):
        request.confirmations.sort(key=lambda envelope: envelope.sender)
        return alter(request)

    tamper = Tamper("bob", "Confirm", unordered)
    run_id = fit(organisations, tamper).run_id
    with pytest.raises(SealError, match=pattern):
        raise tamper.errors[0]
    assert_undisturbed(organisations, run_id)


@pytest.mark.parametrize(("party", "method"), [("bob", "Fuse"), ("charlie", "Backward"), ("charlie", "Confirm")])
def test_after_the_third_lie_the_session_is_over_and_the_next_run_is_clean(organisations, party, method):
    alter = {"Fuse": flip_hidden, "Backward": flip_gradient}.get(method, lambda request, _: flip_confirmation(request))
    tamper = Tamper(party, method, lambda request: alter(request, None), times=3)
    with pytest.raises(SealError, match=f"{party}: too many messages failed to open: the session has ended"):
        fit(organisations, tamper)
    assert [type(error) for error in tamper.errors] == [SealError] * 3
    assert_undisturbed(organisations, fit(organisations, honest).run_id)
