"""Files that are joined: keys that repeat at the label party, and tables with one row for each key."""

import hashlib

import pandas as pd
import pytest

from party.configuration.joins import KeyRule
from party.data.table import FileRules, read_table
from party.errors import DataError

CANARY = "canary-7351"
ROWS = FileRules(
    id_rule=None, key_rules={"alice": KeyRule(("user",)), "charlie": KeyRule(("film", "year"), ("strip",))}
)
CONTENT = "user,film,year,stars\nu1,a,1999,5\nu1, a ,1999,2\n,b,,4\nu2,,2001,1\n"


def written(folder, content, name="train.csv"):
    path = folder / name
    path.write_text(content)
    return path


def rows(path, columns=("stars",), rules=ROWS):
    return read_table("bob", "train", path, columns=columns, rules=rules)


def users(path, key=("user",), **rule):
    rules = FileRules(id_rule=KeyRule(key, **rule), are_tables=True)
    return read_table("alice", "users", path, columns=("age",), rules=rules)


def failure(read, *arguments, **more):
    with pytest.raises(DataError) as caught:
        read(*arguments, **more)
    assert "\n" not in str(caught.value)
    assert CANARY not in str(caught.value)
    return caught.value


def test_keys_may_repeat_and_be_empty_at_the_label_party(tmp_path):
    path = written(tmp_path, CONTENT)
    table = rows(path)
    assert (table.rows, table.ids) == (4, None)
    assert table.keys["alice"].by_row().tolist() == ["u1", "u1", "", "u2"]
    assert table.keys["charlie"].by_row().tolist() == ["1:a4:1999", "1:a4:1999", "", ""]
    assert list(table.columns) == ["stars"]
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(DataError, match=r"rows have no ids; name their column in data\.id"):
        table.known_ids  # noqa: B018


def test_rows_count_where_no_column_is_read_but_those_of_keys(tmp_path):
    assert rows(written(tmp_path, CONTENT), columns=()).rows == 4


def test_a_key_may_be_read_as_a_feature_too(tmp_path):
    table = rows(written(tmp_path, CONTENT), columns=("film", "stars"))
    assert table.columns["film"].by_row().tolist() == ["a", " a ", "b", ""]
    assert table.keys["charlie"].by_row()[1] == "1:a4:1999"


def test_parquet_has_the_same_keys(tmp_path):
    pd.DataFrame(
        {"user": [1, 1, None], "film": ["a", "b", "c"], "year": [1999, 2000, 2001], "stars": [1, 2, 3]}
    ).astype({"user": "Int64"}).to_parquet(tmp_path / "train.parquet")
    table = rows(tmp_path / "train.parquet")
    assert table.keys["alice"].by_row().tolist() == ["1", "1", ""]
    assert table.keys["charlie"].by_row().tolist() == ["1:a4:1999", "1:b4:2000", "1:c4:2001"]


def test_a_missing_key_column_is_told_by_its_own_key(tmp_path):
    path = written(tmp_path, "user,films,year,stars,age\nu1,a,1999,5,1\n")
    assert str(failure(rows, path)).endswith("check data.joins")
    assert "columns missing: film (did you mean films?)" in str(failure(rows, path))
    rules = FileRules(id_rule=KeyRule(("ID",)), key_rules=ROWS.key_rules)
    assert str(failure(rows, path, ("stars", "age", "cast"), rules)).endswith(
        "check data.id, data.joins and data.features"
    )


def test_the_key_of_a_table_is_transformed_and_unique(tmp_path):
    path = written(tmp_path, "user,age\n U1 ,30\nu2,40\n")
    table = users(path, transforms=("strip", "lower"))
    assert table.ids.tolist() == ["u1", "u2"]
    assert (table.ids.name, table.keys) == ("user", {})
    assert users(path).ids.tolist() == [" U1 ", "u2"]


def test_the_key_of_a_table_may_be_a_tuple(tmp_path):
    path = written(tmp_path, "shop,user,age\na,bc,30\nab,c,40\n", "users.csv")
    table = users(path, key=("shop", "user"))
    assert table.ids.tolist() == ["1:a2:bc", "2:ab1:c"]
    assert table.ids.name == "shop, user"
    error = failure(users, written(tmp_path, "shop,user,age\na,b,30\na,b,40\n", "users.csv"), key=("shop", "user"))
    assert "alice: table users: users.csv: columns shop, user: keys are not unique" in str(error)


@pytest.mark.parametrize(
    ("cells", "rule", "message"),
    [
        (
            [CANARY, "x", CANARY],
            {},
            "alice: table users: users.csv: column user: keys are not unique; expected each key in one row;"
            " received 1 keys that appear more than once",
        ),
        (["A", "a ", "b"], {"transforms": ("strip", "lower")}, "keys are not unique after strip, lower"),
        (["a", "", "b"], {}, "empty keys; expected a key in every row; received 1 rows without one"),
        (
            ["1", "none", "no"],
            {"transforms": ("digits",)},
            "empty keys after digits; expected a key in every row; received 2",
        ),
        ([CANARY, "a", "b"], {"transforms": ("sha256",), "transformed": True}, "cells are no SHA-256 digests"),
    ],
)
def test_a_table_without_unique_keys_is_refused(tmp_path, cells, rule, message):
    content = "user,age\n" + "".join(f"{cell},{row}\n" for row, cell in enumerate(cells))
    error = failure(users, written(tmp_path, content, "users.csv"), **rule)
    assert message in str(error)
    assert "users" not in error.public_message


def test_errors_of_a_table_name_its_key_of_the_file(tmp_path):
    message = str(failure(users, tmp_path / "users.csv"))
    assert f"file not found; expected {tmp_path}/users.csv; check data.tables.users; paths are" in message
    path = written(tmp_path, "ID,age\n1,2\n", "users.csv")
    assert str(failure(users, path)).endswith("check data.id")


def test_ids_that_repeat_say_how_to_join(tmp_path):
    path = written(tmp_path, "id,item\nu1,a\nu1,b\nu2,a\n")
    error = failure(read_table, "bob", "train", path, columns=("item",), rules=FileRules(id_rule=KeyRule(("id",))))
    assert "bob: train.csv: column id: ids are not unique; expected each id in one row" in str(error)
    assert str(error).endswith("join them by data.joins at the label party")
    joined = rows(path, ("item",), FileRules(id_rule=None, key_rules={"alice": KeyRule(("id",))}))
    assert joined.keys["alice"].by_row().tolist() == ["u1", "u1", "u2"]
