"""What parties find out from what they receive where nothing protects: an attack that fails would measure nothing.

The figures of real data are those of `make leaks`; here a small federation shows that every attack works.
"""

import numpy as np
import pandas as pd
import pytest

from coordinator import connect
from party.audit.attacks.membership import membership_attack
from party.audit.recording_audit import audit_recording
from party.errors import DataError, StorageError
from tests.support.leaking import RECORD, Attacker, Secrets, active_head, lying_parties
from tests.support.organisations import Organisations
from tests.support.resuming import run_path, train

USERS, ROWS_OF_A_USER = 240, 6
FEATURES = {
    "alice": [{"column": column, "kind": "vocabulary"} for column in ("user", "gender", "city")],
    "bob": [{"column": "film", "kind": "vocabulary"}],
}
MODEL = {"kind": "deepfm", "embedding_dimension": 8, "units": [16, 8]}
OPTIMIZER = {"name": "adam", "learning_rate": 0.01}
LIKED = Secrets({"liked": "rating > 3"})
GENDER = Secrets({"gender": "gender == f"}, "user")
LINKABLE = {"optimizer": OPTIMIZER, "epochs": 3, "batch_size": 64}


def make_frames():
    generator = np.random.default_rng(1)
    users = np.repeat(np.arange(USERS), ROWS_OF_A_USER)
    gender, city = generator.choice(["f", "m"], USERS), generator.choice(["Ulm", "Köln", "Bonn"], USERS)
    films = generator.integers(0, 12, len(users))
    score = generator.normal(0, 1, USERS)[users] + 0.8 * (gender == "f")[users] + 0.3 * (films - 6)
    ids = [f"{number:05d}" for number in generator.permutation(len(users))]
    alice = pd.DataFrame({"ID": ids, "user": users, "gender": gender[users], "city": city[users]})
    rating = np.where(score + generator.logistic(0, 1, len(users)) > 0.8, "5", "2")
    bob = pd.DataFrame({"ID": ids, "film": films, "rating": rating})
    return {"alice": {"train": alice.iloc[7:]}, "bob": {"train": bob.iloc[:-7]}}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """A run of two parties that both record; `run_id` is its id."""
    overrides = {name: {"model": MODEL, **RECORD} for name in ("alice", "bob")}
    overrides["bob"]["fuse"] = {"kind": "deepfm", "units": [8, 4]}
    folder = tmp_path_factory.mktemp("leaks")
    with Organisations(folder, features=FEATURES, frames=make_frames(), training=LINKABLE, overrides=overrides) as made:
        made.start_servers()
        made.run_id = train(made).run_id
        yield made


def attacker(organisations, name, victim):
    path = organisations.table_path(victim, "train")
    return Attacker(local=organisations, name=name, victim=path, run_id=organisations.run_id)


def by_attack(results):
    return {(one.attack, one.attacker_has): one for one in results}


def test_a_feature_party_reads_labels_off_its_gradients(organisations):
    results = attacker(organisations, "alice", "bob").audit(LIKED, with_model=True)
    found = {one.attack: one for one in results}
    for name in ("direction", "spectral", "clustering", "sign", "half of the labels", "posterior"):
        assert found[name].all_epochs > 0.98, name
        assert found[name].without_run < 0.85, name
    assert found["norm"].all_epochs > 0.5
    assert found["completion"].all_epochs > found["completion"].without_run, "training has shaped the base model"
    assert {one.secret for one in results} == {"liked"}


def test_the_label_party_links_rows_and_reads_columns_off_hiddens(organisations):
    results = attacker(organisations, "bob", "alice").audit(GENDER)
    found = by_attack(results)
    linked = found["linking", "hiddens"]
    assert linked.all_epochs > 0.95
    assert linked.without_run < 0.7
    probe = found["probe", "hiddens, 50 known"]
    assert probe.all_epochs > 0.9
    assert probe.without_run < 0.65


def test_a_lying_label_party_steers_a_run_to_a_column(organisations, tmp_path):
    """By its own file alone: it trains on the column of a few users, and reads it off the hiddens of all others."""
    victim, known = organisations.table_path("alice", "train"), 50
    honest = {"frames": {"train": victim}, "features": FEATURES["alice"], "model": MODEL}
    described = lying_parties(("alice", honest), "bob", victim, GENDER, known)
    frames = {"alice": {"train": victim}, "bob": described["bob"].pop("frames")}
    tmp_path.chmod(0o700)
    overrides = {"alice": {"model": MODEL}, "bob": described["bob"]}
    features = {**FEATURES, "bob": []}
    with Organisations(tmp_path, features=features, frames=frames, training=LINKABLE, overrides=overrides) as liar:
        liar.start_servers()
        run_id = train(liar).run_id
        with connect(run_path(liar)) as parties:
            parties.evaluate("train", run_id=run_id)
        result = active_head(liar, "bob", victim, GENDER, run_id)
    assert result.all_epochs > 0.97
    assert result.attacker_has.startswith(f"hiddens, {known} known")


def test_every_guessed_id_is_confirmed_by_an_alignment(organisations):
    alice = attacker(organisations, "alice", "bob")
    guesses = organisations.read_table("alice", "train")["ID"].tolist()
    result = membership_attack(guesses, alice.ids, organisations.read_table("bob", "train")["ID"].tolist())
    assert result.all_epochs == 1.0


def test_an_audit_needs_a_recording_and_the_truth_of_every_row(organisations, tmp_path):
    bob = attacker(organisations, "bob", "alice")
    truth = bob.truth(GENDER)
    with pytest.raises(StorageError, match=r"audit: \{record: true\}"):
        audit_recording(tmp_path, truth)
    path = tmp_path / "truth.csv"
    organisations.read_table("alice", "train").drop(index=[30, 31, 32]).to_csv(path, index=False)
    lacking = Attacker(local=organisations, name="bob", victim=path, run_id=organisations.run_id)
    with pytest.raises(DataError, match="3 ids without one"):
        lacking.truth(GENDER)
