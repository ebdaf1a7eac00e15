from tests.support.cut_layouts import layout_of


def test_columns_are_those_of_all_hiddens_side_by_side():
    layout = layout_of([5, 1, 4, 3])
    assert layout.units == (5, 1, 4, 3)
    assert layout.columns == 13
    assert layout.wide.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert layout.narrow.tolist() == [5, 10, 11, 12]
