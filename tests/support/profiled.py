"""Datasets in memory, profiled as a party's files are."""

from pathlib import Path

import pandas as pd

from party.configuration.features import DataSection
from party.configuration.strict import validate
from party.data.statistics.feature_warnings import differing_warnings, own_warnings
from party.data.statistics.profiles import learn_profile, profile_beside
from party.data.table import Table
from party.data.text_columns import canonical_column_of
from tests.support.columns import columns_of


def section(*features, tables=False, **keys):
    """The data section of a party with features such as `{"column": "x", "kind": "numeric"}`."""
    files = {"tables": {"train": "t.csv"}} if tables else {"datasets": {"train": "a.csv", "test": "b.csv"}}
    return validate(DataSection, {"id": "id", **files, "features": list(features), **keys}, "data")


def table(data, columns, dataset="train"):
    """A dataset of columns of texts, as it comes out of a file."""
    written = columns_of(
        pd.DataFrame({name: pd.Series(list(map(str, cells)), dtype="str") for name, cells in columns.items()})
    )
    meant = {name: canonical_column_of(written[name]) for name in written if name not in data.columns_as_written}
    return Table(dataset=dataset, path=Path(f"{dataset}.csv"), ids=None, columns=written.with_columns(meant), sha256="")


def profile(one, training, cells=None):
    """The profile of one feature's column, as training rows or beside them."""
    data = section(one)
    learned = learn_profile("alice", data, table(data, {one["column"]: training}))
    if cells is None:
        return learned.profile.features[0]
    return profile_beside(learned, table(data, {one["column"]: cells}, "test")).features[0]


def kinds(one, training, cells=None, tables=False):
    """Kinds of the warnings on one feature's column, as training rows or beside them."""
    data = section(one, tables=tables)
    learned = learn_profile("alice", data, table(data, {one["column"]: training}))
    if cells is None:
        found = own_warnings(learned.profile, is_table=tables)
    else:
        beside = profile_beside(learned, table(data, {one["column"]: cells}, "test"))
        found = differing_warnings(learned.profile, beside)
    return [warning.kind.value for warning in found]
