"""What leaves a label party with private labels depends on drawn labels alone: the true ones change no bit of it."""

import pytest

from party.protocol import label_assembly, private_head
from party.protocol.label_exchanges import LabelExchanges
from party.protocol.label_heads import LabelHead
from tests.support.label_side import other_labels
from tests.support.label_side_cases import CASES, true_and_drawn, whole_run


def both_runs(folder, case, change_drawn=lambda drawn, true: drawn):
    """Makes two runs with the same drawn labels, but with other true ones in every row."""
    true, drawn = true_and_drawn(case)
    sides = []
    for name, values in (("one", true), ("other", other_labels(CASES[case]["names"], true))):
        sides.append(whole_run(folder / name, case, values, change_drawn(drawn.copy(), values)))
    return sides


def differing(one, other):
    """Names what of all that left the party differs."""
    assert set(one.left) == set(other.left)
    return {what for what, content in one.left.items() if content != other.left[what]}


@pytest.mark.parametrize("case", CASES)
def test_other_true_labels_change_nothing_that_leaves(tmp_path, case):
    one, other = both_runs(tmp_path, case)
    assert differing(one, other) == set()
    assert {"gradients", "reports", "checkpoint bytes", "prepared", "result", "ledger"} <= set(one.left)
    assert ("decisions" in one.left) == ("early stopping" in case)
    weights, others = one.weights(), other.weights()
    assert set(weights) == set(others)
    changed = {name for name, array in weights.items() if (array != others[name]).any()}
    assert not any(name.startswith("teacher_") for name in changed)
    assert any(name.startswith("fuse/") for name in changed), "the private head learned something else"
    for name, content in one.own_files().items():
        assert content != other.own_files()[name], f"{name} is made by the private head"


SMALLEST = "smallest, early stopping"


class StopsByOwnFigures(LabelExchanges):
    """Decides by the held-out rows of the private head."""

    def decide(self, position):
        released, self._books = self._books, self._own_books
        try:
            return super().decide(position)
        finally:
            self._books = released


def with_heads(change):
    """Makes the heads of a session with a mistake in them."""
    make = label_assembly._heads

    def mistaken(setup):
        heads = make(setup)
        if heads.own is not heads.released:
            change(heads)
            heads.all = [heads.released, heads.own]
        return heads

    return mistaken


def private_outputs_in_released_books(heads):
    heads.released = LabelHead(heads.own.halves, heads.released.books)


def true_labels_in_released_books(heads):
    heads.released.books._labels = heads.own.books._labels


def released_private_figures(heads):
    heads.own.books._releaser = heads.released.books._releaser


def one_true_label(drawn, true):
    """The drawn labels, but for one row that is trained on."""
    drawn[3] = true[3]
    return drawn


PRIVATE_FIGURES = (label_assembly, "_heads", with_heads(released_private_figures))
LEAKS = {
    "one true label among the drawn": ([], {"gradients", "reports"}),
    "outputs of the private head in the books": (
        [(label_assembly, "_heads", with_heads(private_outputs_in_released_books))],
        {"reports"},
    ),
    "true labels in the books": ([(label_assembly, "_heads", with_heads(true_labels_in_released_books))], {"reports"}),
    "stopping by the private head": ([(label_assembly, "LabelExchanges", StopsByOwnFigures)], {"decisions"}),
    "epochs of the private head": (
        [PRIVATE_FIGURES, (LabelExchanges, "epochs", LabelExchanges.own_epochs)],
        {"reports"},
    ),
    "step losses of the private head": ([(LabelExchanges, "step_losses", LabelExchanges.own_step_losses)], {"reports"}),
    "evaluation of the private head": (
        [PRIVATE_FIGURES, (LabelExchanges, "inference", LabelExchanges.own_inference)],
        {"reports"},
    ),
    "numbers as text in a checkpoint": ([(private_head, "FixedSizeState", lambda one: one)], {"checkpoint bytes"}),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_every_way_out_for_a_true_label_would_be_seen(tmp_path, monkeypatch, leak):
    mistakes, seen = LEAKS[leak]
    for mistake in mistakes:
        monkeypatch.setattr(*mistake)
    change_drawn = {} if mistakes else {"change_drawn": one_true_label}
    assert seen <= differing(*both_runs(tmp_path, SMALLEST, **change_drawn))
