"""What a coordinator shows of the quality of data, whatever a party states."""

from coordinator.data_quality import quality_lines, released_quality
from party.pb import party_pb2 as pb


def test_a_party_cannot_fill_the_terminal_with_warnings():
    made_up = [pb.WarnedFeatures(warning=number, features=1) for number in range(5_000)]
    reply = pb.FinishReply(quality=[pb.DataQuality(dataset="train", warnings=made_up)] * 3)
    lines = list(quality_lines(released_quality({"alice": reply}, "train", {}), ["alice"]))
    kinds = len(pb.DataWarning.values())  # without the one that stands for none, and with one for all others
    assert len(lines) == 1 + kinds
    assert sum("warning:" in line for line in lines) == kinds
    assert sum("something else" in line for line in lines) == 1
