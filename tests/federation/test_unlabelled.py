"""Rows without labels can be predicted, and nothing else."""

import pandas as pd
import pytest

from coordinator import connect
from party.errors import DataError
from tests.support.organisations import LABEL_RULE, make_frames


@pytest.fixture
def organisations(make_organisations):
    frames = make_frames(("alice", "bob"), datasets=("train", "future"))
    frames["bob"]["future"] = frames["bob"]["future"].drop(columns="rating")
    made = make_organisations(frames=frames)
    data = {
        "id": "ID",
        "datasets": {name: f"{name}.csv" for name in ("train", "future")},
        "features": made.features["bob"],
        "labels": {"liked": {"rule": LABEL_RULE}},
        "unlabelled": ["future"],
    }
    for name, changes in {"alice": {}, "bob": {"data": data}}.items():
        made.write_party(name, policy={"training_datasets": ["train", "future"]}, **changes)
    return made.start_servers()


def test_rows_without_labels_are_predicted_and_not_evaluated(organisations):
    with connect(organisations.write_run()) as parties:
        aligned = {one.dataset: one.rows_in_common for one in parties.align()}
        history = parties.fit()
        written = parties.predict("future")
        with pytest.raises(DataError, match="future has no labels: it can only be predicted"):
            parties.evaluate("future")
    path = organisations.state_path("bob") / "runs" / history.run_id / written.files[0]
    predictions = pd.read_csv(path)
    assert len(predictions) == written.rows == aligned["future"]
    assert predictions["probability"].between(0, 1).all()
    assert predictions["probability"].nunique() > 100


def test_rows_without_labels_are_not_trained_on(organisations):
    with connect(organisations.write_run({"dataset": "future"})) as parties:
        parties.align()
        with pytest.raises(DataError, match="future has no labels to train on"):
            parties.fit()
