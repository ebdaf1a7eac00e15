"""Small inputs of people, as files with a party's configuration beside them, and what the party makes of them."""

import gzip
import json
from dataclasses import dataclass, field

import pyarrow as pa
from click.testing import CliRunner
from pyarrow import parquet

from coordinator.cli import main as coordinator
from party.cli import main as party
from party.configuration.party import load_party_configuration
from party.data.encoders import fit_encoders
from party.data.labels import read_labels
from party.runtime.column_keys import PassingColumnKeys
from party.runtime.tables import Tables

WIDE = {"COLUMNS": "400"}  # so that no sentence is broken


@dataclass(frozen=True)
class Case:
    """What people bring, and what they are to get.

    Attributes:
        files: by path below the party's folder; text of a CSV file, bytes, or columns of a Parquet file. A file's name
            without its endings is that of a dataset.
        data: keys of the section `data`, labels among them at the label party.
        exit_code: of `party check`.
        said: texts that its output holds.
        unsaid: texts that it must not hold.
        codes: indices by dataset and feature, fitted on the dataset `train`.
        values: likewise the values beside them.
        labels: the labels of `train`, row by row, by label.
    """

    files: dict
    data: dict
    exit_code: int = 0
    said: tuple = ()
    unsaid: tuple = ()
    codes: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    labels: dict = field(default_factory=dict)


def make_certificates(folder):
    """Makes the certificates of alice, bob and the coordinator as people do, below `certs` of a folder."""
    for command, name in ((party, "alice"), (party, "bob"), (coordinator, "coordinator")):
        arguments = ["certificate", name, "--folder", str(folder / "certs" / name)]
        made = CliRunner().invoke(command, arguments)
        assert made.exit_code == 0, made.output


def party_content(case, certificates):
    """The configuration of alice, or of bob where the case has labels."""
    name, peer = ("bob", "alice") if "labels" in case.data else ("alice", "bob")
    authority = lambda one: str(certificates / one / f"{one}-ca.pem")  # noqa: E731
    datasets = {path.rpartition("/")[2].partition(".")[0]: path for path in case.files}
    return {
        "party": name,
        "listen": "127.0.0.1:0",
        "label_party": "bob",
        "peers": [{"name": peer, "ca": authority(peer)}],
        "coordinators": [{"name": "coordinator", "ca": authority("coordinator")}],
        "tls": {
            "certificate": str(certificates / name / f"{name}.pem"),
            "key": str(certificates / name / f"{name}-key.pem"),
        },
        "state": "state",
        "data": {"id": "id", "datasets": datasets, **case.data},
    }


def write_case(folder, case, certificates):
    """Writes files and configuration; returns the path of the latter."""
    for path, content in case.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        if isinstance(content, dict):
            parquet.write_table(pa.table(content), folder / path)
        else:
            (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    path = folder / "party.yaml"
    path.write_text(json.dumps(party_content(case, certificates)))
    return path


def checked(path):
    """Exit code and output of `party check`."""
    result = CliRunner().invoke(party, ["check", "--config", str(path)], env=WIDE)
    return result.exit_code, result.output


def read_case(path):
    """Codes and values by dataset and feature, with encoders fitted on `train`, and its labels by name."""
    configuration = load_party_configuration(path)
    tables = Tables(configuration, lambda: PassingColumnKeys(bytes))
    features, data = configuration.data.features, configuration.data
    encoders = fit_encoders(configuration.party, features, tables.table("train").columns, "train")
    found = {}
    for dataset in data.datasets:
        encoded = encoders.encode(tables.table(dataset).columns, dataset)
        found[dataset] = {one.name: (one.indices.tolist(), one.values.tolist()) for one in encoded}
    if not data.labels:
        return found, {}
    read = read_labels(configuration.party, data, tables.table("train").columns, "train").values
    return found, {name: read[:, place].tolist() for place, name in enumerate(data.labels)}


def check_case(folder, case, certificates):
    """Asserts that a party gets from a case what it is to get."""
    path = write_case(folder, case, certificates)
    exit_code, output = checked(path)
    assert exit_code == case.exit_code, output
    assert [text for text in case.said if text not in output] == [], output
    assert [text for text in case.unsaid if text in output] == [], output
    if not (case.codes or case.values or case.labels):
        return
    found, labels = read_case(path)
    for dataset, by_feature in case.codes.items():
        assert {name: found[dataset][name][0] for name in by_feature} == by_feature
    for dataset, by_feature in case.values.items():
        assert {name: found[dataset][name][1] for name in by_feature} == by_feature
    assert case.labels == {name: labels[name] for name in case.labels}


def csv(*lines):
    """Text of a CSV file."""
    return "".join(f"{line}\n" for line in lines)


def compressed(*lines):
    """The same as gzip has it."""
    return gzip.compress(csv(*lines).encode())
