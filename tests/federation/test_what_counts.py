"""What the owner's ledger and policy hold in the middle of a session: failed starts count, and a revocation works."""

import pytest

from coordinator import connect
from party.configuration.party import load_party_configuration
from party.errors import DataError
from tests.support.organisations import make_frames
from tests.support.relaying import Relay

TRAINING = {"epochs": 1, "batch_size": 31}
OFF = {"minimum_metric_rows": 1, "running_metrics": False}


def test_an_attempt_that_fails_at_a_label_is_in_the_ledger(make_organisations):
    """What a coordinator learns from the refusal of a label counts as a session, with all peers."""
    frames = make_frames(("alice", "bob"))
    organisations = make_organisations(frames=frames, training=TRAINING).start_servers()
    bad = frames["bob"]["train"].copy()
    bad.loc[bad.index[:3], "rating"] = "five"
    organisations.write_frame("bob", "train", bad)
    with connect(organisations.write_run()) as parties:
        parties.align()
        with pytest.raises(DataError):
            parties.fit()
    for name in organisations.names:
        entries = [one.event for one in organisations.servers[name]._ledger.entries if one.purpose == "train"]
        assert entries == ["opened", "agreed", "ended"], name


def test_running_metrics_that_the_owner_turns_off_are_off_at_once(make_organisations, monkeypatch):
    monkeypatch.setattr("coordinator.training.REPORT_SECONDS", 0.0)
    organisations = make_organisations(frames=make_frames(("alice", "bob"), rows=600), training=TRAINING)
    organisations.start_servers()
    with connect(organisations.write_run()) as parties:
        parties.align()
    reports, revoked = [], []

    def around(send, party, method, request):
        if party == "bob" and method == "Fuse" and request.position == 8:
            organisations.write_party("bob", policy=OFF)
            organisations.servers["bob"].revise(load_party_configuration(organisations.party_path("bob")))
            revoked.append(len(reports))
        reply = send(request)
        if party == "bob" and method == "Report":
            reports.append((reply.running_metrics, len(reply.steps)))
        return reply

    with Relay(organisations.run_path, around) as relay:
        relay.fit()
    (place,) = revoked
    assert any(running and steps for running, steps in reports[:place])
    assert set(reports[place:]) == {(False, 0)}
