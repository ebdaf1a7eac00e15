"""A whole run over the protocol modules and real checkpoints, whatever fails; a rule that is broken is noticed."""

import collections

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from party.cut.state import State
from party.errors import CheckpointError
from party.protocol.calls import RepeatableCalls
from party.protocol.checkpoints import CheckpointBook, Checkpoints
from party.runtime.checkpoint_files import CheckpointFiles
from tests.support.run_machine import RunProtocol
from tests.support.run_parties import Session

SETTINGS = settings(
    max_examples=300,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # add Phase.shrink to look into a failure: it takes minutes
)


def test_whatever_fails_the_run_goes_on_from_what_all_parties_have():
    run_state_machine_as_test(RunProtocol, settings=SETTINGS)


def accept_any_voucher(monkeypatch):
    commit = Checkpoints.commit
    everything = collections.defaultdict(bytes)

    def lenient(self, step, vouchers):
        everything.update(dict.fromkeys(self._peers, self.mark(step).lineage))
        return commit(self, step, everything)

    monkeypatch.setattr(Checkpoints, "commit", lenient)


def keep_one(monkeypatch):
    create = CheckpointBook.__init__
    monkeypatch.setattr(
        CheckpointBook, "__init__", lambda self, prepared, committed, keep: create(self, prepared, committed, 1)
    )


def drop_nothing(monkeypatch):
    commit = CheckpointBook.commit
    monkeypatch.setattr(CheckpointBook, "commit", lambda self, mark: commit(self, mark) and ())


def drop_before_commit(monkeypatch):
    write = CheckpointFiles.write

    def hasty(self, mark, state):
        self.drop(tuple(self.prepared()))
        return write(self, mark, state)

    monkeypatch.setattr(CheckpointFiles, "write", hasty)


def compute_again(monkeypatch):
    monkeypatch.setattr(RepeatableCalls, "answer", lambda self, call, request, compute: compute())


def restore_what_is_there(monkeypatch):
    read = CheckpointFiles.read

    def lenient(self, mark):
        try:
            return read(self, mark)
        except CheckpointError:
            return State({"step": 0, "weights": b"drawn anew".hex()})

    monkeypatch.setattr(CheckpointFiles, "read", lenient)
    monkeypatch.setattr(CheckpointBook, "holds", lambda self, mark: True)


def meet_from_anywhere(monkeypatch):
    monkeypatch.setattr(Session, "alike", lambda self, hellos: True)


def commit_what_is_only_in_memory(monkeypatch):
    take = Checkpoints.take

    def hasty(self, step):
        mark = take(self, step)
        self._book.add(mark)
        self._book.commit(mark)
        return mark

    monkeypatch.setattr(Checkpoints, "take", hasty)


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (accept_any_voucher, "committed without a voucher|committed what not all prepared"),
        (keep_one, "dropped the one before"),
        (drop_nothing, "too many checkpoints"),
        (drop_before_commit, "dropped the latest"),
        (compute_again, "not the first answer|changed something"),
        (restore_what_is_there, "started from a point|other weights|no progress"),
        (meet_from_anywhere, "different points|different starts"),
        (commit_what_is_only_in_memory, "dropped the|too many checkpoints"),
    ],
)
def test_a_broken_rule_is_noticed(monkeypatch, break_it, told):
    break_it(monkeypatch)
    with pytest.raises(AssertionError, match=told):
        run_state_machine_as_test(RunProtocol, settings=SETTINGS)
