"""What `coordinator align` prints of joins that find few partners, or none."""

import pytest

from coordinator.alignment import DatasetAlignment, JoinedTable
from coordinator.alignment_table import alignment_lines


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
