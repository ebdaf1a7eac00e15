"""What `coordinator align` prints of joins: warnings, and no escapes that a party states."""

import pytest

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


@pytest.mark.parametrize(
    ("keys", "found", "warning"),
    [
        pytest.param(44, 30, "", id="most rows find one"),
        pytest.param(44, 0, "0 of 400 rows find a partner in users of alice: compare how", id="keys written otherwise"),
        pytest.param(0, 0, "none of 400 rows has a key for users of alice", id="an empty column"),
    ],
)
def test_a_join_that_finds_nothing_is_told_from_one_without_keys(keys, found, warning):
    join = JoinedTable(
        peer="alice", table="users", rows=400, keys=keys, keys_found=found, rows_with_partner=10 * found, left=True
    )
    aligned = DatasetAlignment("train", {"alice": 40, "bob": 400}, rows_in_common=400, reused=False, joins=[join])
    warnings = [line for line in alignment_lines([aligned]) if "warning" in line]
    assert [line[: len(f"  warning: {warning}")] for line in warnings] == ([f"  warning: {warning}"] if warning else [])
