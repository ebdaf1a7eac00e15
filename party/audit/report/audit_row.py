"""A row of the audit's table: one attack on one secret, in figures."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from party.configuration.strict import StrictModel

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Unknown = Literal["?"]
UNKNOWN: Unknown = "?"
Figure = Share | Unknown | None
ShortText = Annotated[str, Field(max_length=400)]

AuditVerdict = Literal[
    "open", "readable", "in part", "nothing found", "within", "above", "too few rows", "not measured"
]


class AuditRow(StrictModel):
    """How well an attacker tells the rows of a secret apart.

    Figures are areas under the ROC curve: 0.5 is a guess, 1 is certainty. `?` is a figure that needs what only another
    party knows; None is one that the attack does not have.

    Attributes:
        secret: what the attacker is after.
        attack: name of the attack.
        attacker_has: what it has.
        attacker: name of the party or coordinator that could attack.
        one_step: with one batch's or one epoch's messages alone.
        all_epochs: with everything that left in training.
        standard_error: of `all_epochs`, over the rows that it was judged by.
        without_run: with the same knowledge and no run.
        ceiling: the most that the epsilon of the secret allows; None where the secret has none.
        verdict: what the figures mean.
        note: what a reader has to know of this row.
        reference: where the attack comes from.
    """

    secret: ShortText
    attack: ShortText
    attacker_has: ShortText
    attacker: ShortText
    one_step: Figure
    all_epochs: Figure
    standard_error: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None
    without_run: Figure
    ceiling: Share | None
    verdict: AuditVerdict
    note: ShortText = ""
    reference: ShortText = ""
