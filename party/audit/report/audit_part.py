"""A party's own part of an audit."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from party.audit.report.audit_row import AuditRow, ShortText
from party.audit.report.audited_run import RunConditions
from party.audit.report.spending import LedgerTotals
from party.configuration.strict import StrictModel

MOST_ROWS = 4096  # of a table that a person reads
Number = Annotated[float, Field(allow_inf_nan=False)]


class OwnEvaluation(StrictModel):
    """An evaluation as the label party has it, exactly.

    Attributes:
        dataset: dataset that was evaluated.
        at: when, ISO 8601.
        rows: number of its rows.
        metrics: metrics by name; None where one cannot be computed.
    """

    dataset: ShortText
    at: ShortText
    rows: Annotated[int, Field(ge=0)]
    metrics: dict[ShortText, Number | None]


class AuditPart(StrictModel):
    """What one party found out about one run, from what it sent and what it knows itself.

    Attributes:
        format: of the file.
        party: name of the party.
        made_at: when the audit was made, ISO 8601 with its zone.
        made_with: version of the software that made it.
        seed: of the attackers' choices.
        conditions: the run, as this party recorded it when it began.
        rows: the table.
        spent: totals of its ledger.
        evaluation: the latest evaluation of the run, at the label party; None without one.
    """

    format: Literal["audit part 1"] = "audit part 1"
    party: ShortText
    made_at: ShortText
    made_with: ShortText
    seed: Annotated[int, Field(ge=0)]
    conditions: RunConditions
    rows: Annotated[tuple[AuditRow, ...], Field(strict=False, max_length=MOST_ROWS)]
    spent: LedgerTotals
    evaluation: OwnEvaluation | None

    @model_validator(mode="after")
    def _is_of_the_run(self) -> Self:
        if self.party not in self.conditions.run.parties:
            raise ValueError("party is not one of the run's parties")
        return self

    @property
    def is_label_party(self) -> bool:
        """Whether it is the label party's part."""
        return self.party == self.conditions.run.label_party

    def canonical(self) -> bytes:
        """The bytes that are signed: JSON with sorted keys and without spaces."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()
