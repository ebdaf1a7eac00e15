"""A part of an audit is read as it was signed, or refused: changed, of another party, of another format."""

import json

import pytest
from pydantic import ValidationError

from coordinator.audit import joint_audit, read_all
from party.audit.report.audit_part import AuditPart
from party.audit.report.audit_row import AuditRow
from party.audit.report.judgement import epsilon_ceiling
from party.audit.report.signed_part import part_to_bytes, read_parts
from party.errors import DataError, StorageError
from tests.support.audit_parts import PRIVATE_LABELS, make_identity, make_part, make_row, write_signed


@pytest.fixture(scope="module")
def bob(tmp_path_factory):
    return make_identity(tmp_path_factory.mktemp("bob"))


@pytest.fixture(scope="module")
def alice(tmp_path_factory):
    return make_identity(tmp_path_factory.mktemp("alice"), "alice")


def test_a_part_is_read_as_it_was_written(bob, tmp_path):
    rows = [make_row(), make_row(attack="posterior", one_step=None, all_epochs="?", standard_error=None, ceiling=0.731)]
    part = make_part(table=rows, protections=[PRIVATE_LABELS])
    (read,) = read_parts(write_signed(tmp_path, part, bob))
    assert read.part == part
    assert read.part.canonical() == part.canonical()
    assert AuditPart.model_validate_json(part.canonical()) == part


def test_parts_in_one_file_are_each_still_signed(bob, alice, tmp_path):
    parts = [make_part(), make_part("alice")]
    signed = [
        read
        for part, identity in zip(parts, (bob, alice), strict=True)
        for read in read_parts(write_signed(tmp_path, part, identity))
    ]
    path = tmp_path / "report.json"
    path.write_text(joint_audit(signed, None).to_json())
    assert [one.part for one in read_parts(path)] == parts
    content = json.loads(path.read_bytes())
    content["parts"][1]["part"]["rows"][0]["verdict"] = "within"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="signature does not fit"):
        read_parts(path)


def leaves(content, path=()):
    """Every value of a JSON object that is no container, with its path."""
    if isinstance(content, dict | list):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        return [leaf for key, value in items for leaf in leaves(value, (*path, key))]
    return [(path, content)]


def test_no_value_of_a_part_can_be_changed(bob, tmp_path):
    content = json.loads(part_to_bytes(make_part(protections=[PRIVATE_LABELS]), bob))
    path = tmp_path / "changed.json"
    found = leaves(content["part"], ("part",))
    assert len(found) > 30
    for place, value in found:
        changed = json.loads(json.dumps(content))
        holder = changed
        for key in place[:-1]:
            holder = holder[key]
        other = {str: "other", bool: not value, int: 7, float: 0.25, type(None): 0.25}[type(value)]
        holder[place[-1]] = other
        assert other != value
        path.write_text(json.dumps(changed))
        with pytest.raises(DataError, match=r"signature does not fit|is no part"):
            read_parts(path)


def test_a_part_signed_by_another_party_is_refused(alice, tmp_path):
    with pytest.raises(DataError, match=r"certificate of another party; expected bob"):
        read_parts(write_signed(tmp_path, make_part("bob"), alice))


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff\xfe", b'{"part": {}}', b'{"format": "audit report 1", "parts": []}', b"[" * 100_000],
    ids=["empty", "list", "no text", "no fields", "no parts", "deep"],
)
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is no part of an audit"):
        read_parts(path)


def test_a_later_format_and_an_unknown_key_are_refused(bob, tmp_path):
    content = json.loads(part_to_bytes(make_part(), bob))
    path = tmp_path / "later.json"
    for change in ({"format": "audit part 2"}, {"password": "1"}):
        path.write_text(json.dumps({**content, "part": {**content["part"], **change}}))
        with pytest.raises(DataError, match="is no part of an audit that this version can read"):
            read_parts(path)


def test_a_file_that_is_absent_or_too_long_is_refused(tmp_path):
    with pytest.raises(StorageError, match="cannot be read"):
        read_parts(tmp_path / "absent.json")
    path = tmp_path / "long.json"
    path.write_bytes(b" " * ((16 << 20) + 1))
    with pytest.raises(DataError, match="too long"):
        read_parts(path)


@pytest.mark.parametrize(
    "changes", [{"all_epochs": 1.2}, {"ceiling": float("nan")}, {"verdict": "safe"}, {"note": "x" * 401}]
)
def test_a_row_holds_what_a_table_can_show(changes):
    with pytest.raises(ValidationError):
        AuditRow(**{**make_row().model_dump(), **changes})


@pytest.mark.parametrize(
    ("said", "figures", "meant"),
    [
        ("nothing found", {"all_epochs": 0.99}, "open"),
        ("within", {"all_epochs": 0.8, "ceiling": epsilon_ceiling(1.0)}, "above"),
        ("within", {"all_epochs": 0.87, "ceiling": epsilon_ceiling(2.0)}, "readable"),
        ("open", {"all_epochs": "?", "standard_error": None}, "not measured"),
    ],
)
def test_a_verdict_is_that_of_the_figures_whatever_the_part_says(bob, tmp_path, said, figures, meant):
    path = write_signed(tmp_path, make_part(table=[make_row(verdict=said, **figures)]), bob)
    (run,) = joint_audit(read_all([path]), None).report.runs
    assert [one.row.verdict for one in run.rows] == [meant]
