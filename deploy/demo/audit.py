"""Audits of demonstrations, without and with each protection: `python -m deploy.demo.audit movielens`."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from coordinator.local_federation import LocalFederation
from deploy import adult, movielens
from deploy.demo.federation import fresh_folder, scenario_federation
from deploy.demo.scenarios import ADULT, DEEPFM, Scenario, Section
from party.configuration.yaml_file import read_yaml
from party.errors import ModelError, SplitError
from party.security.files import private_folder

TEST_FRACTION = 0.1
EPSILON = 1.0  # of labels and of columns
OCCUPATIONS = (
    *("administrator", "artist", "doctor", "educator", "engineer", "entertainment", "executive", "healthcare"),
    *("homemaker", "lawyer", "librarian", "marketing", "none", "other", "programmer", "retired", "salesman"),
    *("scientist", "student", "technician", "writer"),
)
JOBS = (
    *("?", "Adm-clerical", "Armed-Forces", "Craft-repair", "Exec-managerial", "Farming-fishing", "Handlers-cleaners"),
    *("Machine-op-inspct", "Other-service", "Priv-house-serv", "Prof-specialty", "Protective-serv", "Sales"),
    *("Tech-support", "Transport-moving"),
)


@dataclass(frozen=True, kw_only=True)
class AuditCase:
    """A data set as two companies hold it, and what its feature party wants to keep secret.

    Attributes:
        scenario: features, labels and models.
        prepare: writes the data into a folder, by a seed and a cache.
        training: keys of the run's training section.
        feature_party: name of the feature party.
        audit: its section `audit`.
        private_columns: its section `privacy.columns`.
        decorrelated: columns of its section `privacy.decorrelate`.
    """

    scenario: Scenario
    prepare: Callable[[Path, int, Path], object]
    training: Section
    feature_party: str
    audit: Section
    private_columns: Section
    decorrelated: tuple[str, ...]

    @property
    def variants(self) -> Mapping[str, Mapping[str, Section | None]]:
        """Keys by party, without protection and with each: of every label, or of a feature party's file."""
        label_party, feature_party = self.scenario.label_party, self.feature_party
        columns = {"epsilon": EPSILON, **self.private_columns}
        return {
            "none": {},
            "private-labels": {label_party: {"privacy": {"epsilon": EPSILON}}},
            "private-columns": {feature_party: {"privacy": {"columns": columns}}},
            "decorrelation": {feature_party: {"privacy": {"decorrelate": {"columns": list(self.decorrelated)}}}},
        }


def _movielens(folder: Path, seed: int, cache: Path) -> object:
    return movielens.prepare(None, folder, seed=seed, test_fraction=TEST_FRACTION, rows=None, cache=cache)


def _adult(folder: Path, seed: int, cache: Path) -> object:
    return adult.prepare(folder, seed=seed, rows=None, cache=cache)


CASES = {
    "movielens": AuditCase(
        scenario=DEEPFM,
        prepare=_movielens,
        training={"epochs": 3},
        feature_party="alice",
        audit={
            "secrets": {"gender": "Gender == F", "age": "Age >= 35", "student": "Occupation == student"},
            "entity": "UserID",
        },
        private_columns={
            "entity": "UserID",
            "public": ["UserID", "Zip-code"],
            "columns": {
                "Gender": {"values": ["F", "M"]},
                "Age": {"minimum": 7, "maximum": 75, "clip": True},
                "Occupation": {"values": list(OCCUPATIONS)},
            },
        },
        decorrelated=("Gender",),
    ),
    "adult": AuditCase(
        scenario=dataclasses.replace(ADULT, labels={"income": {"rule": "income == >50K"}}, fuse={"kind": "dnn"}),
        prepare=_adult,
        training={"epochs": 10},
        feature_party="bob",
        audit={"secrets": {"sex": "sex == Male", "age": "age > 37"}},
        private_columns={
            "public": ["native_country"],
            "columns": {
                "sex": {"values": ["Female", "Male"]},
                "age": {"minimum": 17, "maximum": 90, "clip": True},
                "occupation": {"values": list(JOBS)},
            },
        },
        decorrelated=("sex",),
    ),
}


@click.command()
@click.argument("name", type=click.Choice(sorted(CASES)))
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True, help="For all files."
)
@click.option(
    "--seed", type=int, default=7, show_default=True, help="Of the data, the order of rows and the attackers."
)
@click.option(
    "--only", "chosen", multiple=True, help="A variant, such as private-labels; may be repeated. Default: all."
)
def main(*, name: str, folder: Path, seed: int, chosen: tuple[str, ...]) -> None:
    """Trains NAME without protection and with each, audits every run at every party, and puts the parts together."""
    try:
        run_audits(CASES[name], folder.resolve() / f"audit-{name}", seed, chosen)
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def run_audits(case: AuditCase, folder: Path, seed: int, chosen: tuple[str, ...] = ()) -> Path:
    """Trains, audits and puts together.

    Args:
        case: the data set.
        folder: output folder; earlier state of the parties in it is removed.
        seed: of the data, the order of rows and the attackers.
        chosen: names of variants; empty for all.

    Returns:
        The page.

    Raises:
        ModelError: a command failed.
        SplitError: a run failed.
    """
    started_seconds = time.monotonic()
    private_folder(folder.parent)
    fresh_folder(folder)
    click.echo(case.prepare(folder, seed, folder.parent / "cache"))
    local = scenario_federation(folder, {"seed": seed, **case.training}, scenario=case.scenario)
    parts: list[Path] = []
    for variant, changes in case.variants.items():
        if not chosen or variant in chosen:
            write_parties(case, local, changes)
            run_id = _train(local)
            parts += [_audit(local, name, variant, run_id=run_id, seed=seed) for name in local.names]
            click.echo(f"{variant}: run {run_id}, {time.monotonic() - started_seconds:.0f} s so far")
    page = folder / "audit.html"
    _run("coordinator", "audit", *map(str, parts), "--config", str(local.run_path), "--html", str(page))
    click.echo(f"wrote {page}; {time.monotonic() - started_seconds:.0f} s in all")
    return page


def write_parties(case: AuditCase, local: LocalFederation, changes: Mapping[str, Section | None]) -> None:
    """Writes every party's file with recording, its secrets and what a variant changes.

    Args:
        case: the data set.
        local: the federation.
        changes: of the variant, as `AuditCase.variants` has them.
    """
    for name in local.names:
        section: Section = {"record": True, **(case.audit if name == case.feature_party else {})}
        given = dict(changes.get(name) or {})
        data = read_yaml(local.party_path(name))["data"]
        if name == case.scenario.label_party:
            data["labels"] = {label: {**keys, **given} for label, keys in _labels(case.scenario).items()}
            given = {}
        local.write_party(name, **{"audit": section, "data": data, "privacy": None, **given})


def _labels(scenario: Scenario) -> Mapping[str, Section]:
    """The keys of every label."""
    return {name: dict(keys) for name, keys in scenario.labels.items() if isinstance(keys, dict)}


def _train(local: LocalFederation) -> str:
    with local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        federation.evaluate()
    return history.run_id


def _audit(local: LocalFederation, name: str, variant: str, *, run_id: str, seed: int) -> Path:
    part = local.folder / name / f"audit-{variant}.json"
    page = part.with_suffix(".html")
    options = ("--run", run_id, "--seed", str(seed), "--part", str(part), "--html", str(page))
    _run("party", "audit", "--config", str(local.party_path(name)), *options)
    return part


def _run(*command: str) -> None:
    """Runs one of the two commands as an organisation would, and prints what it prints.

    Raises:
        ModelError: it failed.
    """
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise ModelError(f"{command[0]} {command[1]} failed", received=done.stderr.strip().rpartition("\n")[2])
    click.echo(done.stdout)


if __name__ == "__main__":
    main()
