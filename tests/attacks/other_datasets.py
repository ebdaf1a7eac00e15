"""A coordinator that trains and measures on rows whose labels are not for training, and counts nothing.

Labels of a dataset follow from training on it: each epoch's figures are equations over them, and sessions of purpose
measure left no trace. The attacker needs one session on `test`; it asks for one of each purpose, then for as many
measuring sessions on `train` as it can get.
"""

import os

from coordinator import connect
from coordinator.session import CoordinatedSession, ProposedSession
from party.errors import PolicyError
from party.ledger.file import read_ledger
from party.pb.handshake_pb2 import Purpose
from tests.attacks.outcome import Outcome
from tests.support.organisations import Organisations, make_frames

MOST_SESSIONS = 100
TRAINING_PURPOSES = (Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE)


def opens(parties, run, purpose):
    """Whether all parties agree on a session; it is closed again."""
    run_id = os.urandom(16)
    proposal = ProposedSession(
        purpose=purpose, run_id=run_id, lease=parties._journal.lease, configuration=run.to_bytes()
    )
    try:
        with CoordinatedSession(parties._clients, run, proposal):
            return True
    except PolicyError:
        return False


def attack(folder, seed, policy=None):
    """Tries every session on test, then measures on train until it is refused; by default with the default policy."""
    frames = make_frames(("alice", "bob"), rows=320, seed=seed, datasets=("train", "test"))
    overrides = {name: {"policy": policy or {}, "pinned_secret": None} for name in ("alice", "bob")}
    with Organisations(folder, frames=frames, overrides=overrides) as organisations:
        organisations.start_servers()
        with connect(organisations.write_run()) as parties:
            parties.align()
            run = parties.configuration.run
            training = run.training.model_copy(update={"dataset": "test"})
            on_test = run.model_copy(update={"training": training})
            on_test_opened = sum(opens(parties, on_test, purpose) for purpose in TRAINING_PURPOSES)
            measured = 0
            while measured < MOST_SESSIONS and opens(parties, run, Purpose.PURPOSE_MEASURE):
                measured += 1
        written = [
            sum(
                one.event == "agreed" and one.purpose == "measure"
                for one in read_ledger(organisations.state_path(name))
            )
            for name in organisations.names
        ]
    whole = set(written) == {measured}
    return Outcome(
        asset="labels of test, and sessions that leave no trace",
        before="320 of 320 labels of test; 273 of 273 by measuring, none of it written down",
        now=f"{on_test_opened} of {len(TRAINING_PURPOSES)} sessions on test; {measured} measuring sessions on train,"
        f" then refused; {written[0]} and {written[1]} of them in the ledgers",
        held=on_test_opened == 0 and measured < MOST_SESSIONS and whole,
    )
