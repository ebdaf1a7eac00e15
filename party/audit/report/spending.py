"""What a party's ledger says was spent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from party.audit.report.audit_row import ShortText
from party.audit.report.audited_run import Count, FormattedNames
from party.configuration.strict import StrictModel

Epsilon = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class SpentSecret(StrictModel):
    """What was spent of one secret.

    Attributes:
        secret: the secret.
        epsilon: of all mechanisms that released something of it.
        is_exact: whether it was also released exactly, which no epsilon bounds.
        receivers: names of those that received something of it.
    """

    secret: Literal["labels", "columns"]
    epsilon: Epsilon
    is_exact: bool
    receivers: FormattedNames


class LedgerTotals(StrictModel):
    """The totals of a ledger.

    Attributes:
        run: what this run spent, evaluations and predictions with it included.
        all_runs: what was spent in all lines of the ledger.
        releases: number of rows, or passes of metrics, that this run released, by kind.
        lines: number of lines of the ledger.
        last_digest: digest of its last line.
    """

    run: Annotated[tuple[SpentSecret, ...], Field(strict=False)]
    all_runs: Annotated[tuple[SpentSecret, ...], Field(strict=False)]
    releases: dict[ShortText, Count]
    lines: Count
    last_digest: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]
