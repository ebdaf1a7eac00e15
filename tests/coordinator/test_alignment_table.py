"""What a party states of joins does not steer the terminal of who aligns."""

from coordinator.alignment import DatasetAlignment, JoinedTable
from coordinator.alignment_table import alignment_lines

ESCAPE = "\x1b]0;owned\x07\x1b[2J\r\n"


def test_no_text_of_a_label_party_has_an_escape():
    joined = JoinedTable(
        peer="alice" + ESCAPE,
        table="users" + ESCAPE,
        left=False,
        rows=100,
        keys=50,
        keys_found=1,
        rows_with_partner=1,
    )
    result = DatasetAlignment(
        dataset="train" + ESCAPE, rows={"bob" + ESCAPE: 100}, rows_in_common=1, reused=False, joins=[joined]
    )
    lines = list(alignment_lines([result]))
    assert any("warning" in line for line in lines)
    assert not set("".join(lines)) & set("\x1b\x07\r\n")
    for name in ("alice", "users", "train", "bob"):
        assert any(f"{name}?]0;owned" in line for line in lines), "what was sent is shown, without the escapes"
