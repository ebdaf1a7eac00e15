"""The order of rows comes from a secret that the parties share and the coordinator never sees, over real gRPC."""

import dataclasses

import numpy as np
import pytest

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from party.errors import AlignmentError
from party.pb.handshake_pb2 import Purpose
from party.security.row_secret import ROW_SECRET_BYTES, RowSecret
from tests.support.oracle import philox_permutation
from tests.support.organisations import FEATURES, Organisations, make_frames
from tests.support.relaying import Recorder, Relay
from tests.support.row_keys import row_key

SEED = 5
BATCH_SIZE = 32
ONE_STEP = {"batch_size": BATCH_SIZE, "maximum_steps": 1, "optimizer": {"name": "sgd", "learning_rate": 0.5}}


@pytest.fixture(scope="module")
def organisations(tmp_path_factory):
    """Two aligned parties without pinned secrets; every row of alice has a text of its own."""
    frames = make_frames(("alice", "bob"))
    frames["alice"]["train"]["token"] = "token " + frames["alice"]["train"]["ID"]
    features = {"alice": [{"column": "token", "kind": "vocabulary"}], "bob": FEATURES["bob"]}
    overrides = {name: {"pinned_secret": None} for name in ("alice", "bob")}
    with Organisations(
        tmp_path_factory.mktemp("unpinned"), features=features, frames=frames, training=ONE_STEP, overrides=overrides
    ) as made:
        made.start_servers()
        made.recorder = Recorder()
        with Relay(made.write_run(), made.recorder) as parties:
            parties.align()
        yield made


def stored(organisations, name):
    context = organisations.servers[name].context
    return context.alignment(context.tables.table("train"), organisations.names)


def trained_rows(organisations, run_id):
    """The rows of the first batch: the linear weights of their texts have moved."""
    return set(np.flatnonzero(organisations.weights("alice", run_id)["base/linear"][:, 0]) - 2)


def test_two_runs_with_one_seed_have_orders_of_their_own(organisations):
    """Both as the definition says, and nothing of it went through the coordinator or is in its folder."""
    secret = stored(organisations, "bob").row_secret
    assert stored(organisations, "alice").row_secret == secret
    assert (len(secret.secret), secret.pinned) == (ROW_SECRET_BYTES, False)
    rows, batches, keys = len(stored(organisations, "bob").rows), [], []
    with Relay(organisations.write_run(), organisations.recorder) as parties:
        for _ in range(2):
            run_id = parties.fit().run_id
            key = row_key(secret.secret, bytes.fromhex(run_id), SEED)
            batches.append(trained_rows(organisations, run_id))
            assert batches[-1] == set(philox_permutation(key, "shuffle", 0, rows)[:BATCH_SIZE])
            keys.append(key)
    assert batches[0] != batches[1]
    organisations.recorder.messages += [
        path.read_bytes() for path in organisations.runs_path.rglob("*") if path.is_file()
    ]
    sought = [one for raw in (secret.secret, *keys) for one in (raw, raw.hex().encode())]
    assert organisations.recorder.finds(*sought) == []


def test_every_alignment_draws_a_new_secret(organisations):
    before = stored(organisations, "bob")
    with Relay(organisations.write_run(), organisations.recorder) as parties:
        parties.align(force=True)
    after = stored(organisations, "bob")
    assert after.rows.tolist() == before.rows.tolist()
    assert after.row_secret.secret != before.row_secret.secret
    assert stored(organisations, "alice").row_secret == after.row_secret


@pytest.fixture
def differing(organisations):
    """Alice has another row secret than bob, in an alignment that is the same otherwise."""
    before = stored(organisations, "alice")
    alignments = organisations.servers["alice"].context.alignments
    alignments.save("train", dataclasses.replace(before, row_secret=RowSecret(bytes(32), pinned=False)))
    yield organisations
    alignments.save("train", before)


@pytest.mark.parametrize("purpose", [Purpose.PURPOSE_TRAIN, Purpose.PURPOSE_MEASURE], ids=Purpose.Name)
def test_parties_with_differing_keys_do_not_start(differing, purpose):
    with Federation(load_coordinator_configuration(differing.write_run())) as parties:
        run = parties.configuration.run
        proposal = ProposedSession(
            purpose=purpose, run_id=new_run_id(), lease=parties._journal.lease, configuration=run.to_bytes()
        )
        with (
            pytest.raises(AlignmentError, match=r"rows of dataset train are not the same, or not in the same order"),
            CoordinatedSession(parties._clients, run, proposal),
        ):
            pass
