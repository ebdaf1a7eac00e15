"""The object `Federation` in a notebook: it is stopped, fails or is closed, and can be used or says why not."""

import threading

import pytest

from coordinator import connect
from coordinator.configuration import load_coordinator_configuration
from coordinator.connection import open_clients
from coordinator.party_client import PartyClient
from party.errors import IdentityError, SessionError, StoppedError, StorageError
from tests.support.organisations import Organisations
from tests.support.relaying import Relay
from tests.support.resuming import StopAfter, run_path

WAIT_SECONDS = 60  # bounds a failure of the tests; nothing waits so long


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("object")) as made:
        made.start_servers()
        with connect(run_path(made)) as parties:
            parties.align()
        yield made


def test_a_stop_is_for_one_run(organisations):
    around = StopAfter(1)
    with Relay(run_path(organisations), around) as around.relay:
        with pytest.raises(StoppedError):
            around.relay.fit()
        around.position = None
        resumed = around.relay.fit(resume="")
        assert around.relay.fit().run_id != resumed.run_id
        assert [one.state for one in around.relay._journal.runs()[-2:]] == ["trained", "trained"]
        around.relay.stop()
        with pytest.raises(StoppedError):
            around.relay.fit()
        around.relay.fit(resume="")


@pytest.mark.parametrize("call", ["align", "fit", "plan", "evaluate", "predict"])
def test_a_closed_federation_says_so_and_records_no_run(organisations, call):
    with connect(run_path(organisations)) as parties:
        before = parties._journal.runs()
    with pytest.raises(SessionError, match="federation: the connection is closed; connect again"):
        getattr(parties, call)()
    assert parties._journal.runs() == before


def test_an_interrupted_alignment_does_not_wait_for_a_party_that_hangs(organisations):
    hanging, released, answered = threading.Event(), threading.Event(), []

    def around(send, party, method, request):
        if (method, party) == ("Produce", "alice"):
            hanging.set()
            released.wait(WAIT_SECONDS)
            answered.append(party)
        elif method == "Produce":
            hanging.wait(WAIT_SECONDS)
            raise KeyboardInterrupt
        return send(request)

    with Relay(run_path(organisations), around) as relay:
        with pytest.raises(KeyboardInterrupt):
            relay.align(force=True)
        assert not answered
        released.set()


def test_a_history_that_cannot_be_written_ends_the_run(organisations, monkeypatch):
    def fail(history, folder):
        raise StorageError("cannot be written", where=folder)

    monkeypatch.setattr("coordinator.history.History.save", fail)
    with connect(run_path(organisations)) as parties:
        with pytest.raises(StorageError):
            parties.fit()
        assert parties._journal.runs()[-1].state == "failed"


def test_connections_are_closed_if_a_later_party_cannot_be_reached(organisations, monkeypatch):
    path, closed = run_path(organisations), []
    configuration = load_coordinator_configuration(path)
    parties = [
        one.model_copy(update={"ca": "nothing.pem"}) if one.name == "bob" else one for one in configuration.parties
    ]
    monkeypatch.setattr(PartyClient, "close", lambda client: closed.append(client.name))
    with pytest.raises(IdentityError):
        open_clients(configuration.model_copy(update={"parties": tuple(parties)}))
    assert closed == ["alice"]
