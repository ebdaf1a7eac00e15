"""A line that something was released on is never lost, and every change of the file is found."""

import hashlib
import json
import random
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from party.errors import StorageError
from party.ledger.entry import Content
from party.ledger.file import HEAD_FILE, LEDGER_FILE, RUNS_FOLDER, Ledger, read_ledger
from party.security.files import private_folder
from tests.support.forks import Forks

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KILLS = 100


def fill(folder, lines):
    ledger = Ledger(folder, lambda: NOW)
    for number in range(lines):
        ledger.append(
            Content(event="agreed", session=f"{number:016x}", purpose="train", rows=number, releases={"metrics": 2})
        )
    ledger.close()
    return folder / LEDGER_FILE


def test_lines_are_there_again_in_a_later_process(tmp_path):
    path = fill(tmp_path / "state", 3)
    ledger = Ledger(path.parent, lambda: NOW)
    ledger.append(Content(event="started"))
    ledger.close()
    entries = read_ledger(path.parent)
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4]
    assert [entry.event for entry in entries] == ["agreed", "agreed", "agreed", "started"]
    assert all(later.previous == earlier.digest for earlier, later in pairwise(entries))
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A ledger of a few lines that tests change and put back."""
    path = fill(tmp_path_factory.mktemp("whole") / "state", 6)
    return path, path.read_bytes()


def is_refused(path, content):
    """Whether both readers refuse a changed file."""
    path.write_bytes(content)
    for read in (lambda: read_ledger(path.parent), lambda: Ledger(path.parent, lambda: NOW)):
        with pytest.raises(StorageError, match=r"^ledger: line \d+: was altered, or lines were removed"):
            read()
    return path.read_bytes() == content


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_altered_byte_is_found(whole, data):
    path, content = whole
    place = data.draw(st.integers(0, len(content) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda one: one != content[place]))
    assert is_refused(path, content[:place] + bytes([value]) + content[place + 1 :])


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_removed_repeated_or_reordered_line_is_found(whole, data):
    path, content = whole
    lines = content.splitlines(keepends=True)
    changed = data.draw(
        st.one_of(
            st.permutations(lines),
            st.lists(st.sampled_from(lines), max_size=len(lines) + 2),
            st.integers(0, len(lines) - 1).map(lambda count: lines[:count]),
        ).filter(lambda one: list(one) != lines)
    )
    assert is_refused(path, b"".join(changed))


def test_a_line_that_was_computed_anew_with_its_digest_is_found(whole, tmp_path):
    """Who knows the format can write a whole chain; the head, and whoever noted a digest, know another one."""
    path, _ = whole
    forged = fill(tmp_path / "state", 5).read_bytes()
    assert is_refused(path, forged)
    other = Ledger(tmp_path / "state", lambda: NOW)
    other.append(Content(event="agreed", session="another"))
    other.close()
    assert is_refused(path, (tmp_path / "state" / LEDGER_FILE).read_bytes())


def test_lines_after_the_head_are_one_at_most(tmp_path):
    path = fill(tmp_path / "state", 4)
    head = path.with_name(HEAD_FILE)
    lines = path.read_bytes().splitlines()
    head.write_text(json.dumps({"sequence": 3, "digest": json.loads(lines[2])["digest"]}))
    ledger = Ledger(path.parent, lambda: NOW)  # killed between a line and its head
    ledger.close()
    assert json.loads(head.read_bytes())["sequence"] == 4
    head.write_text(json.dumps({"sequence": 2, "digest": json.loads(lines[1])["digest"]}))
    with pytest.raises(StorageError, match="line 4"):
        Ledger(path.parent, lambda: NOW)


def test_half_a_line_of_a_killed_process_is_dropped(tmp_path):
    path = fill(tmp_path / "state", 2)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"event":"agr')
    ledger = Ledger(path.parent, lambda: NOW)
    ledger.append(Content(event="started"))
    ledger.close()
    assert path.read_bytes().startswith(whole)
    assert len(read_ledger(path.parent)) == 3


@pytest.mark.parametrize("missing", [HEAD_FILE, LEDGER_FILE])
@pytest.mark.parametrize("lines", [1, 2])
def test_a_missing_file_is_found(tmp_path, missing, lines):
    path = fill(tmp_path / "state", lines)
    path.with_name(missing).unlink()
    for read in (lambda: Ledger(path.parent, lambda: NOW), lambda: read_ledger(path.parent)):
        with pytest.raises(StorageError, match="was altered, or lines were removed"):
            read()


def test_a_ledger_that_is_gone_beside_runs_is_no_new_one(tmp_path):
    """All limits would start at zero."""
    ledger = Ledger(tmp_path / "state", lambda: NOW)
    ledger.append(Content(event="started"))
    ledger.close()
    path = tmp_path / "state" / LEDGER_FILE
    first = path.read_bytes()
    for file in (HEAD_FILE, LEDGER_FILE):
        path.with_name(file).unlink()
    runs = private_folder(path.parent / RUNS_FOLDER)
    Ledger(path.parent, lambda: NOW).close()  # as before the first run
    assert read_ledger(path.parent) == []
    (runs / "ab" / "checkpoints").mkdir(parents=True)
    for content in (None, b'{"event":"sta', first):
        if content is not None:
            path.write_bytes(content)
            path.chmod(0o600)
        for read in (lambda: Ledger(path.parent, lambda: NOW), lambda: read_ledger(path.parent)):
            with pytest.raises(StorageError, match=r"^ledger: has no line of the runs.*restore both.*at zero"):
                read()


def test_a_first_start_that_was_killed_before_its_head_is_no_alteration(tmp_path):
    ledger = Ledger(tmp_path / "state", lambda: NOW)
    ledger.append(Content(event="started"))
    ledger.close()
    (tmp_path / "state" / HEAD_FILE).unlink()
    assert len(read_ledger(tmp_path / "state")) == 1
    Ledger(tmp_path / "state", lambda: NOW).close()
    assert (tmp_path / "state" / HEAD_FILE).exists()


def test_a_ledger_that_cannot_be_written_takes_back_the_line(tmp_path, monkeypatch):
    path = fill(tmp_path / "state", 2)
    ledger = Ledger(path.parent, lambda: NOW)
    path.with_name(HEAD_FILE).with_name(f".{HEAD_FILE}.partial").mkdir()  # in the way of the head
    with pytest.raises(StorageError, match="ledger: cannot be written"):
        ledger.append(Content(event="agreed"))
    assert len(ledger.entries) == 2
    path.with_name(f".{HEAD_FILE}.partial").rmdir()
    assert ledger.append(Content(event="agreed")).sequence == 3
    ledger.close()
    assert len(read_ledger(path.parent)) == 3


def test_a_head_that_was_written_for_a_line_that_was_not_kept_is_taken_back(tmp_path, monkeypatch):
    """The folder of the head cannot be synced after the head was renamed."""
    path = fill(tmp_path / "state", 2)
    ledger = Ledger(path.parent, lambda: NOW)
    write = ledger._write_head

    def renamed_and_failed(entry):
        write(entry)
        monkeypatch.setattr(ledger, "_write_head", write)
        raise StorageError("cannot be written", where="folder")

    monkeypatch.setattr(ledger, "_write_head", renamed_and_failed)
    with pytest.raises(StorageError, match="ledger: cannot be written"):
        ledger.append(Content(event="agreed"))
    assert len(read_ledger(path.parent)) == 2
    assert ledger.append(Content(event="agreed")).sequence == 3
    ledger.close()
    assert len(read_ledger(path.parent)) == 3


def test_lines_that_are_cut_off_while_it_is_open_are_found(tmp_path):
    path = fill(tmp_path / "state", 2)
    ledger = Ledger(path.parent, lambda: NOW)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])
    with pytest.raises(StorageError, match="line 3: was altered"):
        ledger.append(Content(event="agreed"))
    assert path.read_bytes() == lines[0], "what is left is evidence"


def line_with(path, **more):
    """The last line of a ledger with more keys, as a version that has them would have written it."""
    *_, last = path.read_bytes().splitlines()
    content = {**json.loads(last), **more}
    del content["digest"]
    return chained_line(content)


def chained_line(content):
    """A line with keys that this version may not know, with the digest that every line has."""
    canonical = {"sort_keys": True, "separators": (",", ":")}
    digest = hashlib.sha256(b"vsl/1 ledger\0" + json.dumps(content, **canonical).encode()).hexdigest()
    return json.dumps({**content, "digest": digest}, **canonical).encode() + b"\n"


@pytest.mark.parametrize("more", [{"warmth": 3}, {"event": "warmed"}, {"releases": {"warmth": 1}}], ids=str)
def test_a_line_of_another_version_is_not_called_altered(tmp_path, more):
    """After a rollback the owner has to install a version again, and nobody has to be suspected."""
    path = fill(tmp_path / "state", 3)
    whole = path.read_bytes()
    *before, _ = whole.splitlines(keepends=True)
    later = line_with(path, **more)
    path.write_bytes(b"".join([*before, later]))
    for read in (lambda: read_ledger(path.parent), lambda: Ledger(path.parent, lambda: NOW)):
        with pytest.raises(StorageError, match="line 3: was written by another version of this software; install that"):
            read()
    assert is_refused(path, b"".join([*before, later.replace(b"train", b"trait")]))
    assert is_refused(path, b"".join([*before, line_with(path, rows=7).replace(b'"rows":7', b'"rows":8')]))


def test_killed_at_random_instants_it_loses_and_repeats_nothing(tmp_path):
    """Each process goes on where the one before was killed; what it said was durable has to be there, once."""
    state = tmp_path / "state"
    generator, said = random.Random(5), []
    with Forks("tests.ledger.ledger_writer", state) as forks:
        for _ in range(KILLS):
            said += forks.kill_one(generator, generator.randint(1, 4))
    entries = read_ledger(state)
    written = {str(entry.sequence): entry.digest for entry in entries}
    assert len(said) >= KILLS
    assert len({number for number, _ in said}) == len(said), "no number was given twice"
    assert all(written[number] == digest for number, digest in said)
    assert len({entry.session for entry in entries}) == len(entries)
