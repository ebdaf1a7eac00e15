"""What runs before a commit is what `make lint` runs, from the environment of the project."""

import re

import yaml

from tests.support.documents import ROOT


def linting(makefile):
    """The command lines of `make lint`, as they are where VENV is not set."""
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    return [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()]


def test_hooks_run_what_make_lint_runs_and_download_nothing():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == linting((ROOT / "Makefile").read_text())
    assert {(hook["language"], hook["pass_filenames"]) for hook in repository["hooks"]} == {("system", False)}
