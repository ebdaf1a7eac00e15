"""Early stopping tells a feature party no held-out label per epoch any more: by a real run over real sockets."""

from tests.attacks.stopping_bit import ask, not_above_chance


def test_a_feature_party_learns_at_most_one_label_beyond_its_guess(tmp_path):
    right, chance, rows = ask(tmp_path, seed=7)
    assert rows > 32
    assert not_above_chance(right, chance, rows)
    assert abs(right - chance) <= 1, "more than one row's guess was changed"
