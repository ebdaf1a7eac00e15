"""Layouts of matrices at the cut, made from widths alone."""

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout


def layout_of(units):
    """Returns the layout of hiddens of these widths, side by side."""
    return CutLayout([HiddenSpec(f"hidden_{place}", width, Aggregation.CONCAT) for place, width in enumerate(units)])
