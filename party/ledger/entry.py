"""One line of the ledger, and the digest that chains it to the line before."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from party.configuration.strict import StrictModel
from party.ledger.charge import Charge

Event = Literal["started", "reloaded", "opened", "agreed", "ended", "refused"]
Kind = Literal["hiddens", "gradients", "metrics", "predictions", "intersections", "row_maps", "data_quality"]
FIRST_PREVIOUS = "0" * 64  # the first line has this in place of a digest
_DIGEST_LABEL = b"vsl/1 ledger\0"


class Content(StrictModel):
    """The content of a line.

    Attributes:
        event: `started` and `reloaded`: of the process; `opened`: a coordinator requested a session that the policy
            allows; `agreed`: all parties signed it, and releases may follow; `ended`; `refused` by the policy.
        session: identifies the lines of one session, hexadecimal; empty outside of sessions.
        coordinator: certificate name of the coordinator that asked.
        peers: names of the other parties of the session.
        purpose: `align`, `train`, `measure`, `evaluate` or `predict`.
        run_id: id of the run, hexadecimal.
        datasets: the datasets that the session reads: in training the one to train on, then the one to hold out.
        rows: number of rows of these datasets: of the files in an alignment, else of the rows in common.
        epochs: number of epochs in the session; 0 outside of training.
        codecs: codecs of training by direction.
        resume: whether the run goes back to a checkpoint or to its beginning.
        continues: id of the finished run whose weights the run begins with, hexadecimal; empty without one, and then
            the line does not have the key.
        releases: number of releases of rows, by kind: at `agreed` the maximum, at `ended` those that were made.
            A row of a batch counts once each time it is sent to a peer; a metric counts once for each pass.
            `intersections` counts rows in common or, with joins, entities in common with each peer; `row_maps` the rows
            of all datasets once for each peer that learned how many of them its entities have; `data_quality` the
            datasets, or tables, of whose quality the coordinator learned.
        charges: what the session spends of each secret, at `agreed`; None in other lines, which do not have the key,
            and in those of `agreed` that are older than charges.
        joins: of an alignment with joins, by peer the tables that are joined, or that may be at their owner; other
            lines do not have the key.
        result: how the session ended, or the rule that refused it.
        without: feature parties of the run that the session left out; lines of sessions with all have no such key.
    """

    event: Event
    session: str = ""
    coordinator: str = ""
    peers: tuple[str, ...] = Field(default=(), strict=False)
    purpose: str = ""
    run_id: str = ""
    datasets: tuple[str, ...] = Field(default=(), strict=False)
    rows: int = Field(default=0, ge=0)
    epochs: int = Field(default=0, ge=0)
    codecs: dict[str, str] = Field(default={})
    resume: bool = False
    continues: str = ""
    releases: dict[Kind, int] = Field(default={})
    charges: tuple[Charge, ...] | None = Field(default=None, strict=False)
    joins: dict[str, Annotated[tuple[str, ...], Field(strict=False)]] | None = None
    result: str = ""
    without: tuple[str, ...] = Field(default=(), strict=False)

    @model_serializer(mode="wrap")
    def _without_absent_keys(self, serialize: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Lines without newer keys are, byte for byte, those that were written before there were any."""
        fields: dict[str, object] = serialize(self)
        for name in ("charges", "joins"):
            if getattr(self, name) is None:
                fields.pop(name, None)
        if not self.without:
            fields.pop("without", None)
        if not self.continues:
            fields.pop("continues", None)
        return fields


class LedgerEntry(Content):
    """A line of the file.

    Attributes:
        sequence: counts lines from 1.
        time: when it was written, ISO 8601 with its zone.
        previous: digest of the line before.
        digest: SHA-256 of everything else, hexadecimal.
    """

    sequence: int = Field(ge=1)
    time: str
    previous: str = Field(pattern=r"^[0-9a-f]{64}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    @classmethod
    def following(cls, previous: LedgerEntry | None, content: Content, time: str) -> Self:
        """Makes the line after another one, or the first.

        Args:
            previous: the last line; None if there is none yet.
            content: content of the new line.
            time: ISO 8601 with its zone.

        Returns:
            The new line, chained to the last one.
        """
        chained = {
            **content.model_dump(mode="json"),
            "sequence": 1 if previous is None else previous.sequence + 1,
            "time": time,
            "previous": FIRST_PREVIOUS if previous is None else previous.digest,
        }
        return cls(**chained, digest=_digest(chained))

    def to_line(self) -> bytes:
        """The line as bytes, with its newline."""
        return _canonical(self.model_dump(mode="json")) + b"\n"

    def follows(self, previous: LedgerEntry | None) -> bool:
        """Whether number, chain and digest are those of the line after another one."""
        content = self.model_dump(mode="json", exclude={"digest"})
        number = 1 if previous is None else previous.sequence + 1
        before = FIRST_PREVIOUS if previous is None else previous.digest
        return (self.sequence, self.previous, self.digest) == (number, before, _digest(content))


def entry_from_line(line: bytes) -> LedgerEntry | None:
    """Parses a line.

    Args:
        line: without its newline.

    Returns:
        The entry; None if the line is not, byte for byte, what this software writes.
    """
    try:
        entry = LedgerEntry.model_validate_json(line)
    except ValidationError:
        return None
    return entry if entry.to_line() == line + b"\n" else None


def is_of_another_version(line: bytes) -> bool:
    """Whether a line that `entry_from_line` does not know has the form and the digest of a ledger's line nevertheless.

    Args:
        line: without its newline.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(content, dict) or _canonical(content) != line:
        return False
    digest = content.pop("digest", None)
    return bool(digest == _digest(content))


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(_DIGEST_LABEL + _canonical(content)).hexdigest()


def _canonical(content: dict[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
