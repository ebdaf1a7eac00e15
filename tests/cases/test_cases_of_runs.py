"""What shows only in training: runs with the defaults that a newcomer has, over tables as people bring them."""

from contextlib import contextmanager

import numpy as np
import pandas as pd

from coordinator import LocalFederation
from deploy.demo.own_figures import last_evaluation, own_history
from party.runtime.column_ranges import load_with_columns
from party.transport.server import PartyServer
from tests.support.credit_pair import AUC_TOLERANCE, FEATURES, GUEST, HOST, LABELS, TRAINING, area, made_pair

SEED = 7
SECRETS = {name: bytes([place] * 32).hex() for place, name in enumerate((HOST, GUEST), 8)}
# By LightGBM 4.7.0: `python -m tests.benchmarks.default_credit --seeds 7` prints it where LightGBM is installed.
LIGHTGBM_AUC = 0.8019


@contextmanager
def served(folder, parties, training):
    """A coordinator's connection to parties that serve in this process, on real sockets."""
    given = {name: {**one, "id": "id", "pinned_secret": SECRETS[name]} for name, one in parties.items()}
    local, servers = LocalFederation(folder, given, training={**training, "seed": SEED}), []
    try:
        for name in local.names:
            servers.append(PartyServer(load_with_columns(local.party_path(name))))
            servers[-1].start()
            local.addresses[name] = f"127.0.0.1:{servers[-1].port}"
        local.write_run()
        with local.connect() as federation:
            federation.align()
            yield federation
    finally:
        for server in servers:
            server.stop()


def test_a_pair_of_banks_is_learned_as_well_as_by_boosted_trees(tmp_path):
    """Two files, one line of features each, and early stopping as one writes it: without a mode."""
    pair = made_pair(SEED)
    parties = {name: {"frames": pair.frames[name], "features": FEATURES} for name in (HOST, GUEST)}
    parties[GUEST]["labels"] = LABELS
    with served(tmp_path / "credit", parties, TRAINING) as federation:
        history = federation.fit()
        federation.evaluate("test")
    areas = own_history(tmp_path / "credit", GUEST, history.run_id)["val_auc"]
    assert history.best_epoch == int(np.argmax(areas)) < len(areas) - 1, "stopped after its best epoch"
    reached = last_evaluation(tmp_path / "credit", GUEST, history.run_id)["auc"]
    possible = area(pair.probabilities, pair.pooled("test")["y"])
    assert LIGHTGBM_AUC - AUC_TOLERANCE <= reached < possible
    assert possible > LIGHTGBM_AUC


def test_prices_are_learned_with_defaults(tmp_path):
    """Numbers around 294,000: the error is clearly under their deviation, in their own unit."""
    generator = np.random.default_rng(SEED)
    rows, known, hidden = 1200, *generator.normal(0, 1, (2, 1200))
    price = (294_000 + 60_000 * known + 50_000 * hidden + generator.normal(0, 30_000, rows)).round()
    ids = [f"r{number}" for number in range(rows)]
    features = {name: [{"column": name, "kind": "numeric"}] for name in ("known", "hidden")}
    parties = {
        HOST: {"frames": {"train": pd.DataFrame({"id": ids, "hidden": hidden})}, "features": features["hidden"]},
        GUEST: {
            "frames": {"train": pd.DataFrame({"id": ids, "known": known, "price": price})},
            "features": features["known"],
            "labels": {"price": {"kind": "regression", "column": "price"}},
        },
    }
    with served(tmp_path / "prices", parties, {"epochs": 10, "batch_size": 60}) as federation:
        history = federation.fit()
        released = federation.evaluate("train")
    error = last_evaluation(tmp_path / "prices", GUEST, history.run_id)["root_mean_squared_error"]
    assert 28_000 < error < 0.5 * price.std()
    assert abs(released["root_mean_squared_error"] - error) < 0.1 * price.std()
