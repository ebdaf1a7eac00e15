"""Alice and bob with MovieLens-100K in processes of their own, and runs of theirs that a benchmark looks into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.journal import STOPPED, TRAINED
from coordinator.session import Proposal, Session, new_run_id
from deploy.demo.configurations import write_certificates, write_party_configurations, write_run_configuration
from deploy.demo.processes import PartyProcesses
from deploy.movielens import prepare
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now


@contextmanager
def movielens_parties(folder: Path, seed: int) -> Iterator[PartyProcesses]:
    """Both parties, aligned; every seed has its own split into training and test rows."""
    prepare(None, folder, seed=seed, test_fraction=0.1, rows=None, cache=folder / "cache")
    write_certificates(folder, datetime.now(UTC))
    write_party_configurations(folder)
    with PartyProcesses(folder) as parties:
        with federation_of(folder, parties.addresses, {"seed": seed}) as federation:
            federation.align()
        yield parties


def federation_of(folder: Path, addresses: dict[str, str], training: dict[str, object]) -> Federation:
    """A coordinator with these keys of `training`."""
    return Federation(load_coordinator_configuration(write_run_configuration(folder, addresses, training)))


@contextmanager
def open_run(federation: Federation) -> Iterator[Session]:
    """A session that trains a new run; whoever opens it sends the batches. There are no checkpoints."""
    run, run_id, journal = federation.configuration.run, new_run_id(), federation._journal
    journal.begin(run_id, run.to_bytes(), utc_now())
    state = STOPPED
    try:
        proposal = Proposal(Purpose.PURPOSE_TRAIN, run_id, journal.lease, run.to_bytes())
        with Session(federation._connections, run, proposal) as session:
            journal.agreed(run_id, session.steps)
            yield session
            session.finish()
            state = TRAINED
    finally:
        journal.end(run_id, state)
