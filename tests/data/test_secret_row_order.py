from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from party.data.distinct_keys import distinct_keys
from party.data.distinct_texts import distinct_texts
from party.data.ids import ids_of
from party.data.row_order import secret_row_order
from party.data.table import Table
from party.data.text_columns import text_column_of
from tests.support.columns import columns_of

SECRET = bytes(range(32))
TEXTS = st.text(alphabet="ab\0é\uffff\U00010000", max_size=3)


def table(users, columns, ids=None):
    return Table(
        dataset="train",
        path=Path("train.csv"),
        ids=None if ids is None else ids_of(ids),
        keys={"alice": text_column_of(users)},
        columns=columns_of(pd.DataFrame(columns, dtype="str")),
        sha256="00",
    )


def permuted(one, order):
    return table(
        one.keys["alice"].by_row()[order].tolist(),
        {name: one.columns[name].by_row()[order] for name in one.columns},
        None if one.ids is None else one.ids.of(order),
    )


@given(texts=st.lists(TEXTS, min_size=1, max_size=20))
def test_distinct_texts_are_those_of_python_in_the_order_of_bytes(texts):
    found = distinct_texts(text_column_of(texts))
    assert found.texts() == sorted(set(texts), key=str.encode)
    assert [found.texts()[code] for code in found.codes] == texts
    assert found.codes.dtype == np.int32


def test_digests_of_distinct_texts_tell_where_one_ends():
    digests = {
        distinct_texts(text_column_of(texts)).digest()
        for texts in (["a", "bc"], ["ab", "c"], ["", "abc"], [""], ["abc"], ["a", "bc", "a"])
    }
    assert len(digests) == 5  # the last repeats the first


@settings(max_examples=30)
@given(
    users=st.lists(st.sampled_from(["u1", "u2", ""]), min_size=1, max_size=12),
    has_ids=st.booleans(),
    data=st.data(),
)
def test_permuted_file_has_the_same_rows_in_the_same_order(users, has_ids, data):
    cells = data.draw(st.lists(st.sampled_from("xy"), min_size=len(users), max_size=len(users)))
    one = table(users, {"cell": cells}, [f"id{n}" for n in range(len(users))] if has_ids else None)
    order = np.array(data.draw(st.permutations(range(len(users)))))
    other = permuted(one, order)
    rows, others = secret_row_order(one, SECRET), secret_row_order(other, SECRET)
    assert sorted(rows) == list(range(len(users)))
    if has_ids:
        assert order[others].tolist() == rows.tolist()
    for place, name in ((one.keys["alice"].by_row()[rows], "keys"), (one.columns["cell"].by_row()[rows], "cell")):
        there = other.keys["alice"].by_row()[others] if name == "keys" else other.columns["cell"].by_row()[others]
        assert place.tolist() == there.tolist()


def test_every_order_is_as_likely_whatever_the_rows_hold():
    """The first row in the order of peers is each of three rows in a third of 900 secrets, within four deviations."""
    one = table(["u1", "u2", "u3"], {"cell": ["x", "y", "z"]})
    secrets = [number.to_bytes(32, "big") for number in range(900)]
    first = np.bincount([secret_row_order(one, secret)[0] for secret in secrets], minlength=3)
    assert (np.abs(first - 300) < 4 * np.sqrt(900 * (1 / 3) * (2 / 3))).all()


def test_one_changed_row_changes_the_whole_order():
    """With one permutation for all data, the maps of two alignments would be one sequence, shifted by a row."""
    ids = [f"{number:04d}" for number in range(400)]
    one = table(["u1"] * 400, {"cell": ["x"] * 400}, ids)
    other = table(["u1"] * 400, {"cell": ["x"] * 400}, ["0000", *ids[2:], "0400"])
    same = int((secret_row_order(one, SECRET) == secret_row_order(other, SECRET)).sum())
    shifted = int((secret_row_order(one, SECRET) == secret_row_order(other, SECRET) + 1).sum())
    assert max(same, shifted) < 12  # one is expected by chance


def test_another_dataset_or_secret_has_another_order():
    one = table(["u1"] * 50, {"cell": [str(number) for number in range(50)]})
    orders = [secret_row_order(one, SECRET), secret_row_order(one, bytes(32))]
    assert orders[0].tolist() != orders[1].tolist()


def test_keys_of_several_datasets_have_one_numbering_and_an_empty_one_has_none():
    found, codes = distinct_keys(
        {"train": text_column_of(["b", "", "a", "b"]), "test": text_column_of(["c", ""])}, "alice"
    )
    assert found.tolist() == ["a", "b", "c"]
    assert {name: one.tolist() for name, one in codes.items()} == {"train": [1, -1, 0, 1], "test": [2, -1]}
    assert codes["train"].dtype == np.int32


def test_keys_that_are_all_empty_are_none():
    found, codes = distinct_keys({"train": text_column_of(["", ""])}, "alice")
    assert (found.tolist(), codes["train"].tolist()) == ([], [-1, -1])
