"""Three companies with their natural tables: many ratings per user and film. Run `make demo-tables`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from coordinator.alignment_table import alignment_lines
from coordinator.local_federation import LocalFederation
from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import last_evaluation
from deploy.demo.scenarios import RATINGS, TABLE_FILMS, TABLE_USERS, Section
from deploy.movielens_tables import RATINGS_HOLDER, TABLES, prepare_tables
from party.errors import SplitError

TEST_FRACTION = 0.1
DATASETS = ("train", "test")
TRAINING: Section = {"dataset": "train", "validation_fraction": 0.05}
HOLDERS = {"alice": TABLE_USERS, "charlie": TABLE_FILMS}


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("demo"), help="For everything that is made.")
@click.option("--source", type=click.Path(path_type=Path), default=None, help="MovieLens folder; fetched if absent.")
@click.option("--seed", default=7, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.option(
    "--unknown-users", default=0.0, show_default=True, help="Share of the users of ratings that alice does not know."
)
@click.option(
    "--kind",
    type=click.Choice(["inner", "left"]),
    default="inner",
    show_default=True,
    help="Whether ratings of users that alice does not know are dropped, or kept.",
)
def main(*, folder: Path, source: Path | None, seed: int, epochs: int, unknown_users: float, kind: str) -> None:
    """Joins ratings with a table of users and a table of films, each at a company of its own, and trains on them."""
    try:
        run_tables(
            folder.resolve() / "tables",
            source,
            unknown_users=unknown_users,
            kind=kind,
            training={"seed": seed, "epochs": epochs},
        )
    except SplitError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def tables_federation(folder: Path, kind: str, training: Section) -> LocalFederation:
    """Writes certificates and configurations beside the data of `prepare_tables`, and starts nothing.

    Args:
        folder: root folder, with a folder of each party that holds its data.
        kind: of the join with alice, `inner` or `left`.
        training: keys of the training section to set.

    Returns:
        The federation, not started yet.
    """
    parties: dict[str, Section] = {
        name: {**holder, "tables": {TABLES[name][0]: folder / name / f"{TABLES[name][0]}.csv"}}
        for name, holder in HOLDERS.items()
    }
    parties[RATINGS_HOLDER] = {
        **RATINGS,
        "frames": {dataset: folder / RATINGS_HOLDER / f"{dataset}.csv" for dataset in DATASETS},
        "joins": [
            {"peer": "alice", "key": "UserID", "table": "users", "kind": kind},
            {"peer": "charlie", "key": "MovieID", "table": "films"},
        ],
        "policy": {"reveal_row_counts": sorted(HOLDERS)},
    }
    return LocalFederation(folder, dict(sorted(parties.items())), training={**TRAINING, **training})


def run_tables(folder: Path, source: Path | None, *, unknown_users: float, kind: str, training: Section) -> None:
    """Runs the demonstration once and prints what it finds.

    Args:
        folder: output folder; earlier state of the parties in it is removed.
        source: MovieLens folder; None downloads it.
        unknown_users: share of the users that alice does not know.
        kind: of the join with alice, `inner` or `left`.
        training: keys of the training section to set.

    Raises:
        SplitError: a run failed.
    """
    started_seconds = time.monotonic()
    fresh_folder(folder, (*HOLDERS, RATINGS_HOLDER))
    seed = int(str(training["seed"]))
    cache = folder.parent / "cache"
    click.echo(
        prepare_tables(
            source, folder, seed=seed, test_fraction=TEST_FRACTION, cache=cache, unknown_fraction=unknown_users
        )
    )
    with tables_federation(folder, kind, training) as local, local.connect() as federation:
        for line in alignment_lines(federation.align()):
            click.echo(line)
        history = federation.fit()
        federation.evaluate()
        written = federation.predict()
    metrics = last_evaluation(folder, RATINGS_HOLDER, history.run_id)
    click.echo(
        f"test AUC {metrics['auc']:.4f}, log loss {metrics['loss']:.4f}; {history.samples_per_second:,.0f} samples/s,"
        f" {history.bytes_per_sample:.0f} bytes each"
    )
    click.echo(f"{written.rows:,} predictions, at {written.party} only: {written.files[0]}")
    click.echo(f"{time.monotonic() - started_seconds:.0f} s in all")


if __name__ == "__main__":
    main()
