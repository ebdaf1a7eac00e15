"""MovieLens in its published forms, and what becomes of it at two companies."""

import itertools
import stat

import pandas as pd
import pytest
from click.testing import CliRunner

from deploy.movielens import main, prepare
from deploy.movielens_formats import GENRES, read_movielens
from party.errors import DataError, StorageError

USERS = [(str(user), str(18 + user), "MF"[user % 2], "artist", f"0{user:04}") for user in range(1, 21)]
# (id, title without what stands in the last parentheses, what stands there, genres in the order of the flags)
MOVIES = [
    ("1", "Misérables, Les", "1995", ["Drama", "Musical"]),
    ("2", 'Toy, "The"', "1982", ["Animation", "Children's", "Comedy"]),
    ("3", "Land (1995)", "V", ["Film-Noir"]),
    ("4", "Á köldum\x85klaka", "1994", ["Sci-Fi", "Western"]),
    ("5", None, None, ["unknown"]),
]
PAIRS = list(itertools.product(USERS, MOVIES))
RATINGS = [
    (user[0], movie[0], str(1 + number % 5), str(880000000 + number)) for number, (user, movie) in enumerate(PAIRS)
]
HEADERS = {
    "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float",
    "user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token",
    "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq",
}


def title(movie):
    return "unknown" if movie[1] is None else f"{movie[1]} ({movie[2]})"


def put(folder, name, separator, records, encoding="latin-1", header=None):
    folder.mkdir(exist_ok=True)
    lines = ([header] if header else []) + [separator.join(record) for record in records]
    (folder / name).write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))


def write_100k(folder):
    put(folder, "u.user", "|", USERS)
    flags = [["1" if genre in movie[3] else "0" for genre in GENRES] for movie in MOVIES]
    items = [(movie[0], title(movie), "01-Jan-1995", "", "http://x") for movie in MOVIES]
    put(folder, "u.item", "|", [(*item, *row) for item, row in zip(items, flags, strict=True)])
    put(folder, "u.data", "\t", RATINGS)


def write_1m(folder):
    put(folder, "users.dat", "::", [(user, gender, age, job, code) for user, age, gender, job, code in USERS])
    put(folder, "movies.dat", "::", [(movie[0], title(movie), "|".join(movie[3])) for movie in MOVIES])
    put(folder, "ratings.dat", "::", RATINGS)


def write_recbole(folder):
    put(folder, "ml-100k.user", "\t", USERS, "utf-8", HEADERS["user"])
    items = [(movie[0], movie[1] or "unkonwn", movie[2] or "unkonwn", " ".join(movie[3])) for movie in MOVIES]
    put(folder, "ml-100k.item", "\t", items, "utf-8", HEADERS["item"])
    put(folder, "ml-100k.inter", "\t", RATINGS, "utf-8", HEADERS["inter"])


FORMS = {"ml-100k": write_100k, "ml-1m": write_1m, "ml-100k of RecBole": write_recbole}


@pytest.fixture
def source(tmp_path):
    write_100k(tmp_path / "source")
    return tmp_path / "source"


def run(source, folder, *, seed=7, test_fraction=0.2, rows=None):
    return prepare(source, folder, seed=seed, test_fraction=test_fraction, rows=rows, cache=folder.parent / "cache")


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(folder, party, dataset):
    return pd.read_csv(folder / party / f"{dataset}.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_what_was_written(form, tmp_path):
    FORMS[form](tmp_path / "source")
    name, ratings = read_movielens(tmp_path / "source")
    assert name == form
    expected = [
        {
            **dict(zip(("UserID", "Age", "Gender", "Occupation", "Zip-code"), user, strict=True)),
            **dict(zip(("UserID", "MovieID", "Rating", "Timestamp"), rating, strict=True)),
            "Title": title(movie),
            "Genres": "|".join(movie[3]),
        }
        for (user, movie), rating in zip(PAIRS, RATINGS, strict=True)
    ]
    assert ratings.to_dict("records") == expected


def test_every_form_gives_the_same_files(tmp_path):
    outcomes = []
    for form, write in FORMS.items():
        write(tmp_path / form)
        run(tmp_path / form, tmp_path / f"out {form}")
        outcomes.append(files(tmp_path / f"out {form}"))
    assert set(outcomes[0]) == {"alice/train.csv", "alice/test.csv", "bob/train.csv", "bob/test.csv"}
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_order_and_line_ends_of_the_source_decide_nothing(source, tmp_path):
    run(source, tmp_path / "first")
    put(source, "u.data", "\t", RATINGS[::-1])
    (source / "u.user").write_bytes((source / "u.user").read_bytes().replace(b"\n", b"\r\n"))
    run(source, tmp_path / "second")
    assert files(tmp_path / "first") == files(tmp_path / "second")


def test_parties_hold_their_columns_and_rows_join_to_the_source(source, tmp_path):
    run(source, tmp_path / "out")
    joined = 0
    for dataset in ("train", "test"):
        alice, bob = (table(tmp_path / "out", party, dataset) for party in ("alice", "bob"))
        assert list(alice.columns) == ["ID", "UserID", "Gender", "Age", "Occupation", "Zip-code"]
        assert list(bob.columns) == ["ID", "MovieID", "Rating", "Title", "Genres", "Timestamp"]
        rows = alice.merge(bob, on="ID", validate="1:1")
        held = rows[["UserID", "MovieID", "Rating", "Timestamp"]]
        assert set(held.itertuples(index=False, name=None)) <= set(RATINGS)
        joined += len(rows)
    assert joined == len(RATINGS) - 4


def test_datasets_are_disjoint_and_each_party_lacks_rows(source, tmp_path):
    summary = run(source, tmp_path / "out")
    ids = {
        (party, dataset): list(table(tmp_path / "out", party, dataset)["ID"])
        for party in ("alice", "bob")
        for dataset in ("train", "test")
    }
    assert all(len(one) == len(set(one)) for one in ids.values())
    train, test = ({*ids["alice", dataset], *ids["bob", dataset]} for dataset in ("train", "test"))
    assert not train & test
    assert (len(train), len(test)) == (80, 20)
    for dataset in ("train", "test"):
        alice, bob = ids["alice", dataset], ids["bob", dataset]
        assert set(alice) - set(bob)
        assert set(bob) - set(alice)
        common = set(alice) & set(bob)
        assert summary.common[dataset] == len(common)
        assert [one for one in alice if one in common] != [one for one in bob if one in common]
        ratings = table(tmp_path / "out", "bob", dataset).set_index("ID")["Rating"].astype(int)
        assert summary.positive[dataset] == pytest.approx((ratings[sorted(common)] > 3).mean())
    assert summary.rows == {f"{party}/{dataset}.csv": len(one) for (party, dataset), one in ids.items()}
    assert (summary.ratings, summary.users, summary.movies) == (100, len(USERS), len(MOVIES))


def test_lacking_rows_are_one_percent(tmp_path):
    movies = [(str(movie), f"Film {movie} (1990)", "Drama") for movie in range(100)]
    put(tmp_path / "source", "users.dat", "::", [(user, "F", age, job, code) for user, age, _, job, code in USERS])
    put(tmp_path / "source", "movies.dat", "::", movies)
    put(tmp_path / "source", "ratings.dat", "::", [(u[0], m[0], "4", "1") for u in USERS for m in movies])
    summary = run(tmp_path / "source", tmp_path / "out", test_fraction=0.25)
    assert summary.rows["alice/train.csv"] == summary.rows["bob/train.csv"] == 1500 - 15
    assert summary.common == {"train": 1500 - 30, "test": 500 - 10}


def test_seed_decides_the_bytes(source, tmp_path):
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        run(source, tmp_path / name, seed=seed)
    first, again, other = (files(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert all(first[name] != other[name] for name in first)


def test_ids_depend_on_the_rating_alone(source, tmp_path):
    run(source, tmp_path / "first", seed=1)
    run(source, tmp_path / "second", seed=2, test_fraction=0.5)
    known = {}
    for folder, dataset in itertools.product(("first", "second"), ("train", "test")):
        rows = [table(tmp_path / folder, party, dataset).set_index("ID") for party in ("alice", "bob")]
        for one in rows[0].join(rows[1], how="inner").itertuples():
            assert known.setdefault(one.Index, (one.UserID, one.MovieID)) == (one.UserID, one.MovieID)
            assert len(one.Index) == 16
            assert int(one.Index, 16) >= 0
    assert len(set(known.values())) == len(known)


def test_rows_takes_a_part(source, tmp_path):
    assert run(source, tmp_path / "out", rows=30).ratings == 30
    assert sum(run(source, tmp_path / "out", rows=30).rows.values()) == 2 * (30 - 2)


def test_files_are_private_and_leave_nothing_behind(source, tmp_path):
    run(source, tmp_path / "deep" / "out")
    run(source, tmp_path / "deep" / "out", seed=8)
    assert len(files(tmp_path / "deep")) == 4
    for path in [tmp_path / "deep", *(tmp_path / "deep").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_folder_that_cannot_be_written(source, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="alice: cannot be created"):
        run(source, tmp_path / "file")


@pytest.mark.parametrize(("form", "name"), [("ml-100k", "u.item"), ("ml-1m", "users.dat")])
def test_missing_file_is_named(form, name, tmp_path):
    FORMS[form](tmp_path / "source")
    (tmp_path / "source" / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: file is missing"):
        run(tmp_path / "source", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_without_ratings(tmp_path):
    with pytest.raises(DataError, match=r"expected one of ratings\.dat, u\.data, ml-100k\.inter"):
        run(tmp_path / "nowhere", tmp_path / "out")


def replaced(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("u.data", b"1\t2\t2\t", b"1\t2\t", r"u\.data:2: .*expected 4; received 3"),
        ("u.data", b"1\t2\t2\t", b"1\t2\t9\t", r"column Rating: 1 ratings are not"),
        ("u.data", b"1\t2\t2\t", b"1\t77\t2\t", r"column MovieID: 1 ratings have an id without"),
        ("u.data", b"1\t2\t2\t", b"88\t2\t2\t", r"column UserID: 1 ratings have an id without"),
        ("u.data", b"1\t2\t2\t", b"1\t1\t2\t", r"1 ratings repeat an id"),
        ("u.user", b"\n2|", b"\n1|", r"u\.user column UserID: 1 lines repeat"),
        ("u.item", b"\n2|", b"\n1|", r"u\.item column MovieID: 1 lines repeat"),
        ("u.item", b"|1|", b"|x|", r"u\.item: 1 genre flags"),
    ],
)
def test_broken_structure_is_named(name, old, new, message, source, tmp_path):
    replaced(source / name, old, new)
    with pytest.raises(DataError, match=message) as caught:
        run(source, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("content", "message"), [(b"", "holds no records"), (b"1\t2\n", r"u\.data:1: line")])
def test_short_file(content, message, source, tmp_path):
    (source / "u.data").write_bytes(content)
    with pytest.raises(DataError, match=message):
        run(source, tmp_path / "out")


def test_other_header_and_other_encoding(tmp_path):
    write_recbole(tmp_path / "source")
    replaced(tmp_path / "source" / "ml-100k.inter", b"rating:float", b"rating:token")
    with pytest.raises(DataError, match=r"ml-100k\.inter: has another header"):
        run(tmp_path / "source", tmp_path / "out")
    replaced(tmp_path / "source" / "ml-100k.item", "é".encode(), b"\xe9")
    with pytest.raises(DataError, match=r"ml-100k\.item: cannot be read \(UnicodeDecodeError\)"):
        run(tmp_path / "source", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 101}, "rows: .*expected 1 to 100; received 101"),
        ({"rows": 0}, "rows: "),
        ({"rows": 5}, "dataset test: has too few rows"),
        ({"test_fraction": 0.98}, "dataset train: has too few rows"),
        ({"test_fraction": 1.0}, "test fraction: "),
        ({"test_fraction": float("nan")}, "test fraction: "),
        ({"seed": -1}, "seed: "),
    ],
)
def test_impossible_options(options, message, source, tmp_path):
    with pytest.raises(DataError, match=message):
        run(source, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_command_prints_a_summary(source, tmp_path):
    result = CliRunner().invoke(main, ["--folder", str(tmp_path / "out"), "--source", str(source), "--rows", "40"])
    assert result.exit_code == 0
    assert f"source: {source} (ml-100k)" in result.stdout
    assert "40 ratings" in result.stdout
    assert "forbids redistribution" in result.stdout
    run(source, tmp_path / "same", test_fraction=0.1, rows=40)
    assert files(tmp_path / "out") == files(tmp_path / "same")


def test_command_reports_an_error_in_one_line(tmp_path):
    result = CliRunner().invoke(main, ["--folder", str(tmp_path / "out"), "--source", str(tmp_path)])
    assert result.exit_code == DataError.exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
