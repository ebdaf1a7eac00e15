"""A finished run whose weights and encoders a new run begins with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from party.data.encoders import Encoders, encoders_from_json
from party.errors import SessionError
from party.models.assembly import PartyModels
from party.runtime.fingerprint import model_fingerprint
from party.runtime.proposal import Opening
from party.runtime.records import ENCODERS_FILE, RunRecord
from party.security.files import read_private

CONTINUED_LABEL = b"vsl/1 continued\0"
SHOWN_CHARACTERS = 8  # of a run_id


@dataclass(frozen=True)
class ContinuedRun:
    """A finished run at this party, of the same models, features and labels as the run that continues it.

    Attributes:
        record: its record.
        folder: its folder.
        party: name of this party, for errors.
    """

    record: RunRecord
    folder: Path
    party: str

    @property
    def lineage(self) -> bytes:
        """Digest of the history that led to its weights, as the origin of another run: all parties must state it."""
        return hashlib.sha256(CONTINUED_LABEL + bytes.fromhex(self.record.lineage)).digest()

    def encoders_json(self) -> str:
        """Its encoders as JSON."""
        return read_private(self.folder / ENCODERS_FILE).decode()

    def encoders(self, opening: Opening) -> Encoders:
        """Its encoders, for the features of this party.

        Args:
            opening: the granted proposal of the new run.
        """
        return encoders_from_json(self.encoders_json(), opening.context.configuration.data.features)

    def load(self, models: PartyModels) -> None:
        """Sets the weights of models to those of the run; their states of dropout stay as they were drawn.

        Args:
            models: the models of one head.

        Raises:
            SessionError: the models have another layout than those of the run.
            ModelError: a weight has another shape.
        """
        for what, mine, theirs in (
            ("base", models.base_layout, self.record.base),
            ("fuse", models.fuse_layout, self.record.fuse),
        ):
            if mine != theirs:
                raise SessionError(
                    f"the {what} model would differ from that of the run to continue",
                    where=f"{self.party}: run {self.record.run_id[:SHOWN_CHARACTERS]}",
                    expected="the same models at all parties, and the same training.secure_aggregation",
                    fix="restore what was changed since that run, or train a new one without --continue",
                )
        models.load(self.folder)


def continued_run(opening: Opening, former: RunRecord | None) -> ContinuedRun | None:
    """Finds the run that a new run continues, and checks that it can.

    Args:
        opening: the granted proposal.
        former: record of the new run if it began earlier; otherwise None.

    Returns:
        The run to continue; None if the new run begins with drawn weights.

    Raises:
        PolicyError: the run belongs to another coordinator.
        SessionError: the run is not here, did not finish, or had other parties, models, features or labels; or the new
            run began as the continuation of another one.
    """
    run_id = opening.proposal.continues
    party = opening.context.party
    where = f"{party}: run {run_id.hex()[:SHOWN_CHARACTERS]}"
    if former is not None and former.continues != run_id.hex():
        raise SessionError(
            "the run to resume did not begin as the continuation of this one",
            where=where,
            expected=f"run {former.continues[:SHOWN_CHARACTERS]}" if former.continues else "none",
        )
    if not run_id:
        return None
    record = opening.context.records.find(run_id)
    if record is None:
        raise SessionError("no such run here to continue", where=where, fix="name a run that finished at every party")
    opening.grant.check_run_owner(record.coordinator)
    if record.state != "trained":
        raise SessionError("the run to continue did not finish training", where=where, fix="resume it first")
    if record.parties != opening.run.parties:
        raise SessionError(
            "the run to continue had other parties",
            where=where,
            expected=", ".join(record.parties),
            received=", ".join(opening.run.parties),
        )
    _check_sections(opening, record, where)
    return ContinuedRun(record, opening.context.records.folder(run_id), party)


def _check_sections(opening: Opening, record: RunRecord, where: str) -> None:
    """Refuses other models, features or labels than those of the run; names what differs."""
    configuration = opening.context.configuration
    present = model_fingerprint(configuration, configuration.folder)
    # Only what a run on either side depends on: a new version may know further keys.
    differing = sorted(name for name, digest in present.items() if record.fingerprint.get(name) != digest)
    if differing:
        raise SessionError(
            "changed since the run to continue: " + ", ".join(differing),
            where=where,
            fix="change it back, or train a new run without --continue",
        )
