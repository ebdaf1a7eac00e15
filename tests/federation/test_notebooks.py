"""The notebooks of docs/notebooks, run from their first cell to their last, and what they show."""

import json

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.documents import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 280  # bounds a failure: no cell takes so long
MARK = "figures of the test: "


def run(name, figures, folder):
    """Runs a notebook in a folder, and returns the value of an expression over its names."""
    notebook = nbformat.read(ROOT / "docs" / "notebooks" / f"{name}.ipynb", as_version=4)
    asked = f"import json\nprint({MARK!r} + json.dumps({figures}))"
    notebook.cells.append(nbformat.v4.new_code_cell(asked))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources=resources).execute()
    (printed,) = [one.text for one in notebook.cells[-1].outputs if one.output_type == "stream"]
    return json.loads(printed.removeprefix(MARK)), notebook


@pytest.fixture
def folder(tmp_path):
    tmp_path.chmod(0o700)
    return tmp_path


def test_there_are_notebooks():
    assert {"first-model", "own-model", "privacy-dial", "two-companies"} == {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs_and_names_of_a_machine(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 3
    assert [cell for cell in code if cell.outputs or cell.execution_count is not None] == []
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_a_first_model_shows_what_the_partner_brings(folder):
    auc, _ = run("first-model", "metrics.loc['auc'].to_dict()", folder)
    assert auc["alice and bob"] > auc["bob"] + 0.2
    assert len((folder / "first-model" / "bob" / "train.csv").read_text().splitlines()) == 20_001


def test_an_own_model_learns(folder):
    found, _ = run("own-model", "evaluated", folder)
    assert found["auc"] > 0.85
    assert list(folder.glob("own-model/bob/state/runs/*/fuse.keras"))


def test_the_privacy_dial_costs_little_and_bounds_guesses(folder):
    found, _ = run("privacy-dial", "table.to_dict('index')", folder)
    assert list(found) == ["off", "epsilon 2.0", "epsilon 0.5"]
    exact = [one["exact AUC, at bob"] for one in found.values()]
    assert exact[0] > 0.85
    assert exact[1] > exact[2] > 0.75
    bounds = [one["right about a label, at most"] for one in found.values()]
    assert bounds == pytest.approx([1, 0.8808, 0.6225], abs=1e-4)


def test_two_companies_train_over_commands(folder):
    codes, notebook = run("two-companies", "codes", folder)
    printed = "".join(one.get("text", "") for cell in notebook.cells for one in cell.get("outputs", []))
    assert "in common                  10,000 rows" in printed
    assert "2,000 predictions in predictions-test.csv at party bob" in printed
    assert codes == [0, 0]
    assert list(folder.glob("bob/state/runs/*/predictions-test.csv"))
    assert list(folder.glob("alice/state/runs/*/predictions-test.csv")) == []
