from functools import partial
from types import SimpleNamespace

import pytest

from coordinator.inference import InferencePass
from coordinator.relay import BatchRelay
from coordinator.traffic import Traffic
from party.configuration.run import INFERENCE_BATCHES_UNDER_WAY
from party.pb import party_pb2 as pb

FIRST = 7  # position of the first batch


class Calls:
    """Stands for the session and all its parties; keeps what is under way in the order of the calls."""

    def __init__(self):
        self.reference = pb.SessionReference()
        self.features = [self.party("alice"), self.party("charlie")]
        self.label = self.party("bob")
        self.under_way = {"alice": [], "bob": [], "charlie": []}
        self.most = dict.fromkeys(self.under_way, 0)
        self.answered = {name: [] for name in self.under_way}
        self.fused = {}

    def party(self, name):
        return SimpleNamespace(
            name=name,
            begin_forward=lambda session, position: self.begin(name, position, partial(self.forward, name)),
            begin_fuse=lambda session, position, hiddens: self.begin(name, position, partial(self.fuse, hiddens)),
        )

    def begin(self, name, position, answer):
        self.under_way[name].append(position)
        self.most[name] = max(self.most[name], len(self.under_way[name]))

        def result():
            assert self.under_way[name].pop(0) == position, "a stream answers in the order of its calls"
            self.answered[name].append(position)
            return answer(position)

        return result

    def forward(self, name, position):
        return pb.ForwardReply(hidden=pb.Envelope(sender=name, ciphertext=bytes([position])))

    def fuse(self, hiddens, position):
        self.fused[position] = [(one.sender, one.ciphertext) for one in hiddens]
        return pb.FuseReply()


def hiddens_of(position):
    return [("alice", bytes([position])), ("charlie", bytes([position]))]


@pytest.mark.parametrize("training", [0, 1, 16])
@pytest.mark.parametrize("batches", [1, INFERENCE_BATCHES_UNDER_WAY, INFERENCE_BATCHES_UNDER_WAY + 1, 13])
def test_every_batch_is_fused_with_its_own_hiddens_and_a_bounded_number_is_under_way(batches, training):
    calls, traffic, told = Calls(), Traffic(exchanges=FIRST, steps=3), []
    end = FIRST + batches
    positions = list(range(FIRST, end))

    def progress(traffic):
        told.append(traffic.exchanges)
        assert calls.answered["bob"][-1] == traffic.exchanges - 1

    asked = InferencePass(BatchRelay(calls, traffic), end, training).run(progress)
    assert list(calls.fused) == calls.answered["bob"] == positions
    assert calls.fused == {position: hiddens_of(position) for position in positions}
    assert calls.answered["alice"] == calls.answered["charlie"] == positions
    following = [[(one.sender, one.ciphertext) for one in hiddens()] for hiddens in asked]
    assert following == [hiddens_of(position) for position in range(end, end + training)]
    assert told == [position + 1 for position in positions]
    features = max(training, min(INFERENCE_BATCHES_UNDER_WAY, batches + training))
    assert calls.most == {
        "alice": features,
        "bob": min(INFERENCE_BATCHES_UNDER_WAY, batches),
        "charlie": features,
    }
    envelopes = [pb.Envelope(sender=name, ciphertext=b"1") for name in ("alice", "charlie")]
    size = batches * sum(envelope.ByteSize() for envelope in envelopes)
    assert traffic == Traffic(end, 3, size, 0, inference_bytes=size)


def test_the_error_of_the_first_refused_batch_is_raised():
    calls = Calls()

    def refuse(hiddens, position):
        raise ValueError(f"Fuse {position}")

    calls.fuse = refuse
    traffic = Traffic(exchanges=FIRST)
    with pytest.raises(ValueError, match=f"^Fuse {FIRST}$"):
        InferencePass(BatchRelay(calls, traffic), FIRST + 9, 0).run(lambda traffic: None)
    assert traffic.exchanges == FIRST
