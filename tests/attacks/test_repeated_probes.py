"""Going back gives no second probe: by real sessions over real sockets."""

from tests.attacks.repeated_probes import answers, probe


def test_the_second_probe_at_the_same_weights_is_refused(tmp_path):
    seen, error = probe(tmp_path, seed=7, resumes=2)
    assert answers(seen) == 1
    assert len(seen) == 2, "the session went on"
    assert "alice: gradient 0 of train from bob to alice: bob's message for step" in str(error)
