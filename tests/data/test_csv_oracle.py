"""A CSV file is the table that Python's csv module reads, or an error that holds no cell."""

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from party.configuration.csv_format import CsvSection
from party.errors import DataError
from tests.support.sources import read_files

SEPARATORS, QUOTES = ",;\t|", "\"'"
# Half of these have a meaning somewhere; Q, W and é are in no text of an error.
SIGNS = [*SEPARATORS, *QUOTES, "\\", "\n", "\r", "\r\n", " ", "\0", "Q", "W", "QW", "é", "\u2028", "\ufeff"]
NAMES = ("first", "second")
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=12).map("".join)
HEADERS = st.lists(st.sampled_from([*SIGNS, *NAMES, *NAMES, *SEPARATORS, " second"]), max_size=9).map("".join)
CELLS = st.lists(st.sampled_from(SIGNS), max_size=4).map("".join)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5)
FORMS = st.builds(
    CsvSection, separator=st.sampled_from(SEPARATORS), quote=st.sampled_from([*QUOTES, "none"])
) | st.builds(
    CsvSection, separator=st.sampled_from(SEPARATORS), quote=st.sampled_from(QUOTES), escape=st.just("backslash")
)


def dialect(form):
    has_backslash, no_quote = form.escape == "backslash", form.quote == "none"
    return {
        "delimiter": form.separator,
        "quotechar": '"' if no_quote else form.quote,
        "quoting": csv.QUOTE_NONE if no_quote else csv.QUOTE_MINIMAL,
        "doublequote": not has_backslash,
        "escapechar": "\\" if has_backslash else None,
    }


def oracle(text, form):
    return [row for row in csv.reader(io.StringIO(text, newline=""), **dialect(form)) if row]


def place_of(name, header):
    """The one place of a name, at best without looking at blanks; None if there is none or several."""
    places = [place for place, one in enumerate(header) if one == name]
    places = places or [place for place, one in enumerate(header) if one.strip() == name]
    return places[0] if len(places) == 1 else None


def check(folder, text, form):
    path = folder / "train.csv"
    path.write_bytes(text.encode())
    header, *rows = oracle(text.removeprefix("\ufeff"), form) or [[]]
    places = [place_of(name, header) for name in NAMES]
    try:
        read = read_files(path, names=NAMES, form=form).rows
    except DataError as error:
        assert not [sign for sign in "QWé" if sign in f"{error} {error.public_message}"]
        return False
    assert read == [[row[place] for place in places] for row in rows]
    # A row may differ from the header by an empty field at the end, if all rows do.
    widths = {len(row) for row in rows} or {len(header)}
    assert len(widths) == 1
    surplus = widths.pop() - len(header)
    assert (
        surplus == 0
        or (surplus == 1 and not any(row[-1] for row in rows))
        or (surplus == -1 and not header[-1].strip())
    )
    return True


@settings(max_examples=200, deadline=None)
@given(HEADERS, TEXTS, FORMS)
def test_any_file_is_read_as_by_the_oracle(tmp_path_factory, header, text, form):
    check(tmp_path_factory.getbasetemp(), f"{header}\n{text}", form)


@settings(max_examples=200, deadline=None)
@given(TEXTS, FORMS)
def test_any_rows_are_read_as_by_the_oracle(tmp_path_factory, text, form):
    check(tmp_path_factory.getbasetemp(), f"{form.separator.join(NAMES)}\n{text}", form)


@settings(max_examples=200, deadline=None)
@given(ROWS, FORMS, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["", "\ufeff"]), st.booleans())
def test_what_the_oracle_writes_is_read(tmp_path_factory, rows, form, end, mark, is_ended):
    if form.quote == "none":
        rows = [
            tuple("".join(one for one in cell if one not in f"{form.separator}\r\n") for cell in row) for row in rows
        ]
    file = io.StringIO(newline="")
    quoting = {"quoting": csv.QUOTE_NONE, "quotechar": None} if form.quote == "none" else {"quoting": csv.QUOTE_ALL}
    writer = csv.writer(file, lineterminator=end, **{**dialect(form), **quoting})
    writer.writerow(["unread", *NAMES])
    writer.writerows(rows)
    text = mark + (file.getvalue() if is_ended else file.getvalue().removesuffix(end))
    assert check(tmp_path_factory.getbasetemp(), text, form)
