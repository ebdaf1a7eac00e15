"""A value that must not leave a party, put where an error could repeat it: neither the wire nor a log has it."""

import json
import re
import sys
import traceback

import pytest
from click.testing import CliRunner

from coordinator import connect
from coordinator.alignment_table import alignment_lines
from coordinator.cli import main as coordinator_main
from party.cli import main as party_main
from party.configuration.party import load_party_configuration
from party.errors import DataError, InternalError, SplitError
from party.ledger.file import read_ledger
from party.runtime.sent_file import read_sent
from tests.support.organisations import Organisations
from tests.support.pages import ReadPage, broken_laws
from tests.support.relaying import Recorder, Relay

CANARY = "canary-7351"
NUMBER = "987654321"  # where the value is an index
SABOTAGED_PARTY = """
import pathlib
import sys
import numpy as np
from party.errors import SplitError
from party.models.packing import PackedRows
from party.engine.trainable_base_model import TrainableBaseModel
from party.engine.trainable_fuse_model import TrainableFuseModel
from party.runtime.tables import Tables
from party.transport import answering

place = pathlib.Path(sys.argv.pop(1))

def fail():
    try:
        raise KeyError("canary-7351")
    except KeyError as error:
        raise ValueError("cannot convert string to float: 'canary-7351'") from error

def sabotage(kind, method):
    honest = getattr(kind, method)
    def sabotaged(*arguments, **options):
        if place.read_text() == f"{kind.__name__}.{method}":
            fail()
        return honest(*arguments, **options)
    setattr(kind, method, sabotaged)

for method in ("forward", "backward_and_forward", "backward"):
    sabotage(TrainableBaseModel, method)
for method in ("gradients", "apply"):
    sabotage(TrainableFuseModel, method)
sabotage(Tables, "table")

gather = PackedRows.gather
def out_of_range(self, rows):
    gathered = gather(self, rows)
    if place.read_text() == "inside of TensorFlow" and "indices" in gathered:
        gathered = {**gathered, "indices": np.full_like(gathered["indices"], 987654321)}
    return gathered
PackedRows.gather = out_of_range

InternalError, frames = answering.InternalError, answering._frames
def leaking_error(text, where):
    leaks = place.read_text() == "TrainableBaseModel.backward"
    return SplitError(str(sys.exc_info()[1])) if leaks else InternalError(text, where=where)
def leaking_frames(error):
    return [str(error)] if place.read_text() == "TrainableBaseModel.backward" else frames(error)
answering.InternalError, answering._frames = leaking_error, leaking_frames

from party.cli import main
main()
"""
PLACES = {
    "TrainableBaseModel.forward": "alice",
    "TrainableBaseModel.backward_and_forward": "alice",
    "TrainableFuseModel.gradients": "bob",
    "TrainableFuseModel.apply": "bob",  # in the background, after the reply
    "Tables.table": "alice",
    "inside of TensorFlow": "alice",
}


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory):
    """Two parties, each in a process of its own, that fail where a file tells them to."""
    folder = tmp_path_factory.mktemp("canary")
    overrides = {name: {"log_level": "debug"} for name in ("alice", "bob")}
    with Organisations(folder, overrides=overrides, training={"maximum_steps": 3}) as made:
        made.place = folder / "place"
        made.place.write_text("nowhere")
        for name in made.names:
            arguments = [str(made.place), "serve", "--config", str(made.party_path(name))]
            made.processes[name].command = [sys.executable, "-c", SABOTAGED_PARTY, *arguments]
        with made.start().connect() as parties:
            parties.align()
        yield made


def failure(organisations, call):
    """What a coordinator learns of a failed call: its error, and all that gRPC has to say of it."""
    with pytest.raises(SplitError) as caught, connect(organisations.write_run()) as parties:
        call(parties)
    return caught.value, "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value.__cause__))


def train(parties):
    parties.fit()


@pytest.mark.parametrize("place", PLACES)
def test_an_unexpected_error_keeps_its_text(sabotaged, place):
    party = PLACES[place]
    before = len(sabotaged.log(party))
    sabotaged.place.write_text(place)
    error, learned = failure(sabotaged, train)
    assert isinstance(error, InternalError), learned
    assert str(error).startswith(f"{party}: failed (")
    log = sabotaged.log(party)[before:]
    assert " failed with " in log, "the log says that and where it failed"
    assert "Traceback" not in log
    for secret in (CANARY, NUMBER):
        assert secret not in learned
        assert secret not in log


def test_the_search_would_find_the_canary(sabotaged):
    """Where only this one error is not kept inside, both places have it."""
    before = len(sabotaged.log("alice"))
    sabotaged.place.write_text("TrainableBaseModel.backward")
    _, learned = failure(sabotaged, train)
    assert CANARY in learned
    assert CANARY in sabotaged.log("alice")[before:]


def test_a_party_serves_on_after_an_unexpected_error(sabotaged):
    sabotaged.place.write_text("TrainableBaseModel.forward")
    failure(sabotaged, train)
    sabotaged.place.write_text("nowhere")
    with connect(sabotaged.write_run()) as parties:
        assert parties.fit().params["steps"] == 3


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    with Organisations(tmp_path_factory.mktemp("malformed"), training={"maximum_steps": 1}) as made:
        yield made.start_servers()


@pytest.mark.parametrize(
    ("party", "column", "count"),
    [("alice", "income", "2"), ("bob", "rating", "2"), ("alice", "ID", "1"), ("bob", "ID", "1")],
)
def test_a_malformed_cell_is_counted_and_not_repeated(organisations, caplog, party, column, count):
    frame = organisations.read_table(party, "train")
    changed = frame.copy()
    changed.loc[changed["ID"].isin(["train-00100", "train-00101"]), column] = CANARY
    organisations.write_frame(party, "train", changed)
    try:
        error, learned = failure(organisations, lambda parties: (parties.align(), parties.fit()))
    finally:
        organisations.write_frame(party, "train", frame)
    assert isinstance(error, DataError)
    assert str(error).startswith(f"{party}: ")
    assert f"received {count} " in str(error)
    assert f"{party}: train.csv: column {column}: " in caplog.text
    assert CANARY not in learned
    assert "refused: " in caplog.text
    assert CANARY not in caplog.text


SHORTEST_TELLING = 4  # shorter cells, such as a rating, are also digits of a count


@pytest.fixture(scope="module")
def pages(organisations, tmp_path_factory):
    """The pages about a run of real parties, by who made them, and the run's secrets."""
    folder = tmp_path_factory.mktemp("pages")
    with connect(organisations.write_run()) as parties:
        parties.align()
        run_id = parties.fit().run_id
        parties.evaluate("train")
        parties.predict("train")
    made = {}
    commands = [("coordinator", coordinator_main, ["report", run_id[:8], "--config", str(organisations.run_path)])]
    for name in organisations.names:
        curves = ["--curves", "train"] if name == "bob" else []
        commands.append((name, party_main, ["report", "--config", str(organisations.party_path(name)), *curves]))
    for name, command, arguments in commands:
        target = folder / f"{name}.html"
        done = CliRunner().invoke(command, [*arguments, "--output", str(target)])
        assert done.exit_code == 0, done.output
        made[name] = target.read_text()
    return made, run_id


def secrets_of(organisations, run_id):
    """Ids, cells, keys and paths that no page may hold."""
    found = {str(organisations.folder), "train.csv"}
    for name in organisations.names:
        frame = organisations.read_table(name, "train")
        cells = (cell for column in frame for cell in frame[column])
        found |= {word for cell in cells for word in cell.split("|") if len(word) >= SHORTEST_TELLING}
        record = json.loads((organisations.state_path(name) / "runs" / run_id / "record.json").read_text())
        found |= {record["secret"], record["row_key"]}
    return found


def held(page, secrets):
    return sorted(secret for secret in secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", page))


def test_no_page_holds_an_id_a_cell_a_key_or_a_path(organisations, pages):
    made, run_id = pages
    secrets = secrets_of(organisations, run_id)
    assert {"train-00100", "Köln", "film3", "drama"} <= secrets
    assert len(secrets) > 800
    for name, page in made.items():
        assert broken_laws(page) == []
        assert held(page, secrets) == [], name
    assert "ROC curve of liked" in made["bob"]
    counted = {"coordinator": "What each party released of its data", "alice": "Exact quality of the party's data"}
    assert all(words in ReadPage(made[name]).text for name, words in counted.items())


def test_the_coordinators_page_holds_no_column(organisations, pages):
    made, _ = pages
    columns = {column for name in organisations.names for column in organisations.read_table(name, "train")}
    assert held(made["coordinator"], columns - {"ID"}) == []
    assert held(made["alice"], columns) == ["city", "income"], "an owner's own page names its own features"


def test_the_search_would_find_a_cell_in_a_page(organisations, pages):
    made, run_id = pages
    page = made["bob"].replace("</main>", "<p>train-00100 film3</p></main>")
    assert held(page, secrets_of(organisations, run_id)) == ["film3", "train-00100"]


def test_a_party_states_exactly_what_it_sent(organisations, pages):
    """The sizes in the page of a party are those of the messages that the coordinator relayed."""
    made, run_id = pages
    sent = {name: read_sent(organisations.state_path(name) / "runs" / run_id)[0] for name in ("alice", "bob")}
    assert {session.purpose for session in sent.values()} == {"train"}
    relayed = json.loads((organisations.runs_path / run_id / "history.json").read_text())["message_bytes"]
    kinds = ("hidden", "gradient", "decision")
    sealed = [one for session in sent.values() for one in session.sent if one.kind in kinds]
    messages, size = sum(one.messages for one in sealed), sum(one.bytes for one in sealed)
    assert 0 < relayed - size < 100 * messages, "an envelope adds names, place and nonce"
    words = " ".join(ReadPage(made["alice"]).text.split())
    counts = read_ledger(organisations.state_path("alice"))[-1].releases
    assert counts["hiddens"] > 0
    assert "hiddens train bob" in words
    assert "What left the building" in words


@pytest.mark.parametrize("level", ["warnings", "shares"])
def test_the_quality_of_data_names_no_column_and_shows_no_cell(organisations, caplog, level):
    """A column of one canary, and a canary that tells the label: both are warned of, and neither leaves."""
    frames = {name: organisations.read_table(name, "train") for name in organisations.names}
    likes = frames["bob"]["rating"] > "3"
    organisations.write_frame("alice", "train", frames["alice"].assign(city=CANARY))
    organisations.write_frame("bob", "train", frames["bob"].assign(film=likes.map({True: CANARY, False: "other"})))
    for name in organisations.names:
        organisations.write_party(name, policy={"data_quality": level})
        organisations.servers[name].revise(load_party_configuration(organisations.party_path(name)))
    recorder = Recorder()
    try:
        with Relay(organisations.write_run(), recorder) as parties:
            lines = "\n".join(alignment_lines(parties.align()))
    finally:
        for name, frame in frames.items():
            organisations.write_frame(name, "train", frame)
    sent = b"".join(recorder.messages)
    assert "1 feature is constant" in lines
    assert "data of bob" in lines
    for secret in (CANARY, "city", "income", "film", "genres", "rating", "liked"):
        assert secret not in lines
        assert secret.encode() not in sent
        assert secret not in caplog.text
