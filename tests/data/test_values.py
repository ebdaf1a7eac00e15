"""One value, one text: whatever file, type and notation a cell comes in."""

import csv
import datetime
import decimal
import math
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from party.configuration.canonical_text import canonical_text
from party.configuration.joins import KeyRule
from party.data.table import FileRules, read_table
from party.data.values.notations import canonical
from party.data.values.texts import canonical_column, canonical_texts
from party.data.values.types import check_type
from party.errors import DataError
from tests.support.value_oracle import NUMBER, moment_text, number_text, seconds_text

CANARY = "Canary7f3a"
TEXT = pa.large_string()
SLOW = settings(max_examples=10, deadline=None)

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=8)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100)
DECIMALS = st.decimals(-(10**4), 10**4, places=3)
NAIVE = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)) | st.dates(
    datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)
).map(lambda one: datetime.datetime.combine(one, datetime.time()))
ZONES = st.sampled_from([datetime.UTC, datetime.timezone(datetime.timedelta(hours=5, minutes=30))])
# Whole seconds and milliseconds too: more types can hold them.
UNITS = st.sampled_from([1, 1000, 10**6])


def coarser(moment, microseconds):
    return moment.replace(microsecond=moment.microsecond // microseconds * microseconds if microseconds < 10**6 else 0)


def columns(values):
    return st.lists(values | st.none(), min_size=1, max_size=5)


def held(values, kinds):
    """The values as columns of all types that hold each of them."""
    found = {}
    for kind in kinds:
        try:
            column = pa.array(values, kind)
        except (pa.ArrowInvalid, OverflowError, TypeError):
            continue
        if column.to_pylist() == values:
            found[str(kind)] = column
    return found


def read_back(folder, name, write, names):
    write(folder / name)
    rules = FileRules(id_rule=KeyRule(("ID",)))
    read = read_table("alice", "train", folder / name, columns=names, rules=rules).columns
    return {column: read[column].by_row().tolist() for column in names}


def check_files(folder, expected, typed, *, frame=None, written=()):
    """Every column of a Parquet file, and of CSV files by pandas and by Python's own writer, has the expected texts.

    Args:
        expected: canonical text of each value.
        typed: columns of a Parquet file by name.
        frame: the values as pandas holds them.
        written: texts of the values, as other programs write them to CSV.
    """
    ids = [f"id{place}" for place in range(len(expected))]
    texts = [list(one) for one in written]
    typed = {**typed, **{f"text {place}": pa.array(one) for place, one in enumerate(texts)}}
    typed |= {f"{name} dictionary": pa.array(typed[name].to_pylist()).dictionary_encode() for name in ("text 0",)}
    table = pa.table({"ID": ids, **typed})
    found = read_back(folder, "typed.parquet", lambda path: parquet.write_table(table, path), typed)
    if frame is not None:
        by_pandas = pd.DataFrame({"ID": ids, "pandas": frame})
        found |= read_back(folder, "p.csv", lambda path: by_pandas.to_csv(path, index=False), ["pandas"])

    def by_writer(path):
        with path.open("w", newline="") as file:
            rows = zip(ids, *texts, strict=True)
            csv.writer(file).writerows([["ID", *(f"csv {place}" for place in range(len(texts)))], *rows])

    found |= read_back(folder, "w.csv", by_writer, [f"csv {place}" for place in range(len(texts))])
    assert found == dict.fromkeys(found, expected)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


@SLOW
@given(columns(INTEGERS))
def test_whole_numbers(folder, values):
    signed = (pa.int8(), pa.int16(), pa.int32(), pa.int64())
    unsigned = (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    others = (pa.decimal128(19, 0), pa.decimal128(23, 4), pa.decimal32(4, 1), pa.decimal64(18, 2), pa.decimal256(70, 5))
    exact = all(one is None or abs(one) < 2**53 for one in values)
    single = all(one is None or abs(one) < 2**24 for one in values)
    typed = held(values, [*signed, *unsigned, *others, *([pa.float64()] * exact), *([pa.float32()] * single)])
    frame = pd.Series(values, dtype="float64") if exact else pd.Series(values, dtype="Int64")
    notations = (lambda one: f"{one}", lambda one: f"{one}.0", lambda one: f"{one}.", lambda one: f"{one}e0")
    written = [["" if one is None else notation(one) for one in values] for notation in notations]
    expected = ["" if one is None else number_text(one) for one in values]
    check_files(folder, expected, typed, frame=frame, written=written)


@SLOW
@given(columns(st.floats()))
def test_floats(folder, values):
    typed = {"float64": pa.array(values, pa.float64())}
    written = [["" if one is None or math.isnan(one) else repr(one) for one in values]]
    expected = ["" if one is None else number_text(repr(one)) for one in values]
    check_files(folder, expected, typed, frame=pd.Series(values, dtype="float64"), written=written)


@SLOW
@given(columns(st.floats(width=32, allow_nan=False)), columns(st.floats(width=16, allow_nan=False)))
def test_short_floats_have_the_digits_that_their_type_needs(folder, singles, halves):
    for values, kind, dtype in ((singles, pa.float32(), "float32"), (halves, pa.float16(), "float16")):
        cells = pd.Series(values, dtype=dtype)
        own = [number_text("nan" if pd.isna(one) else str(one)) for one in cells.to_numpy()]
        written = [["" if pd.isna(one) else str(one) for one in cells.to_numpy()]]
        typed = {"typed": pa.array(cells.to_numpy(), kind, from_pandas=True)}
        check_files(folder, own, typed, frame=cells, written=written)


@SLOW
@given(columns(DECIMALS))
def test_decimals(folder, values):
    kinds = (pa.decimal32(9, 3), pa.decimal64(18, 3), pa.decimal128(38, 9), pa.decimal256(60, 12))
    written = [["" if one is None else str(one) for one in values]]
    expected = ["" if one is None else number_text(one) for one in values]
    check_files(folder, expected, held(values, kinds), frame=pd.Series(values, dtype=object), written=written)


@SLOW
@given(columns(st.booleans()))
def test_booleans(folder, values):
    written = [
        ["" if one is None else notation(str(one)) for one in values] for notation in (str, str.lower, str.upper)
    ]
    expected = ["" if one is None else str(int(one)) for one in values]
    frame = pd.Series(values, dtype="object")
    check_files(folder, expected, {"bool": pa.array(values, pa.bool_())}, frame=frame, written=written)


@SLOW
@given(columns(NAIVE), UNITS)
def test_timestamps(folder, values, unit):
    values = [None if one is None else coarser(one, unit) for one in values]
    typed = held(values, [pa.timestamp(unit) for unit in ("s", "ms", "us")])
    typed["timestamp[ns]"] = pa.array(values, pa.timestamp("ns"))
    notations = (str, lambda one: one.isoformat(), lambda one: one.isoformat(" ", "microseconds"))
    written = [["" if one is None else notation(one) for one in values] for notation in notations]
    expected = ["" if one is None else moment_text(one) for one in values]
    check_files(folder, expected, typed, frame=pd.Series(values, dtype="datetime64[us]"), written=written)


@SLOW
@given(columns(NAIVE), ZONES, UNITS)
def test_timestamps_with_a_zone(folder, values, zone, unit):
    values = [None if one is None else coarser(one, unit).replace(tzinfo=zone) for one in values]
    typed = held(values, [pa.timestamp(unit, name) for unit in ("s", "ms", "us") for name in ("UTC", "+05:30")])
    typed["ns"] = pa.array(values, pa.timestamp("ns", "Europe/Berlin"))
    notations = (str, lambda one: one.isoformat(), lambda one: one.strftime("%Y-%m-%dT%H:%M:%S.%f%z"))
    written = [["" if one is None else notation(one) for one in values] for notation in notations]
    expected = ["" if one is None else moment_text(one) for one in values]
    frame = pd.Series(values, dtype=pd.DatetimeTZDtype("us", "UTC")).dt.tz_convert("Asia/Kolkata")
    check_files(folder, expected, typed, frame=frame, written=written)


@SLOW
@given(columns(st.dates()))
def test_dates(folder, values):
    written = [["" if one is None else notation.format(one) for one in values] for notation in ("{}", "{}T00:00")]
    expected = ["" if one is None else moment_text(one) for one in values]
    typed = held(values, [pa.date32(), pa.date64()])
    check_files(folder, expected, typed, frame=pd.Series(values, dtype=object), written=written)


@SLOW
@given(columns(st.times()), UNITS)
def test_times_of_day(folder, values, unit):
    values = [None if one is None else coarser(one, unit) for one in values]
    typed = held(values, [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")])
    written = [["" if one is None else one.isoformat("microseconds") for one in values]]
    expected = ["" if one is None else moment_text(one) for one in values]
    check_files(folder, expected, typed, frame=pd.Series(values, dtype=object), written=written)


@SLOW
@given(columns(st.timedeltas(datetime.timedelta(days=-1000), datetime.timedelta(days=1000))))
def test_durations_are_seconds(folder, values):
    expected = ["" if one is None else seconds_text(one) for one in values]
    typed = held(values, [pa.duration("s"), pa.duration("ms"), pa.duration("us"), pa.duration("ns")])
    check_files(folder, expected, typed, written=[expected])


@SLOW
@given(columns(st.uuids()), st.booleans())
def test_uuids(folder, values, schema):
    stored = pa.array([None if one is None else one.bytes for one in values], pa.binary(16))
    typed = {"uuid": pa.ExtensionArray.from_storage(pa.uuid(), stored)}
    written = [["" if one is None else notation(str(one)) for one in values] for notation in (str, str.upper)]
    check_files(folder, ["" if one is None else str(one) for one in values], typed, written=written)
    # Without Arrow's own description of the file, as other programs write it.
    ids = [f"id{place}" for place in range(len(values))]
    table = pa.table({"ID": ids, **typed})
    write = lambda path: parquet.write_table(table, path, store_schema=schema)  # noqa: E731
    assert read_back(folder, "plain.parquet", write, ["uuid"])["uuid"] == [str(one or "") for one in values]


@SLOW
@given(columns(WORDS))
def test_texts(folder, values):
    typed = held(values, [pa.string(), pa.large_string(), pa.string_view()])
    written = [["" if one is None else one for one in values]]
    check_files(folder, [canonical_text(one or "") for one in values], typed, written=written)


# Texts

NUMBERS = st.from_regex(NUMBER, fullmatch=True).filter(lambda text: len(text.lower().partition("e")[2]) < 6)
ODD = st.sampled_from(["007", "+1", " 3", "3 ", "1_000", "0x10", "1e", ".5", "--1", "1e10000000000", "٣", "nan", "NaN"])
MOMENTS = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,3})?)?Z?)?")


@given(NUMBERS)
def test_a_number_is_its_digits(text):
    assert canonical_text(text) == number_text(decimal.Decimal(text))


@given(MOMENTS)
def test_a_moment_is_one_of_the_calendar(text):
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        assert canonical_text(text) == text
    else:
        assert moment.year < 1 or canonical_text(text) == moment_text(moment)


@given(st.lists(WORDS | NUMBERS | ODD | MOMENTS | st.sampled_from(["TRUE", "False", "true", "tRUE", ""]), max_size=8))
def test_a_column_is_read_as_its_texts_are_and_again_the_same(texts):
    once = canonical(pa.array(texts, TEXT))
    assert once.to_pylist() == [canonical_text(text) for text in texts]
    assert canonical(once).to_pylist() == once.to_pylist()


@given(
    ODD
    | WORDS.filter(lambda text: not any("0" <= one <= "9" for one in text) and text.lower() not in ("true", "false"))
)
def test_what_is_no_number_stays_as_it_is(text):
    assert canonical_text(text) == text


@given(st.lists(WORDS | NUMBERS | MOMENTS, max_size=8))
def test_exact_texts_stay_as_they_are(texts):
    column = canonical_column(pa.array(texts, TEXT), exact=True, where="x")
    assert (column.texts.to_pylist(), column.merged) == (texts, 0)


@given(st.lists(NUMBERS | WORDS, max_size=12))
def test_notations_of_one_value_are_counted(texts):
    column = canonical_column(pa.chunked_array([texts[:3], texts[3:]], TEXT), exact=False, where="x")
    by_value = {}
    for text in texts:
        by_value.setdefault(canonical_text(text), set()).add(text)
    assert column.merged == sum(len(one) for one in by_value.values() if len(one) > 1)


# Lists and types

LISTS = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]


@given(st.lists(st.none() | st.lists(st.none() | st.floats(-9, 9) | st.just(float("nan")), max_size=4), max_size=6))
def test_a_list_is_each_element_and_a_separator(rows):
    expected = [
        "".join(f"{number_text(repr(x))}\x1f" for x in row or () if x is not None and not math.isnan(x)) for row in rows
    ]
    for make in LISTS:
        column = pa.array([None, *rows], make(pa.float64()))[1:]
        assert canonical_texts(column, exact=False, where="x").to_pylist() == expected
    fixed = [row for row in rows if row is not None and len(row) == 2]
    texts = canonical_texts(pa.array(fixed, pa.list_(pa.float64(), 2)), exact=False, where="x").to_pylist()
    assert texts == [text for row, text in zip(rows, expected, strict=True) if row is not None and len(row) == 2]


def test_an_element_that_would_be_two_is_refused():
    with pytest.raises(DataError, match=r"alice: t\.parquet: column a: elements of lists hold U\+001F") as refused:
        canonical_texts(pa.array([["a", f"{CANARY}\x1f"]]), exact=True, where="alice: t.parquet: column a")
    assert CANARY not in str(refused.value)


REFUSED = [
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.binary(16),
    pa.struct([(CANARY, pa.int64())]),
    pa.map_(pa.string(), pa.int64()),
    pa.list_(pa.list_(pa.int64())),
    pa.list_(pa.struct([("a", pa.int64())])),
    pa.list_(pa.binary()),
    pa.month_day_nano_interval(),
    pa.dense_union([pa.field("a", pa.int64())]),
    pa.dictionary(pa.int32(), pa.binary()),
]


@pytest.mark.parametrize("kind", REFUSED, ids=str)
def test_values_without_a_text_are_refused(kind):
    with pytest.raises(DataError, match=r"t\.parquet: column a: holds .*received") as refused:
        check_type(kind, lists=True, where="alice: t.parquet: column a")
    assert str(kind)[:20] in str(refused.value)
    assert CANARY not in refused.value.public_message


def test_lists_are_refused_where_there_may_be_none():
    with pytest.raises(DataError, match="multi_hot or sequence"):
        check_type(pa.list_(pa.string()), lists=False, where="x")


def test_a_text_that_is_no_utf8_is_refused():
    column = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], "<i4")), pa.py_buffer(b"\xff")])
    with pytest.raises(DataError, match="no UTF-8"):
        canonical_texts(column, exact=False, where="x")


def test_columns_without_rows_and_without_values():
    for kind in (pa.string(), pa.float16(), pa.null(), pa.list_(pa.int64()), pa.uuid(), pa.timestamp("ns", "UTC")):
        empty = canonical_texts(pa.chunked_array([], kind), exact=False, where="x")
        assert (empty.type, len(empty)) == (TEXT, 0)
        nulls = pa.nulls(3, kind)
        assert canonical_texts(nulls, exact=False, where="x").to_pylist() == [""] * 3


def test_a_uuid_of_a_slice_is_its_own():
    ids = [uuid.UUID(int=number) for number in range(4)]
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes for one in ids], pa.binary(16)))
    assert canonical_texts(column[2:], exact=False, where="x").to_pylist() == [str(one) for one in ids[2:]]
