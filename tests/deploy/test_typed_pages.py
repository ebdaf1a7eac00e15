"""What docs/tutorial.md and README.md let a reader type, read from the pages, typed in their order, and its outcome."""

import re
import shutil

import pytest

from tests.support.browser import Browser, needs_chromium
from tests.support.documents import README, ROOT
from tests.support.newcomer import free_address
from tests.support.screenshots import expect_looks
from tests.support.typing_person import TypingPerson, blocks, section

pytestmark = pytest.mark.timeout(900)  # a fixture types a whole page

TUTORIAL = ROOT / "docs" / "tutorial.md"
SAVED = re.compile(r"Save this as `(?P<file>[\w.]+)` and run `(?P<command>[^`]+)`")
ABOUT = re.compile(r"an AUC of about (?P<auc>0\.\d+)")
AUC = re.compile(r"\bauc\b\D*(?P<auc>0\.\d+)", re.IGNORECASE)
ROWS = 1000  # of the README's files, which are only looked at
TOLERANCE = 0.06  # "about", and the figure may be rounded to 0.05
MACHINES = "## Two real machines"
SIDES = {"at company A": "alice", "at company B": "bob", "where the coordinator runs": "coordinator"}


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    """All commands of the tutorial have been typed, and its parties still serve."""
    text = TUTORIAL.read_text()
    replaced = {f"127.0.0.1:{port}": free_address() for port in (50051, 50052)}
    assert all(address in text for address in replaced)
    with TypingPerson(tmp_path_factory.mktemp("tutorial"), replaced) as person:
        person.folder.chmod(0o700)
        for language, content in blocks(text):
            if language == "sh":
                person.type_block(content)
            else:
                saved = SAVED.search(text)
                assert content.startswith(f"# {saved['file']}\n")
                (person.folder / saved["file"]).write_text(content)
                person.type(saved["command"])
        yield person


def test_the_tutorial_ends_with_the_figure_that_it_states(tutorial):
    stated = float(ABOUT.search(TUTORIAL.read_text())["auc"])
    found = float(AUC.search(tutorial.printed("coordinator evaluate"))["auc"])
    assert found == pytest.approx(stated, abs=TOLERANCE)


def test_only_bob_has_the_predictions(tutorial):
    found = [path.relative_to(tutorial.folder) for path in tutorial.folder.rglob("*predictions*")]
    assert [path.parts[:3] for path in found] == [("bob", "state", "runs")]
    (path,) = found
    assert len((tutorial.folder / path).read_text().splitlines()) == 2001


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_each_company_has_a_record_of_it_all(tutorial, party):
    record = tutorial.printed(f"party ledger --config {party}/{party}.yaml")
    assert {"align", "train", "evaluate", "predict"} <= set(re.findall(r"\w+", record))


def test_nothing_but_the_installation_was_left_out(tutorial):
    left_out = [command for command, printed in tutorial.typed if not printed and "pip" in command]
    assert left_out == ["pip install -c constraints.txt '.[party]'"]
    assert len(tutorial.serving) == 2


# The README's way to two real machines. Its parties are set up here; those of the tutorial serve its coordinator.


def machine_blocks():
    return [content for language, content in blocks(section(README.read_text(), MACHINES)) if language == "sh"]


def by_side(block):
    """The commands of a block with the organisation that types each, which the comment above it names."""
    side = None
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("# "):
            side = next(SIDES[words] for words in SIDES if line[2:].startswith(words))
        elif command := line.partition(" #")[0].strip():
            yield side, command


def hand_over_invitations(folder):
    for invitation in list(folder.glob("*/*.invitation")):
        for side in SIDES.values():
            if invitation.parent.name != side:
                shutil.copy(invitation, folder / side)


@pytest.fixture(scope="module")
def machines(tutorial, tmp_path_factory):
    """The folders of two companies and a coordinator that have typed the commands up to `party serve`."""
    folder = tmp_path_factory.mktemp("machines")
    for side in SIDES.values():
        (folder / side).mkdir(mode=0o700)
    for path in tutorial.folder.glob("*/t*.csv"):
        lines = path.read_text().replace("stars", "Rating", 1).splitlines(keepends=True)
        (folder / path.parent.name / path.name).write_text("".join(lines[:ROWS]))
    replaced = {f"{name}.example.com:50051": free_address() for name in ("alice", "bob")}
    begin, invite, check, *_ = machine_blocks()
    with TypingPerson(folder, replaced) as person:
        for side, command in (*by_side(begin), *by_side(invite)):
            hand_over_invitations(folder)
            person.folder = folder / side
            person.type(command)
        person.folder = folder / "alice"
        for _, command in by_side(check):
            if not command.startswith("party serve"):
                person.type(command)
        yield person


def test_the_two_machines_begin_as_the_readme_says(machines):
    typed = [command.split()[:2] for command, _ in machines.typed]
    assert typed == [
        *(["party", "init"], ["party", "init"], ["coordinator", "init"], ["party", "accept"], ["party", "accept"]),
        *(["party", "check"], ["party", "doctor"]),
    ]
    assert "Rating > 3" in (machines.folder.parent / "bob" / "bob.yaml").read_text()


def test_the_coordinator_runs_as_the_readme_says(tutorial):
    coordinator = TypingPerson(tutorial.folder / "coordinator", {})
    coordinator.type_block(machine_blocks()[3])
    typed = [command.split()[1] for command, _ in coordinator.typed]
    assert typed == ["doctor", "status", "align", "train", "evaluate", "predict"]
    assert float(AUC.search(coordinator.printed("coordinator evaluate"))["auc"]) > 0.8


@pytest.fixture
def browser():
    with Browser() as started:
        yield started


@needs_chromium
def test_two_pages_tell_about_the_run(tutorial, browser):
    run_id = next(iter(tutorial.folder.glob("coordinator/**/run.json"))).parent.name
    tutorial.type(f"coordinator report {run_id} --config coordinator/run.yaml --output run.html")
    tutorial.type("party report --config bob/bob.yaml --output bob.html")
    for name in ("run", "bob"):
        page = tutorial.folder / f"{name}.html"
        expect_looks(browser, page.as_uri(), f"report-{name}", page.as_uri())


def test_ctrl_c_stops_the_parties(tutorial):
    assert tutorial.interrupt() == [0, 0]
