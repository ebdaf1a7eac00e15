"""The columns of a party's matrix at the cut: all its hiddens side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from party.cut.hidden import HiddenSpec

NARROW_UNITS = 4  # for fewer columns, a range in every row would cost more than it saves


class CutLayout:
    """The columns of each hidden in a party's matrix.

    The matrix, float32 (batch, columns), is what crosses the cut. Hiddens have names only inside the compiled calls of
    the models.

    Args:
        specs: specs of the hiddens, in the order of their columns.
    """

    def __init__(self, specs: Sequence[HiddenSpec]) -> None:
        self.specs = tuple(specs)
        self.units = tuple(spec.units for spec in self.specs)
        self.columns = sum(self.units)

    @cached_property
    def wide(self) -> npt.NDArray[np.int64]:
        """Columns of the hiddens that are wide enough for a range in every row."""
        return np.flatnonzero(self._is_wide)

    @cached_property
    def narrow(self) -> npt.NDArray[np.int64]:
        """The other columns."""
        return np.flatnonzero(~self._is_wide)

    @property
    def _is_wide(self) -> npt.NDArray[np.bool_]:
        return np.repeat([units >= NARROW_UNITS for units in self.units], self.units)


Layouts = Mapping[str, CutLayout]
"""Column layouts of matrices by party."""
