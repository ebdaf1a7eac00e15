"""Test AUC on UCI Adult of what protects Bob's columns: private ones, a penalty, and each column left out.

Bob is the feature party with age, sex, occupation and native country. Each row is a training of its own, with the same
data, order of rows and initial weights; each is then evaluated with each column shuffled.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from coordinator.local_federation import LocalFederation
from deploy.demo.experiment import prepare_scenario
from deploy.demo.own_figures import last_evaluation
from deploy.demo.scenarios import ADULT
from party.configuration.yaml_file import read_yaml
from party.protocol.shuffled_column import ShuffledColumn
from party.security.files import private_folder, write_atomically

PARTY, ID, AUC = "bob", "ID", "income_auc"
NUMBERS = {"age": {"minimum": 17, "maximum": 90}}
FEATURES = ADULT.companies[PARTY].features
PENALISED = ("sex", "age")
POLICY = {"shuffled_columns": True, "maximum_evaluations": 100}


def domains(folder: Path) -> dict[str, Any]:
    """What the cells of each column may be; in this data set that is public."""
    found: dict[str, Any] = {}
    tables = [pq.read_table(folder / PARTY / f"{name}.parquet").to_pandas() for name in ("train", "test")]
    for column in (str(feature["column"]) for feature in FEATURES):
        values = sorted({value for table in tables for value in table[column].dropna()})
        found[column] = NUMBERS.get(column) or {"values": [*values, *([""] if tables[0][column].hasnans else [])]}
    return found


def variants(folder: Path, epsilons: list[float]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The keys of Bob's file that change, by what is told of them."""
    data = read_yaml(folder / PARTY / f"{PARTY}.yaml")["data"]
    yield "as they are", {"privacy": None, "data": data}
    for epsilon in epsilons:
        section = {"epsilon": epsilon, "columns": domains(folder)}
        yield f"private, epsilon {epsilon:g} for all", {"privacy": {"columns": section}, "data": data}
    penalty = {"decorrelate": {"columns": list(PENALISED)}}
    yield f"decorrelated from {' and '.join(PENALISED)}", {"privacy": penalty, "data": data}
    for feature in FEATURES:
        rest = [one for one in FEATURES if one != feature]
        yield f"without {feature['column']}", {"privacy": None, "data": {**data, "features": rest}}


def trained(local: LocalFederation, folder: Path, changes: dict[str, Any]) -> tuple[float, list[float]]:
    """Test AUC after a training with other keys in Bob's file, and with each column shuffled.

    The alignment is still valid.
    """
    local.write_party(PARTY, **changes)
    local.restart(PARTY)
    aucs = []
    with local.connect() as federation:
        run_id = federation.fit().run_id
        for column in (
            None,
            *(ShuffledColumn(PARTY, place) for place in range(1, 1 + len(changes["data"]["features"]))),
        ):
            federation.evaluate(run_id=run_id, shuffled=column)
            aucs.append(last_evaluation(folder, local.label_party, run_id)[AUC])
    return aucs[0], aucs[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 8.0])
    arguments = parser.parse_args()
    root = private_folder(arguments.folder.resolve())
    folder = root / f"columns-{arguments.seed}"
    results: dict[str, float] = {}
    with prepare_scenario("adult", folder, arguments.seed, arguments.epochs) as local:
        for name in local.names:
            local.write_party(name, policy=POLICY)
        with local.start().connect() as federation:
            federation.align()
        for name, changes in variants(folder, arguments.epsilons):
            results[name], shuffled = trained(local, folder, changes)
            of_columns = zip((one["column"] for one in changes["data"]["features"]), shuffled, strict=True)
            results |= {f"{name}, {column} shuffled": auc for column, auc in of_columns}
        for name, auc in results.items():
            print(f"{name:<52} {auc:.4f}", flush=True)
    write_atomically(root / "columns.json", json.dumps(results, indent=2).encode())


if __name__ == "__main__":
    main()
