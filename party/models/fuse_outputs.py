"""The outputs of a fuse model: logits of the labels, and further outputs of an architecture."""

from __future__ import annotations

from dataclasses import dataclass

from party.configuration.labels import Labels


@dataclass(frozen=True)
class ReportedOutput:
    """An output whose mean over a batch is reported beside the losses.

    Attributes:
        output: name of the model's output, float32 (batch, ...).
        names: reported names of the entries of its mean, in row-major order.
    """

    output: str
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FuseOutputs:
    """The outputs of a fuse model.

    Attributes:
        labels: labels whose logits are the outputs of the same names, float32 (batch, units of the label).
        shared: name of the output that the logits of all labels are computed from; None if that is the model's inputs.
        reported: further outputs to report.
    """

    labels: Labels
    shared: str | None = None
    reported: tuple[ReportedOutput, ...] = ()

    @property
    def units(self) -> int:
        """Total width of the logits of all labels."""
        return sum(label.units for label in self.labels.values())
