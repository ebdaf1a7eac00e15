"""The section `audit` of a party's file: what it keeps of a run, and what an audit shall find out about."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from party.configuration.patterns import TASK_PATTERN
from party.configuration.rules import checked_rule
from party.configuration.strict import StrictModel

SecretRule = Annotated[str, AfterValidator(checked_rule)]


class AuditSection(StrictModel):
    """What this party keeps to find out what a run gives away, and the secrets that its audit is about.

    Attributes:
        record: whether everything that this party sends and receives in training, evaluation and prediction is kept on
            disk.
        secrets: at a feature party, what its columns say of an entity: by name a rule such as `Gender == F`. The
            columns need not be features.
        entity: at a feature party, the column that names the entity of a row; each row is one if omitted.
    """

    record: bool = False
    secrets: dict[Annotated[str, Field(pattern=TASK_PATTERN)], SecretRule] = Field(default={}, max_length=32)
    entity: str | None = Field(default=None, min_length=1)

    def check_party(self, holds_labels: bool) -> None:
        """Refuses secrets at the label party, whose secrets are its labels.

        Args:
            holds_labels: whether it is the label party.

        Raises:
            ValueError: the text says which keys.
        """
        if holds_labels and (self.secrets or self.entity is not None):
            raise ValueError(
                "audit: secrets and entity belong to a feature party; the label party's secrets are its labels"
            )
