"""What `party init` guesses of columns, file by file, and that `party check` takes it as it is."""

import gzip

import pandas as pd
import pytest
import yaml

from party.drafting.draft import DataRequest, draft_party
from party.errors import ConfigurationError, DataError
from tests.support.guessing import PLACE, Guessing

ROWS = 60
IDS = [f"u{number}" for number in range(ROWS)]


def draft(folder, files, *, row_id="ID", labels=(), left_out=()):
    """The file that is written for datasets, given as text, bytes or a frame (Parquet); its text and what it says."""
    paths = {}
    for name, content in files.items():
        path = folder / f"{name}.data"
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths[name] = (str(path),)
    request = DataRequest(files=paths, id=row_id, labels=labels, left_out=left_out)
    made = draft_party(PLACE, request, folder / "alice.yaml", Guessing())
    return made.text, yaml.safe_load(made.text)["data"]


def csv_of(columns, separator=","):
    """The text of a CSV file with ids."""
    columns = {"ID": IDS, **columns}
    lines = [separator.join(columns), *(separator.join(row) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n"


def cycled(*values):
    return [values[number % len(values)] for number in range(ROWS)]


def numbers(form="{}"):
    return [form.format(number * 37 % 101) for number in range(ROWS)]


GUESSES = {
    "numbers": ("x", numbers("{}.5"), {"kind": "numeric"}),
    "whole numbers": ("age", numbers(), {"kind": "numeric"}),
    "numbers with an exponent": ("x", numbers("{}e-3"), {"kind": "numeric"}),
    "numbers and a marker": ("x", ["?", *numbers("{}.5")[1:]], {"kind": "numeric", "missing": ["?"]}),
    "numbers and several markers": ("x", ["NA", "-", *numbers()[2:]], {"kind": "numeric", "missing": ["-", "NA"]}),
    "numbers and one mistake": ("x", ["oops", *numbers()[1:]], {"kind": "numeric", "malformed": "missing"}),
    "numbers in quotes with thousands": ("x", [f'"{one},250.5"' for one in numbers("1{}")], {"thousands": ","}),
    "few whole numbers": ("grade", cycled("1", "2", "3"), {"kind": "vocabulary"}),
    "codes by their name": ("FilmID", cycled(*numbers()[:30]), {"kind": "vocabulary"}),
    "leading zeros": ("plz", cycled(*numbers("0{}")[:30]), {"kind": "vocabulary", "exact": True}),
    "categories": ("city", cycled("Ulm", "Köln", ""), {"kind": "vocabulary"}),
    "yes and no": ("flag", cycled("yes", "no"), {"kind": "vocabulary"}),
    "truth values": ("flag", cycled("true", "false"), {"kind": "vocabulary"}),
    "categories and a marker": ("job", cycled("a", "b", "NA"), {"kind": "vocabulary", "missing": ["NA"]}),
    "dates": ("born", numbers("2020-01-01"), None),
    "dates of one year": (
        "day",
        cycled("2020-01-31", "2020-03-02"),
        {"kind": "datetime", "parts": ["weekday", "month"]},
    ),
    "dates of several years": (
        "day",
        cycled("1999-01-31", "2020-03-02"),
        {"kind": "datetime", "parts": ["weekday", "month", "year"]},
    ),
    "times": (
        "seen",
        cycled("2020-01-31 17:00:01", "2020-03-02 18:12:00"),
        {"kind": "datetime", "parts": ["hour", "weekday", "month"]},
    ),
    "German dates": ("day", cycled("31.01.2020", "02.03.2020"), {"format": "%d.%m.%Y"}),
    "American dates": ("day", cycled("01/31/2020", "03/02/2020"), {"format": "%m/%d/%Y"}),
    "dates of MovieLens": ("released", cycled("01-Jan-1995", "02-Mar-1996", ""), {"format": "%d-%b-%Y"}),
    "seconds since 1970": ("timestamp", numbers("881250{:03d}"), {"kind": "datetime", "unit": "seconds"}),
    "milliseconds since 1970": (
        "created_at",
        numbers("1612507{:03d}000"),
        {"kind": "datetime", "unit": "milliseconds"},
    ),
    "dates and a mistake": ("day", ["soon", *cycled("2020-01-31", "2020-03-02")[1:]], {"malformed": "missing"}),
    "several values": ("genres", cycled("a|b", "b", "a|c", ""), {"kind": "multi_hot", "separator": "|"}),
    "lists as text": ("genres", cycled("\"['a', 'b']\"", "\"['b']\""), {"kind": "multi_hot", "lists": True}),
    "many values": ("seen", cycled("|".join("abcdefgh" * 5), "a|b"), {"kind": "multi_hot", "maximum_values": 80}),
    "names with a comma": ("name", [f'"Smith, {one}"' for one in cycled("J", "A", "B")], None),
    "numbers of a great range": ("x", ["1e300", "-1e300", *numbers()[2:]], None),
    "an odd name": ("a: b #c, {x}", numbers("{}.5"), {"kind": "numeric"}),
    "a name that is a number to YAML": ("1e3", numbers("{}.5"), {"kind": "numeric"}),
    "a name that is a truth value to YAML": ("yes", numbers("{}.5"), {"kind": "numeric"}),
    "a quote in the name": ('"it""s"', numbers("{}.5"), {"kind": "numeric"}),
}


@pytest.mark.parametrize(("name", "cells", "expected"), GUESSES.values(), ids=GUESSES)
def test_a_column_is_guessed(tmp_path, name, cells, expected):
    text = csv_of({f'"{name}"' if "," in name else name: cells, "other": numbers("{}.25")})
    written, data = draft(tmp_path, {"train": text})
    bare = name.strip('"').replace('""', '"')
    found = [one for one in data["features"] if one["column"] == bare]
    if expected is None:  # whatever it is: `party check` takes it
        assert bare in written
        return
    assert expected.items() <= found[0].items(), found


LEFT_OUT = {
    "constant": ("country", ["DE"] * ROWS, "one value in all rows"),
    "empty": ("nothing", [""] * ROWS, "is empty"),
    "ids": ("OrderID", [str(1000 + number) for number in range(ROWS)], "a name as ids have"),
    "names of people": ("person", [f"person {number}" for number in range(ROWS)], "another text in almost every row"),
    "prose": ("comment", [f"{number} " + "many words " * 8 for number in range(ROWS)], "free text"),
}


@pytest.mark.parametrize(("name", "cells", "why"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_column_without_use_is_left_out_and_said(tmp_path, name, cells, why):
    written, data = draft(tmp_path, {"train": csv_of({name: cells, "other": numbers("{}.25")})})
    assert [one["column"] for one in data["features"]] == ["other"]
    (line,) = [line for line in written.splitlines() if line.startswith(f"  #   {name}: ")]
    assert why in line


FORMS = {
    "usual": (csv_of({"x": numbers("{}.5"), "city": cycled("Köln", "Ulm")}).encode(), None),
    "a mark of UTF-8": (b"\xef\xbb\xbf" + csv_of({"x": numbers("{}.5"), "city": cycled("a", "b")}).encode(), None),
    "semicolons and decimal commas": (
        csv_of({"x": numbers("{},5"), "y": numbers("1.{:03d}"), "city": cycled("a", "b")}, ";").encode(),
        {"separator": ";"},
    ),
    "tabs": (csv_of({"x": numbers("{}.5"), "city": cycled("a", "b")}, "\t").encode(), {"separator": "tab"}),
    "cp1252": (csv_of({"x": numbers("{}.5"), "city": cycled("Köln", "Ulm")}).encode("cp1252"), {"encoding": "cp1252"}),
    "utf-16": (csv_of({"x": numbers("{}.5"), "city": cycled("Köln", "Ulm")}).encode("utf-16"), {"encoding": "utf-16"}),
    "gzip": (gzip.compress(csv_of({"x": numbers("{}.5"), "city": cycled("a", "b")}).encode()), None),
    "line ends of Windows": (
        csv_of({"x": numbers("{}.5"), "city": cycled("a", "b")}).replace("\n", "\r\n").encode(),
        None,
    ),
    "backslashes before quotes": (
        csv_of({"x": numbers("{}.5"), "city": cycled('"a \\"b\\""', '"c"')}).encode(),
        {"escape": "backslash"},
    ),
    "a column of row numbers without a name": (
        csv_of({"x": numbers("{}.5"), "city": cycled("a", "b")}).replace("ID,", ",ID,", 1).encode(),
        "rows",
    ),
}


@pytest.mark.parametrize(("content", "expected"), FORMS.values(), ids=FORMS)
def test_how_a_file_is_written_is_guessed(tmp_path, content, expected):
    if expected == "rows":
        head, _, rows = content.decode().partition("\n")
        numbered = "\n".join(f"{number},{row}" for number, row in enumerate(rows.splitlines()))
        content, expected = f"{head}\n{numbered}\n".encode(), None
    _, data = draft(tmp_path, {"train": content})
    assert data.get("csv") == expected
    kinds = {one["column"]: one["kind"] for one in data["features"]}
    assert kinds.pop("y", "numeric") == "numeric"
    assert kinds == {"x": "numeric", "city": "vocabulary"}
    if expected == {"separator": ";"}:
        notations = {one["column"]: (one.get("decimal"), one.get("thousands")) for one in data["features"]}
        assert (notations["x"], notations["y"]) == ((",", None), (",", "."))


def test_a_file_without_a_line_of_names_gets_made_up_ones(tmp_path):
    rows = [f"u{number},{number * 7 % 31},{'ab'[number % 2]},3.5" for number in range(ROWS)]
    written, data = draft(tmp_path, {"train": "\n".join(rows) + "\n"}, row_id="column_1")
    assert data["csv"] == {"header": False, "columns": ["column_1", "column_2", "column_3", "column_4"]}
    assert [one["column"] for one in data["features"]] == ["column_2", "column_3"]
    assert "names of columns are made up" in written


def test_parquet_keeps_its_types_and_says_what_it_cannot_read(tmp_path):
    frame = pd.DataFrame(
        {
            "ID": IDS,
            "x": [number / 7 for number in range(ROWS)],
            "when": pd.date_range("2020-01-01", periods=ROWS, freq="11D"),
            "tags": cycled(["a", "b"], ["b"]),
            "raw": [{"a": 1}] * ROWS,
        }
    )
    written, data = draft(tmp_path, {"train": frame})
    assert {one["column"]: one["kind"] for one in data["features"]} == {
        "x": "numeric",
        "when": "datetime",
        "tags": "multi_hot",
    }
    assert "raw: holds values that are no plain texts" in written


def test_a_feature_must_be_readable_in_every_dataset(tmp_path):
    columns = {"x": numbers("{}.5"), "gone": numbers("{}.5"), "y": numbers("{}.5")}
    test = csv_of({"x": numbers("{}.5"), "y": [f"{one} EUR" for one in numbers()]})
    written, data = draft(tmp_path, {"train": csv_of(columns), "test": test})
    kinds = {one["column"]: one["kind"] for one in data["features"]}
    assert kinds["x"] == "numeric"
    assert kinds.get("y") != "numeric"
    assert "gone: test lacks it" in written


LABELS = {
    "zero and one": ("clicked", cycled("0", "1", "0"), "clicked", {"rule": "clicked == 1"}),
    "yes and no": ("Bought it", cycled("no", "Yes"), "bought_it", {"rule": 'Bought it == "Yes"'}),
    "true and false": ("liked", cycled("True", "False"), "liked", {"rule": "liked == 1"}),
    "two classes, the rarer one": ("income", cycled("<=50K", ">50K", "<=50K"), "income", {"rule": 'income == ">50K"'}),
    "numbers": ("Rating", numbers(), "rating", {"kind": "regression", "column": "Rating"}),
    "classes": (
        "genre",
        cycled("war", "drama", "crime"),
        "genre",
        {"kind": "multi_class", "column": "genre", "classes": ["crime", "drama", "war"]},
    ),
    "a sign in the name": ("y>1", cycled("0", "1"), "y_1", {"rule": "`y>1` == 1"}),
}


@pytest.mark.parametrize(("column", "cells", "name", "expected"), LABELS.values(), ids=LABELS)
def test_a_column_becomes_a_label(tmp_path, column, cells, name, expected):
    written, data = draft(tmp_path, {"train": csv_of({column: cells, "x": numbers("{}.5")})}, labels=(column,))
    assert data["labels"] == {name: expected}
    assert [one["column"] for one in data["features"]] == ["x"]
    assert yaml.safe_load(written)["label_party"] == "alice"


def test_rules_datasets_without_labels_and_rows_without_one(tmp_path):
    cells = ["", *numbers()[1:]]
    files = {"train": csv_of({"Rating": cells, "x": numbers("{}.5")}), "new": csv_of({"x": numbers("{}.5")})}
    _, data = draft(tmp_path, files, labels=("Rating > 30",))
    assert data["labels"] == {"rating": {"rule": "Rating > 30"}}
    assert (data["unlabelled"], data["unlabelled_rows"]) == (["new"], "drop")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"row_id": "x"}, DataError, "not unique"),
        ({"row_id": "absent"}, ConfigurationError, "--id: names column absent"),
        ({"labels": ("absent",)}, ConfigurationError, "neither a column nor a rule"),
        ({"labels": ("absent > 3",)}, ConfigurationError, "--label: names column absent"),
        ({"labels": ("same",)}, DataError, "fewer than two different labels"),
        ({"left_out": ("absent",)}, ConfigurationError, "--leave-out: names column absent"),
        ({"left_out": ("x",)}, DataError, "no column that a model could learn from"),
    ],
)
def test_what_cannot_be_is_said(tmp_path, options, error, words):
    text = csv_of({"x": cycled("1.5", "2.5"), "same": ["a"] * ROWS})
    with pytest.raises(error, match=words) as refused:
        draft(tmp_path, {"train": text}, **options)
    assert not any(cell in str(refused.value) for cell in ("u1", "2.5"))


def test_the_id_is_guessed_by_its_name(tmp_path):
    columns = {"x": [f"{number}.5" for number in range(ROWS)], "customer_no": numbers("{}")}
    lines = csv_of(columns).replace("ID,", "code,", 1)
    _, data = draft(tmp_path, {"train": lines}, row_id=None)
    assert data["id"] == "customer_no"
