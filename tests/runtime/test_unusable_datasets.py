"""A dataset that cannot be used stops only what needs it; the check names all problems at once."""

import logging
import re

import pytest

from party.check import print_check
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import ConfigurationError, DataError
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.tables import Tables
from party.transport.errors import error_to_status
from tests.support.configuration_cases import feature_party, label_party
from tests.support.organisations import Organisations, make_frames

FEATURES = [{"column": "age", "kind": "numeric"}, {"column": "town", "kind": "vocabulary"}]
GOOD = "id,age,town\na,30,Ulm\nb,40,Bonn\n"


def tables(folder, datasets, *, make=feature_party, **changes):
    content = make()
    content["data"] = {
        "id": "id",
        "datasets": {name: f"{name}.csv" for name in datasets},
        "features": FEATURES,
        **changes.pop("data", {}),
    }
    content.pop("policy")
    for name, text in datasets.items():
        if text is not None:
            (folder / f"{name}.csv").write_text(text)
    configuration = validate(PartyConfiguration, {**content, **changes, "folder": folder}, "x")
    return Tables(configuration, lambda: PassingColumnKeys(lambda count: b"\0" * count))


UNUSABLE = {
    "missing": (None, "file not found"),
    "empty": ("", "is empty"),
    "no rows": ("id,age,town\n", "has no rows"),
    "a column less": ("id,age\na,30\n", "columns missing: town"),
    "a ragged row": ("id,age,town\na,30\n", "does not fit the header line"),
    "ids twice": ("id,age,town\na,30,Ulm\na,30,Ulm\n", "ids are not unique"),
    "no number": ("id,age,town\na,old,Ulm\n", "age"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_the_others_are_served_and_the_unusable_one_is_refused(kind, tmp_path, caplog):
    text, said = UNUSABLE[kind]
    read = tables(tmp_path, {"train": GOOD, "test": text})
    with caplog.at_level(logging.ERROR):
        read.read_all()
    assert read.usable_names == ("train",)
    assert read.table("train").rows == 2
    assert read.row_counts(["train", "test"]) == {"train": 2}
    assert "dataset test cannot be used and is not served: " in caplog.text
    assert said in caplog.text
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            read.table("test")
        assert said in str(caught.value)
        assert not {"old", "Ulm", "30"} & set(re.findall(r"\w+", str(caught.value)))
        for secret in ("old", "Ulm", "town", "age", str(tmp_path)):
            assert secret not in caught.value.public_message
            assert secret not in error_to_status(caught.value)[1]


def test_a_file_that_is_mended_is_served_from_then_on_and_examined_whole(tmp_path):
    read = tables(tmp_path, {"train": GOOD, "test": None})
    read.read_all()
    (tmp_path / "test.csv").write_text("id,age,town\na,old,Ulm\n")
    with pytest.raises(DataError, match="column age"):
        read.table("test")
    (tmp_path / "test.csv").write_text("id,age,town\na,50,Ulm\n")
    assert read.table("test").rows == 1
    assert read.usable_names == ("test", "train")


def test_where_none_can_be_used_the_party_does_not_start(tmp_path):
    with pytest.raises(DataError, match="is empty"):
        tables(tmp_path, {"train": None, "test": ""}).read_all()


def test_a_rule_that_does_not_fit_tells_a_coordinator_no_column(tmp_path):
    data = {"labels": {"liked": {"rule": "stars > many"}}, "unlabelled": ["test"], "features": []}
    rows = "id,stars\na,3\nb,4\n"
    read = tables(tmp_path, {"train": rows, "test": "id\na\n"}, make=label_party, data=data, model=None, fuse=None)
    read.read_all()
    with pytest.raises(ConfigurationError) as caught:
        read.table("train")
    assert "column stars: data.labels: the rule's value is no number; expected a number after >" in str(caught.value)
    assert caught.value.public_message == "dataset train cannot be used; the party's own log says why"


def test_private_columns_of_the_other_datasets_are_drawn(tmp_path):
    private = {"epsilon": 1.0, "columns": {"town": {"values": ["Ulm", "Bonn"]}}, "public": ["age"]}
    read = tables(tmp_path, {"train": GOOD, "test": None}, privacy={"columns": private})
    read.read_all()
    assert set(read.table("train").columns["town"].distinct.to_pylist()) <= {"Ulm", "Bonn"}
    with pytest.raises(DataError, match="file not found"):
        read.table("test")


def test_the_file_that_was_tried_is_shown_to_its_owner_alone(tmp_path):
    read = tables(tmp_path, {"train": GOOD, "test": None})
    with pytest.raises(DataError) as caught:
        read.table("test")
    expected = (
        f"shop: test.csv: file not found; expected a CSV or Parquet file at {tmp_path / 'test.csv'}; check data.datas"
    )
    assert str(caught.value).startswith(expected)
    assert "paths are relative to the folder of the configuration file, and ~ is the home folder" in str(caught.value)
    assert caught.value.public_message == "the file of dataset test cannot be read"
    assert str(tmp_path) not in str(caught.value.disclosed())


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"meters": {"columns": ["income"]}}, "meters.columns"),
        ({"privacy": {"decorrelate": {"columns": ["income"]}}}, "privacy.decorrelate.columns"),
        (
            {
                "privacy": {
                    "columns": {
                        "epsilon": 1.0,
                        "entity": "income",
                        "public": ["age", "town"],
                        "columns": {"x": {"values": ["a", "b"]}},
                    }
                }
            },
            "privacy.columns.entity and privacy.columns.columns",
        ),
    ],
)
def test_the_key_that_names_a_missing_column_is_named(changes, key, tmp_path):
    (problem,) = tables(tmp_path, {"train": GOOD}, **changes).problems("train")
    assert sorted(key.split(" and ")) == sorted(str(problem).rpartition("check ")[2].split(" and "))


def test_a_dataset_without_its_label_is_told_of_unlabelled(tmp_path):
    data = {"labels": {"liked": {"rule": "stars > 3"}}}
    (problem,) = tables(tmp_path, {"train": GOOD}, make=label_party, data=data, model=None, fuse=None).problems("train")
    assert "columns missing: stars" in str(problem)
    assert "check data.labels; name a dataset without labels in data.unlabelled" in str(problem)


def test_every_problem_of_every_dataset_is_found(tmp_path):
    features = [*FEATURES, {"column": "size", "kind": "integer_buckets", "boundaries": [1]}]
    bad = "id,age,town,size\na,old,Ulm,big\n"
    read = tables(tmp_path, {"train": bad, "test": None}, data={"features": features})
    assert [len(read.problems(name)) for name in ("train", "test")] == [2, 1]


@pytest.mark.parametrize("broken", [("test",), ("test", "train")])
def test_the_check_names_all_problems_and_fails(broken, tmp_path, capsys):
    tmp_path.chmod(0o700)
    organisations = Organisations(
        tmp_path / "checked", frames=make_frames(("alice", "bob"), 40, datasets=("train", "test"))
    )
    for dataset in broken:
        organisations.table_path("alice", dataset).write_text("ID,city,income\na,Ulm,much\na,Ulm,3\n")
    with pytest.raises(DataError) as caught:
        print_check(organisations.party_path("alice"))
    printed = capsys.readouterr().out
    assert ("train: train.csv" in printed) is ("train" not in broken)
    assert str(caught.value).startswith("2 problems: (1) alice: test.csv: ") is (len(broken) == 2)
    for dataset in broken:
        assert f"alice: {dataset}.csv: column ID: ids are not unique" in str(caught.value)
