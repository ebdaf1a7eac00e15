"""What sessions sealed, as the file of a run has it after a disk was full."""

from datetime import UTC, datetime

import pytest

from party.pb.party_pb2 import MessageKind
from party.runtime.sent_file import SENT_FILE, add_sent, read_sent

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SENT = {("bob", MessageKind.MESSAGE_KIND_HIDDEN): (3, 4096)}


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_line_that_was_cut_off_takes_no_other_one_with_it(tmp_path, kept):
    """Or the page of what left an organisation would leave out a session that a disk had room for."""
    for purpose in ("train", "evaluate"):
        add_sent(tmp_path, SENT, purpose, NOW)
    path = tmp_path / SENT_FILE
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first + b"\n" + second[:kept])
    add_sent(tmp_path, SENT, "predict", NOW)
    assert [one.purpose for one in read_sent(tmp_path)] == ["train", "predict"]
    assert path.stat().st_mode & 0o777 == 0o600
