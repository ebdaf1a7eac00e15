"""What a coordinator is told of metrics by a party with the default policy, and what that party keeps itself."""

import csv
import json
import logging
import stat
from decimal import Decimal

import numpy as np
import pytest

from coordinator.connecting import connect_federation
from coordinator.current_display import CurrentDisplay
from coordinator.exchanges import run_exchanges
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.metrics.bounded_figures import area_bound
from party.metrics.grid import grid_step
from party.pb.handshake_pb2 import Purpose
from tests.support.organisations import Organisations, make_frames
from tests.support.relaying import Relay
from tests.support.resuming import Lines

EPOCHS = 3
EARLY = {"metric": "val_loss", "patience": EPOCHS}
TRAINING = {"epochs": EPOCHS, "validation_fraction": 0.2223, "batch_size": 31, "early_stopping": EARLY}
TOLD = ["loss", "auc"]
HELD_OUT_TOLD = "val_loss"  # of 186 rows; an area over 73 of one class would be told in steps of a half
EXACT = ["loss", "auc", "precision", "recall"]
LEAST_ROWS_OF_A_LOSS = 160  # with a step of 0.2; of fewer it would be 0.5, as wide as what models differ by
DEFAULTS = {name: {"policy": None} for name in ("alice", "bob")}


class Reports:
    """Keeps what the label party reports while a run goes on; asks after every step."""

    def __init__(self):
        self.training, self.evaluations = [], []

    def __call__(self, send, party, method, request):
        reply = send(request)
        if party == "bob" and method == "Report":
            kept = self.evaluations if reply.HasField("evaluation") else self.training
            kept.append(reply)
        return reply


@pytest.fixture(scope="module", autouse=True)
def asked_after_every_batch():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coordinator.training.REPORT_SECONDS", 0.0)
        yield


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"), rows=900, datasets=("train", "test"))
    with Organisations(tmp_path_factory.mktemp("told"), frames=frames, training=TRAINING, overrides=DEFAULTS) as made:
        made.start_servers()
        with connect_federation(made.write_run()) as parties:
            parties.align()
        yield made


class Run:
    """A run with its reports, its lines at the coordinator and at the label party, and two evaluations."""

    def __init__(self, organisations):
        self.reports, self.lines, self.log = Reports(), [], []
        handler = logging.Handler()
        handler.emit = lambda record: self.log.append(record.getMessage())
        logger = logging.getLogger("party")
        level = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            with Relay(organisations.write_run(), self.reports) as relay:
                relay._display = CurrentDisplay(lambda: Lines(self.lines))
                self.history = relay.fit()
                self.evaluated = [relay.evaluate(), relay.evaluate()]
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
        self.folder = organisations.state_path("bob") / "runs" / self.history.run_id
        self.coordinator_folder = organisations.runs_path / self.history.run_id
        self.own = json.loads((self.folder / "history.json").read_text())


@pytest.fixture(scope="module")
def run(organisations):
    return Run(organisations)


def labels(organisations, dataset):
    tables = [organisations.read_table(name, dataset).set_index("ID") for name in ("alice", "bob")]
    common = tables[1].index.intersection(tables[0].index)
    return (tables[1].loc[common, "rating"].astype(float) > 3).to_numpy()


def test_only_whole_passes_are_told_and_the_best_epoch_at_the_end(run):
    assert len(run.reports.training) > EPOCHS
    for report in run.reports.training:
        assert not report.running_metrics
        assert not report.HasField("running")
        assert len(report.steps) == 0
    best = [report.HasField("best_epoch") for report in run.reports.training]
    ended = [len(one.epochs) == EPOCHS and one.epochs[-1].HasField("validation") for one in run.reports.training]
    assert any(ended)
    assert best[-1]
    assert not any(told and not end for told, end in zip(best, ended, strict=True))
    assert run.history.step_loss == []
    assert run.history.best_epoch == run.own["best_epoch"] is not None


def test_told_figures_are_coarse_and_beside_the_exact_ones(organisations, run):
    assert list(run.history.history) == [*TOLD, HELD_OUT_TOLD]
    rows = {"": run.history.samples // EPOCHS}
    rows["val_"] = len(labels(organisations, "train")) - rows[""]
    for prefix, count in rows.items():
        step = grid_step(4 / count, count).size
        for told, exact in zip(run.history.history[f"{prefix}loss"], run.own["history"][f"{prefix}loss"], strict=True):
            assert Decimal(repr(told)) % Decimal(repr(step)) == 0
            assert abs(told - exact) < step
            assert told != exact


def test_a_figure_whose_step_would_tell_nothing_is_withheld_by_name(organisations, run):
    held_out = len(labels(organisations, "train")) - run.history.samples // EPOCHS
    reason = f"too coarse after {EPOCHS} releases over {held_out} rows"
    assert run.history.withheld == {"val_auc": reason}
    assert run.history.undefined == []
    stored = json.loads((run.coordinator_folder / "history.json").read_text())
    assert stored["withheld"] == run.history.withheld
    assert "val_auc" not in stored["history"]
    assert run.lines.count(f"withheld: val_auc: {reason}; the label party's own record has them") == 1
    assert all(0 < value < 1 for value in run.own["history"]["val_auc"])


def test_evaluations_are_told_coarse_and_kept_exact(organisations, run):
    truth = labels(organisations, "test")
    bound = area_bound(int(truth.sum()), int((~truth).sum()))
    steps = {"loss": grid_step(4 / len(truth), len(truth)).size, "auc": grid_step(bound, len(truth)).size}
    first, second = run.evaluated
    kept = [json.loads(line) for line in (run.folder / "evaluations.jsonl").read_text().splitlines()]
    assert [one["dataset"] for one in kept] == ["test", "test"]
    assert [one["rows"] for one in kept] == [len(truth)] * 2
    assert list(kept[0]["metrics"]) == EXACT
    assert kept[0]["metrics"] == kept[1]["metrics"]
    assert [one["told"] for one in kept] == [first, second]
    for told in (first, second):
        assert list(told) == TOLD
        for name, value in told.items():
            assert Decimal(repr(value)) % Decimal(repr(steps[name])) == 0
            assert 0 < abs(value - kept[0]["metrics"][name]) < steps[name]


def test_the_label_party_keeps_everything_exact(run):
    assert list(run.own["history"]) == [*EXACT, *(f"val_{name}" for name in EXACT)]
    assert run.own["epoch"] == list(range(EPOCHS))
    assert run.own["samples"] == run.history.samples
    with (run.folder / "steps.csv").open(newline="") as file:
        steps = [(int(row["step"]), int(row["rows"]), float(row["loss"])) for row in csv.DictReader(file)]
    assert steps[-1][0] == run.history.params["steps"] - 1
    for epoch, part in enumerate(np.array_split(np.array(steps), EPOCHS)):
        assert np.average(part[:, 2], weights=part[:, 1]) == pytest.approx(run.own["history"]["loss"][epoch])
    for name in ("history.json", "steps.csv", "evaluations.jsonl"):
        assert stat.S_IMODE((run.folder / name).stat().st_mode) == 0o600
    kept = {path.name for path in run.coordinator_folder.iterdir()}
    assert kept == {"evaluations.jsonl", "history.json", "parties.json", "run.json"}


def test_the_label_party_logs_exact_figures_and_what_is_not_told(run):
    for epoch in range(EPOCHS):
        figures = "  ".join(f"{name} {series[epoch]:.6g}" for name, series in run.own["history"].items())
        assert f"run {run.history.run_id[:8]}: epoch {epoch + 1}: {figures}" in run.log
    evaluated = json.loads((run.folder / "evaluations.jsonl").read_text().splitlines()[0])["metrics"]
    figures = "  ".join(f"{name} {value:.6g}" for name, value in evaluated.items())
    assert run.log.count(f"run {run.history.run_id[:8]}: evaluation of test: {figures}") == 2
    assert any("not released to the coordinator" in line and "precision, recall" in line for line in run.log)


def test_a_person_at_the_coordinator_is_told_once_why_no_loss_is_shown(run):
    why = "no loss is shown while an epoch is under way: policy.running_metrics is off at label party bob"
    assert run.lines.count(why) == 1
    for epoch in range(EPOCHS):
        figures = "  ".join(f"{name} {series[epoch]:g}" for name, series in run.history.history.items())
        assert f"epoch {epoch + 1}: {figures}  val_auc withheld" in run.lines


def test_measuring_tells_no_metrics(organisations):
    with connect_federation(organisations.write_run({"maximum_steps": 4})) as parties:
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_MEASURE,
            run_id=new_run_id(),
            lease=parties._journal.lease,
            configuration=run.to_bytes(),
        )
        with CoordinatedSession(parties._clients, run, proposal) as session:
            run_exchanges(session, lambda _: None)
            reply = session.label.report(session.reference, steps_seen=0)
    assert len(reply.timings) > 0
    told = {field.name for field, _ in reply.ListFields()}
    assert told <= {"timings", "codecs"}


@pytest.fixture
def with_policy(organisations):
    """Starts bob again with a policy; as before afterwards."""

    def restart(**policy):
        organisations.stop_server("bob")
        organisations.write_party("bob", policy=policy or None)
        organisations.start_server("bob")

    yield restart
    restart()


def test_running_metrics_are_an_opt_in_and_rounded_too(organisations, with_policy):
    with_policy(running_metrics=True)
    run = Run(organisations)
    running = [report.running for report in run.reports.training if report.HasField("running")]
    assert running
    for one in running:
        step = Decimal(repr(grid_step(4 / one.rows, one.rows).size))
        told = {value.name: value.value for value in one.values}
        assert ("loss" in one.withheld) == ("loss" not in told) == (one.rows < LEAST_ROWS_OF_A_LOSS)
        assert Decimal(repr(told.get("loss", 0.0))) % step == 0
    assert {bool(one.withheld) for one in running} == {True, False}
    assert not any(len(report.steps) for report in run.reports.training)
    assert not any("no loss is shown" in line for line in run.lines)


def test_exact_metrics_are_an_opt_in(organisations, with_policy):
    with_policy(running_metrics=True, exact_metrics=True)
    run = Run(organisations)
    assert run.history.history == run.own["history"]
    assert sum(rows for _, rows, _ in run.history.step_loss) == run.history.samples
    kept = json.loads((run.folder / "evaluations.jsonl").read_text().splitlines()[0])
    assert kept["told"] == kept["metrics"] == run.evaluated[0]
