"""What is odd about the CSV files that people have: read, said, or refused with what to do about it."""

import pytest

from party.configuration.csv_format import CsvSection
from party.errors import DataError
from tests.support.sources import read_files

CANARY = "Canary7f3a"
ROWS = [["1", "20"], ["2", "é"]]
PLAIN = "id,age\n1,20\n2,é\n"


def write(folder, content):
    path = folder / "train.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def failure(path, *, names=("id", "age"), **form):
    with pytest.raises(DataError) as caught:
        read_files(path, names=names, form=CsvSection(**form))
    told = f"{caught.value} {caught.value.public_message}"
    assert CANARY not in told
    assert "\n" not in told
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (PLAIN, {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace("\n", "\r"), {}),
        (PLAIN.rstrip(), {}),
        ("\ufeff" + PLAIN, {}),
        ("\n\n" + PLAIN.replace("\n", "\n\n"), {}),
        ("id,age,\n1,20,\n2,é,\n", {}),
        ("id,age\n1,20,\n2,é,\n", {}),
        ("id,age,\n1,20\n2,é\n", {}),
        ("id,more,age,\n1,x,20\n2,,é\n", {}),
        ('"id" , age\n1,20\n2,"é"\n', {}),
        (PLAIN.replace(",", ";"), {"separator": ";"}),
        (PLAIN.replace(",", "\t"), {"separator": "tab"}),
        (PLAIN.replace(",", "|"), {"separator": "|"}),
        (PLAIN.encode("utf-16"), {"encoding": "utf-16"}),
        (PLAIN.encode("utf-16-be"), {"encoding": "utf-16-be"}),
        (b"\xfe\xff" + PLAIN.encode("utf-16-be"), {"encoding": "utf-16"}),
        (b"\xff\xfe" + PLAIN.encode("utf-16-le"), {"encoding": "utf-16-le"}),
        (PLAIN.encode("utf-32"), {"encoding": "UTF-32"}),
        (PLAIN.encode("latin-1"), {"encoding": "latin-1"}),
        (PLAIN.encode("cp1252"), {"encoding": "windows-1252"}),
        (PLAIN.encode("cp500"), {"encoding": "cp500"}),
        (PLAIN.encode("utf-8-sig"), {"encoding": "utf-8-sig"}),
        ("1,20\n2,é\n", {"header": False, "columns": ("id", "age")}),
        ("x,20,1\ny,é,2\n", {"header": False, "columns": ("unread", "age", "id")}),
        ("id,age\n'1','20'\n2,é\n", {"quote": "'"}),
    ],
)
def test_the_same_rows_in_many_forms(tmp_path, content, form):
    assert read_files(write(tmp_path, content), form=CsvSection(**form)).rows == ROWS


def test_quotes_may_be_escaped_or_mean_nothing(tmp_path):
    path = write(tmp_path, 'id,age\n1,"a \\"b\\", \\\\ c"\n')
    assert read_files(path, form=CsvSection(escape="backslash")).rows == [["1", 'a "b", \\ c']]
    path = write(tmp_path, 'id,age\n1,"20\n2,21"\n')
    assert read_files(path, form=CsvSection(quote="none")).rows == [["1", '"20'], ["2", '21"']]


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "shift_jis", "utf-8"])
def test_a_character_between_two_pieces_is_read(tmp_path, encoding):
    sign = "é" if encoding != "shift_jis" else "ア"
    for shift in range(3):
        cells = ["x" * shift + sign * (5 << 19), sign * 70_000]  # longer than the first piece, and the second
        path = write(tmp_path, f"id,age\n{cells[0]},1\n{cells[1]},2\n".encode(encoding))
        assert read_files(path, names=("id",), form=CsvSection(encoding=encoding)).columns["id"] == cells


@pytest.mark.parametrize(
    ("header", "notes"),
    [
        ("id,age", ()),
        (" id,age\t", ("2 columns are named with blanks around, which do not count",)),
        ("id,age,,", ("2 columns have no name, and are not read",)),
        ("id,age,x,x", ("2 columns share a name with another, and are not read",)),
        ("id,age, age,x", ()),
    ],
)
def test_what_is_odd_about_names_is_said_in_numbers(tmp_path, header, notes):
    read = read_files(write(tmp_path, f"{header}\n1,2{',' * (header.count(',') - 1)}\n"))
    assert read.rows == [["1", "2"]]
    assert read.notes == notes


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id;age\n1;2\n", "set data.csv.separator: ';'"),
        ("id\tage\n1\t2\n", "set data.csv.separator: 'tab'"),
        ('"id"|"age"\n1|2\n', "set data.csv.separator: '|'"),
        (f"id;age;{CANARY}, {CANARY}\n1;2;3\n", "set data.csv.separator: ';'"),
        (f"{CANARY};{CANARY}\n", "set data.csv.separator: ';'"),
        (b"id,age\n1,caf\xe9\n", "row 2 is not UTF-8"),
        (b"id,age\n\n1,2\n\n1,caf\xe9\n", "row 3 is not UTF-8"),
        (b"id,age\n1,caf\xe9\n", "data.csv.encoding: such as cp1252 or latin-1"),
        (b"id,age,caf\xe9\n1,2,3\n", "header line is not UTF-8"),
        (PLAIN.encode("utf-16"), "begins with the byte order mark of UTF-16"),
        (PLAIN.encode("utf-16"), "set data.csv.encoding: utf-16"),
        (PLAIN.encode("utf-32"), "set data.csv.encoding: utf-32"),
        (PLAIN.encode("utf-16-le"), "data.csv.encoding: by its NUL characters utf-16-le"),
        (f"7,{CANARY},2024-01-31\n", "data.csv.header: false"),
        (f"{CANARY}@example.org,x\n", "data.csv.header: false"),
        (f"{CANARY},,x\n", "data.csv.header: false"),
        (f"{CANARY},x\n", "the first line must hold the columns' names"),
        (f"id,age\n1,2\n3,{CANARY},5\n", "row 3 does not fit the columns' names; expected 2 fields; received 3"),
        (f"id,age\n1,2,{CANARY}\n", "row 2 does not fit the columns' names; expected 2 fields; received 3"),
        (f"id,age\n\n\n1,{CANARY},\n\n1,2,\n3\n", "row 4 does not fit the columns' names; expected 3 fields"),
        (f"id,age\n1,2,\n3,4,{CANARY}\n", "rows have one field more than there are names"),
        (f'id,age\n1,"{CANARY}\n2,3\n', "quotes do not match"),
        (f'id,age\n1,5" disk\n2,"{CANARY}\n', "quotes do not match"),
        (f"id,age\n{CANARY}," + "x" * (10 << 20) + "\n", "expected rows of at most 4,194,304 bytes"),
        (b"PK\x03\x04" + bytes(30), "is a zip archive or a spreadsheet"),
        (b"\xfd7zXZ\x00" + bytes(30), "is compressed with xz"),
        (b"ARROW1\x00\x00", "is an Arrow or Feather file"),
    ],
)  # fmt: skip
def test_errors_name_the_cause(tmp_path, content, expected):
    assert expected in failure(write(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "form", "expected"),
    [
        (b"id,age\n1,\x81\n", {"encoding": "cp1252"}, "is not cp1252"),
        (PLAIN.encode("utf-16")[:-1], {"encoding": "utf-16"}, "is not utf-16"),
        (PLAIN.encode("utf-16"), {"encoding": "latin-1"}, "set data.csv.encoding: utf-16"),
        (PLAIN, {"separator": ";"}, "set data.csv.separator: ','"),
        (PLAIN, {"header": False, "columns": ("id", "age")}, "first line holds the names of the columns"),
        (f"{CANARY},2,3\n", {"header": False, "columns": ("id", "age")}, "row 1 does not fit the columns' names"),
        (f"{CANARY},2\n", {"header": False, "columns": ("id", "Age")}, "columns missing: age (did you mean Age?)"),
        (f'id,age\n1,"{CANARY}\\"\n', {"escape": "backslash"}, "quotes do not match"),
    ],
)
def test_errors_of_declared_forms(tmp_path, content, form, expected):
    assert expected in failure(write(tmp_path, content), **form)


def test_rows_are_counted_through_all_pieces(tmp_path):
    lines = "".join(f"{row},{'x' * 200}\n" for row in range(60_000))
    path = write(tmp_path, f"id,age\n{lines}{CANARY}\n")
    assert path.stat().st_size > 10 << 20
    assert "row 60,002 does not fit" in failure(path)
    assert "row 60,002 is not UTF-8" in failure(write(tmp_path, f"id,age\n{lines}".encode() + b"1,\xff\n"))


def test_a_file_of_rows_without_a_header_is_the_table_that_it_is_with_one(tmp_path):
    (tmp_path / "with").mkdir()
    headed = read_files(write(tmp_path / "with", PLAIN))
    form = CsvSection(header=False, columns=("id", "age"))
    bare = read_files(write(tmp_path, PLAIN.partition("\n")[2]), form=form)
    assert bare.columns == headed.columns
    renamed = CsvSection(header=False, columns=("age", "id"))
    assert read_files(write(tmp_path, PLAIN.partition("\n")[2]), form=renamed).sha256 != bare.sha256, "another table"
