"""Predictions are the label party's alone, and only where every owner allows them."""

import pandas as pd
import pytest

from coordinator import connect
from party.errors import PolicyError
from tests.support.hand_combined import common_ids
from tests.support.organisations import EXACT_METRICS, Organisations, make_frames
from tests.support.resuming import restart

DATASETS = ("train", "test")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two parties with a trained run."""
    frames = make_frames(("alice", "bob"), rows=150, datasets=DATASETS)
    with Organisations(tmp_path_factory.mktemp("predictions"), frames=frames) as made:
        made.start_servers()
        with connect(made.write_run()) as parties:
            parties.align()
            made.run_id = parties.fit().run_id
        yield made


@pytest.fixture
def organisations(trained):
    """The same parties, with their first policies and without any prediction."""
    for path in prediction_files(trained):
        (trained.folder / path).unlink()
    for name in trained.names:
        trained.write_party(name)
    restart(trained, *trained.names)
    return trained


def prediction_files(organisations):
    return [str(path.relative_to(organisations.folder)) for path in organisations.folder.rglob("*predict*")]


def with_policy(organisations, name, **policy):
    organisations.stop_server(name)
    organisations.write_party(name, policy={"minimum_metric_rows": 1, **EXACT_METRICS, **policy})
    organisations.start_server(name)
    return organisations.write_run()


def test_nobody_but_the_label_party_gets_ids_or_probabilities(organisations):
    run_id = organisations.run_id
    with connect(organisations.write_run()) as parties:
        parties.evaluate()
        assert prediction_files(organisations) == [], "evaluation writes none"
        predictions = parties.predict()
    path = f"bob/state/runs/{run_id}/predictions-test.csv"
    assert prediction_files(organisations) == [path]
    frame = pd.read_csv(organisations.folder / path, dtype=str)
    assert len(frame) == predictions.rows
    secrets = {*frame["probability"], *(one for dataset in DATASETS for one in common_ids(organisations, dataset))}
    assert len(secrets) > 100
    folders = (organisations.runs_path, organisations.state_path("alice"))
    elsewhere = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(elsewhere) > 5
    for path in elsewhere:
        content = path.read_bytes()
        assert not [one for one in secrets if one.encode() in content], path


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_any_owner_can_forbid_predictions(organisations, party):
    with connect(with_policy(organisations, party, allow_predict=False)) as parties:
        with pytest.raises(PolicyError, match=f"{party}: refused by policy.allow_predict"):
            parties.predict()
        assert set(parties.evaluate()) == {"loss", "auc", "precision", "recall"}
    assert prediction_files(organisations) == []


@pytest.mark.parametrize("party", ["alice", "bob"])
def test_any_owner_can_list_the_datasets_of_inference(organisations, party):
    with connect(with_policy(organisations, party, inference_datasets=["train"])) as parties:
        for infer in (parties.predict, parties.evaluate):
            with pytest.raises(PolicyError, match=f"{party}: refused by policy.inference_datasets.*expected train;"):
                infer("test")
        assert prediction_files(organisations) == []
        assert parties.predict("train").rows == len(common_ids(organisations, "train"))


def test_metrics_of_few_rows_are_refused(organisations):
    rows = len(common_ids(organisations, "test"))
    with connect(with_policy(organisations, "bob", minimum_metric_rows=rows)) as parties:
        assert parties.evaluate()["loss"] > 0
    with (
        connect(with_policy(organisations, "bob", minimum_metric_rows=rows + 1)) as parties,
        pytest.raises(PolicyError, match=r"policy\.minimum_metric_rows"),
    ):
        parties.evaluate()
