import os

import pytest

from party.errors import StorageError
from party.ownership import ROOT
from party.security.files import private_folder, read_private, write_atomically

STRANGER = 54321


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    former = os.umask(request.param)
    yield
    os.umask(former)


def mode(path):
    return path.stat().st_mode & 0o7777


def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    folder = private_folder(tmp_path / "outer" / "inner")
    write_atomically(folder / "file", b"content")
    assert mode(tmp_path / "outer") == 0o700
    assert mode(folder) == 0o700
    assert mode(folder / "file") == 0o600
    assert read_private(folder / "file") == b"content"


def test_private_folder_is_returned_again(tmp_path):
    assert private_folder(tmp_path / "state") == private_folder(tmp_path / "state") == tmp_path / "state"


@pytest.mark.parametrize("bits", [0o755, 0o710, 0o701, 0o720])
def test_folder_open_to_others_is_refused(tmp_path, bits):
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(bits)
    with pytest.raises(StorageError, match=f"expected mode 0700, .*; received mode {bits:04o}; chmod 700"):
        private_folder(folder)


def test_folder_that_is_a_file_or_below_one_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="is not a folder"):
        private_folder(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be created"):
        private_folder(tmp_path / "file" / "state")


def test_write_replaces_a_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"former content")
    path.chmod(0o666)
    write_atomically(path, b"latter")
    assert path.read_bytes() == b"latter"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_reader_of_the_former_file_keeps_it_whole(tmp_path):
    path = tmp_path / "file"
    write_atomically(path, b"former")
    with path.open("rb") as reader:
        write_atomically(path, b"latter")
        assert reader.read() == b"former"


def test_rest_of_a_killed_write_is_replaced(tmp_path, umask):
    rest = tmp_path / ".file.partial"
    rest.write_bytes(b"half a very long content")
    rest.chmod(0o666)
    write_atomically(tmp_path / "file", b"whole")
    assert read_private(tmp_path / "file") == b"whole"
    assert not rest.exists()


def test_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / ".file.partial").symlink_to(victim)
    write_atomically(tmp_path / "file", b"content")
    assert victim.read_bytes() == b"untouched"
    assert read_private(tmp_path / "file") == b"content"


def test_write_that_fails_names_the_file_and_keeps_the_former(tmp_path):
    with pytest.raises(StorageError, match="absent/file: cannot be written: No such file"):
        write_atomically(tmp_path / "absent" / "file", b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_bytes(b"kept")
    with pytest.raises(StorageError, match="folder: cannot be written"):
        write_atomically(tmp_path / "folder", b"content")
    assert (tmp_path / "folder" / "kept").read_bytes() == b"kept"


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o610])
def test_file_open_to_others_is_refused(tmp_path, bits):
    path = tmp_path / "file"
    path.write_bytes(b"secret")
    path.chmod(bits)
    with pytest.raises(StorageError, match=f"received mode {bits:04o}; chmod 600") as caught:
        read_private(path)
    assert "secret" not in str(caught.value)


def give_away(path, monkeypatch):
    """Makes a file or folder another user's: for real where the tests run as root, else by who asks."""
    if os.geteuid() == ROOT:
        os.chown(path, STRANGER, -1)
    else:
        monkeypatch.setattr("party.ownership.os.geteuid", lambda: STRANGER)


def test_another_users_folder_and_file_are_refused(tmp_path, monkeypatch):
    folder = private_folder(tmp_path / "state")
    write_atomically(folder / "file", b"secret")
    give_away(folder / "file", monkeypatch)
    with pytest.raises(StorageError, match=r"received owned by another user \(\d+\)") as caught:
        read_private(folder / "file")
    assert caught.value.public_message == "a file or folder of its state is open to others than its owner"
    give_away(folder, monkeypatch)
    with pytest.raises(StorageError, match="received owned by another user"):
        private_folder(folder)


@pytest.mark.parametrize("link", [False, True], ids=["above", "behind a link"])
def test_folder_that_every_user_may_exchange_is_refused(tmp_path, link):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    path = shared / "mine" / "state"
    if link:
        (shared / "mine").mkdir(0o700)
        (tmp_path / "state").symlink_to(shared / "mine")
        path = tmp_path / "state" / "inner"
    with pytest.raises(
        StorageError, match=f"every user may rename it.*received {shared}; chmod o-w {shared}"
    ) as caught:
        private_folder(path)
    assert str(tmp_path) not in caught.value.public_message
    shared.chmod(0o1777)  # as /tmp is: nobody may rename what is another user's
    assert private_folder(path) == path


def test_read_of_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(StorageError, match="absent: cannot be read: No such file"):
        read_private(tmp_path / "absent")
    with pytest.raises(StorageError, match=r"cannot be read: Is a directory"):
        read_private(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(StorageError, match="is no file"):
        read_private(tmp_path / "pipe")
