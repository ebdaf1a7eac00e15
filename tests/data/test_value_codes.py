"""Any value has one code: whichever type of Parquet holds it, whoever wrote the CSV file, in any kind of feature."""

import datetime
import decimal
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.joins import KeyRule
from party.data.encoders import fit_encoders
from party.data.table import FileRules, read_table
from tests.support.encoding import feature

FEATURES = [
    feature("vocabulary", "v"),
    feature("hash", "v", name="hashed", buckets=10**6),
    feature("multi_hot", "v", name="set", separator="|"),
    feature("sequence", "v", name="history", separator="|", maximum_length=3),
]
OF_NUMBERS = [
    feature("numeric", "v", name="number", malformed="missing"),
    feature("integer_buckets", "v", name="buckets", boundaries=[-5, 0, 7], malformed="missing"),
]
OF_LISTS = [feature("multi_hot", "v"), feature("sequence", "v", name="history", maximum_length=3)]
RULES = FileRules(id_rule=KeyRule(("ID",)))
LIST_RULES = FileRules(id_rule=KeyRule(("ID",)), lists=frozenset({"v"}))
MOMENTS = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)).map(
    lambda one: one.replace(microsecond=0)
)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n|,"), min_size=1, max_size=5)

# Values of a kind, as CSV has them, and the types that hold them all.
KINDS = {
    "small integers": (
        st.integers(0, 127),
        (*(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int8(), pa.int16(), pa.int32(), pa.int64()),),
        (pa.float16(), pa.float32(), pa.float64(), pa.decimal32(4, 1), pa.decimal128(38, 2), pa.decimal256(60, 9)),
    ),
    "unsigned integers": (st.integers(2**63, 2**64 - 1), (pa.uint64(),), (pa.decimal128(20, 0), pa.decimal256(40, 3))),
    "decimals": (
        st.decimals(-999, 999, places=2),
        (pa.decimal32(5, 2), pa.decimal64(12, 2), pa.decimal128(30, 5), pa.decimal256(50, 20)),
        (),
    ),
    "booleans": (st.booleans(), (pa.bool_(), pa.bool8()), ()),
    "moments": (MOMENTS, tuple(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")), ()),
    "moments of a zone": (
        MOMENTS.map(lambda one: one.replace(tzinfo=datetime.UTC)),
        tuple(pa.timestamp(unit, zone) for unit in ("s", "us") for zone in ("UTC", "+05:30", "America/New_York")),
        (),
    ),
    "UUIDs": (st.uuids(), (pa.uuid(),), ()),
    "texts": (WORDS, (pa.string(), pa.large_string(), pa.string_view()), ()),
}


def typed(values, kind):
    if kind == pa.uuid():
        stored = pa.array([None if one is None else one.bytes for one in values], pa.binary(16))
        return pa.ExtensionArray.from_storage(kind, stored)
    if kind == pa.bool8():
        return pa.ExtensionArray.from_storage(kind, pa.array(values, pa.bool_()).cast(pa.int8()))
    if pa.types.is_float16(kind):
        return pa.array([None if one is None else np.float16(one) for one in values], kind)
    if pa.types.is_decimal(kind):
        return pa.array([None if one is None else decimal.Decimal(one) for one in values], kind)
    return pa.array(values, kind)


def columns_of(values, kinds):
    """Columns of every type; dictionaries of them where Parquet can hold these; and what pandas writes."""
    for kind in kinds:
        column = typed(values, kind)
        yield str(kind), column
        if kind not in (pa.uuid(), pa.bool8(), pa.string_view(), pa.float16()) and not pa.types.is_decimal(kind):
            yield f"dictionary of {kind}", column.dictionary_encode()
    whole = all(one is None or type(one) is int for one in values)
    # Left to itself, pandas rounds integers of 64 bits beside an empty cell to floats.
    nullable = pd.Series(list(values), dtype="UInt64") if whole else pd.Series(list(values)).convert_dtypes()
    if not any(isinstance(one, uuid.UUID | datetime.datetime) for one in values):
        yield f"pandas {nullable.dtype}", pa.Array.from_pandas(nullable)


def read(path, table, rules=RULES):
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        parquet.write_table(pa.table(table), path)
    return read_table("alice", "train", path, columns=["v"], rules=rules).columns


def codes(encoders, columns):
    return {one.name: (one.indices.tolist(), one.values.tolist()) for one in encoders.encode(columns, "test")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_a_value_has_one_code_in_csv_and_in_every_type_that_holds_it(name, folder, data):
    strategy, kinds, further = KINDS[name]
    values = data.draw(st.lists(strategy | st.none(), min_size=1, max_size=5))
    ids = [f"id{place}" for place in range(len(values))]
    texts = ["" if one is None else str(one) for one in values]
    by_csv = read(folder / "v.csv", pd.DataFrame({"ID": ids, "v": texts}))
    features = [*FEATURES, *(OF_NUMBERS if name.endswith("integers") or name == "decimals" else ())]
    encoders = fit_encoders("alice", features, by_csv, "train")
    expected = codes(encoders, by_csv)
    for kind, column in columns_of(values, (*kinds, *further)):
        columns = read(folder / "v.parquet", {"ID": ids, "v": column})
        assert codes(encoders, columns) == expected, kind
        assert codes(fit_encoders("alice", features, columns, "train"), by_csv) == expected, kind


ELEMENTS = {
    "integers": (st.integers(0, 100), (pa.uint8(), pa.int64(), pa.float32(), pa.decimal128(6, 2))),
    "booleans": (st.booleans(), (pa.bool_(),)),
    "moments": (MOMENTS, (pa.timestamp("s"), pa.timestamp("ns"))),
    "texts": (
        st.text("abXYé", min_size=1, max_size=3),
        (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())),
    ),
}


@pytest.mark.parametrize("name", ELEMENTS)
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_a_list_has_the_codes_of_its_elements_in_every_type(name, folder, data):
    strategy, kinds = ELEMENTS[name]
    rows = data.draw(st.lists(st.none() | st.lists(st.none() | strategy, max_size=4), min_size=1, max_size=4))
    ids, found = [f"id{place}" for place in range(len(rows))], {}
    for kind in kinds:
        given_rows = rows
        if pa.types.is_decimal(kind):
            given_rows = [row and [one if one is None else decimal.Decimal(one) for one in row] for row in rows]
        for make in (pa.list_, pa.large_list):
            column = pa.array(given_rows, make(kind))
            columns = read(folder / "l.parquet", {"ID": ids, "v": column}, LIST_RULES)
            encoders = fit_encoders("alice", OF_LISTS, columns, "train")
            found[str(column.type)] = codes(encoders, columns)
    assert found == dict.fromkeys(found, next(iter(found.values())))
    lengths = [0 if row is None else len({str(one) for one in row if one is not None}) for row in rows]
    indices, _ = next(iter(found.values()))["v"]
    assert [sum(code > 0 for code in row) for row in indices] == lengths
