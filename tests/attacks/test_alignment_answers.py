"""The attack on the answers of an alignment, once: and that it would see what it looks for."""

import hmac
import struct

from tests.attacks.alignment_answers import Cheater, attack


def test_a_cheating_feature_party_names_no_id_beyond_its_own(tmp_path):
    outcome = attack(tmp_path, seed=7)
    assert outcome.held, outcome.now
    assert outcome.now.endswith("the alignment was refused (alignment) and is not kept")


def test_the_attack_reads_digests_of_ids():
    """What an alignment returned in earlier versions: a digest of each id in common under the key of both parties."""
    cheater = Cheater(["held"])
    key = bytes(range(32))
    cheater.keys.add(key)
    content = b"vsl/1 alignment digest\0" + struct.pack("<Q", 5) + b"train" + b"foreign"
    cheater.answers.append(bytes(24) + hmac.digest(key, content, "sha256")[:16])
    assert cheater.named(["foreign", "stranger"]) == {"foreign"}
