"""Searches for training parameters with Optuna: each trial is a run between the same parties.

    pip install optuna
    python search.py run.yaml --trials 20

The parties serve all the time: they read files once, at their start, and are aligned once for all trials. A
trial changes the section `training` of the run's file, trains, and is judged by its last loss on held-out rows.
"""

import argparse
from pathlib import Path

import optuna
import yaml

from coordinator import connect


def suggest(trial):
    """What a trial changes in `training`: write your own ranges here."""
    return {
        "batch_size": trial.suggest_categorical("batch_size", [64, 128, 256]),
        "optimizer": {"name": "adam", "learning_rate": trial.suggest_float("learning_rate", 1e-3, 3e-2, log=True)},
    }


def search(run_path, *, trials, storage=None, seed=0):
    """Runs a study; with a storage, such as sqlite:///study.db, it goes on with the trials of an earlier call."""
    run = yaml.safe_load(run_path.read_text())
    if not {"validation_fraction", "validation_dataset"} & set(run["training"]):
        raise SystemExit(f"{run_path}: set training.validation_fraction: trials are judged by held-out rows")
    with connect(run_path) as federation:
        federation.align()

    def objective(trial):
        changed = {**run, "training": {**run["training"], **suggest(trial)}}
        # Beside the run's file, since its paths are relative to its folder.
        path = run_path.with_name(f"{run_path.stem}.trial.yaml")
        path.write_text(yaml.safe_dump(changed, sort_keys=False))
        with connect(path) as federation:
            history = federation.fit()
        trial.set_user_attr("run_id", history.run_id)
        return history.history["val_loss"][-1]

    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(sampler=sampler, study_name=run_path.stem, storage=storage, load_if_exists=True)
    study.optimize(objective, n_trials=trials)
    return study


def main():
    """Reads the command line, and prints the trials with the best one first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="The run's YAML file.")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--storage", help="Where Optuna keeps the study, such as sqlite:///study.db.")
    given = parser.parse_args()
    study = search(given.run, trials=given.trials, storage=given.storage)
    for trial in sorted(study.trials, key=lambda one: one.value):
        print(f"val_loss {trial.value:<8.4g} run {trial.user_attrs['run_id']} {trial.params}")


if __name__ == "__main__":
    main()
