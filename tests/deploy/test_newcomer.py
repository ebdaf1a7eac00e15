"""From two CSV files in two folders to a trained joint model, without an editor; `make newcomer` uses the wheel."""

import sys

from tests.support.newcomer import ALICE, BOB, Newcomer, from_files_to_a_model, write_files

MOST_COMMANDS = 12
INSTALLATION = 2  # `make newcomer` also types the two commands that install the wheel


def test_two_files_become_a_joint_model(tmp_path):
    programs = {name: [sys.executable, "-m", name] for name in ("party", "coordinator")}
    with Newcomer(tmp_path, programs) as shells:
        write_files(tmp_path, rows=600)
        from_files_to_a_model(shells)
        history = shells.history()
    assert len(shells.typed) + INSTALLATION <= MOST_COMMANDS
    assert max(history["history"]["val_auc"]) > 0.6
    guessed = (tmp_path / ALICE / "alice.yaml").read_text(encoding="utf-8")
    assert '{column: spent, kind: numeric, decimal: ","}' in guessed
    assert "{column: born, kind: datetime, parts: [weekday, month, year]}" in guessed
    assert "country: has one value in all rows" in guessed
    assert 'separator: ";", encoding: cp1252' in guessed
    assert '{rule: "clicked == \\"yes\\""}' in (tmp_path / BOB / "bob.yaml").read_text()
