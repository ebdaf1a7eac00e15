"""Two companies, one machine: fetch, split, align, train, evaluate, predict, compare.

Run `make demo`, or `python -m deploy.demo.demonstration`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from coordinator.command_line import display
from coordinator.connecting import connect_federation
from deploy.demo.federation import fresh_folder, scenario_federation
from deploy.demo.own_figures import last_evaluation
from deploy.movielens import prepare
from party.errors import ModelError, SplitError
from party.output.tables import PrintedTable, numbered, worded
from party.output.terminal import print_lines, terminal_columns
from party.security.files import write_atomically

RESULTS_FILE = "results.json"
TEST_FRACTION = 0.1
Result = dict[str, float]


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), help="For everything that is made.")
@click.option("--source", type=click.Path(path_type=Path), default=None, help="MovieLens folder; fetched if absent.")
@click.option("--seed", default=7, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
def main(*, folder: Path, source: Path | None, seed: int, epochs: int, batch_size: int) -> None:
    """Demonstrates split training of two companies on MovieLens, and compares it with pooled training."""
    try:
        run_demonstration(folder.resolve(), source, seed=seed, epochs=epochs, batch_size=batch_size)
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def run_demonstration(
    folder: Path, source: Path | None, *, seed: int, epochs: int, batch_size: int
) -> dict[str, Result]:
    """Runs the demonstration once and prints the table.

    Args:
        folder: output folder; earlier state of the parties in it is removed.
        source: MovieLens folder; None downloads it.
        seed: of the split, the order of rows and the held-out rows.
        epochs: number of epochs to train.
        batch_size: rows of a step.

    Returns:
        The values of the table, by row.
    """
    started_seconds = time.monotonic()
    fresh_folder(folder)
    _headline("1. MovieLens as two companies would hold it")
    click.echo(prepare(source, folder, seed=seed, test_fraction=TEST_FRACTION, rows=None, cache=folder / "cache"))
    _headline("2. alice and bob serve, each in a process of its own, with mutual TLS")
    training: dict[str, object] = {"seed": seed, "epochs": epochs, "batch_size": batch_size}
    with scenario_federation(folder, training) as local:
        for name, address in local.addresses.items():
            click.echo(f"{name} listens on {address}, its log is {local.log_path(name)}")
        joint = _train_jointly(local.run_path, folder)
    _headline("6. The same model in one process: on pooled data, and on bob's columns alone")
    results = {"split (alice and bob)": joint, **_train_in_one_process(folder)}
    _print_table(results)
    write_atomically(folder / RESULTS_FILE, json.dumps(results, indent=2).encode())
    click.echo(f"wrote {folder / RESULTS_FILE}; {time.monotonic() - started_seconds:.0f} s in all")
    return results


def _train_jointly(path: Path, folder: Path) -> Result:
    with connect_federation(path, display) as federation:
        _headline("3. Alignment by private set intersection")
        for aligned in federation.align():
            rows = ", ".join(f"{party} {count:,} rows" for party, count in aligned.rows.items())
            click.echo(f"{aligned.dataset}: {rows}, in common {aligned.rows_in_common:,}")
        _headline("4. Training")
        history = federation.fit()
        _headline("5. Evaluation and prediction on held-out data")
        released = federation.evaluate()
        written = federation.predict()
    metrics = last_evaluation(folder, written.party, history.run_id)
    for name, value in metrics.items():
        reported = f"{released[name]:g}" if name in released else "nothing"
        click.echo(f"{name}: {value:.6f} at {written.party}; reported to the coordinator: {reported}")
    target = folder / written.party / "state" / "runs" / history.run_id / written.files[0]
    click.echo(f"{written.rows:,} predictions, at {written.party} only: {target}")
    return {
        "test_auc": metrics["auc"],
        "test_log_loss": metrics["loss"],
        "seconds": history.seconds,
        "samples_per_second": history.samples_per_second,
        "bytes_per_sample": history.bytes_per_sample,
    }


def _train_in_one_process(folder: Path) -> dict[str, Result]:
    return {
        name: {
            "test_auc": result["metrics"]["auc"],
            "test_log_loss": result["metrics"]["loss"],
            "seconds": result["seconds"],
            "samples_per_second": result["samples"] / result["seconds"],
            "bytes_per_sample": 0.0,
        }
        for name, result in pooled_results(folder).items()
    }


def pooled_results(folder: Path) -> dict[str, Any]:
    """Trains the same model on pooled data, and on the label party's data alone, in a separate process.

    Args:
        folder: of a prepared demonstration.

    Returns:
        `metrics`, `seconds` and `samples`, by what was trained.

    Raises:
        ModelError: the training failed.
    """
    done = subprocess.run(  # noqa: S603  # this Python, our own module
        [sys.executable, "-m", "deploy.demo.pooled", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode != 0:
        raise ModelError("training in one process failed", received=done.stderr.strip().rpartition("\n")[2])
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def _print_table(results: dict[str, Result]) -> None:
    columns = (*worded("model"), *numbered("test AUC", "log loss", "seconds", "samples/s", "bytes each"))
    rows = tuple(
        (
            name,
            f"{result['test_auc']:.4f}",
            f"{result['test_log_loss']:.4f}",
            f"{result['seconds']:.1f}",
            f"{result['samples_per_second']:,.0f}",
            f"{result['bytes_per_sample']:,.0f}" if result["bytes_per_sample"] else "-",
        )
        for name, result in results.items()
    )
    print_lines(PrintedTable(columns=columns, rows=rows).lines(terminal_columns()))


def _headline(text: str) -> None:
    click.echo(f"\n{text}")


if __name__ == "__main__":
    main()
