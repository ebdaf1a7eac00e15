"""One federation of `party serve` processes, driven and inspected by the commands that its people use."""

import csv
import json
import math
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from coordinator.figures import figure_text
from party.output.quantities import bytes_text, seconds_text
from tests.support.commands import expect_error, run_party
from tests.support.hand_combined import common_ids, labels, metrics, probabilities
from tests.support.json_keys import documented_keys, undocumented
from tests.support.live_terminal import run_on_terminal
from tests.support.organisations import Organisations, make_frames

EPOCHS = 2
BATCH_SIZE = 32
VALIDATION_FRACTION = 0.1
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    frames = make_frames(("alice", "bob"), datasets=("train", "test"))
    training = {
        "epochs": EPOCHS,
        "batch_size": BATCH_SIZE,
        "validation_fraction": VALIDATION_FRACTION,
        "optimizer": {"name": "adam", "learning_rate": 0.02},
    }
    with Organisations(tmp_path_factory.mktemp("commands"), frames=frames, training=training) as federation:
        federation.start().write_run()
        yield federation


def succeed(organisations, *arguments):
    done = organisations.coordinator(*arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def party_command(organisations, name, *arguments):
    command = [sys.executable, "-m", "party", *arguments, "--config", str(organisations.party_path(name))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def export_at_once(organisations, names, *arguments):
    with ThreadPoolExecutor() as threads:
        started = {name: threads.submit(party_command, organisations, name, "export", *arguments) for name in names}
    return {name: one.result() for name, one in started.items()}


def test_health_is_asked_without_a_right_and_leaves_no_line_in_the_log(organisations):
    for name in organisations.names:
        copy = organisations.party_path(name).with_suffix(".health.yaml")
        listen = f"0.0.0.0:{organisations.ports[name]}"
        copy.write_text(organisations.party_path(name).read_text().replace("127.0.0.1:0", listen))
        copy.chmod(0o600)
        done = run_party("health", "--config", copy)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        assert done.stdout == f"party {name} answers on 127.0.0.1:{organisations.ports[name]}\n"
    assert succeed(organisations, "status").count(" idle ") == 2
    assert not any("handshake" in organisations.log(name).lower() for name in organisations.names)


@pytest.fixture(scope="module")
def aligned(organisations):
    return succeed(organisations, "align")


@pytest.fixture(scope="module")
def trained(organisations, aligned):
    return succeed(organisations, "train")


@pytest.fixture(scope="module")
def run_id(trained):
    return re.search(r"^run ([0-9a-f]{32})$", trained, re.MULTILINE)[1]


@pytest.fixture(scope="module")
def predicted(organisations, run_id):
    return succeed(organisations, "predict")


def run_folder(organisations, name, run_id):
    return organisations.state_path(name) / "runs" / run_id


def read_predictions(organisations, run_id, dataset="test"):
    path = run_folder(organisations, "bob", run_id) / f"predictions-{dataset}.csv"
    return pd.read_csv(path, dtype={"ID": str})


def test_a_party_says_where_it_is_ready(organisations):
    log = organisations.folder / "second.log"
    other = organisations.party_path("bob").with_name("second.yaml")
    text = organisations.party_path("bob").read_text()
    other.write_text(text.replace("state: state", "state: second"))
    other.chmod(0o600)
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "party", "serve", "--config", str(other)], stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        line = process.stdout.readline().decode()
        process.terminate()
        rest = process.stdout.read()
    assert re.fullmatch(r"party bob \(label party\) is ready on 127\.0\.0\.1:[1-9]\d*\n", line), log.read_text()
    assert (process.returncode, rest) == (0, b"")
    assert "pinned_secret is for tests and demonstrations" in log.read_text()


def test_align_prints_the_rows_of_every_party_and_in_common(organisations, aligned):
    expected = []
    for dataset in ("test", "train"):
        expected.append(f"dataset {dataset}")
        for name in ("alice", "bob"):
            expected.append(f"  {name:<20} {len(organisations.read_table(name, dataset)):>12,} rows")
        expected.append(f"  {'in common':<20} {len(common_ids(organisations, dataset)):>12,} rows")
        expected += [f"  {f'data of {name}':<20} nothing amiss" for name in ("alice", "bob")]
    assert aligned.splitlines()[-len(expected) :] == expected


def test_align_uses_an_alignment_again_unless_forced(organisations, aligned):
    again = succeed(organisations, "align")
    assert again.count("  aligned before, and still valid: reused (--force aligns again)\n") == 2
    assert "in common" not in again
    forced = succeed(organisations, "align", "--force")
    assert "reused" not in forced
    assert forced.count("in common") == 2


def test_train_prints_what_the_history_holds(organisations, trained, run_id):
    folder = organisations.runs_path / run_id
    assert f"wrote {folder / 'history.json'}\n" in trained
    history = json.loads((folder / "history.json").read_text())
    assert history["run_id"] == run_id
    assert history["epoch"] == [0, 1]
    assert set(history["history"]) == {
        prefix + name for prefix in ("", "val_") for name in ("loss", "auc", "precision", "recall")
    }
    for epoch in range(EPOCHS):
        values = {name: series[epoch] for name, series in history["history"].items()}
        text = "  ".join(f"{name} {figure_text(value)}" for name, value in values.items())
        assert f"epoch {epoch + 1}: {text}\n" in trained
    rows = len(common_ids(organisations, "train"))
    training_rows = rows - math.floor(VALIDATION_FRACTION * rows)
    assert history["params"] == {"epochs": EPOCHS, "steps": EPOCHS * math.ceil(training_rows / BATCH_SIZE)}
    assert history["samples"] == EPOCHS * training_rows
    assert f"{history['samples']:,} samples in {seconds_text(history['seconds'])}: " in trained
    assert f" {bytes_text(history['bytes_per_sample'])} of messages per sample" in trained
    assert history["message_bytes"] / history["samples"] == pytest.approx(history["bytes_per_sample"])


def test_steps_add_up_to_the_epochs(organisations, run_id):
    folder = run_folder(organisations, "bob", run_id)
    history = json.loads((organisations.runs_path / run_id / "history.json").read_text())
    with (folder / "steps.csv").open(newline="") as file:
        steps = [(int(row["step"]), int(row["rows"]), float(row["loss"])) for row in csv.DictReader(file)]
    assert [step for step, _, _ in steps] == list(range(history["params"]["steps"]))
    assert sum(rows for _, rows, _ in steps) == history["samples"]
    for epoch, part in enumerate(np.array_split(np.array(steps), EPOCHS)):
        mean = np.average(part[:, 2], weights=part[:, 1])
        assert mean == pytest.approx(history["history"]["loss"][epoch], abs=TOLERANCE)


def test_predictions_hold_the_ids_in_common_at_the_label_party(organisations, run_id, predicted):
    frame = read_predictions(organisations, run_id)
    assert f"{len(frame):,} predictions in predictions-test.csv at party bob\n" in predicted
    assert list(frame.columns) == ["ID", "probability"]
    assert frame["ID"].tolist() == common_ids(organisations, "test")
    assert frame["probability"].between(0, 1, inclusive="neither").all()
    assert frame["probability"].std() > 0.001
    found = {path.relative_to(organisations.folder).parts[:2] for path in organisations.folder.rglob("predictions*")}
    assert found == {("bob", "state")}


def test_saved_keras_models_combined_by_hand_predict_the_same(organisations, run_id, predicted):
    bases = {
        name: keras.models.load_model(run_folder(organisations, name, run_id) / "base.keras")
        for name in organisations.names
    }
    fuse = keras.models.load_model(run_folder(organisations, "bob", run_id) / "fuse.keras")
    expected = probabilities(organisations, "test", bases, fuse)
    received = read_predictions(organisations, run_id)["probability"]
    np.testing.assert_allclose(received, expected, rtol=0, atol=TOLERANCE)


def test_exported_saved_models_combined_by_hand_predict_the_same(organisations, run_id, predicted):
    output = organisations.folder / "exported"
    models = {"alice": ["base"], "bob": ["base", "fuse"]}
    endpoints = {}
    for name, done in export_at_once(organisations, models, "--output", str(output), "--run", run_id[:8]).items():
        assert done.returncode == 0, done.stderr
        assert done.stdout == "".join(f"wrote {output / f'{name}-{model}'}\n" for model in models[name])
        for model in models[name]:
            endpoints[name, model] = tf.saved_model.load(output / f"{name}-{model}")
    bases = {name: endpoints[name, "base"].serve for name in organisations.names}
    expected = probabilities(organisations, "test", bases, endpoints["bob", "fuse"].serve)
    received = read_predictions(organisations, run_id)["probability"]
    np.testing.assert_allclose(received, expected, rtol=0, atol=TOLERANCE)

    for name, done in export_at_once(organisations, models, "--output", str(output)).items():
        assert done.returncode == 12
        assert done.stderr.splitlines()[-1].startswith(f"error: {output / f'{name}-base'}: is in the way; ")
        assert "Traceback" not in done.stderr


def test_evaluate_prints_the_metrics_of_the_predictions(organisations, run_id, predicted):
    printed = succeed(organisations, "evaluate", "--run", run_id[:6])
    received = dict(line.split() for line in printed.splitlines()[-4:])
    probability = read_predictions(organisations, run_id)["probability"].to_numpy()
    expected = metrics(probability, labels(organisations, "test"))
    assert list(received) == list(expected)
    assert {name: float(value) for name, value in received.items()} == pytest.approx(expected, abs=2e-6)
    assert expected["auc"] > 0.5


def test_status_shows_every_party_and_run(organisations, run_id):
    lines = succeed(organisations, "status").splitlines()
    for line, name, role in zip(lines[1:], ("alice", "bob"), ("feature party", "label party"), strict=False):
        rows = ", ".join(f"{dataset} {len(organisations.read_table(name, dataset)):,}" for dataset in ("test", "train"))
        assert re.fullmatch(rf"{name} +{role} +\d\S+ +idle +{rows}", line)
    runs = [line.split() for line in lines[lines.index("") + 3 :]]
    assert [run_id, "trained"] in [run[:2] for run in runs]


def test_status_shows_a_party_that_cannot_be_reached(organisations):
    ports = {**organisations.ports, "alice": 1}
    organisations.write_run(ports=ports)
    done = organisations.coordinator("status")
    organisations.write_run()
    _, alice, bob, problem, _, runs, *_ = done.stdout.splitlines()
    assert re.fullmatch(r"alice +- +- +does not answer as it should +-", alice)
    assert re.match(r"bob +label party .* idle ", bob)
    assert "party alice at 127.0.0.1:1: cannot be reached: the connection is refused" in problem
    assert " run" in runs
    expect_error(done, 5, "1 of 2 parties do not answer as they should: alice; see the lines above")


def test_check_prints_what_a_party_would_serve(organisations):
    done = party_command(organisations, "bob", "check")
    assert (done.returncode, done.stderr) == (0, "")
    frame = organisations.read_table("bob", "train")
    assert "party bob (label party)\n" in done.stdout
    assert "certificate name bob, expires " in done.stdout
    assert f"train: train.csv, {len(frame):,} rows" in done.stdout
    positive = 100 * (frame["rating"].astype(float) > 3).mean()
    assert f"label liked, rating > 3: {positive:.1f} % positive" in done.stdout
    vocabulary = 2 + frame["film"].nunique()
    missing = (frame["genres"] == "").sum()
    assert re.search(rf"film\b.*vocabulary\b.* {vocabulary}\b.* 0\b", done.stdout)
    assert re.search(rf"genres\b.*multi_hot\b.* {missing}\b", done.stdout)


def test_everything_written_is_for_its_owner_alone(organisations, run_id, predicted):
    folders = [organisations.runs_path, *map(organisations.state_path, organisations.names)]
    written = [path for folder in folders for path in folder.rglob("*")]
    assert len(written) > 10
    for path in written:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert not [path for path in written if path.name.endswith(".partial")]


def test_every_party_keeps_its_own_model(organisations, run_id):
    own = {"record.json", "requests.journal", "weights.npz", "encoders.json", "base.keras", "sent.jsonl"}
    names = {path.name for path in run_folder(organisations, "alice", run_id).iterdir()}
    assert names - {"checkpoints"} == own
    names = {path.name for path in run_folder(organisations, "bob", run_id).iterdir()}
    figures = {"history.json", "steps.csv"}
    assert names - {"checkpoints", "predictions-test.csv", "evaluations.jsonl"} == own | figures | {"fuse.keras"}
    with np.load(run_folder(organisations, "bob", run_id) / "weights.npz") as archive:
        base = keras.models.load_model(run_folder(organisations, "bob", run_id) / "base.keras")
        np.testing.assert_array_equal(base.get_layer("factors").get_weights()[0], archive["base/factors"])


def document(organisations, *arguments):
    done = organisations.coordinator(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return checked(json.loads(done.stdout))


def checked(content):
    """A document, each of whose keys docs/json.md names."""
    assert undocumented(content, documented_keys()[content["command"]]) == []
    return content


def test_documents_have_the_facts_that_are_printed(organisations, run_id, predicted, tmp_path):
    printed = succeed(organisations, "evaluate", "--run", run_id)
    evaluated = document(organisations, "evaluate", "--run", run_id)
    shown = dict(line.split() for line in printed.splitlines()[-4:])
    assert {name: figure_text(value, 6) for name, value in evaluated["metrics"].items()} == shown
    assert (evaluated["run_id"], evaluated["rows"]) == (run_id, len(common_ids(organisations, "test")))
    assert set(evaluated["quality"]) == {"alice", "bob"}
    written = document(organisations, "predict", "--run", run_id)
    assert f"{written['rows']:,} predictions in {written['files'][0]} at party {written['party']}\n" in predicted
    status = document(organisations, "status")
    assert [one["role"] for one in status["parties"]] == ["feature_party", "label_party"]
    assert [one["state"] for one in status["runs"] if one["run_id"] == run_id] == ["trained"]
    report = document(organisations, "report", run_id[:8], "--output", str(tmp_path / "page.html"))
    assert report["size_bytes"] == (tmp_path / "page.html").stat().st_size
    aligned = document(organisations, "align")
    assert [one["reused"] for one in aligned["datasets"]] == [True, True]


def test_training_draws_one_line_on_a_terminal_beside_its_document(organisations, aligned):
    columns = 60
    arguments = ("train", "--new", "--json", "--config", organisations.run_path)
    shown = run_on_terminal("coordinator", *arguments, columns=columns, piped=True)
    assert shown.returncode == 0, shown.text
    assert "\x1b" not in shown.text
    assert max(map(len, shown.drawn)) <= columns
    *epochs, last, end = shown.lines
    assert [one.split(":")[0] for one in epochs if one.startswith("epoch ")] == ["epoch 1", "epoch 2"]
    assert (last.split()[:2], end) == (["100", "%"], "")
    trained = checked(json.loads(shown.stdout))
    history = json.loads((organisations.runs_path / trained["run_id"] / "history.json").read_text())
    assert trained["metrics"] == history["history"]
    assert {name: trained[name] for name in ("samples", "seconds", "message_bytes", "timings")} == {
        name: history[name] for name in ("samples", "seconds", "message_bytes", "timings")
    }
    assert trained["history_file"] == str(organisations.runs_path / trained["run_id"] / "history.json")
