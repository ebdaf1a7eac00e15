"""A federation of processes that is watched in every way there is, while it trains."""

import csv
import itertools
import json
import math
import re
import subprocess
import threading

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from coordinator import connect
from party.errors import ConfigurationError
from party.runtime.own_events import EVENTS_FOLDER
from tests.support.commands import run_party, start_coordinator
from tests.support.documents import ROOT, table
from tests.support.event_reading import scalars
from tests.support.mlflow_server import mlflow_server
from tests.support.organisations import Organisations, make_frames
from tests.support.scraping import announced, json_lines, names, samples, scrape, value

ANY_PORT = {"listen": "127.0.0.1:0"}
EPOCHS, STEPS, ROWS = 3, 30, 298
HELD_OUT = 74
DASHBOARD = ROOT / "deploy" / "grafana" / "splitrain.json"
METRIC = re.compile(r"splitrain_\w+")
READY = "is ready on"
SCRAPE_SECONDS = 0.05


class WatchedRun:
    """A run in processes of its own, and all that somebody saw who read every port all the time."""

    def __init__(self, organisations, mlflow):
        self.organisations, self.mlflow = organisations, mlflow
        self.pages = {name: [] for name in ("alice", "bob", "coordinator")}
        self.ports = {name: announced(organisations.log(name), "metrics are") for name in organisations.names}
        process = start_coordinator(organisations, "train")
        first = process.stderr.readline()
        self.ports["coordinator"] = announced(first, "metrics are")
        rest = []
        reading = threading.Thread(target=lambda: rest.append(process.stderr.read()))
        reading.start()
        while not self._ends_within(process, SCRAPE_SECONDS):
            self._scrape()
        reading.join()
        self.output, self.log = process.stdout.read(), first + rest[0]
        process.stdout.close()
        process.stderr.close()
        assert process.returncode == 0, self.log
        self.run_id = re.search(r"^run ([0-9a-f]{32})$", self.output, re.MULTILINE)[1]
        for name in organisations.names:
            self.pages[name].append(scrape(self.ports[name]))

    @staticmethod
    def _ends_within(process, seconds):
        try:
            return process.wait(seconds) is not None
        except subprocess.TimeoutExpired:
            return False

    def _scrape(self):
        for name, pages in self.pages.items():
            try:
                pages.append(scrape(self.ports[name]))
            except OSError:
                assert name == "coordinator"  # its port closes when the run ends

    def last(self, name):
        return self.pages[name][-1]

    def folder(self, name):
        if name == "coordinator":
            return self.organisations.runs_path / self.run_id
        return self.organisations.state_path(name) / "runs" / self.run_id


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    ways = {"health": ANY_PORT, "prometheus": ANY_PORT, "log_format": "json"}
    policy = {"minimum_metric_rows": 1}
    overrides = {"alice": ways, "bob": {**ways, "policy": policy, "tensorboard": True}}
    training = {"epochs": EPOCHS, "validation_fraction": 0.2, "codecs": {"hidden": {"kind": "float16"}}}
    store = tmp_path_factory.mktemp("mlflow")
    with (
        mlflow_server(store) as (address, mlflow),
        Organisations(tmp_path_factory.mktemp("watched"), training=training, overrides=overrides) as organisations,
    ):
        organisations.start()
        organisations.write_run()
        with connect(organisations.run_path) as parties:
            parties.align()
        organisations.write_run(
            prometheus=ANY_PORT,
            tensorboard=True,
            mlflow={"tracking_uri": address, "experiment": "films"},
            log_format="json",
            checkpoints={"every_steps": 10},
        )
        yield WatchedRun(organisations, mlflow)


def health(port, service):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        return HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=30).status


@pytest.mark.parametrize("service", ["", "live", "ready", "split.v1.Party"])
def test_a_party_that_serves_is_healthy_under_every_name(watched, service):
    for name in watched.organisations.names:
        port = announced(watched.organisations.log(name), "health is answered")
        assert health(port, service) == HealthCheckResponse.SERVING


def test_counts_of_parties_and_coordinator_are_those_of_the_run(watched):
    alice, bob, driver = (watched.last(name) for name in ("alice", "bob", "coordinator"))
    for page in (alice, bob):
        assert value(page, "splitrain_steps_total") == STEPS
        assert value(page, "splitrain_sessions_total") == 2, "the alignment and the run"
        assert value(page, "splitrain_checkpoints_total") == STEPS / 10
        assert value(page, "splitrain_checkpoint_bytes_total") > 1000
        assert value(page, "splitrain_session_phase", phase="idle") == 1
        assert value(page, "splitrain_process_resident_memory_bytes") > 1e8
    assert value(alice, "splitrain_sent_rows_total", kind="hiddens") == EPOCHS * (ROWS + HELD_OUT)
    assert value(bob, "splitrain_sent_rows_total", kind="gradients") == EPOCHS * ROWS
    for codec in ("float16", "float32"):
        sent = value(alice, "splitrain_message_bytes_total", direction="sent", codec=codec)
        assert sent == value(bob, "splitrain_message_bytes_total", direction="received", codec=codec) > 0
    history = json.loads((watched.folder("coordinator") / "history.json").read_text())
    sizes = [one for (name, _), one in samples(bob).items() if name == "splitrain_message_bytes_total"]
    assert sum(sizes) == history["message_bytes"]
    assert value(driver, "splitrain_run_steps") in (0, STEPS)
    assert sum(value(watched.last("bob"), "splitrain_ledger_lines", event=one) for one in ("opened", "ended")) == 4
    stages = {dict(labels)["stage"] for name, labels in samples(bob) if name == "splitrain_stage_seconds_total"}
    assert {"fuse", "open", "seal", "own base", "own update"} <= stages


def test_counts_never_fall_and_a_run_is_seen_while_it_trains(watched):
    for name, pages in watched.pages.items():
        counts = [{key: one for key, one in samples(page).items() if key[0].endswith("_total")} for page in pages]
        for before, after in itertools.pairwise(counts):
            assert all(after[key] >= one for key, one in before.items()), name
    assert any(value(page, "splitrain_session_phase", phase="ready") for page in watched.pages["bob"])
    assert any(value(page, "splitrain_run_phase", phase="training") for page in watched.pages["coordinator"])
    assert any(0 < value(page, "splitrain_run_step") <= STEPS for page in watched.pages["coordinator"])


def numbers(figures):
    return [one for one in figures if one is not None and 1e-9 < abs(one) < 1]


def test_every_metric_is_documented_and_every_documented_one_is_there(watched):
    """Whoever adds one has to say in docs what it shows, and so whom it may tell of what."""
    text = (ROOT / "docs" / "operations.md").read_text()
    documented = {name.strip("`") for name, *_ in table(text, "Prometheus", "metric")}
    shown = {name for pages in watched.pages.values() for name in names(pages[-1])}
    assert {name for name in shown if not name.startswith("splitrain_process_")} == documented


def test_whoever_reads_every_port_all_the_time_learns_no_figure_of_the_labels(watched):
    """No exact or running metric, no loss of a batch, and no digit of one that was not released."""
    with (watched.folder("bob") / "steps.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == STEPS
    secret = numbers(losses)
    for name in ("bob", "coordinator"):
        history = json.loads((watched.folder(name) / "history.json").read_text())["history"]
        secret += numbers(one for series in history.values() for one in series)
    shown = [one for pages in watched.pages.values() for page in pages for one in samples(page).values()]
    assert not any(math.isclose(one, other, rel_tol=1e-9) for one in set(shown) for other in secret)


def test_ports_and_logs_name_no_row_cell_column_file_or_run(watched):
    frames = make_frames(("alice", "bob"))
    cells = {text for frame in frames.values() for column in frame["train"] for text in frame["train"][column] if text}
    named = {column for frame in frames.values() for column in frame["train"]} | {"liked"}
    organisations = watched.organisations
    for pages in watched.pages.values():
        for page in pages:
            shown = {text for name, labels in samples(page) for pair in labels for text in pair} | names(page)
            assert not shown & (cells | named)
            assert str(organisations.folder) not in page
            assert watched.run_id[:8] not in page
    ids = {text for frame in frames.values() for text in frame["train"]["ID"]}
    log = watched.log + "".join(organisations.log(name) for name in organisations.names)
    assert not any(one in log for one in ids)


def test_the_dashboard_shows_metrics_that_there_are(watched):
    dashboard = json.loads(DASHBOARD.read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked = {name for expression in expressions for name in METRIC.findall(expression)}
    shown = {name for pages in watched.pages.values() for page in pages for name in names(page)}
    assert len(expressions) > 10
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    covered = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(covered) == len(set(covered)), "no panel hides another one"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
    assert asked - shown == set()
    labels = {pair[0] for pages in watched.pages.values() for _, found in samples(pages[-1]) for pair in found}
    grouped = {one for text in expressions for by in re.findall(r"by \(([^)]*)\)", text) for one in by.split(", ")}
    assert grouped - labels <= {"job", "instance"}


def test_logs_are_json_lines_with_run_and_step(watched):
    for name in watched.organisations.names:
        log = "\n".join(line for line in watched.organisations.log(name).splitlines() if READY not in line)
        lines = json_lines(log)
        assert {line["party"] for line in lines} == {name}
        assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
        (done,) = [line for line in lines if "finished, wrote" in line["message"] and line["run"] in watched.run_id]
        assert done["step"] == STEPS
    lines = json_lines(watched.log)
    assert {line["coordinator"] for line in lines} == {"coordinator"}
    assert [line["step"] for line in lines if "epoch 3:" in line["message"]] == [STEPS]
    assert watched.output.startswith("run "), "results stay on standard output"


@pytest.mark.parametrize("name", ["bob", "coordinator"])
def test_event_files_hold_each_sides_own_figures(watched, name):
    """The label party's are exact, the coordinator's rounded as they were released."""
    history = json.loads((watched.folder(name) / "history.json").read_text())["history"]
    found = scalars(watched.folder(name) / EVENTS_FOLDER)
    for metric, series in history.items():
        expected = [(epoch, one) for epoch, one in enumerate(series, start=1) if one is not None]
        assert [step for step, _ in found.get(metric, [])] == [epoch for epoch, _ in expected]
        assert [one for _, one in found.get(metric, [])] == pytest.approx([one for _, one in expected], rel=1e-6)
    assert (
        found["loss"]
        != scalars(watched.folder("bob" if name == "coordinator" else "coordinator") / EVENTS_FOLDER)["loss"]
    )
    assert ("samples_per_second" in found) == (name == "coordinator")
    files = list((watched.folder(name) / EVENTS_FOLDER).iterdir())
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]


def test_mlflow_has_parameters_released_metrics_and_the_history(watched):
    (run,) = watched.mlflow.runs
    assert watched.mlflow.experiments == {"films": run["info"]["experiment_id"]}
    assert run["tags"]["splitrain.run_id"] == watched.run_id
    assert run["info"]["status"] == "FINISHED"
    assert run["params"]["training.epochs"] == str(EPOCHS)
    assert run["params"]["training.codecs.hidden.kind"] == "float16"
    written = (watched.folder("coordinator") / "history.json").read_bytes()
    history = json.loads(written)["history"]
    for metric, series in history.items():
        expected = [(metric, epoch, one) for epoch, one in enumerate(series, start=1) if one is not None]
        assert [one for one in run["metrics"] if one[0] == metric] == expected
    assert (watched.mlflow.folder / "0" / "history.json").read_bytes() == written
    sent = {name.partition(".")[0] for name in run["params"]}
    assert sent == {"parties", "label_party", "alignment", "training"}


def test_a_server_that_fails_later_ends_no_run_and_the_next_run_is_refused_early(watched):
    """Whoever names a server wants it: a run does not begin without it, but a long one goes on without it."""
    organisations, mlflow = watched.organisations, watched.mlflow
    lines = []
    with connect(organisations.run_path) as parties:
        begin = mlflow.runs_create
        mlflow.runs_create = lambda body: None
        parties.watch._notify = lines.append
        assert parties.fit().params["epochs"] == EPOCHS
        mlflow.runs_create = begin
        mlflow.fails = True
        with pytest.raises(ConfigurationError, match="mlflow: the experiment cannot be used"):
            parties.fit()
        mlflow.fails = False
    assert [line for line in lines if line.startswith("mlflow: nothing more is written of this run: ")]
    assert len([one for one in organisations.runs_path.iterdir() if one.is_dir()]) == 2


def test_health_of_the_tls_port_has_an_exit_code(watched):
    organisations = watched.organisations
    copy = organisations.party_path("alice").with_suffix(".health.yaml")
    listen = f"127.0.0.1:{organisations.ports['alice']}"
    copy.write_text(
        organisations.party_path("alice").read_text().replace("listen: 127.0.0.1:0\n", f"listen: {listen}\n", 1)
    )
    copy.chmod(0o600)
    assert run_party("health", "--config", copy).returncode == 0
