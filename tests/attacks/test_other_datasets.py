from tests.attacks.other_datasets import attack


def test_labels_of_test_stay_and_every_session_is_written_down(tmp_path):
    folder = tmp_path / "attack"
    folder.mkdir(mode=0o700)
    outcome = attack(folder, seed=7)
    assert outcome.held, outcome.now
