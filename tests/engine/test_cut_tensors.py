"""The one join and the one split of a matrix undo each other."""

import numpy as np
import pytest

from party.cut.hidden import Aggregation, HiddenSpec
from party.cut.layout import CutLayout
from party.engine.aggregation import aggregate
from party.engine.cut_tensors import join, split

ROWS = 5


def layout_of(*units):
    specs = [HiddenSpec(f"hidden_{place}", one, Aggregation.CONCAT) for place, one in enumerate(units)]
    return CutLayout(specs)


def draw(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("units", [(1,), (4, 1, 1), (3, 7)], ids=str)
def test_a_split_matrix_joins_to_the_same_one(units):
    layout = layout_of(*units)
    matrix = draw(ROWS, layout.columns)
    hiddens = split(layout, matrix)
    assert {name: tuple(hidden.shape) for name, hidden in hiddens.items()} == {
        spec.name: (ROWS, spec.units) for spec in layout.specs
    }
    np.testing.assert_array_equal(join(layout, hiddens), matrix)
    np.testing.assert_array_equal(join(layout, dict(reversed(hiddens.items()))), matrix)


def test_hiddens_of_one_name_stand_side_by_side_or_are_added_up():
    layouts = {
        name: CutLayout([HiddenSpec("deep", units, Aggregation.CONCAT), HiddenSpec("total", 2, Aggregation.SUM)])
        for name, units in (("alice", 3), ("bob", 1), ("charlie", 4))
    }
    matrices = [draw(ROWS, layout.columns) for layout in layouts.values()]
    aggregated = aggregate(layouts, matrices)
    assert list(aggregated) == ["deep", "total"]
    np.testing.assert_array_equal(aggregated["deep"], np.concatenate([one[:, :-2] for one in matrices], axis=1))
    expected = (matrices[0][:, -2:] + matrices[1][:, -2:]) + matrices[2][:, -2:]
    np.testing.assert_array_equal(aggregated["total"], expected)
