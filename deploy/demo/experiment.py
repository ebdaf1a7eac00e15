"""Compares split with pooled training on a scenario: `python -m deploy.demo.experiment adult`."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from coordinator.local_federation import LocalFederation
from deploy import adult, bank_marketing, movielens
from deploy.demo.demonstration import pooled_results
from deploy.demo.federation import PARTIES, fresh_folder, scenario_federation
from deploy.demo.own_figures import last_evaluation
from deploy.demo.scenarios import ADULT, BANK, BST, DEEPFM, HISTORY_LENGTH, Scenario, Section
from party.errors import SplitError
from party.security.files import private_folder, write_atomically

TEST_FRACTION = 0.1
LISTEN = {party: f"127.0.0.1:{port}" for port, party in enumerate(PARTIES, start=9101)}
COMMANDS = """
ready to train, each command in a terminal of its own:
  {commands}/party serve --config {folder}/alice/alice.yaml
  {commands}/party serve --config {folder}/bob/bob.yaml
  {commands}/coordinator align --config {folder}/coordinator/run.yaml
  {commands}/coordinator train --config {folder}/coordinator/run.yaml"""
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
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), help="Output folder.")
@click.option("--seeds", type=int, multiple=True, default=(7,), show_default=True, help="May be repeated.")
@click.option("--epochs", type=int, default=None, help="Number of epochs; by default that of the scenario.")
@click.option("--prepare-only", is_flag=True, help="Write data, certificates and configurations without training.")
def main(*, name: str, folder: Path, seeds: tuple[int, ...], epochs: int | None, prepare_only: bool) -> None:
    """Trains scenario NAME across two parties and on pooled data, and compares them on the test rows.

    `deepfm` and `bst` are MovieLens-100K split by time, without and with histories; `adult` is MMoE on UCI Adult;
    `bank` is a DNN on UCI Bank Marketing.
    """
    try:
        if prepare_only:
            for seed in seeds:
                target = folder.resolve() / f"{name}-{seed}"
                prepare_scenario(name, target, seed, epochs, listen=LISTEN).write_run()
                click.echo(COMMANDS.format(folder=target, commands=Path(sys.executable).parent))
            return
        results = {seed: run_experiment(name, folder.resolve() / f"{name}-{seed}", seed, epochs) for seed in seeds}
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    print_results(results)
    content = {str(seed): figures for seed, figures in results.items()}
    write_atomically(folder / f"{name}.json", json.dumps(content, indent=2).encode())


def run_experiment(name: str, folder: Path, seed: int, epochs: int | None) -> Figures:
    """Prepares the data, and trains across parties and in one process.

    Args:
        name: of the scenario.
        folder: output folder; earlier state of the parties in it is removed.
        seed: of the data, the order of rows and the held-out rows.
        epochs: number of epochs; None for that of the scenario.

    Returns:
        Test metrics, by what was trained.
    """
    with prepare_scenario(name, folder, seed, epochs) as local, local.connect() as federation:
        federation.align()
        history = federation.fit()
        federation.evaluate()
    split = last_evaluation(folder, local.label_party, history.run_id)
    click.echo(f"split: {history.seconds:.1f} s, {history.samples_per_second:,.0f} samples/s")
    return {"split": split, **{row: result["metrics"] for row, result in pooled_results(folder).items()}}


def prepare_scenario(
    name: str, folder: Path, seed: int, epochs: int | None, *, listen: Mapping[str, str] | None = None
) -> LocalFederation:
    """Writes the data, certificate and configuration of each organisation.

    Args:
        name: of the scenario.
        folder: with a folder per organisation; earlier state of the parties in it is removed.
        seed: of the data and the held-out rows.
        epochs: number of epochs; None for that of the scenario.
        listen: host and port by party; None for any free ports.

    Returns:
        The federation, not started yet.
    """
    scenario, prepare = SCENARIOS[name]
    private_folder(folder.parent)
    fresh_folder(folder)
    click.echo(prepare(folder, seed, folder.parent / "cache"))
    training: Section = {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}
    return scenario_federation(folder, training, scenario=scenario, listen=listen)


def print_results(results: dict[int, Figures]) -> None:
    """Prints every metric of every seed, and the mean difference between split and pooled training.

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


if __name__ == "__main__":
    main()
