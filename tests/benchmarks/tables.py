"""Natural tables on MovieLens-100K: against one row per rating at every party, and with users unknown to alice.

`natural`: users at alice and films at charlie, joined with the ratings at bob, against the same columns with users
copied onto every rating. `unknown`: half of the users unknown to alice, joined inner and left, against bob alone.
`without`: training that drops parties for some rows, and what every subset of parties is worth then.
"""

from __future__ import annotations

import argparse
import secrets
from pathlib import Path

import pandas as pd

from coordinator.contributions import contribution_lines
from coordinator.federation import Federation
from coordinator.local_federation import LocalFederation
from deploy.demo.federation import fresh_folder
from deploy.demo.own_figures import evaluations, last_evaluation
from deploy.demo.pooled import train_pooled
from deploy.demo.scenarios import FILMS, RATINGS, USERS, Section
from deploy.demo.tables import HOLDERS, TRAINING, tables_federation
from deploy.movielens_tables import RATINGS_HOLDER, prepare_tables
from party.configuration.party import load_party_configuration
from party.configuration.run import TrainingSection
from party.configuration.threads import ThreadsSection
from party.engine.numerics import configure_tensorflow
from party.security.files import private_folder
from party.security.randomness import SECRET_BYTES

DATASETS = ("train", "test")
EXPERIMENTS = ("natural", "unknown", "without")
UNKNOWN_FRACTION = 0.5
DROPOUT = {"alice": 0.2, "charlie": 0.2}
KNOWN, UNKNOWN = "a partner", "no partner"


def auc(labels: pd.Series[bool], scores: pd.Series[float]) -> float:
    """The area under the ROC curve, by ranks."""
    ranks = scores.rank()
    positive = int(labels.sum())
    above = ranks[labels].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(labels) - positive)))


def prepared(folder: Path, cache: Path, seed: int, unknown_fraction: float = 0.0) -> Path:
    """The three tables of a seed."""
    fresh_folder(folder, (*HOLDERS, RATINGS_HOLDER))
    prepare_tables(None, folder, seed=seed, test_fraction=0.1, cache=cache, unknown_fraction=unknown_fraction)
    return folder


def read(folder: Path, file: str) -> pd.DataFrame:
    return pd.read_csv(folder / file, dtype=str, keep_default_na=False)


def copied_federation(folder: Path, source: Path, training: Section) -> LocalFederation:
    """The columns of users copied onto every rating at alice, those of films at bob; an id for every rating."""
    users, films = read(source, "alice/users.csv"), read(source, "charlie/films.csv")
    ratings = {one: read(source, f"bob/{one}.csv") for one in DATASETS}
    for one, frame in ratings.items():
        frame["ID"] = [f"{one}-{number}" for number in range(len(frame))]
    joined = {one: frame.merge(users, on="UserID").merge(films, on="MovieID") for one, frame in ratings.items()}
    parties: dict[str, Section] = {
        "alice": {
            "frames": {one: frame[["ID", *users.columns]] for one, frame in joined.items()},
            "features": USERS,
        },
        "bob": {
            "frames": {one: frame[["ID", "Rating", "Timestamp", *films.columns]] for one, frame in joined.items()},
            "features": FILMS,
            "labels": RATINGS["labels"],
        },
    }
    return LocalFederation(folder, parties, training={**TRAINING, **training})


def train(federation: Federation, folder: Path, what: str) -> str:
    """Trains and evaluates a run, and prints what it is worth and what it costs; returns its run_id."""
    history = federation.fit()
    federation.evaluate()
    metrics = last_evaluation(folder, RATINGS_HOLDER, history.run_id)
    print(
        f"  {what:<28} test AUC {metrics['auc']:.4f}  {history.bytes_per_sample:5.0f} bytes per sample"
        f"  {history.samples_per_second:8,.0f} samples/s",
        flush=True,
    )
    return history.run_id


def natural(root: Path, seed: int, epochs: int) -> None:
    """Prints natural tables beside copied columns."""
    training: Section = {"seed": seed, "epochs": epochs}
    folder = prepared(root / f"natural-{seed}", root / "cache", seed)
    with tables_federation(folder, "inner", training) as local, local.connect() as federation:
        federation.align()
        train(federation, folder, "natural tables")
        local.write_run({"distinct": False})
    with local, local.connect() as federation:
        train(federation, folder, "natural, distinct: false")
    copied = fresh_folder(root / f"copied-{seed}")
    with copied_federation(copied, folder, training) as local, local.connect() as federation:
        federation.align()
        train(federation, copied, "users copied onto ratings")


def unknown(root: Path, seed: int, epochs: int) -> None:
    """Prints inner and left joins where alice does not know half of the users."""
    folder = prepared(root / f"unknown-{seed}", root / "cache", seed, UNKNOWN_FRACTION)
    test = read(folder, "bob/test.csv")
    groups = test["UserID"].isin(read(folder, "alice/users.csv")["UserID"]).map({True: KNOWN, False: UNKNOWN})
    for group, value in alone(folder, test, groups, seed, epochs).items():
        print(f"  bob alone, test rows with {group}: AUC {value:.4f}", flush=True)
    for kind in ("inner", "left"):
        with tables_federation(folder, kind, {"seed": seed, "epochs": epochs}) as local, local.connect() as federation:
            federation.align()
            run_id = train(federation, folder, f"{kind} join")
            federation.predict()
        path = folder / RATINGS_HOLDER / "state" / "runs" / run_id / "predictions-test.csv"
        predicted = pd.read_csv(path).set_index("row")["probability"]
        for group in sorted(set(groups[predicted.index])):
            rows = predicted.index[groups[predicted.index] == group]
            value = auc(test.loc[rows, "Rating"].isin(["4", "5"]), predicted[rows])
            print(f"  {kind}, {len(rows)} test rows with {group}: AUC {value:.4f}", flush=True)


def alone(folder: Path, test: pd.DataFrame, groups: pd.Series[str], seed: int, epochs: int) -> dict[str, float]:
    """Test AUC of bob's own columns, trained in one process, by group of test rows."""
    own = private_folder(folder / "alone")
    frames = {"train": read(folder, "bob/train.csv"), KNOWN: test[groups == KNOWN], UNKNOWN: test[groups == UNKNOWN]}
    names = {name: name.replace(" ", "-") for name in frames}
    described = {
        names[name]: frame.assign(ID=[str(row) for row in range(len(frame))]) for name, frame in frames.items()
    }
    nobody = {name: frame[["ID"]].assign(x="0") for name, frame in described.items()}
    local = LocalFederation(
        own,
        {
            "alice": {"frames": nobody, "features": [{"column": "x", "kind": "vocabulary"}]},
            "bob": {"frames": described, **RATINGS, "pinned_secret": secrets.token_hex(SECRET_BYTES)},
        },
    )
    bob = load_party_configuration(local.party_path("bob"))
    training = TrainingSection.model_validate({**TRAINING, "seed": seed, "epochs": epochs})
    return {group: train_pooled([bob], training, names[group], []).metrics["auc"] for group in (KNOWN, UNKNOWN)}


def without(root: Path, seed: int, epochs: int) -> None:
    """Prints what every subset of parties is worth, in a run that drops parties and in one that does not."""
    folder = prepared(root / f"without-{seed}", root / "cache", seed)
    test = read(folder, "bob/test.csv")
    everybody = pd.Series(KNOWN, index=test.index)
    everybody.iloc[: len(test) // 2] = UNKNOWN
    parts = alone(folder, test, everybody, seed, epochs)
    print(f"  bob alone: test AUC {sum(parts.values()) / len(parts):.4f}, mean of two halves", flush=True)
    with tables_federation(folder, "inner", {"seed": seed, "epochs": epochs}) as local:
        with local.connect() as federation:
            federation.align()
            train(federation, folder, "nobody dropped")
        local.write_run({"party_dropout": DROPOUT})
        with local.connect() as federation:
            run_id = train(federation, folder, f"dropped: {DROPOUT}")
            print("\n".join(contribution_lines(federation.contributions(run_id=run_id).evaluations)), flush=True)
    for one in evaluations(folder, RATINGS_HOLDER, run_id)[1:]:  # exact, where the coordinator has rounded figures
        left = " and ".join(one.get("without", ["nobody"]))
        print(f"  without {left:<18} test AUC {one['metrics']['auc']:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=EXPERIMENTS)
    arguments = parser.parse_args()
    configure_tensorflow(ThreadsSection(intra_operation=0, inter_operation=0))
    root = private_folder(private_folder(arguments.folder.resolve()) / "tables")
    experiments = {"natural": natural, "unknown": unknown, "without": without}
    for name in arguments.only:
        for seed in arguments.seeds:
            print(f"{name}, seed {seed}", flush=True)
            experiments[name](root, seed, arguments.epochs)


if __name__ == "__main__":
    main()
