"""What the owner should know of columns that can be read, and probably not as meant."""

from __future__ import annotations

from collections.abc import Iterator

from party.data.kinds.cells import Cells, Encoder

CHUNK_TEXTS = 256  # distinct texts that are looked at together until one is not missing


def encoder_remarks(encoder: Encoder, cells: Cells) -> Iterator[str]:
    """Looks at the column of a feature.

    Args:
        encoder: the feature's encoder.
        cells: cells of the training rows.

    Yields:
        Sentences that name the column and count its rows, and show no cell.
    """
    column = f"column {' and '.join(encoder.feature.source_columns)}"
    advice = encoder.advice(cells)
    if cells.rows and _all_missing(encoder, cells):
        said = f"all {cells.rows:,} cells are missing, so that feature {encoder.feature.key} says nothing"
        yield f"{column}: {said}{'; ' if advice else ''}{advice}"
    elif advice:
        yield f"{column}: {advice}"


def _all_missing(encoder: Encoder, cells: Cells) -> bool:
    """Whether every text is missing; of nearly every column that there is, the first few texts tell."""
    starts = range(0, len(cells.texts), CHUNK_TEXTS)
    return all(encoder.missing(cells.part(slice(start, start + CHUNK_TEXTS))).all() for start in starts)
