"""Equal figures of different passes have draws of their own, so that comparing releases shows no label."""

from tests.attacks.equal_figures import attack


def test_comparing_released_figures_tells_no_labels(tmp_path):
    outcome = attack(tmp_path, seed=7)
    assert outcome.held, outcome.now
