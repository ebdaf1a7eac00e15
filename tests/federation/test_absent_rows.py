"""Tables in which some rows find no partner: whom the model can do without, and which rows it never saw."""

import pytest

from coordinator import connect
from party.errors import SessionError
from party.runtime.records import RunRecords
from tests.support.joined_organisations import JoinedOrganisations, described, events

KNOWN_USERS = 30


def with_user(frame):
    """The rows whose user has a partner."""
    return frame[frame["UserID"].isin([f"u{number:03d}" for number in range(KNOWN_USERS)])]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of left joins in which every row of training had a user, and some had no film."""
    bob = {"train": with_user(events(240)), "test": events(80, dataset="test", seed=4)}
    overrides = described(("left", "left"), bob=bob)
    training = {"dataset": "train", "seed": 5, "epochs": 1, "batch_size": 64}
    with JoinedOrganisations(tmp_path_factory.mktemp("absent"), overrides, training) as organisations:
        organisations.start_servers()
        organisations.write_run()
        with connect(organisations.run_path) as parties:
            parties.align()
            organisations.run_id = parties.fit().run_id
            organisations.rows = len(bob["train"])
        yield organisations


def test_the_record_has_the_parties_without_which_rows_were_trained(made):
    record = RunRecords(made.state_path("bob") / "runs", "bob").find(bytes.fromhex(made.run_id))
    assert record.absent_trained == ("charlie",)


def test_a_party_whose_rows_were_absent_at_times_can_be_left_out(made):
    made.stop_server("charlie")
    try:
        with connect(made.run_path, without=["charlie"]) as parties:
            without = parties.evaluate("train", without=["charlie"])
            assert parties.predict("train", without=["charlie"]).rows == made.rows
    finally:
        made.start_server("charlie")
        made.write_run()
    with connect(made.run_path) as parties:
        assert parties.evaluate("train")["loss"] != without["loss"]


def test_a_party_that_every_row_had_cannot_be_left_out(made):
    with connect(made.run_path) as parties:
        with pytest.raises(SessionError, match="the run never saw a row without alice, so its model cannot do without"):
            parties.evaluate("train", without=["alice"])
        with pytest.raises(SessionError, match="the run never saw a row without alice, so"):
            parties.contributions("train")


def test_rows_without_a_party_that_every_row_had_are_refused(made):
    expected = "dataset test has rows without a partner at alice, and the run never saw such rows"
    with connect(made.run_path) as parties:
        for call in (parties.evaluate, parties.predict):
            with pytest.raises(SessionError, match=expected):
                call("test")
