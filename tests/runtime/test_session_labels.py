"""The labels of a session, from a party's real files: which draws it gets, whichever rows its peers have in common."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from party.errors import DataError
from party.pb.handshake_pb2 import Purpose
from party.runtime.common_rows import CommonRows
from party.runtime.session_labels import prepare_labels
from party.runtime.session_rows import SessionRows
from tests.support.label_side import ROWS, LabelSide, deep, labels_section

LABEL = "liked"


def label_party(folder, **data):
    """A label party with one private label in its own folder."""
    folder.mkdir(exist_ok=True)
    party = {"data": {"labels": labels_section([LABEL]), **data}, "fuse": {"kind": "dnn"}}
    return LabelSide(folder, party=party, training={}, specs=deep(), labels=None)


def edit(side, change):
    """Changes the party's file."""
    path = side.folder / "train.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(frame)
    frame.to_csv(path, index=False)


def prepared(side, rows, purpose=Purpose.PURPOSE_TRAIN):
    """What a session gets whose peers have some rows of the party's file, as it is now."""
    side._align()
    table = side.context.tables.table("train")
    alignment = replace(side.context.alignment(table, side.run.parties), rows=np.asarray(rows))
    return prepare_labels(side._opening(purpose), SessionRows(CommonRows(table, alignment)))


def test_peers_cannot_find_a_changed_row_by_the_rows_that_they_have_in_common(tmp_path):
    """An attacker halves the rows until one is left whose draws are others than before."""
    every, changed = np.arange(ROWS), 37
    side = label_party(tmp_path / "party")
    before = prepared(side, every).read().drawn.arrays.values

    def change(frame):
        frame.loc[changed, "liked"] = "2" if frame.loc[changed, "liked"] == "5" else "5"

    edit(side, change)
    suspects, generations = every, {prepared(side, every).protection.generation}
    while len(suspects) > 1:
        half = suspects[: len(suspects) // 2]
        labels = prepared(side, half)
        generations.add(labels.protection.generation)
        same = (labels.read().drawn.arrays.values == before[half]).all()
        suspects = suspects[len(half) :] if same else half
    assert generations == {2}
    assert suspects[0] != changed


def test_a_row_has_one_label_whichever_other_rows_there_are(tmp_path):
    """Texts are compared with a rule's value as soon as one cell of the file is no number."""
    labels = {LABEL: {"rule": "liked == 5", "privacy": {"epsilon": 1.0}}}
    side = label_party(tmp_path / "party", labels=labels)

    def change(frame):
        frame["liked"] = "5.0"
        frame.loc[ROWS - 1, "liked"] = "none"

    edit(side, change)
    some = prepared(side, np.arange(ROWS - 1)).read().true.values
    np.testing.assert_array_equal(some, prepared(side, np.arange(ROWS)).read().true.values[:-1])


@pytest.mark.parametrize("rows", [[3, 1, 2], [5]])
def test_rows_come_in_the_common_order(tmp_path, rows):
    side = label_party(tmp_path / "party")
    every = prepared(side, np.arange(ROWS)).read()
    some = prepared(side, rows).read()
    np.testing.assert_array_equal(some.true.values, every.true.values[rows])
    np.testing.assert_array_equal(some.drawn.arrays.values, every.drawn.arrays.values[rows])


def test_a_prediction_does_not_read_private_labels(tmp_path):
    """Else peers could find the rows without a usable label by the predictions that are refused."""
    side = label_party(tmp_path / "party")

    def change(frame):
        frame.loc[4, "liked"] = "none"

    edit(side, change)
    labels = prepared(side, np.arange(ROWS), Purpose.PURPOSE_PREDICT)
    assert labels.read().true.values.any() == 0
    assert labels.protection is None
    with pytest.raises(DataError) as refused:
        prepared(side, [1, 2])
    assert "1 rows" in refused.value.fields.message
    assert refused.value.public_fields.message == "a private label cannot be used"
