"""Where a dataset's files lie and how CSV is written, as configured; and no secret in an address or its error."""

import pytest

from party.configuration.features import DataSection
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import ConfigurationError
from tests.support.configuration_cases import feature_party

SECRET = "S3cr3tCanary7351"
NO_FILE = "must be a path such as train.csv or part-*.csv, an address such as s3://bucket/train.csv, or a list of these"


def section(files="train.csv", **data):
    return validate(DataSection, {"id": "ID", "datasets": {"train": files}, **data}, "alice.yaml")


def failure(files="train.csv", **data):
    with pytest.raises(ConfigurationError) as caught:
        section(files, **data)
    assert SECRET not in f"{caught.value} {caught.value.public_message}"
    return str(caught.value)


@pytest.mark.parametrize(
    "entry",
    [
        "train.csv",
        "data/*.parquet",
        "/srv/data",
        "s3://bucket/key.csv",
        "s3://bucket/a%20key?region=eu-west-1&endpoint_override=minio.example.org:9000&scheme=https",
        "gs://bucket/key",
        "gs://anonymous@bucket/key",
        "abfs://container@account.dfs.core.windows.net/key",
        "hdfs://node.example.org:8020/key",
        "file:///srv/data/train.csv",
        "s3://bucket/people%40home.csv",
    ],
)
def test_paths_and_addresses(entry):
    assert section(entry).datasets == {"train": entry}
    assert section([entry, "more.csv"]).datasets == {"train": (entry, "more.csv")}


@pytest.mark.parametrize(
    "address",
    [
        f"s3://AKID7351:{SECRET}@bucket/key",
        f"s3://AKID7351:{SECRET}/more@bucket/key",
        f"s3://AKID7351:{SECRET}",
        f"s3://{SECRET}@bucket/key",
        f"s3://a:{SECRET}@b@bucket/key",
        f"gs://user:{SECRET}@bucket/key",
        f"abfs://container:{SECRET}@account/key",
        f"hdfs://user:{SECRET}@node:8020/key",
        f"s3://bucket/key?endpoint_override=a:{SECRET}@minio:9000",
        f"s3://bucket/key?endpoint_override=a:{SECRET}%40minio:9000",
    ],
)
def test_credentials_in_an_address_are_refused_and_not_repeated(address):
    for files in (address, ["train.csv", address]):
        message = failure(files)
        assert "key data.datasets.train: " in message or "key datasets.train: " in message
        assert "credentials come from the party's environment, such as AWS_ACCESS_KEY_ID" in message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (f"s3://bucket/key?secret_key={SECRET}", "an address may have the options"),
        (f"abfss://c@account/key?client_secret={SECRET}&tenant_id=x", "an address may have the options"),
        (f"s3://bucket/key?{SECRET}=", "an address may have the options"),
        (f"https://example.org/x?X-Amz-Signature={SECRET}", "must begin with one of file://, s3://"),
        (f"S3://bucket/{SECRET}", "must begin with one of file://, s3://"),
        (f"s3://bucket/a {SECRET}", "write %20 or %23"),
        (f"s3://bucket/a#{SECRET}", "write %20 or %23"),
        ("s3:///", "names no file"),
        (f"file://host/{SECRET}", "file:///"),
        ("", "a path is empty"),
        (
            [],
            NO_FILE,
        ),
        (
            [["a"]],
            NO_FILE,
        ),
        (
            3,
            NO_FILE,
        ),
        (["a.csv", "a.csv"], "names a file twice"),
    ],
)
def test_what_is_no_place_of_a_file_is_refused(files, expected):
    assert expected in failure(files)


def test_files_are_paths_and_addresses_in_order(tmp_path):
    files = ["a.csv", "s3://bucket/b.csv?scheme=http", "/srv/c*"]
    content = feature_party()
    content["data"]["datasets"]["train"] = files
    configuration = validate(PartyConfiguration, {**content, "folder": tmp_path}, "alice.yaml")
    assert [str(one) for one in configuration.files("train")] == [f"{tmp_path}/a.csv", files[1], "/srv/c*"]
    assert "train: its files come over the network without encryption" in configuration.warnings
    content["data"]["datasets"]["train"] = "s3://bucket/b.csv?scheme=http&endpoint_override=127.0.0.1:9000"
    assert not [one for one in validate(PartyConfiguration, content, "x").warnings if "without encryption" in one]
    content["data"]["datasets"]["train"] = "s3://bucket/b.csv?scheme=http&endpoint_override=10.0.0.1:9000"
    assert [one for one in validate(PartyConfiguration, content, "x").warnings if "without encryption" in one]


@pytest.mark.parametrize(
    "csv",
    [
        {},
        {"separator": ";", "encoding": "windows-1252"},
        {"separator": "|", "quote": "'", "escape": "backslash"},
        {"quote": "none"},
        {"header": False, "columns": ["ID", "age"]},
        {"encoding": "cp037"},
    ],
)
def test_forms_of_csv(csv):
    assert section(csv=csv).csv.model_dump(exclude_defaults=True, mode="json") == csv
    assert {section(csv={"separator": one}).csv.separator for one in ("tab", "\t", "\\t")} == {"\t"}


@pytest.mark.parametrize(
    ("csv", "expected"),
    [
        ({"separator": "::"}, "csv.separator: must be a single character"),
        ({"separator": ""}, "csv.separator: must be a single character"),
        ({"separator": "x"}, "csv.separator: must be a single character"),
        ({"separator": "\n"}, "csv.separator: must be a single character"),
        ({"separator": "§"}, "csv.separator: must be a single character"),
        ({"quote": "ab"}, "csv.quote: must be a single character"),
        ({"quote": ","}, "must be different characters"),
        ({"separator": "\\", "escape": "backslash"}, "must be different characters"),
        ({"quote": "none", "escape": "backslash"}, "quote: none says that there are none"),
        ({"encoding": "utf8000"}, "csv.encoding: must be an encoding that Python knows"),
        ({"encoding": "hex"}, "csv.encoding: must be an encoding that Python knows"),
        ({"encoding": "punycode"}, "csv.encoding: must be an encoding that Python knows"),
        ({"encoding": "undefined"}, "csv.encoding: must be an encoding that Python knows"),
        ({"header": False}, "header: false needs columns"),
        ({"columns": ["a"]}, "header: false needs columns"),
        ({"header": False, "columns": ["a", "a"]}, "columns must differ"),
        ({"header": False, "columns": ["a", ""]}, "columns must differ"),
        ({"escape": "none"}, "csv.escape"),
        ({"seperator": ";"}, "did you mean separator?"),
    ],
)
def test_forms_that_no_file_has_are_refused(csv, expected):
    assert expected in failure(csv=csv)
