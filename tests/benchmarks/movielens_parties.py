"""Alice and bob with MovieLens-100K in processes of their own, and runs of theirs that a benchmark looks into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from coordinator.configuration import load_coordinator_configuration
from coordinator.federation import Federation
from coordinator.journal import STOPPED, TRAINED
from coordinator.local_federation import LocalFederation
from coordinator.session import CoordinatedSession, ProposedSession, new_run_id
from deploy.demo.federation import scenario_federation
from deploy.movielens import prepare
from party.pb.handshake_pb2 import Purpose
from party.security.clock import utc_now


def prepared_parties(folder: Path, seed: int) -> LocalFederation:
    """Both parties with their data, not started; every seed has its own split into training and test rows."""
    prepare(None, folder, seed=seed, test_fraction=0.1, rows=None, cache=folder / "cache")
    return scenario_federation(folder, {"seed": seed})


@contextmanager
def movielens_parties(
    folder: Path, seed: int, meters: Mapping[str, dict[str, object]] = MappingProxyType({})
) -> Iterator[LocalFederation]:
    """Both parties, started and aligned; `meters` holds the section of that name by party."""
    prepared = prepared_parties(folder, seed)
    for name, section in meters.items():
        prepared.write_party(name, meters=section)
    with prepared as local:
        with local.connect() as federation:
            federation.align()
        yield local


def federation_of(
    local: LocalFederation, training: dict[str, object], addresses: dict[str, str] | None = None
) -> Federation:
    """A coordinator with these keys of `training`; it reaches the parties at other addresses where they are given."""
    return Federation(load_coordinator_configuration(local.write_run(training, addresses=addresses)))


@contextmanager
def open_run(federation: Federation) -> Iterator[CoordinatedSession]:
    """A session that trains a new run; whoever opens it sends the batches. There are no checkpoints."""
    run, run_id, journal = federation.configuration.run, new_run_id(), federation._journal
    journal.begin(run_id, run.to_bytes(), utc_now())
    state = STOPPED
    try:
        proposal = ProposedSession(
            purpose=Purpose.PURPOSE_TRAIN, run_id=run_id, lease=journal.lease, configuration=run.to_bytes()
        )
        with CoordinatedSession(federation._clients, run, proposal) as session:
            journal.agreed(run_id, session.steps)
            yield session
            session.finish()
            state = TRAINED
    finally:
        journal.end(run_id, state)
