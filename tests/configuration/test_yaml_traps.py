"""Mistakes that YAML invites: each is one clear line with file and line number, or is read as it is meant."""

import pytest
import yaml

from party.configuration.yaml_file import read_yaml
from tests.support.configuration_cases import refusal


def read(folder, text):
    path = folder / "x.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\n\tb: 2\n", 2, "a tab: indent with blanks"),
        ("a:\n\t- 1\n", 2, "a tab: indent with blanks"),
        ("a: 1\n  b: 2\n", 2, "a colon where none can stand"),
        ("a:\n    b: 1\n  c: 2\n", 3, "the indentation does not fit the lines above"),
        ("a:\n  - b: 1\n   c: 2\n", 3, "the indentation does not fit the lines above"),
        ("a: b: c\n", 1, "a text with ': ' in it needs quotes"),
        ("a: 1\nb\nc: 2\n", 3, "a line that is no key: write KEY: VALUE"),
        ("a: 1\na: 2\n", 2, "key 'a' is given twice"),
        ("x: {a: 1, a: 2}\n", 1, "key 'a' is given twice"),
        ("a: [1, 2\nb: 3\n", 2, "a list in [ ] lacks a comma or its end"),
        ("a: {b: 1\nc: 3\n", 2, "a mapping in { } lacks a comma or its end"),
        ('a: "b\nc: 3\n', 3, "a quote that is never closed"),
        ('a: "C:\\data"\n', 1, "a backslash in double quotes: write single quotes"),
        ("rule: `income_>50K` == 1\n", 1, 'a text that begins with ` needs quotes, such as rule: "`income_>50K` == 1"'),
        ("a: @b\n", 1, "a text that begins with @ needs quotes"),
        ("a: *b\n", 1, "a text that begins with * needs quotes"),
        ("a: * b\n", 1, "a text that begins with * or & needs quotes"),
        ("a: !b c\n", 1, "a text that begins with ! needs quotes"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: 1\nb: \x07\n", 2, "a control character"),
        (b"a: 1\nb: 2\nc: \xfcber\n", 3, "is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, text, line, said):
    refused = refusal(read, tmp_path, text)
    assert refused.startswith(f"{tmp_path / 'x.yaml'}:{line}: "), refused
    assert said in refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no mapping of keys to values; received nothing; begin with KEY: VALUE"),
        ("# only a comment\n", "received nothing"),
        ("- a\n", "received a list"),
        ("a\n", "received a single value"),
        ("a: 1".encode("utf-16"), "is not UTF-8; received UTF-16; save the file as UTF-8"),
    ],
)
def test_a_file_without_keys_is_refused(tmp_path, text, said):
    assert said in refusal(read, tmp_path, text)


def test_a_file_that_is_not_there_is_named_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    from pathlib import Path  # noqa: PLC0415

    assert refusal(read_yaml, Path("absent.yaml")).startswith(
        f"{tmp_path / 'absent.yaml'}: configuration file not found"
    )


@pytest.mark.parametrize(
    ("written", "value"),
    [
        *[
            ("1e-5", 1e-5),
            ("1E-5", 1e-5),
            ("1.0e-5", 1e-5),
            ("-1e3", -1e3),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("1_000.5", 1000.5),
        ],
        *[("10", 10), ("-3", -3), ("0", 0), ("1_000", 1000), ("0x1F", 31), (".inf", float("inf"))],
        *[("yes", True), ("off", False), ("true", True), ("null", None), ("~", None), ("", None)],
        # By YAML 1.1 these are eight, 5,400 and a day; a postcode, a time and a name of a column are texts.
        *[("010", "010"), ("08", "08"), ("1:30:00", "1:30:00"), ("22:30", "22:30"), ("2024-01-31", "2024-01-31")],
        *[("2024-99-99", "2024-99-99"), ("1.2.3", "1.2.3"), ("127.0.0.1:0", "127.0.0.1:0"), ("1e", "1e"), ("e5", "e5")],
        *[('"1e-5"', "1e-5"), ("'yes'", "yes"), ("n", "n"), ("é", "é")],
    ],
)
def test_a_plain_value_is_read_as_it_is_meant(tmp_path, written, value):
    (received,) = read(tmp_path, f"a: {written}\n").values()
    assert (type(received), received) == (type(value), value)


def test_numbers_are_read_as_python_writes_them(tmp_path):
    for number in [10.0**power for power in range(-30, 30, 3)] + [3, -7, 10**12, 0.1, -2.5e-7]:
        assert read(tmp_path, f"a: {number!r}\n") == {"a": number}
        assert read(tmp_path, yaml.safe_dump({"a": number})) == {"a": number}


def test_a_mark_at_the_beginning_of_utf8_is_skipped(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfa: 1\n") == {"a": 1}
