"""The run that an audit is about, and the protections that were configured in it, as recorded when it began."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from party.audit.report.audit_row import ShortText
from party.configuration.strict import StrictModel

Hexadecimal = Annotated[str, Field(pattern=r"^[0-9a-f]{1,128}$")]
ProtectionName = Literal["private labels", "private columns", "decorrelation", "masked sums"]
Count = Annotated[int, Field(ge=0)]
FormattedNames = Annotated[tuple[ShortText, ...], Field(strict=False, max_length=64)]


class ConfiguredProtection(StrictModel):
    """A protection that was configured in a run.

    Attributes:
        name: name of the protection.
        epsilon: of the whole secret; None for a protection without one.
        detail: its settings in words.
    """

    name: ProtectionName
    epsilon: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None
    detail: ShortText

    @property
    def title(self) -> str:
        """Name and epsilon."""
        return self.name if self.epsilon is None else f"{self.name}, epsilon {self.epsilon:g}"


class AuditedRun(StrictModel):
    """What is the same for all parties of a run.

    Attributes:
        run_id: id of the run.
        configuration_sha256: digest of the run configuration that all parties signed.
        coordinator: certificate name of the coordinator.
        parties: names of all parties, ascending.
        label_party: name of the label party.
        dataset: dataset that the run trained on.
        rows: number of rows in common.
        epochs: most epochs.
        batch_size: rows of a batch.
    """

    run_id: Hexadecimal
    configuration_sha256: Hexadecimal
    coordinator: ShortText
    parties: FormattedNames
    label_party: ShortText
    dataset: ShortText
    rows: Count
    epochs: Count
    batch_size: Count


class RunConditions(StrictModel):
    """A run as one party recorded it when it began.

    Attributes:
        run: what is the same for all parties.
        protections: protections that this party configured, and those that the run configuration asks for.
        base_model: kind of this party's base model; empty without one.
        fuse_model: kind of the fuse model; empty at a feature party.
        codecs: codecs of training by direction.
        versions: versions of the software that trained, by name.
        validation_dataset: the dataset that the run held out, whose rows follow those of the first; empty without one.
    """

    run: AuditedRun
    protections: Annotated[tuple[ConfiguredProtection, ...], Field(strict=False)]
    base_model: ShortText
    fuse_model: ShortText
    codecs: dict[Literal["hidden", "gradient"], ShortText]
    versions: dict[ShortText, ShortText]
    validation_dataset: ShortText = ""
