"""Files as people have them, each with the value or the error that a sensible user expects: one list of all.

A case stands with its siblings: the same kind of trouble in another notation, type or order. `SEEN_IN_RUNS` names the
tests of those kinds that show only in training.
"""

import ast
import datetime
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.support.case_files import Case, check_case, compressed, csv, make_certificates

TESTS = Path(__file__).parents[1]
X = {"column": "x", "kind": "numeric"}
Y = {"features": [X], "labels": {"y": {"rule": "y == 1"}}}
IDS = [uuid.UUID(int=number << 90) for number in (3, 1, 2)]
UUIDS = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes for one in IDS], pa.binary(16)))
RATINGS = ["3.9", "4.1", "4.6", "4.60", "4.7", "2"]
PERSON = "p0@example.org"


def feature(**settings):
    return {"features": [settings]}


def labelled(rule, column="rating"):
    return {**feature(column="film", kind="vocabulary"), "labels": {"good": {"rule": rule.format(column)}}}


def ratings(kind):
    column = pa.array(np.array(RATINGS, np.float64)).cast(kind)
    return {"id": [f"u{place}" for place in range(6)], "film": list("abcdea"), "rating": column}


def lists(cells, **settings):
    rows = [f'u{place},"{cell}"' for place, cell in enumerate(cells)]
    return {"train.csv": csv("id,genres", *rows)}, feature(column="genres", kind="multi_hot", **settings)


def numbers(*cells, **settings):
    rows = [f'u{place},"{cell}"' for place, cell in enumerate(cells)]
    return {"train.csv": csv("id,x", *rows)}, feature(**{**X, **settings})


def three(column, kind):
    return {"train.csv": csv("id,d", *(f"u{place},{cell}" for place, cell in enumerate(column)))}, feature(
        column="d", **kind
    )


PYTHON_LISTS = ("['Action', 'Drama']", "['Drama', 'Action']", "['Drama']")
JSON_LISTS = tuple(one.replace("'", '""') for one in PYTHON_LISTS)
GENRES = {"train": {"genres": [[2, 3], [2, 3], [3, 0]]}}
HEADERLESS = [f"user_{number},{20 + number},p{number}@example.org" for number in range(9)]
WITHOUT_NAMES = {"features": [{"column": "age", "kind": "numeric"}, {"column": "mail", "kind": "hash", "buckets": 5}]}
CLICKS = {"train.csv": csv("id,item,clicked", "r0,i0,1", "r1,i1,1")}
UNLABELLED = {"train.csv": csv("id,x,y", "a,1,", "b,2,0", "c,3,1", "d,4,")}
WEIGHTS = {**Y, "sample_weight": "w"}
TRAINED, TESTED = csv("id,x,y,w", "a,1,0,1", "b,2,1,3"), csv("id,x,y", "c,1,0", "d,2,1")
PAIRS = {"train.csv": csv("id,tags", "1,2019010533:1;77:0.5", "2,77:3")}
OPERATOR = csv("id,x,income_>50K", "a,1,0", "b,2,1")
MOMENT = "2024-01-01 12:30:00"

CASES = {
    # many-clicks-per-user
    "ids repeat": Case(
        {"train.csv": csv("id,x,y", "u1,1,1", "u1,2,0", "u2,3,0")},
        Y,
        exit_code=3,
        said=("ids are not unique", "received 1 ids", "join them by data.joins at the label party"),
        unsaid=("u1",),
    ),
    "ids repeat in several notations": Case(
        {"train.parquet": {"id": pa.array([1, 2, 1], pa.int32()), "x": [1.0, 2.0, 3.0]}},
        feature(**X),
        exit_code=3,
        said=("ids are not unique", "data.joins"),
    ),
    # whole-numbers-as-floats-in-one-file
    "whole numbers became floats in one file": Case(
        {"train.csv": csv("id,s", "a,1.0", "b,", "c,5.0"), "test.csv": csv("id,s", "a,1", "b,5", "c,7")},
        feature(column="s", kind="vocabulary"),
        codes={"train": {"s": [[2], [0], [3]]}, "test": {"s": [[2], [3], [1]]}},
    ),
    "whole numbers are floats of 32 bits, or have exponents": Case(
        {
            "train.parquet": {"id": ["a", "b"], "s": pa.array([1, 5], pa.float32())},
            "test.csv": csv("id,s", "a,5e0", "b,1."),
        },
        feature(column="s", kind="vocabulary"),
        codes={"train": {"s": [[2], [3]]}, "test": {"s": [[3], [2]]}},
    ),
    # float32-threshold
    **{
        f"a threshold, {rule}, {kind}": Case(
            {"train.parquet": ratings(kind)},
            labelled(rule),
            labels={"good": [0, 0, 1, 1, 1, 0]},
            said=("50.0 % positive",),
        )
        for rule, kind in (
            ("{} >= 4.6", pa.float32()),
            ("{} >= 46e-1", pa.float64()),
            ("`{}` > 4.5", pa.decimal128(5, 2)),
        )
    },
    # gzip
    "compressed": Case(
        {"train.csv.gz": compressed("id,x", "a,1", "b,3")}, feature(**X), values={"train": {"x": [[-1], [1]]}}
    ),
    "compressed under another name": Case(
        {"train.csv": compressed("id,x", "a,1", "b,3")}, feature(**X), values={"train": {"x": [[-1], [1]]}}
    ),
    # list-column
    "a column of lists": Case(
        {"train.parquet": {"id": ["a", "b"], "hist": [["x", "y"], ["y"]]}},
        feature(column="hist", kind="sequence", separator=" ", maximum_length=3),
        codes={"train": {"hist": [[0, 2, 3], [0, 0, 3]]}},
    ),
    "a column of lists of numbers": Case(
        {"train.parquet": {"id": ["a", "b"], "hist": pa.array([[7, 2], [2]], pa.large_list(pa.uint8()))}},
        feature(column="hist", kind="multi_hot"),
        codes={"train": {"hist": [[2, 3], [2, 0]]}},
    ),
    # lists-as-text
    "lists as text, as one writes it": Case(
        *lists(PYTHON_LISTS, separator=","), said=("3 of 3 rows", "set lists: true")
    ),
    "lists as Python writes them": Case(*lists(PYTHON_LISTS, lists=True), codes=GENRES, unsaid=("warning",)),
    "lists as JSON has them": Case(*lists(JSON_LISTS, lists=True), codes=GENRES, unsaid=("warning",)),
    "lists of long numbers": Case(
        *lists(("[9007199254740993.0]", "[9007199254740992.0, 9007199254740993]", "[0.1, .10]"), lists=True),
        codes={"train": {"genres": [[4, 0], [3, 4], [2, 0]]}},
    ),
    # tags-with-values
    "tags with values": Case(
        PAIRS,
        feature(column="tags", kind="multi_hot", separator=";", value_separator=":"),
        codes={"train": {"tags": [[2, 3], [3, 0]]}},
        values={"train": {"tags": [[1, 0.5], [3, 0]]}},
    ),
    "tags with values, without the option": Case(
        PAIRS, feature(column="tags", kind="multi_hot", separator=";"), said=("value_separator",)
    ),
    # uuid-ids
    "UUIDs as ids and as a feature": Case(
        {
            "train.parquet": {"id": UUIDS, "d": UUIDS},
            "test.csv": csv("id,d", *(f"{one},{str(one).upper()}" for one in IDS)),
        },
        feature(column="d", kind="vocabulary"),
        codes={name: {"d": [[4], [2], [3]]} for name in ("train", "test")},
    ),
    "sixteen bytes that nothing calls a UUID": Case(
        {"train.parquet": {"id": UUIDS.storage, "d": ["a", "b", "c"]}},
        feature(column="d", kind="vocabulary"),
        exit_code=3,
        said=("train.parquet: column id", "logical type UUID"),
    ),
    # dates
    "dates as numbers": Case(
        *three([MOMENT, MOMENT], {"kind": "numeric"}), exit_code=3, said=("there is kind: datetime",)
    ),
    "dates as numbers, in part": Case(
        *three([MOMENT, "1", "2024-02-29T08:00Z"], {"kind": "numeric"}), exit_code=3, said=("kind: datetime",)
    ),
    "dates": Case(
        *three([MOMENT, "2024-01-07", ""], {"kind": "datetime", "parts": ["hour"]}),
        codes={"train": {"d_hour": [[13], [1], [0]]}},
    ),
    # decimal-comma
    "decimal comma, as the former advice had it": Case(
        *numbers("1.234,50", "99,90", malformed="missing"),
        said=("all 2 cells are missing", 'decimal: ","', 'thousands: "."'),
    ),
    "decimal comma": Case(
        *numbers("1.234,50", "34,5", decimal=",", thousands="."), values={"train": {"x": [[1], [-1]]}}
    ),
    "decimal comma without the option": Case(
        *numbers("1.234,50", "99,90"), exit_code=3, said=('decimal: ","', 'thousands: "."'), unsaid=("234", "99,90")
    ),
    "decimal comma in texts, and numbers by their type": Case(
        {
            "train.csv": csv("id,x", 'a,"0,125"', 'b,"1.234,5"'),
            "test.parquet": {"id": ["c", "d"], "x": pa.array([0.125, 1234.5], pa.float32())},
            "whole.parquet": {"id": ["e", "f"], "x": pa.array([2, 1234])},
            "exact.parquet": {"id": ["g", "h"], "x": pa.array(["1.250", "-0.5"]).cast(pa.decimal128(9, 3))},
        },
        feature(**{**X, "decimal": ",", "thousands": ".", "scaling": "none"}),
        values={
            "train": {"x": [[0.125], [1234.5]]},
            "test": {"x": [[0.125], [1234.5]]},
            "whole": {"x": [[2], [1234]]},
            "exact": {"x": [[1.25], [-0.5]]},
        },
    ),
    "a marker in another notation": Case(
        *numbers("1.000", "1", "2,5", decimal=",", thousands=".", scaling="none", missing=["1.000"]),
        values={"train": {"x": [[0], [1], [2.5]]}},
    ),
    "a moment that stands for none": Case(
        *three(
            ["1900-01-01", "1900-01-01T00:00:00", "1901-01-01"],
            {"kind": "datetime", "parts": ["year"], "missing": ["1900-01-01 00:00:00"]},
        ),
        codes={"train": {"d_year": [[0], [0], [3]]}},
    ),
    "days as numbers, in a column with an empty cell": Case(
        *three(["20240131.0", "", "20240201"], {"kind": "datetime", "parts": ["day"]}),
        codes={"train": {"d_day": [[31], [0], [1]]}},
    ),
    "days as numbers in another order, in a column with an empty cell": Case(
        *three(["31012024.0", "", "1022024."], {"kind": "datetime", "parts": ["day"], "format": "%d%m%Y"}),
        codes={"train": {"d_day": [[31], [0], [10]]}},
    ),
    "dates in a format, and dates by their type": Case(
        {
            "train.csv": csv("id,d", "a,2024-03-01 05:30", "b,"),
            "test.parquet": {"id": ["c", "d"], "d": [datetime.date(2024, 1, 3), None]},
            "later.parquet": {
                "id": ["e"],
                "d": pa.array([datetime.datetime(2024, 1, 2, 23, 30)], pa.timestamp("ns", "UTC")),
            },
        },
        feature(
            column="d", kind="datetime", format="%Y-%d-%m %H:%M", zone="Europe/Berlin", parts=["day", "month", "hour"]
        ),
        codes={
            "train": {"d_day": [[3], [0]], "d_month": [[1], [0]], "d_hour": [[6], [0]]},
            "test": {"d_day": [[3], [0]], "d_month": [[1], [0]], "d_hour": [[1], [0]]},
            "later": {"d_day": [[3]], "d_month": [[1]], "d_hour": [[1]]},
        },
    ),
    "a time with a point": Case(
        *three(["31.01.2024 12.0", "01.02.2024 9.30", ""], {"kind": "datetime", "format": "%d.%m.%Y %H.%M"}),
        codes={"train": {"d_hour": [[13], [10], [0]]}},
    ),
    "a reference by its week": Case(
        *three(
            ["2024-01-14", "2024-01-16", "2024-01-15"],
            {"kind": "datetime", "parts": ["age_days"], "reference": "2024-W03-1"},
        ),
        values={"train": {"d_age_days": [[1.2247449159622192], [-1.2247449159622192], [0]]}},
    ),
    # labels
    "labels with a few markers among them": Case(
        {"train.csv": csv("id,x,y", "a,1,1", "b,2, 1", "c,3,0", "d,4,NA", "e,5,1.0")},
        Y,
        said=("warning: label y: 1 of 5 rows hold no number, and are negative by the rule",),
        unsaid=("NA",),
        labels={"y": [1, 1, 0, 0, 1]},
    ),
    **{
        f"labels with a decimal comma, {label}": Case(
            {"train.csv": csv("id,x,y", 'a,1,"1.234,5"', 'b,2,"0,5"', "c,3,2")},
            {**Y, "labels": {"y": label}},
            exit_code=3,
            said=('3 of 3 rows would be numbers with decimal: ","', "of labels and weights there is only the point"),
            unsaid=("234",),
        )
        for label in ({"kind": "regression", "column": "y"}, {"rule": "y > 1"})
    },
    "labels of texts": Case(
        {"train.csv": csv("id,x,y", "a,1,paid", "b,2,1", "c,3,open")},
        {**Y, "labels": {"y": {"rule": "y == 'paid'"}}},
        unsaid=("warning: label",),
        labels={"y": [1, 0, 0]},
    ),
    # rows-without-label-yet
    "rows without a label": Case(
        UNLABELLED, Y, exit_code=3, said=("received 2 rows without one", "data.unlabelled_rows: drop")
    ),
    "rows without a label, left out": Case(
        UNLABELLED, {**Y, "unlabelled_rows": "drop"}, said=("2 rows",), labels={"y": [0, 1]}
    ),
    # second-dataset-of-one-class
    "a later file of one class": Case(
        {"train.csv": csv("id,x,y", "a,1,0", "b,2,1"), "today.csv": csv("id,x,y", "c,1,0", "d,2,0")},
        Y,
        said=("0.0 % positive, one class only: not to be trained on", "50.0 % positive"),
    ),
    # clicks-only
    "clicks alone": Case(
        CLICKS,
        {**feature(column="item", kind="vocabulary"), "labels": {"clicked": {"rule": "clicked == 1"}}},
        said=("100.0 % positive, one class only: not to be trained on", "clicks"),
    ),
    # weights-only-in-training
    "weights in training alone": Case({"train.csv": TRAINED, "test.csv": TESTED}, WEIGHTS),
    "no weights in training": Case(
        {"train.csv": TESTED}, WEIGHTS, exit_code=3, said=("columns missing: w", "data.sample_weight")
    ),
    # label-column-with-operator
    "a label's column with an operator": Case(
        {"train.csv": OPERATOR}, {**Y, "labels": {"y": {"rule": "`income_>50K` == 1"}}}, labels={"y": [0, 1]}
    ),
    "a label's column with an operator, unquoted": Case(
        {"train.csv": OPERATOR},
        {**Y, "labels": {"y": {"rule": "income_>50K == 1"}}},
        exit_code=2,
        said=("`income_>50K`",),
    ),
    # file-without-header
    "a file without header": Case(
        {"train.csv": csv(*HEADERLESS)},
        WITHOUT_NAMES,
        exit_code=3,
        said=("first line names none of the 3 columns", "data.csv.header: false"),
        unsaid=(PERSON, "user_0"),
    ),
    "a file without header, whose first row has a name in it": Case(
        {"train.csv": csv("user_0,age,p0@example.org", *HEADERLESS[1:])},
        WITHOUT_NAMES,
        exit_code=3,
        unsaid=(PERSON, "user_0"),
    ),
    "a file without header, as the option has it": Case(
        {"train.csv": csv(*HEADERLESS)},
        {**WITHOUT_NAMES, "csv": {"header": False, "columns": ["id", "age", "mail"]}},
        said=("9 rows",),
    ),
    "a line for spreadsheets before the names": Case(
        {"train.csv": csv("sep=;", "id;x", "a;1")},
        {**feature(**X), "csv": {"separator": ";"}},
        exit_code=3,
        said=("remove the first line",),
        unsaid=("data.csv.header",),
    ),
    "names of rows before the first name": Case(
        {"train.csv": csv('"id","x"', '"1","a",2', '"2","b",3')},
        feature(**X),
        exit_code=3,
        said=("row 2 does not fit", "some programs write a first column without a name"),
    ),
    "a row that is too long, in the middle": Case(
        {"train.csv": csv("id,x", "a,2", "b,3,4")},
        feature(**X),
        exit_code=3,
        said=("row 3 does not fit",),
        unsaid=("without a name",),
    ),
    # home-folder-path
    "a wrong path": Case(
        {},
        {**feature(**X), "datasets": {"train": "../data/train.csv"}},
        exit_code=3,
        said=("file not found", "/data/train.csv"),
    ),
}
# What shows only in a run, or in certificates, has its test there.
SEEN_IN_RUNS = {
    "early-stopping-without-mode": "federation/test_metrics_as_meant.py::"
    "test_a_run_stops_by_an_area_and_ends_with_the_weights_of_its_largest",
    "accuracy-of-a-binary-label": "federation/test_metrics_as_meant.py::"
    "test_accuracy_of_a_binary_label_is_its_binary_accuracy",
    "own-validation-file": "federation/test_validation_dataset.py::"
    "test_figures_of_the_last_epoch_are_those_of_an_evaluation",
    "second-dataset-of-one-class": "federation/test_rows_without_labels.py::"
    "test_a_dataset_of_one_class_is_evaluated_and_its_undefined_metrics_are_named",
    "many-clicks-per-user": "federation/test_joined_training.py::"
    "test_training_equals_joint_training_over_the_joined_table",
    "prices": "cases/test_cases_of_runs.py::test_prices_are_learned_with_defaults",
    "home-folder-path": "configuration/test_places.py::test_the_home_folder_is_expanded_in_every_path",
    "authority-without-key-usage": "security/test_authorities.py::"
    "test_what_cannot_verify_is_refused_by_the_check_in_words",
    "proxy in the environment": "coordinator/test_proxies.py::"
    "test_an_error_names_the_variable_and_the_way_out_but_never_its_value",
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder / "certs"


@pytest.mark.parametrize("name", CASES)
def test_what_people_bring_has_the_value_or_the_error_that_they_expect(name, certificates, tmp_path):
    tmp_path.chmod(0o700)
    check_case(tmp_path, CASES[name], certificates)


@pytest.mark.parametrize("name", SEEN_IN_RUNS)
def test_the_others_have_a_test_where_runs_are(name):
    path, _, function = SEEN_IN_RUNS[name].partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    functions = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert function in functions
