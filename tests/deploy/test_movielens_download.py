"""Fetching ml-100k, from a real server and by the real pip, both local."""

import functools
import hashlib
import http.server
import io
import threading
import zipfile

import pytest

from deploy.movielens_download import GROUPLENS, RECBOLE, Archive, fetch_movielens
from deploy.movielens_formats import read_movielens
from party.errors import DataError
from tests.support.packages import make_wheel, only_index


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        """Keeps the test's output clean."""


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "site").mkdir()
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "site"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield tmp_path / "site", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def zipped(prefix):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(prefix + "users.dat", "3::F::25::7::01234\n")
        archive.writestr(prefix + "movies.dat", "8::Solaris (1972)::Drama|Sci-Fi\n")
        archive.writestr(prefix + "ratings.dat", "3::8::5::978300760\n")
    return buffer.getvalue()


def test_download_is_verified_kept_and_readable(site, tmp_path):
    folder, address = site
    content = zipped("inside/")
    (folder / "x.zip").write_bytes(content)
    missing = Archive("missing.zip", f"{address}/missing.zip", "0" * 64, "inside/")
    altered = Archive("altered.zip", f"{address}/x.zip", "0" * 64, "inside/")
    good = Archive("x.zip", f"{address}/x.zip", hashlib.sha256(content).hexdigest(), "inside/")
    archive, path = fetch_movielens(tmp_path / "cache", (missing, altered, good))
    assert archive == good
    assert [one.name for one in (tmp_path / "cache").iterdir()] == ["x.zip"]
    assert path.read_bytes() == content
    with zipfile.ZipFile(path) as file:
        form, ratings = read_movielens(zipfile.Path(file, archive.folder))
    assert form == "ml-1m"
    assert ratings.loc[0, ["UserID", "MovieID", "Rating", "Title"]].to_list() == ["3", "8", "5", "Solaris (1972)"]

    (folder / "x.zip").unlink()
    assert fetch_movielens(tmp_path / "cache", (missing, altered, good)) == (good, path)

    path.write_bytes(content[:-1])
    with pytest.raises(DataError, match=r"x\.zip cannot be had .*--source"):
        fetch_movielens(tmp_path / "cache", (good,))


def test_package_with_another_digest_is_refused(tmp_path, monkeypatch):
    # pip itself, offline: the only index is a folder with a package of the right name and other content.
    make_wheel(tmp_path / "index" / RECBOLE.file)
    only_index(monkeypatch, tmp_path / "index")
    with pytest.raises(DataError, match=r"recbole==1\.2\.1 has another digest"):
        fetch_movielens(tmp_path / "cache", (RECBOLE,))
    assert not (tmp_path / "cache").exists()


def test_archives_are_pinned_and_encrypted():
    assert GROUPLENS.origin.startswith("https://")
    assert all(len(bytes.fromhex(archive.sha256)) == 32 for archive in (GROUPLENS, RECBOLE))
