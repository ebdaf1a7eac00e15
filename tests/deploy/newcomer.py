"""A newcomer with the wheel alone and two CSV files; prints what is typed, and how long it takes: `make newcomer`.

Not part of `make test`, which runs the same commands of the checkout: this downloads what the wheel needs.
"""

import subprocess
import sys
import time

import pytest

from tests.support.checkout_wheel import build_wheel
from tests.support.documents import ROOT
from tests.support.newcomer import Newcomer, from_files_to_a_model, write_files

INSTALL_SECONDS = 1800
MOST_SECONDS = 300
MOST_COMMANDS = 12
ROWS = 20_000


@pytest.mark.timeout(INSTALL_SECONDS)
def test_from_two_files_to_a_trained_joint_model(tmp_path):
    wheel = build_wheel(tmp_path / "build")
    start = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    binaries = tmp_path / "venv" / "bin"
    constraints = ROOT / "constraints.txt"
    install = [binaries / "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraints]
    subprocess.run([*install, f"{wheel}[party]"], check=True, timeout=INSTALL_SECONDS)
    installed = time.monotonic() - start
    with Newcomer(tmp_path, {name: [binaries / name] for name in ("party", "coordinator")}) as shells:
        write_files(tmp_path, ROWS)
        seconds = from_files_to_a_model(shells)
        history = shells.history()
    typed = ["python3 -m venv .venv", ".venv/bin/pip install 'splitrain[party]'", *shells.typed]
    print("\n" + "\n".join(f"{number:2}  {line}" for number, line in enumerate(typed, start=1)))
    print(f"{len(typed)} commands; {installed:.0f} s to install, {seconds:.0f} s from two files to a trained model")
    print(f"{history['samples']:,} samples; best held-out AUC {max(history['history']['val_auc']):.3f}")
    assert len(typed) <= MOST_COMMANDS
    assert seconds < MOST_SECONDS
