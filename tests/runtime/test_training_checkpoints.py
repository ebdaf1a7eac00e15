"""A checkpoint counts only once the requests that led to it are on disk."""

import pytest

from party.cut.state import State
from party.errors import SessionError
from party.protocol.checkpoints import ORIGIN
from party.protocol.request_journal import RequestEntry
from party.runtime.checkpoint_files import CheckpointFiles
from party.runtime.request_file import RequestFile
from party.runtime.training_checkpoints import TrainingCheckpoints
from party.security.sealing import SealingKeys


@pytest.fixture
def requests(tmp_path):
    tmp_path.chmod(0o700)
    file = RequestFile(tmp_path, "alice", 1)
    list(file.open(0))
    yield file
    file.close()


@pytest.fixture
def checkpoints(tmp_path, requests):
    keys = SealingKeys(bytes(32), {"bob": bytes(32)}, {"bob": bytes(32)})
    files = CheckpointFiles(tmp_path, "alice")
    made = TrainingCheckpoints(
        keys, files, requests, party="alice", peers=["bob"], dataset="train", start=ORIGIN, keep=2
    )
    made.take(3, State({"position": 3}))
    return made, files


def test_requests_are_made_durable_before_the_checkpoint_is_there(checkpoints, requests, monkeypatch):
    made, files = checkpoints
    requests.append(RequestEntry(0, (bytes(32),)))
    seen = []
    sync = requests.sync
    monkeypatch.setattr(requests, "sync", lambda: (seen.append(files.prepared()), sync()))
    made.prepare(3)
    assert seen == [[]]
    assert [mark.step for mark in files.prepared()] == [3]


def test_there_is_no_checkpoint_where_requests_cannot_be_made_durable(checkpoints, requests):
    made, files = checkpoints
    requests.close()
    with pytest.raises(SessionError, match=r"alice: requests.journal"):
        made.prepare(3)
    assert files.prepared() == []
