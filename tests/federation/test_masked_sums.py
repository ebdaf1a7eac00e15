"""Masked sums: the label party gets the sum of the feature parties' hiddens to the bit, and no single one of them."""

import threading
from collections import defaultdict
from contextlib import contextmanager

import numpy as np
import pytest

from coordinator import connect
from party.channel.chain import Chain
from party.channel.incoming_channel import IncomingChannel
from party.errors import ConfigurationError, HandshakeError, PolicyError
from party.pb.party_pb2 import MESSAGE_KIND_HIDDEN
from party.pb.tensor_pb2 import Tensor
from party.privacy import pads
from party.security.sealing import SealingKeys
from tests.support.organisations import FEATURES, FOURTH, LABEL_RULE, SMALL_MODEL, make_frames
from tests.support.resuming import expect_equal, outcome, restart, stop_at, train
from tests.support.uniformity import MOST_CHI_SQUARE, chi_square

CONCATENATING = """
import keras


def build_base(features):
    shop = keras.Input((features["shop"].width,), dtype="int32", name="shop")
    table = keras.layers.Flatten()(keras.layers.Embedding(features["shop"].size, 5)(shop))
    return keras.Model({"shop": shop}, {"deep": table}), {"deep": "concat"}
"""
THREE, FOUR = ("alice", "bob", "charlie"), ("alice", "bob", "charlie", "dora")
SUMMED = {**SMALL_MODEL, "cut_units": 5}
TRAINING = {"epochs": 2, "batch_size": 62, "validation_fraction": 0.167, "secure_aggregation": True}
SCALE = 1 << 16
LABEL_PARTY = "bob"


class Border:
    """What leaves the feature parties, before and after its mask, what the label party makes of it, and every pad."""

    def __init__(self):
        self.lock = threading.Lock()  # parties answer in threads
        self.plain = defaultdict(list)
        self.sealed = defaultdict(list)
        self.received = []
        self.pads = []

    @contextmanager
    def watched(self):
        apply, seal, opened, pad = Chain.apply, SealingKeys.seal, IncomingChannel.open, pads.pad

        def watching_apply(chain, matrix, place):
            message = apply(chain, matrix, place)
            with self.lock:
                self.plain[place.position, place.rows.tobytes()].append(matrix.copy())
            return message

        def watching_seal(keys, slot, message):
            if slot.kind == MESSAGE_KIND_HIDDEN:
                with self.lock:
                    self.sealed[keys.transcript, slot.sender, slot.index].append(Tensor.FromString(message).data)
            return seal(keys, slot, message)

        def watching_open(channel, envelopes, place):
            received = opened(channel, envelopes, place)
            if received.slot.receiver == LABEL_PARTY:
                with self.lock:
                    self.received.append((place, received.values.copy()))
            return received

        def watching_pad(secret, position, rows, columns):
            with self.lock:
                self.pads.append((secret, position))
            return pad(secret, position, rows, columns)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Chain, "apply", watching_apply)
            patch.setattr(SealingKeys, "seal", watching_seal)
            patch.setattr(IncomingChannel, "open", watching_open)
            patch.setattr(pads, "pad", watching_pad)
            yield self

    def expect_sums(self, parties):
        """Every matrix that the label party worked with is the sum of the plain ones, in integers of Python."""
        assert self.received
        for place, values in self.received:
            sent = self.plain[place.position, place.rows.tobytes()]
            assert len(sent) >= parties
            hiddens = [one for one in sent if one.shape == values.shape][:parties]
            total = sum(
                np.vectorize(lambda value: round(float(value) * SCALE), otypes=[object])(one) for one in hiddens
            )
            np.testing.assert_array_equal(values, (total / SCALE).astype(np.float32))

    def expect_fresh_pads(self):
        """Each pad was taken once by each of its two parties, and each place of a session has one message."""
        uses = defaultdict(int)
        for one in self.pads:
            uses[one] += 1
        assert set(uses.values()) == {2}
        assert {len(set(messages)) for messages in self.sealed.values()} == {1}


def organisations_of(make_organisations, names=THREE, training=None, name="federation", **overrides):
    models = {one: {"model": SUMMED, **overrides.get(one, {})} for one in names}
    features = {one: {**FEATURES, **FOURTH}[one] for one in names}
    return make_organisations(
        name=name,
        names=names,
        features=features,
        frames=make_frames(names),
        training={**TRAINING, **(training or {})},
        overrides=models,
    ).start_servers()


@contextmanager
def without_pads():
    """The oracle: the same fixed point, and nothing that hides it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pads, "pad", lambda secret, position, rows, columns: np.zeros((rows, columns), np.uint32))
        yield


def test_a_masked_run_is_the_unmasked_one_in_fixed_point_bit_for_bit(make_organisations):
    early = {"epochs": 3, "early_stopping": {"metric": "val_loss", "patience": 1}}
    organisations = organisations_of(make_organisations, training=early)
    with Border().watched() as border:
        masked = outcome(organisations, train(organisations))
    border.expect_fresh_pads()
    with without_pads(), Border().watched() as plain:
        expect_equal(outcome(organisations, train(organisations)), masked)
    plain.expect_sums(2)
    assert len(border.received) == len(plain.received)
    for (_, one), (_, other) in zip(border.received, plain.received, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {place.trains for place, _ in border.received} == {True, False}


def test_four_parties_add_up_exactly_and_each_message_looks_uniform(make_organisations):
    changes = {"epochs": 1, "schedule": {"kind": "pipelined", "depth": 3}}
    private = {"labels": {"liked": {"rule": LABEL_RULE, "privacy": {"epsilon": 1.0}}}}  # two heads on one sum
    organisations = organisations_of(make_organisations, FOUR, changes, bob=private)
    with Border().watched() as border, connect(organisations.write_run(evaluate_dataset="train")) as parties:
        parties.align()
        run_id = parties.fit().run_id
        parties.evaluate(run_id=run_id)
        parties.predict(run_id=run_id)
    border.expect_fresh_pads()
    border.expect_sums(3)
    assert len({transcript for transcript, _, _ in border.sealed}) == 3
    for party in ("alice", "charlie", "dora"):
        sent = [messages[0] for (_, sender, _), messages in border.sealed.items() if sender == party]
        assert chi_square(b"".join(sent)) < MOST_CHI_SQUARE
        assert all(chi_square(one) < MOST_CHI_SQUARE for one in sent)
    plain = b"".join(matrix.astype("<f4").tobytes() for sent in border.plain.values() for matrix in sent[:3])
    assert chi_square(plain) > MOST_CHI_SQUARE


BATCHES_AHEAD = {
    "schedule": {"kind": "pipelined", "depth": 3},
    "local_updates": {"steps": 1, "window": 2},
    "codecs": {"gradient": {"kind": "bfloat16", "error_feedback": True}},
}


def test_a_resumed_run_masks_again_and_ends_in_the_same_bits(make_organisations):
    """With batches under way, whose messages come from a checkpoint."""
    organisations = organisations_of(make_organisations, training=BATCHES_AHEAD)
    undisturbed = outcome(organisations, train(organisations))
    with Border().watched() as border:
        run_id = stop_at(organisations, 2, checkpoints={"every_steps": 1})
        restart(organisations, *organisations.names)
        expect_equal(outcome(organisations, train(organisations, resume=run_id)), undisturbed)
    border.expect_fresh_pads()
    border.expect_sums(2)
    again = defaultdict(set)
    for (transcript, sender, position), (message, *_) in border.sealed.items():
        again[sender, position].add((transcript, message))
    repeated = [one for one in again.values() if len(one) > 1]
    assert all(len({message for _, message in one}) == len(one) for one in repeated)
    assert repeated, "no batch was under way when the run was stopped"


def test_what_cannot_be_added_up_is_refused_with_the_reason(make_organisations):
    required = {"alice": {"policy": {"minimum_metric_rows": 1, "require_secure_aggregation": True}}}
    organisations = organisations_of(make_organisations, training={"maximum_steps": 2}, **required)
    (organisations.party_path("charlie").parent / "own.py").write_text(CONCATENATING)
    with connect(organisations.write_run()) as parties:
        parties.align()
        assert parties.plan().recommendation.prediction.codecs.hidden.kind == "float32"
        parties.fit()
    reason = "alice: refused by policy.require_secure_aggregation: training.secure_aggregation; expected true"
    refused(organisations, PolicyError, reason, {"secure_aggregation": False})
    for model, error, reason in (
        (
            {**SUMMED, "cut_units": 6},
            HandshakeError,
            "adds up the matrices of alice and charlie, and their columns differ",
        ),
        (
            {"file": "own.py", "base": "build_base"},
            ConfigurationError,
            "charlie: model: training.secure_aggregation needs",
        ),
    ):
        organisations.write_party("charlie", model=model)
        restart(organisations, "charlie")
        refused(organisations, error, reason)


def refused(organisations, error, reason, training=None):
    with connect(organisations.write_run(training)) as parties, pytest.raises(error) as caught:
        parties.fit()
    assert reason in str(caught.value)
