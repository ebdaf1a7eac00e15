"""Chosen test labels from crafted hiddens: all with exact metrics, none with what is told by default."""

from tests.attacks.crafted_hiddens import TARGETS, attack, recovered


def test_default_metrics_do_not_tell_chosen_labels(tmp_path):
    outcome = attack(tmp_path, seed=7)
    assert outcome.held, outcome.now


def test_exact_metrics_tell_every_chosen_label(tmp_path):
    """The same parties and the same hiddens where the owner has chosen so: the attack works."""
    right, evaluations, _ = recovered(tmp_path, 7, exact=True)
    assert (right, evaluations) == (TARGETS, 5)
