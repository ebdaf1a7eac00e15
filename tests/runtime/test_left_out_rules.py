"""What a party refuses of sessions that leave feature parties out."""

import pytest

from party.configuration.run import RunConfiguration, TrainingSection
from party.errors import SessionError
from party.pb.handshake_pb2 import Purpose
from party.protocol.checkpoints import ORIGIN
from party.runtime.left_out import check_left_out
from party.runtime.own_figures import EvaluatedRows
from party.runtime.prediction_files import MAXIMUM_FILE_NAME, predictions_file
from party.runtime.proposal import SessionProposal

EVALUATE, PREDICT = Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT


def run_with(**training):
    return RunConfiguration(
        parties=("alice", "bob", "charlie"), label_party="bob", training=TrainingSection(**training)
    )


def proposed(*without, purpose=EVALUATE):
    return SessionProposal(
        coordinator="driver",
        run_id=bytes(16),
        purpose=purpose,
        start=ORIGIN,
        resume=False,
        configuration=b"",
        dataset="test",
        realign=False,
        without=without,
    )


@pytest.mark.parametrize("purpose", [EVALUATE, PREDICT])
@pytest.mark.parametrize("without", [(), ("alice",), ("charlie",), ("alice", "charlie")])
def test_an_evaluation_or_a_prediction_leaves_out_feature_parties_and_nobody_else(purpose, without):
    check_left_out("bob", proposed(*without, purpose=purpose), run_with())
    with pytest.raises(SessionError, match="a session leaves out feature parties of its run"):
        check_left_out("bob", proposed(*without, "bob", purpose=purpose), run_with())


@pytest.mark.parametrize("purpose", sorted(set(Purpose.values()) - {EVALUATE, PREDICT}))
def test_no_other_session_leaves_parties_out(purpose):
    check_left_out("bob", proposed(purpose=purpose), run_with())
    with pytest.raises(SessionError, match="only an evaluation or a prediction leaves parties out"):
        check_left_out("bob", proposed("alice", purpose=purpose), run_with())


@pytest.mark.parametrize("without", [("bob",), ("alice", "alice"), ("zoe",), ("",), ("alice", "\x1b[2J")])
def test_only_feature_parties_are_left_out_each_named_once(without):
    with pytest.raises(SessionError) as caught:
        check_left_out("charlie", proposed(*without), run_with())
    assert "expected alice, charlie" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_party_opens_no_session_that_leaves_it_out():
    with pytest.raises(SessionError, match="alice: was asked to open a session that leaves it out"):
        check_left_out("alice", proposed("alice"), run_with())


def test_masked_sums_need_all_of_their_parties():
    with pytest.raises(SessionError, match="secure_aggregation no party can be left out: the difference"):
        check_left_out("charlie", proposed("alice"), run_with(secure_aggregation=True))


def test_predictions_without_parties_never_replace_others():
    names = ["a" * 63, "b" * 63, "c" * 63, "d" * 63]
    cases = [("test", ()), ("test", ("alice",)), ("test", ("alice", "charlie")), ("test-without-alice", ())]
    cases += [("test", tuple(names[:count])) for count in (2, 3, 4)]
    files = [predictions_file(dataset, without) for dataset, without in cases]
    assert files[:2] == ["predictions-test.csv", "predictions-test.without.alice.csv"]
    assert len(set(files)) == len(files)
    assert max(map(len, files)) <= MAXIMUM_FILE_NAME
    assert predictions_file("test", ("charlie", "alice")) == files[2]


def test_an_evaluation_is_named_with_whom_it_left_out():
    assert str(EvaluatedRows("test")) == "test"
    assert str(EvaluatedRows("test", without=("charlie", "alice"))) == "test without alice, charlie"
