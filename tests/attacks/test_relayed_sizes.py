import numpy as np

from party.audit.attacks.relayed_messages import relayed_messages_attack
from tests.attacks.relayed_sizes import observed


def test_sizes_of_messages_do_not_depend_on_labels(tmp_path):
    """Times are told by `make attacks`; sizes are the same for every batch of one number of rows."""
    tmp_path.chmod(0o700)
    sizes, seconds, shares = observed(tmp_path, seed=7)
    assert len(shares) > 100
    assert np.ptp(shares) > 0.2, "batches differ in what is to be guessed"
    assert len(seconds) == len(sizes)
    assert (np.ptp(sizes, axis=0) <= 8).all(), "numbers of positions have one or two bytes"
    assert abs(relayed_messages_attack(sizes, shares).all_epochs - 0.5) < 0.2
