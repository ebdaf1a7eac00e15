"""Meters read after the reply, in the order of the batches, and their file goes on where a checkpoint does."""

import json
import logging

import numpy as np
import pytest

from party.audit.meters.label_meters import LabelMeters
from party.audit.meters.targets import of_classes
from party.channel.place import Place
from party.configuration.run import TrainingSection
from party.cut.state import State
from party.errors import PolicyError, StorageError
from party.policy.meter_rules import MeterRules
from party.protocol.schedule import TrainingSchedule
from party.runtime.meter_file import MeterFile
from party.runtime.session_meters import BACKLOG, MeterLimit, SessionMeters

ROWS = 4096
BATCH = 128
EPOCH = ROWS // BATCH
LABELS = np.arange(ROWS) % 3 == 0


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


class Watched:
    """A label party's meters on a schedule, and a run whose gradients tell every label."""

    def __init__(self, folder, *, maximum=None, epochs=3):
        training = TrainingSection(batch_size=BATCH, epochs=epochs, validation_fraction=0.0)
        self.schedule = TrainingSchedule(training, ROWS, bytes(32))
        rules = MeterRules("bank", maximum, None)
        limit = None if maximum is None else MeterLimit(above=rules.label_above, refuse=rules.refuse_labels)
        self.meters = SessionMeters("run 1", self.schedule, limit, MeterFile(folder))
        targets = of_classes("label", LABELS.astype(np.int64))
        self.observe = self.meters.watch("gradients for shop", LabelMeters(targets, ROWS, {}))
        self.path = folder / "meters.jsonl"

    def send(self, first, end, *, read=True):
        for position in range(first, end):
            rows = self.schedule.rows(self.schedule.exchange(position))
            noise = np.random.default_rng(position).normal(size=(len(rows), 4))
            gradients = (0.3 - LABELS[rows])[:, None] * np.ones(4) + 0.01 * noise
            self.observe(gradients.astype(np.float32), Place(position, rows, trains=True))
            if read:
                self.meters.catch_up()
        return self

    @property
    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]


def begun(folder, state=None, step=0, **arguments):
    watched = Watched(folder, **arguments)
    watched.meters.begin(state or State(), step)
    return watched


def test_nothing_is_read_before_the_reply_is_on_its_way(folder):
    watched = begun(folder).send(0, 40, read=False)
    watched.meters.check()
    assert not watched.path.exists()
    watched.meters.catch_up()
    assert [line["step"] for line in watched.lines] == [15, 31]
    assert watched.lines[0]["direction"] > 0.99


def test_a_call_without_time_after_its_reply_does_not_let_batches_pile_up(folder):
    watched = begun(folder).send(0, BACKLOG, read=False)
    watched.meters.check()
    assert [line["step"] for line in watched.lines] == [15, 31, 47, 63]


def test_what_is_left_is_read_at_the_end(folder):
    watched = begun(folder).send(0, 16, read=False)
    watched.meters.close()
    assert len(watched.lines) == 1


def test_a_resumed_run_ends_with_the_lines_of_one_that_never_stopped(folder):
    apart = folder / "whole"
    apart.mkdir(mode=0o700)
    whole = begun(apart).send(0, 3 * EPOCH)
    first = begun(folder).send(0, 40)
    state = first.meters.state()
    first.send(40, 70)  # lost: the checkpoint is older
    first.meters.close()
    with first.path.open("ab") as file:
        file.write(b'{"step": 80, "epo')  # a process was killed while it wrote
    second = begun(folder, state, 40)
    assert [line["step"] for line in second.lines] == [15, 31]
    assert second.send(40, 3 * EPOCH).lines == whole.lines


def test_meters_that_were_off_begin_anew_and_say_so(folder, caplog):
    first = begun(folder).send(0, 40)
    first.meters.close()
    with caplog.at_level(logging.WARNING):
        second = begun(folder, State(), 40)
    assert "the meters begin anew at step 40" in caplog.text
    assert [line["step"] for line in second.send(40, 64).lines] == [15, 31, 55, 63]


def test_a_limit_ends_the_session_before_the_next_batch_and_for_good(folder):
    watched = begun(folder, maximum=0.9).send(0, 2 * 16)
    watched.meters.check()  # two windows may be chance
    watched.send(32, 48)
    with pytest.raises(PolicyError):
        watched.meters.check()
    assert "ended" in watched.lines[-1]
    assert all("ended" not in line for line in watched.lines[:-1])
    watched.meters.close()
    again = begun(folder, maximum=0.9)  # from the beginning of the run
    with pytest.raises(PolicyError):
        again.meters.check()
    assert [line["step"] for line in again.lines] == [47]
    again.meters.close()
    raised = begun(folder)
    raised.meters.check()


def test_a_limit_that_is_not_reached_ends_nothing(folder):
    watched = begun(folder, maximum=0.9)
    for position in range(3 * EPOCH):
        rows = watched.schedule.rows(watched.schedule.exchange(position))
        noise = np.random.default_rng(position).normal(size=(len(rows), 4)).astype(np.float32)
        watched.observe(noise, Place(position, rows, trains=True))
        watched.meters.catch_up()
        watched.meters.check()
    assert len(watched.lines) == 6


def test_a_file_that_cannot_be_written_does_not_end_training(tmp_path, caplog):
    watched = Watched(tmp_path / "absent").send(0, 16)
    assert "meters.jsonl lacks a line: StorageError" in caplog.text
    watched.meters.close()


def test_a_file_that_is_open_to_others_is_refused(folder):
    (folder / "meters.jsonl").write_text("{}\n")
    (folder / "meters.jsonl").chmod(0o644)
    with pytest.raises(StorageError):
        begun(folder)
