"""Requests that are refused write little to the ledger, whoever makes them and however often."""

import os

import pytest

from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession
from party.errors import PolicyError, SessionError
from party.ledger.file import LEDGER_FILE, read_ledger
from party.pb.handshake_pb2 import Purpose
from tests.support.organisations import Organisations
from tests.support.relaying import Relay

HOSTILE = {"long": "x" * (4 * 1024 * 1024 - 4096), "escapes": "\x1b]0;owned\x07\x1b[2J", "markup": "[/x]", "none": ""}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("refused")) as made:
        made.start_servers().write_run()
        yield made


@pytest.fixture
def parties(organisations):
    with connect(organisations.run_path) as connected:
        yield connected


def session_of(parties, purpose, **fields):
    """A session that is not open yet, of a run that is new."""
    run = parties.configuration.run
    proposal = ProposedSession(
        purpose=purpose,
        run_id=os.urandom(16),
        lease=parties._journal.lease,
        configuration=run.to_bytes(),
        **fields,
    )
    return CoordinatedSession(parties._clients, run, proposal)


def ledger_bytes(organisations):
    return {name: (organisations.state_path(name) / LEDGER_FILE).stat().st_size for name in organisations.names}


@pytest.mark.parametrize("dataset", HOSTILE.values(), ids=HOSTILE)
def test_what_cannot_name_a_dataset_reaches_no_ledger(organisations, parties, dataset):
    before = ledger_bytes(organisations)
    for purpose in (Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT):
        with pytest.raises(SessionError, match="not the name of a dataset; expected a letter"):
            session_of(parties, purpose, dataset=dataset).__enter__()
    assert ledger_bytes(organisations) == before


@pytest.mark.parametrize("purpose", [Purpose.PURPOSE_ALIGN, Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE])
def test_a_purpose_that_reads_the_datasets_of_the_run_takes_no_other(organisations, parties, purpose):
    before = ledger_bytes(organisations)
    with pytest.raises(SessionError, match="only an evaluation or a prediction names its dataset in the request"):
        session_of(parties, purpose, dataset="train").__enter__()
    assert ledger_bytes(organisations) == before


@pytest.mark.parametrize(
    ("rule", "value", "method", "events"),
    [
        ("allowed_aggregations", ["concat"], "Agree", ["opened", "refused", "ended"]),
        ("maximum_peer_rows", 10, "Confirm", ["opened", "agreed", "refused", "ended"]),
        ("minimum_intersection", 5000, "Consume", ["opened", "agreed", "refused", "ended"]),
    ],
)
def test_a_refusal_in_a_session_is_written_once_and_ends_it(make_organisations, rule, value, method, events):
    organisations = make_organisations(overrides={"bob": {"policy": {rule: value}}}).start_servers()
    repeated = []

    def repeating(send, party, called, request):
        try:
            return send(request)
        except PolicyError:
            with pytest.raises(SessionError, match="bob: call out of order"):
                send(request)
            repeated.append((party, called))
            raise

    with Relay(organisations.write_run(), repeating) as parties, pytest.raises(PolicyError, match=f"policy.{rule}"):
        parties.align()
        parties.fit()
    assert repeated == [("bob", method)]
    entries = [entry for entry in read_ledger(organisations.state_path("bob")) if entry.session]
    refused, ended = entries[-2:]
    assert [entry.event for entry in entries if entry.session == ended.session] == events
    assert (f"policy.{rule}" in refused.result, ended.result) == (True, "a rule refused what a peer sent")
