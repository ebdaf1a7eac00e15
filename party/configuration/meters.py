"""The meters of a party: what its owner watches of what leaves."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Self

from pydantic import Field, model_validator

from party.configuration.strict import StrictModel


class MetersSection(StrictModel):
    """What this party measures on the matrices that it sends in training. Readings stay with the party.

    Attributes:
        labels: whether the label party measures what its gradients tell of its labels.
        columns: columns of a feature party's files of which it measures what its hiddens tell; they need not be
            features.
    """

    labels: bool = False
    columns: tuple[Annotated[str, Field(min_length=1)], ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _columns_differ(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns names one twice")
        return self

    def check_party(
        self,
        *,
        holds_labels: bool,
        id_columns: Collection[str],
        private_labels: bool,
        private_columns: Collection[str],
        limits_labels: bool,
        limits_columns: bool,
    ) -> None:
        """Refuses what does not fit the party, or the limits in its policy.

        Args:
            holds_labels: whether it is the label party.
            id_columns: its columns with the sample ids.
            private_labels: whether its labels are private.
            private_columns: columns of it that are private.
            limits_labels: whether its policy has a limit for readings of labels.
            limits_columns: whether its policy has a limit for readings of columns.

        Raises:
            ValueError: the text says which keys.
        """
        if self.labels and not holds_labels:
            raise ValueError("meters.labels belongs to the label party: this party sends no gradients")
        if self.columns and holds_labels:
            raise ValueError("meters.columns belongs to a feature party: the label party's hiddens do not leave")
        if any(column in id_columns for column in self.columns):
            raise ValueError("meters.columns names the id column, which has another value in every row")
        if any(column in private_columns for column in self.columns):
            raise ValueError(
                "meters.columns names a private column: the party computes with its drawn cells alone, and a meter"
                " would read those; its true cells are told as far as their epsilon allows"
            )
        if limits_labels and not self.labels:
            raise ValueError("policy.maximum_label_reading needs meters.labels: true, at the label party")
        if limits_labels and private_labels:
            raise ValueError(
                "policy.maximum_label_reading: with private labels, meters.labels only warns in the log: a session that"
                " ends by what true labels say tells more about them than their epsilon"
            )
        if limits_columns and not self.columns:
            raise ValueError("policy.maximum_column_reading needs meters.columns, at a feature party")
