"""Sessions on datasets that are not for training are refused, and the others are counted and written down."""

from tests.attacks.other_datasets import attack

MEASUREMENTS = 6  # `make attacks` tries as many as the default policy allows


def test_labels_of_test_stay_and_every_session_is_written_down(tmp_path):
    folder = tmp_path / "attack"
    folder.mkdir(mode=0o700)
    outcome = attack(folder, seed=7, policy={"maximum_measurements": MEASUREMENTS})
    assert outcome.held, outcome.now
    assert f"; {MEASUREMENTS} measuring sessions on train, then refused" in outcome.now
