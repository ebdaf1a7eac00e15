"""Split training against pooled training, for every ready scenario: `python -m deploy.demo.experiment adult`."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from coordinator.federation import connect_federation
from deploy import adult, bank_marketing, movielens
from deploy.demo.configurations import (
    COORDINATOR,
    FREE_PORTS,
    PARTIES,
    write_certificates,
    write_party_configurations,
    write_run_configuration,
)
from deploy.demo.demonstration import pooled_results
from deploy.demo.processes import PartyProcesses
from deploy.demo.scenarios import ADULT, BANK, BST, DEEPFM, HISTORY_LENGTH, Scenario, Section
from party.errors import SplitError
from party.security.files import private_folder, write_atomically

TEST_FRACTION = 0.1
LISTEN = {party: f"127.0.0.1:{port}" for port, party in enumerate(PARTIES, start=9101)}
COMMANDS = """
ready to train, each command in a terminal of its own:
  party serve --config {folder}/alice/alice.yaml
  party serve --config {folder}/bob/bob.yaml
  coordinator align --config {folder}/coordinator/run.yaml
  coordinator train --config {folder}/coordinator/run.yaml"""
Prepare = Callable[[Path, int, Path], object]
Figures = dict[str, dict[str, float]]


def _movielens(folder: Path, seed: int, cache: Path) -> object:
    return movielens.prepare(
        None,
        folder,
        seed=seed,
        test_fraction=TEST_FRACTION,
        rows=None,
        cache=cache,
        history_length=HISTORY_LENGTH,
        by_time=True,
    )


def _adult(folder: Path, seed: int, cache: Path) -> object:
    return adult.prepare(folder, seed=seed, rows=None, cache=cache)


def _bank(folder: Path, seed: int, cache: Path) -> object:
    return bank_marketing.prepare(folder, seed=seed, test_fraction=2 * TEST_FRACTION, rows=None, cache=cache)


SCENARIOS: dict[str, tuple[Scenario, Prepare]] = {
    "deepfm": (DEEPFM, _movielens),
    "bst": (BST, _movielens),
    "adult": (ADULT, _adult),
    "bank": (BANK, _bank),
}


@click.command()
@click.argument("name", type=click.Choice(sorted(SCENARIOS)))
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), help="For everything that is made.")
@click.option("--seeds", type=int, multiple=True, default=(7,), show_default=True, help="May be given several times.")
@click.option("--epochs", type=int, default=None, help="To train; the scenario's own where absent.")
@click.option("--prepare-only", is_flag=True, help="Write data, certificates and configurations, and train nothing.")
def main(name: str, folder: Path, seeds: tuple[int, ...], epochs: int | None, prepare_only: bool) -> None:
    """Trains scenario NAME across two parties and on pooled data, and compares them on the test rows.

    `deepfm` and `bst` are MovieLens-100K split by time, without and with histories; `adult` is MMoE on UCI Adult;
    `bank` is a DNN on UCI Bank Marketing.
    """
    try:
        if prepare_only:
            for seed in seeds:
                target = folder.resolve() / f"{name}-{seed}"
                prepare_scenario(name, target, seed, LISTEN)
                write_run_configuration(target, LISTEN, _training(seed, epochs), SCENARIOS[name][0])
                click.echo(COMMANDS.format(folder=target))
            return
        results = {seed: run_experiment(name, folder.resolve() / f"{name}-{seed}", seed, epochs) for seed in seeds}
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    print_results(results)
    content = {str(seed): figures for seed, figures in results.items()}
    write_atomically(folder / f"{name}.json", json.dumps(content, indent=2).encode())


def run_experiment(name: str, folder: Path, seed: int, epochs: int | None) -> Figures:
    """Prepares the data, and trains once across parties and once in one process.

    Args:
        name: of the scenario.
        folder: for everything that is made; former state of the parties in it is removed.
        seed: of data, order and held-out rows.
        epochs: to train; the scenario's own where None.

    Returns:
        Test metrics by what was trained.
    """
    scenario = prepare_scenario(name, folder, seed, FREE_PORTS)
    with PartyProcesses(folder) as parties:
        path = write_run_configuration(folder, parties.addresses, _training(seed, epochs), scenario)
        with connect_federation(path) as federation:
            federation.align()
            history = federation.fit()
            split = federation.evaluate()
    click.echo(f"split: {history.seconds:.1f} s, {history.samples_per_second:,.0f} samples/s")
    return {"split": split, **{row: result["metrics"] for row, result in pooled_results(folder).items()}}


def prepare_scenario(name: str, folder: Path, seed: int, listen: Mapping[str, str]) -> Scenario:
    """Writes what each organisation holds: its data, its certificate and the configuration of its party.

    Args:
        name: of the scenario.
        folder: with a folder per organisation; former state of the parties in it is removed.
        seed: of data and held-out rows.
        listen: address and port of every party.

    Returns:
        The scenario.
    """
    scenario, prepare = SCENARIOS[name]
    private_folder(folder.parent)
    private_folder(folder)
    for former in (*(folder / party / "state" for party in PARTIES), folder / COORDINATOR / "runs"):
        shutil.rmtree(former, ignore_errors=True)
    click.echo(prepare(folder, seed, folder.parent / "cache"))
    write_certificates(folder, datetime.now(UTC))
    write_party_configurations(folder, listen, scenario=scenario)
    return scenario


def print_results(results: dict[int, Figures]) -> None:
    """Prints every metric of every seed, and how far split and pooled training lie apart.

    Args:
        results: test metrics by seed and by what was trained.
    """
    (first, *_) = results.values()
    shown = [name for name in first["split"] if name in first["pooled"]]
    for metric in shown:
        click.echo(f"\n{metric}")
        for seed, figures in results.items():
            values = "  ".join(f"{row} {one[metric]:.4f}" for row, one in figures.items())
            click.echo(f"  seed {seed}: {values}")
        gaps = [figures["split"][metric] - figures["pooled"][metric] for figures in results.values()]
        mean = statistics.mean(figures["split"][metric] for figures in results.values())
        click.echo(f"  mean of split {mean:.4f}, of split - pooled {statistics.mean(gaps):.6f}")


def _training(seed: int, epochs: int | None) -> Section:
    return {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}


if __name__ == "__main__":
    main()
