"""Features, frames and cells for the tests of encoders."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st
from pydantic import TypeAdapter

from party.configuration.feature_section import columns_as_written
from party.configuration.features import AnyFeature
from party.data.encoders import fit_encoders
from party.data.text_columns import canonical_column_of
from party.errors import DataError
from tests.support.columns import columns_of

CANARY = "Canary7f3a"
TEXTS = st.text(max_size=4) | st.sampled_from(["a", "b", "a\0", "é", "e\u0301", "𝄞", "\uffff", "", "-"])
NUMBERS = st.floats(-1e6, 1e6).map("{:.3f}".format) | st.integers(-1000, 1000).map(str)


def feature(kind, column="x", **settings):
    return TypeAdapter(AnyFeature).validate_python({"kind": kind, "column": column, **settings})


def frame(cells, column="x"):
    return columns_of(pd.DataFrame({column: pd.Series(list(cells), dtype="str")}))


def as_read(one, cells):
    """Cells as they come out of a file that the feature reads."""
    written = frame(cells, one.column)
    return (
        written
        if columns_as_written([one])
        else written.with_columns({one.column: canonical_column_of(written[one.column])})
    )


def encode(one, training, cells=None):
    """Fits one feature on training cells and encodes these or others."""
    encoders = fit_encoders("alice", [one], as_read(one, training), "train.csv")
    (result,) = encoders.encode(as_read(one, training if cells is None else cells), "test.csv")
    assert result.indices.dtype == np.int32
    assert result.values.dtype == np.float32
    assert result.indices.shape == result.values.shape
    assert (result.indices >= 0).all()
    assert (result.indices < result.size).all()
    return result


def failure(one, training, cells=None):
    with pytest.raises(DataError) as caught:
        encode(one, training, cells)
    return str(caught.value)
