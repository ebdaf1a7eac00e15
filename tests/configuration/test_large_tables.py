"""`party check` says when a table is so large that its optimizer should move only rows of the batch."""

import pandas as pd
import pytest

from party.check import print_check
from party.configuration.large_tables import LARGE_TABLE_ROWS, large_table_lines, moves_every_row
from party.configuration.party import load_party_configuration
from tests.support.organisations import Organisations

LARGE, SMALL = LARGE_TABLE_ROWS + 1, LARGE_TABLE_ROWS
FRAME = pd.DataFrame({"ID": ["1", "2"], "film": ["a", "b"]})


def alice(folder, buckets, **overrides):
    """The file of a party with one hashed feature."""
    folder.chmod(0o700)
    features = {name: [{"column": "film", "kind": "hash", "buckets": buckets}] for name in ("alice", "bob")}
    frames = {"alice": {"train": FRAME}, "bob": {"train": FRAME.assign(rating="5")}}
    organisations = Organisations(
        folder / "all", names=("alice", "bob"), features=features, frames=frames, overrides={"alice": overrides}
    )
    return organisations.party_path("alice")


def test_check_names_the_feature_and_says_what_to_do(tmp_path, capsys):
    print_check(alice(tmp_path, LARGE))
    printed = capsys.readouterr().out
    assert f"many embedding rows: film has {LARGE + 1:,}" in printed
    assert "training.optimizer.name to lazy_adam" in printed


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (None, "with adam, the default"),
        ("adamw", "with adamw every step moves all of them: set optimizer.name to lazy_adam"),
        ("lazy_adam", None),
        ("RowAdagrad", None),
        ("sgd", None),
    ],
)
def test_an_optimizer_of_the_partys_own_counts(tmp_path, own, told):
    configuration = load_party_configuration(alice(tmp_path, LARGE, **({"optimizer": {"name": own}} if own else {})))
    lines = large_table_lines(configuration, {"film": LARGE})
    assert (told in "\n".join(lines)) if told else lines == []
    assert large_table_lines(configuration, {"film": SMALL}) == []


def test_a_penalty_on_embeddings_is_named(tmp_path):
    overrides = {"optimizer": {"name": "lazy_adam"}, "model": {"embedding_l2": 0.1}}
    configuration = load_party_configuration(alice(tmp_path, LARGE, **overrides))
    assert "model.embedding_l2 moves all of them" in "\n".join(large_table_lines(configuration, {"film": LARGE}))


@pytest.mark.parametrize("name", ["lazy_adam", "LazyAdam", "row_adagrad", "SGD"])
def test_names_are_taken_however_they_are_written(name):
    assert not moves_every_row(name)
    assert moves_every_row("rms_prop")
