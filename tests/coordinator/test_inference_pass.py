from types import SimpleNamespace

import pytest

from coordinator.inference import InferencePass
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
        stub = SimpleNamespace(Forward=self.forward, Fuse=self.fuse)
        return SimpleNamespace(name=name, stub=stub, begin=lambda method, request: self.begin(name, method, request))

    def begin(self, name, method, request):
        self.under_way[name].append(request.position)
        self.most[name] = max(self.most[name], len(self.under_way[name]))

        def result():
            assert self.under_way[name].pop(0) == request.position, "a line answers in the order of its calls"
            self.answered[name].append(request.position)
            return method(name, request)

        return result

    def forward(self, name, request):
        return pb.ForwardReply(hidden=pb.Envelope(sender=name, ciphertext=bytes([request.position])))

    def fuse(self, name, request):
        self.fused[request.position] = [(one.sender, one.ciphertext) for one in request.hiddens]
        return pb.FuseReply()


def hiddens_of(position):
    return [("alice", bytes([position])), ("charlie", bytes([position]))]


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("batches", [1, INFERENCE_BATCHES_UNDER_WAY, INFERENCE_BATCHES_UNDER_WAY + 1, 13])
def test_every_batch_is_fused_with_its_own_hiddens_and_a_bounded_number_is_under_way(batches, goes_on):
    calls, traffic, told = Calls(), Traffic(exchanges=FIRST, steps=3), []
    positions = list(range(FIRST, FIRST + batches))

    def progress(traffic):
        told.append(traffic.exchanges)
        assert calls.answered["bob"][-1] == traffic.exchanges - 1

    following = InferencePass(calls, traffic, FIRST + batches, goes_on).run(progress)
    assert list(calls.fused) == calls.answered["bob"] == positions
    assert calls.fused == {position: hiddens_of(position) for position in positions}
    asked = [*positions, FIRST + batches] if goes_on else positions
    assert calls.answered["alice"] == calls.answered["charlie"] == asked
    assert [(one.sender, one.ciphertext) for one in following] == (hiddens_of(FIRST + batches) if goes_on else [])
    assert told == [position + 1 for position in positions]
    most = {name: min(INFERENCE_BATCHES_UNDER_WAY, len(calls.answered[name])) for name in calls.answered}
    assert calls.most == most
    envelope_bytes = (
        pb.Envelope(sender="alice", ciphertext=b"1").ByteSize()
        + pb.Envelope(sender="charlie", ciphertext=b"1").ByteSize()
    )
    assert traffic == Traffic(FIRST + batches, 3, batches * envelope_bytes, 0)


def test_the_error_of_the_first_refused_batch_is_told():
    calls = Calls()

    def refuse(name, request):
        raise ValueError(f"Fuse {request.position}")

    calls.label.stub.Fuse = refuse
    traffic = Traffic(exchanges=FIRST)
    with pytest.raises(ValueError, match=f"^Fuse {FIRST}$"):
        InferencePass(calls, traffic, FIRST + 9, False).run(lambda traffic: None)
    assert traffic.exchanges == FIRST
