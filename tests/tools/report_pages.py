"""Makes every kind of report from a small federation."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from coordinator import connect
from coordinator.cli import main as coordinator_main
from party.audit.report.audit_report import ReportedPart, SignedBy, report_of
from party.audit.report.html_page import html_page
from party.cli import main as party_main
from tests.support.audit_parts import PRIVATE_LABELS, make_part, make_row
from tests.support.organisations import Organisations, make_frames
from tests.support.resuming import stop_at

NAMES = ("alice", "bob", "charlie")
ROWS = 2000
TRAINING = {
    "epochs": 5,
    "batch_size": 64,
    "validation_fraction": 0.2,
    "optimizer": {"name": "adam", "learning_rate": 0.01},
    "party_dropout": {"alice": 0.2, "charlie": 0.2},
    "codecs": {"hidden": {"kind": "int8"}},
}
MIDDLE_OF_A_RUN = 60  # a batch of the third epoch
MODEL = {"kind": "dnn", "embedding_dimension": 4, "units": [8], "cut_units": 8}
LABELS = {
    "liked": {"rule": "rating > 3", "metrics": ["auc", "calibration", "calibration_error"]},
    "again": {"rule": "again > 0"},
}


def report_pages(folder: Path) -> list[Path]:
    """Writes a report of each kind to a folder.

    Args:
        folder: which exists.

    Returns:
        The pages.
    """
    return [*run_pages(folder), audit_page(folder / "audit.html")]


def run_pages(folder: Path) -> list[Path]:
    """Trains and evaluates a model of three parties with two labels, and makes the pages of each side.

    Another run is stopped in the middle.
    """
    frames = make_frames(NAMES, rows=ROWS, datasets=("train", "test"))
    for frame in frames["bob"].values():
        often = np.arange(len(frame)) % 5 > 0
        frame["again"] = np.where((frame["film"].str[-1] > "4") == often, "1", "0")
    policy = {"maximum_evaluations": 50}
    overrides = {name: {"model": MODEL} for name in NAMES}
    overrides["bob"] |= {"labels": LABELS, "fuse": {"kind": "mmoe"}, "policy": policy}
    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o700)
        with Organisations(Path(root), NAMES, frames=frames, training=TRAINING, overrides=overrides) as made:
            made.start_servers()
            with connect(made.write_run()) as parties:
                parties.align()
                run_id = parties.fit().run_id
                parties.contributions("test")
                parties.predict("test")
            stopped = stop_at(made, MIDDLE_OF_A_RUN)
            commands = {
                name: (coordinator_main, ["report", shown, "--config", str(made.run_path)])
                for name, shown in (("run", run_id), ("stopped", stopped))
            }
            for name in NAMES:
                curves = ["--curves", "test"] if name == "bob" else []
                whose = ["report", "--config", str(made.party_path(name)), "--run", run_id]
                commands[name] = (party_main, [*whose, *curves])
            return [write(folder / f"{name}.html", *command) for name, command in commands.items()]


def write(page: Path, command: object, arguments: list[str]) -> Path:
    """Runs a command that writes a page."""
    done = CliRunner().invoke(command, [*arguments, "--output", str(page)])
    if done.exit_code:
        sys.exit(done.output)
    return page


def audit_page(page: Path) -> Path:
    """Writes a page of two audited runs with every verdict."""
    verdicts = ("open", "readable", "in part", "nothing found", "within", "above", "too few rows", "not measured")
    rows = [
        make_row(attack=f"attack {number}", verdict=verdict, ceiling=0.73, note="a note")
        for number, verdict in enumerate(verdicts)
    ]
    parts = [make_part("bob", table=rows), make_part("bob", "private", table=rows, protections=[PRIVATE_LABELS])]
    signed = SignedBy(key_sha256="ab" * 32, is_vouched=True)
    page.write_text(html_page(report_of(ReportedPart(part, signed) for part in parts)))
    return page
