"""A run that is stopped, fails and is resumed: its pages say so at each point, and no epoch is written down twice."""

import json
import re
from types import SimpleNamespace

import pytest

from coordinator import connect
from coordinator.event_files import EVENTS_FOLDER
from coordinator.report.page import run_page
from coordinator.report.stored_run import read_stored_run
from party.errors import SessionError
from party.own_report.page import own_page
from party.security.clock import utc_now
from tests.support.event_reading import scalars
from tests.support.mlflow_server import mlflow_server
from tests.support.organisations import Organisations
from tests.support.pages import ReadPage, broken_laws
from tests.support.relaying import Relay
from tests.support.resuming import run_path, stop_at

EPOCHS = 4
TRAINING = {"epochs": EPOCHS, "validation_fraction": 0.2, "batch_size": 64}
ENDED = 2  # epochs before the second stop
SECOND_EPOCH, THIRD_EPOCH = 9, 14  # positions within them: an epoch has 5 steps, and then a batch of held-out rows


def fail_at_the_end(send, party, method, request):
    """Every epoch is reported, and the checkpoint after the last one fails."""
    if method == "Snapshot":
        raise SessionError("the disk is full")
    return send(request)


def text_of(page):
    assert broken_laws(page) == []
    return " ".join(ReadPage(page).text.split())


def seen(made, run_id):
    """What everybody who looks on sees of the run now."""
    folder = made.runs_path / run_id
    return SimpleNamespace(
        page=text_of(run_page(read_stored_run(made.run_path, run_id), utc_now())),
        own={name: text_of(own_page(made.party_path(name), run_id, utc_now())) for name in made.names},
        history=json.loads((folder / "history.json").read_text()),
        events={
            "coordinator": scalars(folder / EVENTS_FOLDER),
            "bob": scalars(made.state_path("bob") / "runs" / run_id / EVENTS_FOLDER),
        },
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What was seen after each end of a run: stopped twice, failed and, at last, finished."""
    policy = {"minimum_metric_rows": 1}
    with (
        mlflow_server(tmp_path_factory.mktemp("mlflow")) as (address, mlflow),
        Organisations(
            tmp_path_factory.mktemp("unfinished"),
            training=TRAINING,
            overrides={"bob": {"policy": policy, "tensorboard": True}},
        ) as made,
    ):
        watching = {"tensorboard": True, "mlflow": {"tracking_uri": address, "experiment": "films"}}
        made.start_servers()
        with connect(run_path(made)) as parties:
            parties.align()
        run_id = stop_at(made, SECOND_EPOCH, **watching)
        once = seen(made, run_id)
        assert stop_at(made, THIRD_EPOCH, resume=run_id, **watching) == run_id
        twice = seen(made, run_id)
        with (
            pytest.raises(SessionError, match="the disk is full"),
            Relay(run_path(made, **watching), fail_at_the_end) as parties,
        ):
            parties.fit(resume=run_id)
        failed = seen(made, run_id)
        with connect(run_path(made, **watching)) as parties:
            parties.fit(resume=run_id)
        yield SimpleNamespace(
            run_id=run_id, once=once, twice=twice, failed=failed, finished=seen(made, run_id), mlflow=mlflow
        )


def test_a_stopped_run_shows_its_epochs_and_how_to_go_on(told):
    resume = f"coordinator train --resume {told.run_id[:8]} resumes it from the checkpoint after step"
    for number, one in ((1, told.once), (ENDED, told.twice)):
        assert one.history["epoch"] == list(range(number))
        assert re.search(r"This run has not finished: stopped after step \d+ of 20\. Figures", one.page)
        assert resume in one.page
        assert f"Epochs {number} of {EPOCHS}" in one.page
        assert f"Figures of the last epoch, {number}" in one.page
    assert "loss by epoch" in told.twice.page
    assert "is a point and no curve" in told.once.page


def test_a_failed_run_has_the_epochs_that_the_label_party_reported(told):
    assert told.failed.history["epoch"] == list(range(EPOCHS))
    assert "This run has not finished: failed after step" in told.failed.page
    assert "Mend what the coordinator printed when it failed." in told.failed.page


def test_what_an_unfinished_run_stores_is_the_beginning_of_what_the_finished_one_stores(told):
    whole = told.finished.history
    for one in (told.once, told.twice):
        for name, values in one.history["history"].items():
            assert values == whole["history"][name][: len(values)], name
        assert 0 < one.history["seconds"] < whole["seconds"]
    sizes = [one.history["message_bytes"] for one in (told.once, told.twice, told.finished)]
    assert sizes == sorted(set(sizes))


def test_a_finished_run_says_nothing_of_having_been_stopped(told):
    assert "has not finished" not in told.finished.page
    assert "trained one model together" in told.finished.page
    assert all("has not finished" not in page for page in told.finished.own.values())


def test_a_partys_own_page_says_it_too(told):
    for page in told.once.own.values():
        assert f"the coordinator runs coordinator train --resume {told.run_id[:8]}" in page
    assert "Exact figures of the last epoch, 2" in told.twice.own["bob"]


def test_mlflow_has_every_epoch_once_in_one_run(told):
    (run,) = told.mlflow.runs
    assert run["info"]["status"] == "FINISHED"
    history = told.finished.history["history"]
    for name in (*history, "message_bytes", "samples_per_second"):
        steps = [step for key, step, _ in run["metrics"] if key == name]
        assert steps == list(range(1, EPOCHS + 1)), name
    for name, values in history.items():
        assert [value for key, _, value in run["metrics"] if key == name] == values


@pytest.mark.parametrize("name", ["coordinator", "bob"])
def test_event_files_have_every_epoch_once(told, name):
    found = told.finished.events[name]
    assert set(told.finished.history["history"]) <= set(found)
    for tag, series in found.items():
        assert [step for step, _ in series] == list(range(1, EPOCHS + 1)), tag
