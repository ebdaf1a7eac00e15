"""Parties of a real federation record what they receive, by their own file alone."""

import numpy as np
import pytest

from coordinator import connect
from party.audit.received_file import ReceivedFile, received_files
from party.audit.recording import FOLDER, SENT_FOLDER, read_ids
from party.channel.incoming_channel import IncomingChannel
from party.configuration.party import load_party_configuration
from party.errors import SessionError
from party.runs import remove_recording, remove_run
from party.runtime.records import RunRecords
from tests.support.organisations import Organisations
from tests.support.resuming import restart, run_path, stop_at, train

NAMES = ("alice", "bob", "charlie")
RECORDING = {"alice": "gradient", "bob": "hidden"}
TRAINING = {"epochs": 2, "batch_size": 62, "validation_fraction": 0.167}
RECORD = {"audit": {"record": True}}


@pytest.fixture(scope="module")
def opened():
    """What every channel of the process truly opened, by sender, receiver and position."""
    found, original = {}, IncomingChannel.open

    def noting_open(channel, envelope, place):
        received = original(channel, envelope, place)
        found[received.slot.sender, received.slot.receiver, place.position] = received.values.copy()
        return received

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IncomingChannel, "open", noting_open)
        yield found


@pytest.fixture(scope="module")
def organisations(tmp_path_factory, opened):
    """Three parties, of which two record; `reference` is a finished run, `received` what it truly received."""
    overrides = dict.fromkeys(RECORDING, RECORD)
    with Organisations(tmp_path_factory.mktemp("recordings"), NAMES, training=TRAINING, overrides=overrides) as made:
        made.start_servers()
        made.reference = train(made).run_id
        made.received = dict(opened)
        yield made


def folder_of(organisations, name, run_id):
    return organisations.state_path(name) / "runs" / run_id / FOLDER


def recorded(organisations, name, run_id):
    """Everything that a party recorded of training, by sender and position; refuses a position that is there twice."""
    found = {}
    for one in received_files(folder_of(organisations, name, run_id), RECORDING[name]):
        for batch in one.batches():
            assert found.setdefault((one.header.sender, batch.position), batch) is batch
    return found


def expect_values(found, expected):
    assert set(found) == set(expected)
    for key, batch in found.items():
        np.testing.assert_array_equal(batch.values, expected[key], strict=True)


@pytest.mark.parametrize("name", RECORDING)
def test_all_that_is_received_is_recorded(organisations, name):
    found = recorded(organisations, name, organisations.reference)
    of_mine = {(sender, position): one for (sender, to, position), one in organisations.received.items() if to == name}
    expect_values(found, of_mine)
    assert {batch.epoch for batch in found.values()} == {0, 1}
    assert {batch.trains for batch in found.values()} == ({True, False} if name == "bob" else {True})


def test_each_party_decides_for_itself(organisations):
    assert not folder_of(organisations, "charlie", organisations.reference).exists()


def test_rows_refer_to_the_ids_that_are_written_beside_them(organisations):
    run_id = organisations.reference
    ids = read_ids(folder_of(organisations, "bob", run_id), "train")
    common = set.intersection(*(set(organisations.read_table(name, "train")["ID"]) for name in NAMES))
    assert ids == sorted(common)
    assert read_ids(folder_of(organisations, "alice", run_id), "train") == ids
    rows = [batch.rows for (sender, _), batch in recorded(organisations, "bob", run_id).items() if sender == "alice"]
    assert np.array_equal(np.bincount(np.concatenate(rows)), np.full(len(ids), 2)), "every row in every epoch, once"


def test_a_resumed_run_records_every_position_once(organisations):
    run_id = stop_at(organisations, 2, checkpoints={"every_steps": 2})
    restart(organisations, *NAMES)
    train(organisations, resume=run_id)
    for name in RECORDING:  # secrets are pinned, so that two runs of one seed send the same
        expected = recorded(organisations, name, organisations.reference)
        expect_values(recorded(organisations, name, run_id), {key: one.values for key, one in expected.items()})

    expect_every_step(organisations, run_id)


def expect_every_step(organisations, run_id):
    """What was sent has as many batches of training as the record has steps, which audits rely on."""
    for name in RECORDING:
        folder = organisations.state_path(name) / "runs" / run_id
        steps = RunRecords(folder.parent, name).find_trained(run_id).steps
        for sent in folder.glob(f"{SENT_FOLDER}/*.training.*.batches"):
            assert sum(batch.trains for batch in ReceivedFile(sent).batches()) == steps > 0


def test_a_run_that_stops_early_is_recorded_to_its_last_step(organisations):
    never_better = {"early_stopping": {"minimum_delta": 1e6, "patience": 1}, "epochs": 5}
    organisations.write_run({**TRAINING, **never_better})
    with connect(organisations.run_path) as parties:
        history = parties.fit()
    assert len(history.epoch) < never_better["epochs"]
    expect_every_step(organisations, history.run_id)


def test_evaluations_are_recorded_at_the_label_party_once(organisations):
    with connect(run_path(organisations)) as parties:
        for _ in range(2):
            parties.evaluate("train", run_id=organisations.reference)
    folder = folder_of(organisations, "bob", organisations.reference)
    received = ReceivedFile(folder / "train.inference.hiddens-from-alice.batches")
    rows = np.concatenate([batch.rows for batch in received.batches()])
    assert rows.tolist() == list(range(len(read_ids(folder, "train")))), "the same weights send the same"
    assert not list(folder_of(organisations, "alice", organisations.reference).glob("*inference*"))


def test_the_owner_is_warned_and_can_remove_what_was_recorded(organisations):
    path = organisations.party_path("bob")
    (warning,) = [one for one in load_party_configuration(path).warnings if one.startswith("audit.record")]
    assert "large" in warning
    history = train(organisations)
    folder = folder_of(organisations, "bob", history.run_id)
    stopped = stop_at(organisations, 2)
    with pytest.raises(SessionError, match="the run did not finish"):
        remove_recording(path, stopped)
    assert (folder.exists(), (folder.parent / SENT_FOLDER).exists()) == (True, True)
    remove_recording(path, history.run_id[:8])
    assert (folder.exists(), (folder.parent / SENT_FOLDER).exists()) == (False, False)
    with pytest.raises(SessionError, match="nothing was recorded"):
        remove_recording(path, history.run_id)
    assert organisations.weights("bob", history.run_id), "the model stays"
    remove_run(path, history.run_id)
    assert not folder.parent.exists()


def test_recording_changes_no_bit_and_is_off_by_default(organisations):
    for name in RECORDING:
        organisations.write_party(name, audit=None)
        assert not any("audit" in one for one in load_party_configuration(organisations.party_path(name)).warnings)
    restart(organisations, *RECORDING)
    run_id = train(organisations).run_id
    for name in NAMES:
        assert not folder_of(organisations, name, run_id).exists()
        expected = organisations.weights(name, organisations.reference)
        for key, array in organisations.weights(name, run_id).items():
            np.testing.assert_array_equal(array, expected[key], strict=True)
