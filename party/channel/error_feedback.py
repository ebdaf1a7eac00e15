"""Error feedback: what a lossy codec loses of a row is compensated at the row's next occurrence."""

from __future__ import annotations

import numpy as np

from party.channel.encoding_stage import EncodingStage
from party.channel.matrix_encoding import finite
from party.channel.outgoing_matrix import OutgoingMatrix
from party.channel.place import Place
from party.cut.hidden import FloatArray
from party.cut.layout import CutLayout
from party.cut.state import State

TABLE = "rows"


class RowFeedback:
    """The state of both kinds of error feedback: a vector for every row of the dataset.

    Args:
        encoding: the encoding stage that it wraps, as its loss is known only after encoding.
    """

    name = "error feedback"

    def __init__(self, encoding: EncodingStage) -> None:
        self._encoding = encoding

    def init(self, layout: CutLayout, rows: int) -> State:
        """Zeros, float32 (rows of the dataset, columns)."""
        return row_table(rows, layout)


class ResidualFeedback(RowFeedback):
    """Stores what the codec lost of every row, and adds it at the row's next occurrence.

    Of a row that a batch holds several times, the losses add up, and the first occurrence carries them.

    Args:
        encoding: the encoding stage that it wraps.

    Reference:
        Seide et al., "1-Bit Stochastic Gradient Descent", Interspeech 2014, with a residual per row: in split
        learning a gradient belongs to the rows of its batch, not to weights.
    """

    def apply(self, matrix: OutgoingMatrix, state: State, place: Place) -> tuple[OutgoingMatrix, State]:
        """Encodes the matrix with the residuals of its rows added, and returns the new residuals."""
        numbers, firsts, places = np.unique(place.rows, return_index=True, return_inverse=True)
        residuals, repeats = table_of(state), len(numbers) < len(place.rows)
        if repeats:
            once = np.zeros_like(residuals)
            once[firsts] = residuals[firsts]
            residuals = once
        corrected = matrix.values + residuals
        sent, _ = self._encoding.apply(OutgoingMatrix(corrected), State(), place)
        lost = corrected - sent.values
        if repeats:
            by_number = np.zeros((len(numbers), lost.shape[1]), np.float32)
            np.add.at(by_number, places, lost)
            lost = by_number[places]
        return sent, State(arrays={TABLE: lost})


class SurrogateFeedback(RowFeedback):
    """Sends the difference between a row and the receiver's surrogate of it.

    Args:
        encoding: the encoding stage that it wraps.

    Reference:
        Valdeira et al., "Communication-efficient Vertical Federated Learning via Compressed Error Feedback",
        IEEE Transactions on Signal Processing 2025 (arXiv 2406.14420), algorithm 1.
    """

    def apply(self, matrix: OutgoingMatrix, state: State, place: Place) -> tuple[OutgoingMatrix, State]:
        """Encodes the differences; the resulting values are the receiver's new surrogates."""
        surrogates = table_of(state)
        sent, _ = self._encoding.apply(OutgoingMatrix(matrix.values - surrogates), State(), place)
        surrogates = surrogates + sent.values
        return OutgoingMatrix(surrogates, sent.message), State(arrays={TABLE: surrogates})


class SurrogateStage:
    """Adds received differences to this receiver's surrogates: the counterpart of `SurrogateFeedback`."""

    name = "error feedback"

    def init(self, layout: CutLayout, rows: int) -> State:
        """Zeros, float32 (rows of the dataset, columns)."""
        return row_table(rows, layout)

    def apply(self, values: FloatArray, state: State, place: Place, where: object) -> tuple[FloatArray, State]:
        """Returns the new surrogates of the batch's rows."""
        surrogates = finite(table_of(state) + values, where)
        return surrogates, State(arrays={TABLE: surrogates})


def row_table(rows: int, layout: CutLayout) -> State:
    """A state with a row of zeros for each row of the dataset.

    Args:
        rows: number of rows in the dataset.
        layout: column layout of the matrices.
    """
    return State(arrays={TABLE: np.zeros((rows, layout.columns), np.float32)})


def table_of(state: State) -> FloatArray:
    """The array of a state that `row_table` made, or of its rows of a batch."""
    table: FloatArray = state.arrays[TABLE]  # type: ignore[assignment]  # only `row_table` makes it
    return table
