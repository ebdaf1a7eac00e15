"""What `party export` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportedModel:
    """A model that was written.

    Attributes:
        model: base, or fuse at the label party.
        folder: of the SavedModel.
    """

    model: str
    folder: Path


@dataclass(frozen=True)
class ExportedModels:
    """The models of a run that were written.

    Attributes:
        run_id: hexadecimal.
        models: one for each model of the party.
    """

    run_id: str
    models: tuple[ExportedModel, ...]

    def lines(self, columns: int | None) -> Iterator[str]:
        """Yields a line for each folder."""
        for one in self.models:
            yield f"wrote {one.folder}"
