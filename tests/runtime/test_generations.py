"""Generations of draws over restarts, datasets and changes, with real files."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from party.errors import SessionError, StorageError
from party.privacy.value_digests import ValueDigests
from party.runtime.generations import Generations
from party.runtime.records import RunRecord
from party.runtime.run_origin import bound_to_draws

FORM, OTHER_FORM = b"binary a > 1", b"binary a > 2"
PINNED = bytes(range(32))


def _find(folder: Path, form: bytes = FORM, charged: int = 0, **values: int) -> int:
    """A process that starts, opens one session and ends."""
    generations = Generations(folder, "labels", os.urandom)
    table = ValueDigests.of_table(generations.secret, list(values), [bytes([one]) for one in values.values()])
    return generations.find(form, table, charged)


def _draw_nothing(count: int) -> bytes:
    raise AssertionError(f"{count} bytes were drawn")


def test_one_generation_over_restarts_and_datasets(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1, b=0) == 1
    assert _find(tmp_path, a=1, b=0) == 1
    assert _find(tmp_path, c=1, d=1) == 1
    assert _find(tmp_path, b=0, d=1, e=0) == 1
    assert _find(tmp_path) == 1


def test_another_value_of_any_known_id_begins_a_generation_for_all_ids(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1, b=0) == 1
    assert _find(tmp_path, c=1) == 1
    assert _find(tmp_path, a=1, b=0, c=0, d=1) == 2
    assert _find(tmp_path, a=1, b=0, c=0, d=1) == 2


def test_a_table_keeps_its_generation_whatever_follows(tmp_path: Path) -> None:
    """Two datasets whose ids clash, in turn: each has one answer, so each change back is free."""
    for _ in range(2):
        assert _find(tmp_path, a=1, b=0) == 1
        assert _find(tmp_path, a=0, b=0) == 2
        assert _find(tmp_path, a=2, b=0) == 3


def test_ids_that_joined_are_held_to_their_values(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1) == 1
    assert _find(tmp_path, a=1, b=0) == 1
    assert _find(tmp_path, b=1) == 2


def test_another_form_draws_by_itself_and_the_former_one_is_found_again(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1) == 1
    assert _find(tmp_path, OTHER_FORM, a=0) == 2
    assert _find(tmp_path, a=1) == 1
    assert _find(tmp_path, OTHER_FORM, a=0) == 2


def test_draws_for_ids_of_another_meaning_are_another_generation(tmp_path: Path) -> None:
    """An id may be another text than it was to an earlier version: its draws would be a second answer."""
    assert _find(tmp_path, a=1) == 1
    path, secret = tmp_path / "generation-1", (tmp_path / "secret").read_bytes()
    content = path.read_bytes()
    start = len(b"vsl/1 generation\0")
    former = hashlib.blake2b(FORM, key=secret, person=b"vsl/1 form", digest_size=32).digest()
    table = content[start + 64 :]
    check = hashlib.blake2b(former + table, person=b"vsl/1 file", digest_size=32).digest()
    path.write_bytes(content[:start] + former + check + table)
    assert _find(tmp_path, a=1) == 2


def test_numbers_go_on_where_files_were_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert _find(tmp_path / "lost", charged=4, a=1) == 5
    assert "generation 5 of draws begins" in caplog.text


def test_another_secret_begins_a_generation(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1) == 1
    (tmp_path / "secret").unlink()
    assert _find(tmp_path, a=1) == 2


def test_the_first_generation_is_no_warning_and_a_further_one_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _find(tmp_path, a=1)
        assert not caplog.records
        _find(tmp_path, a=0)
    (record,) = caplog.records
    assert "labels: generation 2 of draws begins" in record.getMessage()


def test_a_killed_write_leaves_the_former_state(tmp_path: Path) -> None:
    assert _find(tmp_path, a=1) == 1
    for name in (".generation-1.partial", ".generation-2.partial", ".secret.partial"):
        (tmp_path / name).write_bytes(b"half of a file")
    assert _find(tmp_path, a=1, b=1) == 1
    assert _find(tmp_path, a=0) == 2


def test_secret_is_drawn_once_and_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    _find(tmp_path / "state", a=1)
    first = Generations(tmp_path / "state", "labels", _draw_nothing).secret
    assert len(set(first)) > 8
    assert first == Generations(tmp_path / "state", "labels", _draw_nothing).secret
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").iterdir()} == {0o600}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_pinned_secret_is_the_same_in_every_folder_and_another_for_other_draws(tmp_path: Path) -> None:
    def secret(folder: str, what: str, draw: Callable[[int], bytes] = _draw_nothing) -> bytes:
        return Generations(tmp_path / folder, what, draw, PINNED).secret

    assert secret("a", "labels") == secret("b", "labels")
    assert secret("a", "labels") != secret("a", "columns")
    assert not (tmp_path / "a" / "secret").exists()


@pytest.mark.parametrize("name", ["secret", "generation-1"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    assert _find(tmp_path, a=1, b=0) == 1
    path = tmp_path / name
    for content in (path.read_bytes()[:-1], b"", path.read_bytes()[:-1] + b"\xff\xff"):
        path.write_bytes(content)
        with pytest.raises(StorageError, match="is damaged") as caught:
            _find(tmp_path, a=1, b=0)
        assert str(tmp_path) not in caught.value.public_message


def test_a_changed_digest_is_noticed(tmp_path: Path) -> None:
    _find(tmp_path, a=1, b=0)
    path = tmp_path / "generation-1"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="is damaged"):
        _find(tmp_path, a=1, b=0)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    _find(tmp_path, a=1)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(StorageError, match="open to others"):
        _find(tmp_path, a=1)


def test_a_run_is_bound_to_its_draws(tmp_path: Path) -> None:
    record = RunRecord(
        run_id="ab" * 16,
        coordinator="driver",
        configuration_sha256="",
        parties=("bank", "shop"),
        secret="",
        row_key="",
        state="started",
    )
    generations = Generations(tmp_path, "labels", os.urandom)
    draws = generations.fingerprint(1)
    begun = bound_to_draws(record, None, draws, "bank")
    assert bound_to_draws(begun, begun, Generations(tmp_path, "labels", os.urandom).fingerprint(1), "bank") == begun
    others = (generations.fingerprint(2), Generations(tmp_path / "other", "labels", os.urandom).fingerprint(1), "")
    for other in others:
        with pytest.raises(SessionError, match="drawn otherwise than when the run began"):
            bound_to_draws(begun, begun, other, "bank")
