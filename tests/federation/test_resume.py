"""A run that stops at any step goes on to the bits of a run that was never stopped."""

import contextlib
import dataclasses
import shutil

import pytest
import yaml

from coordinator import connect
from coordinator.connecting import connect_federation
from coordinator.session import CoordinatedSession, ProposedSession
from party.engine.numerics import numeric_settings
from party.errors import (
    AlignmentError,
    CheckpointError,
    ConfigurationError,
    PolicyError,
    SessionError,
    StorageError,
)
from party.ledger.file import read_ledger
from party.pb.handshake_pb2 import Purpose
from party.protocol.checkpoints import Mark
from party.runtime import fingerprint
from party.runtime.checkpoint_files import CheckpointFiles
from party.security.row_secret import RowSecret
from tests.support.model_family import CITY, FILM, PARTIES, SEQUENCE, frames, overrides
from tests.support.organisations import SMALL_MODEL, Organisations
from tests.support.relaying import Relay, envelopes
from tests.support.resuming import (
    DROPOUT,
    NORMALISED,
    Lines,
    checkpoints_of,
    expect_equal,
    outcome,
    restart,
    run_path,
    stop_at,
    train,
)

EARLY = {"metric": "val_auc", "mode": "max", "patience": 1}
DECAY = {"initial_learning_rate": 0.02, "decay_steps": 3, "decay_rate": 0.9}
SCHEDULE = {"name": "ExponentialDecay", "arguments": DECAY}
TRAINING = {"epochs": 3, "validation_fraction": 0.2, "batch_size": 64}
EVERY_STEP = {"every_steps": 1}
WHOLE_BATCHES = {"validation_fraction": 0.167, "batch_size": 62}  # as many as with TRAINING, and no smaller last one
CASES = {
    "adam, dropout, batch normalisation": (DROPOUT, {"optimizer": {"name": "adam"}}),
    "momentum, schedule, early stopping": (
        {},
        {
            **WHOLE_BATCHES,
            "early_stopping": EARLY,
            "epochs": 5,
            "optimizer": {"name": "sgd", "learning_rate": SCHEDULE, "arguments": {"momentum": 0.9}},
        },
    ),
    "transformer, experts, learned task weights": (
        overrides(
            fuse={
                "kind": "mmoe",
                "experts": 2,
                "expert_units": [5],
                "tower_units": [3],
                "task_weighting": "uncertainty",
            }
        ),
        {**WHOLE_BATCHES, "optimizer": {"name": "adagrad", "learning_rate": 0.1}},
    ),
}


def make(make_organisations, case):
    settings, training = CASES[case]
    arguments = {"training": {**TRAINING, **training}}
    if "experts" in case:
        arguments |= {"names": PARTIES, "features": {"alice": [CITY], "bob": [FILM, SEQUENCE]}, "frames": frames()}
    organisations = make_organisations(**arguments)
    for name in organisations.names:
        (organisations.party_path(name).parent / "normalised.py").write_text(NORMALISED)
        organisations.write_party(name, **settings.get(name, {}))
    return organisations.start_servers()


@pytest.mark.parametrize("case", CASES)
def test_a_stopped_run_goes_on_to_the_same_bits(make_organisations, case):
    organisations = make(make_organisations, case)
    undisturbed = outcome(organisations, train(organisations))

    run_id = stop_at(organisations, 5, checkpoints=EVERY_STEP)  # how often they write changes no number
    own = organisations.state_path("bob") / "runs" / run_id
    assert len((own / "steps.csv").read_text().splitlines()) == 1 + 5, "what is safe is on the label party's disk"
    assert (own / "history.json").exists()
    restart(organisations, *organisations.names)  # all that they know of the run now is on their disks
    resumed = train(organisations, resume=run_id)
    assert resumed.run_id == run_id
    expect_equal(outcome(organisations, resumed), undisturbed)


PLAIN = "plain"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A federation with small models, the outcome of an undisturbed run, and ways to go back to it."""
    with Organisations(tmp_path_factory.mktemp(PLAIN), training={"epochs": 2, "batch_size": 62}) as made:
        made.start_servers()
        made.reference = outcome(made, train(made))
        made.stopped = stop_at(made, 4, checkpoints=EVERY_STEP)
        for name in made.names:
            made.stop_server(name)
        for folder in folders_of(made):
            shutil.copytree(folder, made.folder / "kept" / folder.relative_to(made.folder))
        yield made


def folders_of(organisations):
    """All that parties and coordinator know of runs."""
    return [*map(organisations.state_path, organisations.names), organisations.runs_path]


@pytest.fixture
def stopped(plain):
    """A run that stopped at step 5, with checkpoints of steps 4 and 5, and nothing has happened since."""
    for folder in folders_of(plain):
        shutil.rmtree(folder)
        shutil.copytree(plain.folder / "kept" / folder.relative_to(plain.folder), folder)
    for name in plain.names:
        plain.write_party(name)
    plain.start_servers()
    yield plain, plain.stopped
    for name in plain.names:
        plain.stop_server(name)


def test_a_party_keeps_the_last_two_and_none_once_all_have_finished(stopped):
    organisations, run_id = stopped
    for name in organisations.names:
        found = checkpoints_of(organisations, name, run_id)
        assert list(found) == [4, 5]
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in found.values())
    history = train(organisations, resume=run_id)
    expect_equal(outcome(organisations, history), organisations.reference)  # which predicts, after the end of all
    assert all(not checkpoints_of(organisations, name, run_id) for name in organisations.names)


def test_the_one_before_serves_where_a_checkpoint_is_damaged(stopped):
    organisations, run_id = stopped
    path = checkpoints_of(organisations, "bob", run_id)[5]
    content = path.read_bytes()
    path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    lines = []
    with connect_federation(run_path(organisations), lambda: Lines(lines)) as parties:
        history = parties.fit(resume=run_id)
    assert any(line.startswith("checkpoint of step 5 cannot be used: bob: checkpoint of step 5: is ") for line in lines)
    assert "resuming from step 4 of" in "\n".join(lines)
    expect_equal(outcome(organisations, history), organisations.reference)


def test_all_damaged_means_from_the_beginning_and_never_a_wrong_number(stopped):
    organisations, run_id = stopped
    for path in checkpoints_of(organisations, "alice", run_id).values():
        path.write_bytes(b"")
    lines = []
    with connect_federation(run_path(organisations), lambda: Lines(lines)) as parties:
        history = parties.fit(resume=run_id)
    assert "resuming from step 0 of" in "\n".join(lines)
    expect_equal(outcome(organisations, history), organisations.reference)


def test_no_message_is_sealed_twice_when_steps_are_computed_again(stopped):
    organisations, run_id = stopped
    sealed = []

    def around(send, party, method, request):
        reply = send(request)
        sealed.extend((one.kind, one.index, one.ciphertext) for one in envelopes(reply))
        return reply

    for path in checkpoints_of(organisations, "alice", run_id).values():
        path.unlink()  # so that every step is computed again
    with Relay(run_path(organisations), around) as parties:
        history = parties.fit(resume=run_id)
    again = list(sealed)
    sealed.clear()
    with Relay(run_path(organisations), around) as parties:
        parties.fit()
    assert len(again) > 4 * len(history.epoch)
    assert len({content for _, _, content in again}) == len(again)
    assert not {content for _, _, content in again} & {content for _, _, content in sealed}
    expect_equal(outcome(organisations, history), organisations.reference)


def test_a_lost_state_folder_is_told(stopped):
    organisations, run_id = stopped
    folder = organisations.state_path("alice") / "runs" / run_id
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(
        CheckpointError, match=r"alice: run .*: this party has no record of the run; restore its state folder"
    ):
        train(organisations, resume=run_id)
    folder.with_name("elsewhere").rename(folder)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), organisations.reference)


def test_a_checkpoint_of_another_history_is_refused(stopped):
    organisations, run_id = stopped
    foreign = Mark(4, b"\1" * 32)
    with connect(run_path(organisations)) as parties:
        run = parties.configuration.run
        for start in (foreign, Mark(7, foreign.lineage)):
            proposal = ProposedSession(
                purpose=Purpose.PURPOSE_TRAIN,
                run_id=bytes.fromhex(run_id),
                lease=parties._journal.lease,
                configuration=run.to_bytes(),
                start=start,
                resume=True,
            )
            with pytest.raises(CheckpointError, match=f"alice: checkpoint of step {start.step}: is missing"):
                CoordinatedSession(parties._clients, run, proposal).__enter__()
        proposal = dataclasses.replace(proposal, resume=False)
        with pytest.raises(SessionError, match="only a run that is resumed starts from a checkpoint"):
            CoordinatedSession(parties._clients, run, proposal).__enter__()


def test_a_changed_configuration_is_refused_by_name(stopped):
    organisations, run_id = stopped
    data = yaml.safe_load(organisations.party_path("alice").read_text())["data"]
    data["features"] = data["features"][:1]
    organisations.write_party("alice", model={**SMALL_MODEL, "dropout": 0.5}, data=data)
    restart(organisations, "alice")
    text = "alice: changed since the run began: configuration data.features, configuration model; change it back"
    with pytest.raises(SessionError, match=text):
        train(organisations, resume=run_id)
    organisations.write_party("alice")
    restart(organisations, "alice")
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), organisations.reference)


def test_changed_data_needs_its_alignment_and_then_is_refused(stopped):
    organisations, run_id = stopped
    path = organisations.table_path("alice", "train")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Ulm", b"Bonn", 1))
    with connect(run_path(organisations)) as parties, contextlib.ExitStack() as restoring:
        restoring.callback(path.write_bytes, content)
        with pytest.raises(AlignmentError, match=r"alice: dataset train is not aligned .* or its file has changed"):
            parties.fit(resume=run_id)
        parties.align()
        with pytest.raises(SessionError, match="alice: changed since the run began: data file; change it"):
            parties.fit(resume=run_id)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), organisations.reference)


def test_other_libraries_are_refused_unless_the_owner_allows_them(stopped, monkeypatch):
    organisations, run_id = stopped
    monkeypatch.setattr(fingerprint, "numeric_settings", lambda: {**numeric_settings(), "numpy": "9.9.9"})
    with pytest.raises(SessionError, match=r"numpy \(\d+\.\d+\.\d+ then, 9\.9\.9 now\); set checkpoints\.allow_other"):
        train(organisations, resume=run_id)
    for name in organisations.names:
        organisations.write_party(name, checkpoints={"allow_other_numerics": True})
    restart(organisations, *organisations.names)
    expect_equal(outcome(organisations, train(organisations, resume=run_id)), organisations.reference)


def test_the_run_of_another_file_is_refused_by_key(stopped):
    organisations, run_id = stopped
    path = run_path(organisations, training={"epochs": 3, "optimizer": {"learning_rate": 0.5}})
    with connect(path) as parties, pytest.raises(ConfigurationError) as refused:
        parties.fit(resume=run_id)
    assert "the configuration differs from that of the run: training.epochs, training.optimizer.learning_rate" in str(
        refused.value
    )


def test_an_owner_limits_how_often_a_run_goes_back(stopped):
    organisations, run_id = stopped
    organisations.write_party("bob", policy={"minimum_metric_rows": 1, "maximum_restores": 1})
    restart(organisations, "bob")
    stop_at(organisations, 5, resume=run_id)
    expected = r"bob: refused by policy.maximum_restores: .*at most 1; received 1 before this one"
    with pytest.raises(PolicyError, match=expected):
        train(organisations, resume=run_id)


def test_a_finished_run_cannot_go_on(stopped):
    organisations, run_id = stopped
    train(organisations, resume=run_id)
    with pytest.raises(ConfigurationError, match=r"--resume .*: no resumable run; see `coordinator status`"):
        train(organisations, resume=run_id)


def test_a_disk_that_takes_no_more_stops_the_run_and_leaves_the_last_commit(stopped, monkeypatch):
    organisations, run_id = stopped
    folder = organisations.state_path("bob") / "runs" / run_id / "checkpoints"
    write = CheckpointFiles.write

    def full(files, mark, state):
        if mark.step == 6 and files._party == "bob":
            what = "cannot be written: No space left on device"
            raise StorageError(what, where=folder, public_message=f"a file of its state {what}")
        return write(files, mark, state)

    monkeypatch.setattr(CheckpointFiles, "write", full)
    with pytest.raises(StorageError, match=r"^bob: .*cannot be written: No space left on device$"):
        train(organisations, resume=run_id, checkpoints=EVERY_STEP)
    monkeypatch.undo()
    lines = []
    with connect_federation(run_path(organisations), lambda: Lines(lines)) as parties:
        history = parties.fit(resume=run_id)
    assert "resuming from step 5 of" in "\n".join(lines)
    expect_equal(outcome(organisations, history), organisations.reference)


def test_a_run_keeps_its_order_of_rows_after_a_new_alignment(stopped):
    """The same rows, aligned anew with another row secret: a new run would have another order."""
    organisations, run_id = stopped
    former = {}
    for name in organisations.names:
        context = organisations.servers[name].context
        former[name] = context.alignment(context.tables.table("train"), organisations.names)
        other = RowSecret(bytes(32), pinned=False)
        context.alignments.save("train", dataclasses.replace(former[name], row_secret=other))
    try:
        expect_equal(outcome(organisations, train(organisations, resume=run_id)), organisations.reference)
    finally:
        for name, alignment in former.items():
            organisations.servers[name].context.alignments.save("train", alignment)


def test_epochs_that_were_told_before_are_not_told_again(stopped):
    """Of two epochs of six steps, the first is complete in a run that stops at step 8."""
    organisations, run_id = stopped
    stop_at(organisations, 7, resume=run_id)
    lines = []
    with connect_federation(run_path(organisations), lambda: Lines(lines)) as parties:
        parties.fit(resume=run_id)
    told = [line.partition(":")[0] for line in lines if line.startswith("epoch ")]
    assert told == ["epoch 2"], lines


def test_the_sessions_of_a_run_release_each_pass_once(stopped):
    organisations, run_id = stopped
    stop_at(organisations, 7, resume=run_id)  # in the second of two epochs
    history = train(organisations, resume=run_id)
    ended = [
        one for one in read_ledger(organisations.state_path("bob")) if (one.event, one.run_id) == ("ended", run_id)
    ]
    assert len(ended) == 3
    assert sum(one.releases["metrics"] for one in ended) == len(history.epoch) == 2
