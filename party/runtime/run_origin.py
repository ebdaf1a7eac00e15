"""Finds out whether a run is new or began earlier at this party, and makes its record."""

from __future__ import annotations

from party.errors import CheckpointError, DataError, SessionError
from party.runtime.common_rows import CommonRows
from party.runtime.fingerprint import check_fingerprint, run_fingerprint
from party.runtime.model_objects import check_training
from party.runtime.proposal import Opening
from party.runtime.records import RunRecord
from party.security.randomness import SECRET_BYTES


def check_trainable(opening: Opening) -> None:
    """Refuses a run that this party cannot train.

    Args:
        opening: the granted proposal.

    Raises:
        DataError: the dataset has no labels.
        ConfigurationError: Keras does not know the optimizer, or no metric has the name that early stopping uses.
    """
    configuration, training = opening.context.configuration, opening.run.training
    if training.dataset in configuration.data.unlabelled:
        raise DataError(
            f"dataset {training.dataset} has no labels to train on",
            where=configuration.party,
            fix="set training.dataset, or correct data.unlabelled",
            public_message=f"dataset {training.dataset} has no labels to train on; set training.dataset",
        )
    check_training(configuration, training)


def known_run(opening: Opening) -> RunRecord | None:
    """The record of the proposed run, if it began earlier; refuses one that does not match the proposal.

    Args:
        opening: the granted proposal.

    Returns:
        The record; None if the run is new.

    Raises:
        PolicyError: the run belongs to another coordinator.
        SessionError: the run has another configuration or other parties.
        StorageError: the record is damaged.
    """
    records = opening.context.records
    record = records.find(opening.run_id)
    if record is not None:
        opening.grant.check_run_owner(record.coordinator)
        records.require_agreement(record, opening.configuration_sha256, opening.run.parties)
    return record


def former_run(opening: Opening) -> RunRecord | None:
    """Like `known_run`, for a session that begins or resumes a run.

    Args:
        opening: the granted proposal.

    Raises:
        CheckpointError: a run to resume is not known here.
        SessionError: the run_id of a new run was used before.
    """
    former, resume = known_run(opening), opening.proposal.resume
    where = f"{opening.context.party}: run {opening.run_id.hex()[:8]}"
    if former is not None and not resume:
        raise SessionError("run_id was used before", where=where, fix="resume it, or start a new run")
    if former is None and resume:
        raise CheckpointError(
            "this party has no record of the run", where=where, fix="restore its state folder, or start a new run"
        )
    return former


def run_record(opening: Opening, former: RunRecord | None, rows: CommonRows, row_key: bytes) -> RunRecord:
    """The record to continue with; refuses if something has changed since the run began.

    Args:
        opening: the granted proposal.
        former: record of the run if it began earlier; otherwise None.
        rows: the rows that the run trains on.
        row_key: key of the run's order of rows.

    Raises:
        SessionError: something has changed; it names what.
    """
    configuration = opening.context.configuration
    present = run_fingerprint(configuration, rows.table.sha256, rows.alignment.rows, configuration.folder)
    present |= rows.digests()
    if rows.table.generation is not None:
        present["generation of private columns"] = str(rows.table.generation)
    if former is None:
        return _new_record(opening, row_key, present)
    check_fingerprint(configuration.party, former.fingerprint, present, configuration.checkpoints.allow_other_numerics)
    return former


def bound_to_draws(record: RunRecord, former: RunRecord | None, draws: str, party: str) -> RunRecord:
    """Binds a run to the draws of the private labels that it learns from.

    Args:
        record: the record to continue with.
        former: record of the run if it began earlier; otherwise None.
        draws: identifies the draws; empty where nothing is drawn.
        party: name of this party, for errors.

    Raises:
        SessionError: the run began with other draws.
    """
    if former is not None and former.draws != draws:
        raise SessionError(
            "private labels would be drawn otherwise than when the run began",
            where=f"{party}: run {record.run_id[:8]}",
            fix="restore the folder `privacy` of the state folder, or begin a new run",
        )
    return record.model_copy(update={"draws": draws})


def _new_record(opening: Opening, row_key: bytes, fingerprint: dict[str, str]) -> RunRecord:
    pinned = opening.context.configuration.pinned_secret
    secret = bytes.fromhex(pinned) if pinned is not None else opening.context.random_bytes(SECRET_BYTES)
    return RunRecord(
        run_id=opening.run_id.hex(),
        coordinator=opening.proposal.coordinator,
        configuration_sha256=opening.configuration_sha256.hex(),
        parties=opening.run.parties,
        secret=secret.hex(),
        row_key=row_key.hex(),
        state="started",
        fingerprint=fingerprint,
    )
