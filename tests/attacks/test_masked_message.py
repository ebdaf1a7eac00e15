"""A label party reads no feature party's hiddens off its masked messages: by a real run over real sockets."""

from tests.attacks.masked_message import attack


def test_the_label_party_reads_no_message_with_all_its_keys(tmp_path):
    outcome = attack(tmp_path, seed=7)
    assert outcome.held, outcome.now
