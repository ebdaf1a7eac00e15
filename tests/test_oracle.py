"""The oracle itself: its rows, encodings, loss, gradients and updates, each against a second way to compute it."""

from __future__ import annotations

import hashlib
import itertools
import math
import struct

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.oracle import numpy_deepfm_loss_and_gradients, philox_permutation
from tests.support.oracle_cases import (
    ROW_KEY,
    SHOP,
    TAGS,
    as_float64,
    assert_same,
    central_differences,
    make_oracle,
    pairwise_loss,
    parties_of,
    random_weights,
    write_files,
)


@pytest.fixture
def oracle(tmp_path):
    """Colours: missing, unknown and three texts, with Price 6 rows; cities 4, with Age 5 rows."""
    write_files(tmp_path)
    weights = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    return make_oracle(parties_of(tmp_path), weights)


def numpy_inputs(oracle, rows):
    """Combined tables' indices and values of features that have one entry in a row."""
    indices, values = {}, {}
    for party, features in oracle.encoded.items():
        offsets = np.cumsum([0, *(feature.size for feature in features)])[:-1]
        indices[party] = np.stack([f.indices[rows] + o for f, o in zip(features, offsets, strict=True)], axis=1)
        values[party] = np.stack([feature.values[rows] for feature in features], axis=1)
    return indices, values, oracle.labels[rows]


# -- Order ------------------------------------------------------------------------------------------------------------


def philox_words(key, count):
    """Philox4x64-10 (Salmon et al., 2011, section 3.3) in whole numbers, from counter 1 as NumPy counts."""
    mask, words = 2**64 - 1, []
    for counter in range(1, 2 + count // 4):
        block, (low, high) = [counter, 0, 0, 0], key
        for _ in range(10):
            first, second = 0xD2E7470EE14C6C93 * block[0], 0xCA5A826395121157 * block[2]
            block = [(second >> 64) ^ block[1] ^ low, second & mask, (first >> 64) ^ block[3] ^ high, first & mask]
            low, high = (low + 0x9E3779B97F4A7C15) & mask, (high + 0xBB67AE8584CAA73B) & mask
        words += block
    return words[:count]


@pytest.mark.parametrize(("stream", "epoch", "rows"), [("shuffle", 0, 9), ("hold out", 4, 30)])
def test_permutation_is_the_rank_of_philox_words(stream, epoch, rows):
    digest = hashlib.sha256(b"vsl/1 order\x00" + ROW_KEY + stream.encode() + struct.pack("<Q", epoch))
    words = philox_words(struct.unpack("<QQ", digest.digest()[:16]), rows)
    assert philox_permutation(ROW_KEY, stream, epoch, rows).tolist() == sorted(range(rows), key=words.__getitem__)


def test_permutation_depends_on_key_stream_and_epoch():
    orders = [
        philox_permutation(*one, 50).tolist()
        for one in itertools.product((ROW_KEY, bytes(32)), ("shuffle", "hold out"), (0, 1))
    ]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == len(orders)


def test_held_out_rows_and_batches_partition_the_rows(oracle):
    assert (oracle.joined_row_count, oracle.training_row_count) == (23, 19)  # floor(0.2 * 23) = 4
    assert oracle.held_out_rows.tolist() == philox_permutation(ROW_KEY, "hold out", 0, 23)[:4].tolist()
    assert oracle.training_rows.tolist() == [row for row in range(23) if row not in oracle.held_out_rows]
    batches = [oracle.batch_rows(step) for step in range(6)]
    assert [len(batch) for batch in batches] == [7, 7, 5] * 2
    for epoch in (0, 1):
        order = np.concatenate(batches[3 * epoch : 3 * epoch + 3])
        assert order.tolist() == oracle.training_rows[philox_permutation(ROW_KEY, "shuffle", epoch, 19)].tolist()
    assert np.concatenate(batches[:3]).tolist() != np.concatenate(batches[3:]).tolist()


# -- Reading and encoding ---------------------------------------------------------------------------------------------


def small_files(tmp_path):
    """Five common rows; "Z" < "a" < "é" < "😀" by UTF-8 bytes."""
    (tmp_path / "bank.csv").write_text("Key,Rating\né,5\na,3\n😀,4\nZ,1\nab,2\n", encoding="utf-8")
    cells = "Key,Colour,Price,Tags\nZ,é,1,v | u\na,,,\nab,z,3,u|u||w\né,NA,8,\n😀,é,,v\nlost,q,99,q\n"
    (tmp_path / "shop.csv").write_text(cells, encoding="utf-8")
    features = ({"column": "Colour", "kind": "vocabulary"}, {"column": "Price", "kind": "numeric"}, TAGS)
    return parties_of(tmp_path, features, ()), random_weights({"shop": 5 + 1 + 5}, "bank", {"shop": 3})


def test_joined_rows_and_encoding_by_hand(tmp_path):
    oracle = make_oracle(*small_files(tmp_path), fraction=0.0)
    assert oracle.ids == ["Z", "a", "ab", "é", "😀"]
    assert oracle.labels.tolist() == [0, 0, 0, 1, 1]
    assert oracle.labels.dtype == np.float32
    colour, price, tags = oracle.encoded["shop"]
    # Texts: NA, z, é stand at 2, 3, 4; the empty cell at 0; the text NA is no missing cell.
    assert (colour.size, colour.indices.tolist(), colour.values.tolist()) == (5, [4, 0, 3, 2, 4], [1] * 5)
    # 1, 3, 8: mean 4, population variance (9 + 1 + 16) / 3.
    deviation = math.sqrt(26 / 3)
    np.testing.assert_allclose(price.values, [-3 / deviation, 0, -1 / deviation, 4 / deviation, 0], rtol=1e-6)
    assert (price.size, price.indices.tolist()) == (1, [0] * 5)
    # u, v, w stand at 2, 3, 4; rows: {u, v}, {}, {u, w}, {}, {v}.
    assert (tags.size, tags.starts.tolist(), tags.indices.tolist()) == (5, [0, 2, 2, 4, 4, 5], [2, 3, 2, 4, 3])


def test_encoding_is_fitted_on_training_rows_alone(tmp_path):
    write_files(tmp_path, rows=10)
    rows = ["Key,Colour,Price,Tags"] + [f"{chr(97 + k % 5)}{k},c{k},{2**k},t{k}|t{k + 1}" for k in range(10)]
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    # 7 of 10 rows train: each has a colour of its own.
    colours_and_price = (2 + 7) + 1
    weights = random_weights({"shop": colours_and_price, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    oracle = make_oracle(parties_of(tmp_path), weights, fraction=0.3)
    colour, price = oracle.encoded["shop"]
    assert colour.indices[oracle.held_out_rows].tolist() == [1, 1, 1]
    assert sorted(colour.indices[oracle.training_rows]) == list(range(2, 9))
    trained = price.values[oracle.training_rows].astype(np.float64)
    assert (trained.mean(), trained.std()) == pytest.approx((0, 1), abs=1e-6)
    assert abs(price.values.mean()) > 1e-3
    with pytest.raises(ValueError, match="weights of shop"):
        make_oracle(parties_of(tmp_path), weights, fraction=0.2)  # 8 training rows: a wider table


def test_constant_number_and_unknown_parts(tmp_path):
    write_files(tmp_path, rows=10)
    oracle_ids = [f"{chr(97 + k % 5)}{k}" for k in range(10)]
    held_out = set(np.array(sorted(oracle_ids))[philox_permutation(ROW_KEY, "hold out", 0, 10)[:2]])
    rows = [f"{key},x,7,{'p|q|u' if key in held_out else 'u'}" for key in oracle_ids]
    (tmp_path / "shop.csv").write_text("\n".join(["Key,Colour,Price,Tags", *rows]) + "\n")
    weights = random_weights({"shop": 1 + 3, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    oracle = make_oracle(parties_of(tmp_path, (SHOP[1], TAGS)), weights)
    price, tags = oracle.encoded["shop"]
    assert price.values.tolist() == [0.0] * 10
    assert tags.batch(np.sort(oracle.held_out_rows))[0].tolist() == [1, 2, 1, 2]  # two unknown parts: one index
    assert tags.batch(oracle.training_rows)[0].tolist() == [2] * 8


@pytest.mark.parametrize("bad", ["a,1\na,2\n", ",1\nb,2\n"])
def test_duplicate_and_empty_ids_are_refused(tmp_path, bad):
    (tmp_path / "shop.csv").write_text("Key,Price\na,1\nb,2\n")
    (tmp_path / "bank.csv").write_text("Key,Rating\n" + bad)
    with pytest.raises(ValueError, match="duplicate or empty"):
        make_oracle(parties_of(tmp_path, (SHOP[1],), ()), random_weights({"shop": 1}, "bank", {"shop": 1}))


# -- TensorFlow -------------------------------------------------------------------------------------------------------


def test_loss_logits_and_gradients_equal_the_derivatives_by_hand(oracle):
    rows = oracle.batch_rows(0)
    loss, logits, expected, _ = numpy_deepfm_loss_and_gradients(oracle.weights(), *numpy_inputs(oracle, rows))
    received_loss, received = oracle.loss_and_gradients(rows)
    assert received_loss == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(oracle.logits(rows), logits, rtol=1e-4, atol=1e-5)
    assert_same(received, expected, 1e-3, 1e-5)


def test_multi_hot_equals_pairs_of_entries_and_their_finite_differences(tmp_path):
    write_files(tmp_path)
    weights = random_weights({"shop": 6 + 5, "bank": 5}, "bank", {"shop": 3, "bank": 2})
    oracle = make_oracle(parties_of(tmp_path, (TAGS, *SHOP)), weights)
    rows = oracle.batch_rows(1)
    assert set(np.diff(oracle.encoded["shop"][0].starts)[rows]) >= {1, 2}
    wide = as_float64(oracle.weights())
    loss, gradients = oracle.loss_and_gradients(rows)
    assert loss == pytest.approx(pairwise_loss(oracle, wide, rows), rel=1e-5)
    assert_same(gradients, central_differences(lambda: pairwise_loss(oracle, wide, rows), wide), 1e-3, 2e-5)


def test_label_party_without_features(tmp_path):
    write_files(tmp_path)
    parties = parties_of(tmp_path, tuple(SHOP), ())
    oracle = make_oracle(parties, random_weights({"shop": 6}, "bank", {"shop": 2}))
    assert all(key.startswith("fuse/") for key in oracle.weights()["bank"])
    rows = np.arange(oracle.joined_row_count)
    assert oracle.loss_and_gradients(rows)[0] == pytest.approx(pairwise_loss(oracle, oracle.weights(), rows), rel=1e-5)
    before = oracle.weights()["bank"]["fuse/logit/bias"]
    oracle.train(2)
    assert oracle.weights()["bank"]["fuse/logit/bias"] != before


def test_gradients_of_tables_are_slices_with_repeated_ids(oracle):
    _, gradients = oracle.raw_gradients(oracle.batch_rows(0))
    for party, key in itertools.product(("shop", "bank"), ("base/factors", "base/linear")):
        for gradient in gradients[party][key]:
            assert isinstance(gradient, tf.IndexedSlices)
            assert len(gradient.indices) == 7 > len(set(gradient.indices.numpy()))


def test_sgd_step_subtracts_the_gradient(tmp_path):
    write_files(tmp_path)
    weights = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    oracle = make_oracle(parties_of(tmp_path), weights, lambda: keras.optimizers.SGD(0.5))
    loss, gradients = oracle.loss_and_gradients(oracle.batch_rows(0))
    assert oracle.train(1) == [loss]
    expected = {p: {key: array - 0.5 * gradients[p][key] for key, array in v.items()} for p, v in weights.items()}
    assert_same(oracle.weights(), expected, 1e-5, 1e-6)


def test_adam_squares_repeated_ids_one_by_one(oracle):
    """First step of Adam at a table: m = 0.1 Σ g, v = 0.001 Σ g² over occurrences, w −= α m / (√v + ε)."""
    rows, before = oracle.batch_rows(0), oracle.weights()
    places, values, labels = numpy_inputs(oracle, rows)
    total, squares = 0.0, 0.0
    for k in range(len(rows)):
        one = {p: array[k : k + 1] for p, array in places.items()}, {p: array[k : k + 1] for p, array in values.items()}
        _, _, gradients, _ = numpy_deepfm_loss_and_gradients(before, *one, labels[k : k + 1])
        gradient = gradients["bank"]["base/linear"] / len(rows)
        total, squares = total + gradient, squares + gradient**2
    alpha = 0.01 * math.sqrt(0.001) / 0.1

    def moved(square):
        return before["bank"]["base/linear"] - alpha * 0.1 * total / (np.sqrt(0.001 * square) + 1e-7)

    oracle.train(1)
    received = oracle.weights()["bank"]["base/linear"]
    np.testing.assert_allclose(received, moved(squares), rtol=1e-4, atol=1e-6)
    assert abs(received - moved(total**2)).max() > 1e-3  # what summing before squaring would give


def test_training_goes_on_over_epochs_and_lowers_the_loss(tmp_path):
    write_files(tmp_path)
    weights = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    whole, parts = (make_oracle(parties_of(tmp_path), weights) for _ in range(2))
    losses = whole.train(40)
    assert parts.train(4) + parts.train(36) == losses
    assert_same(parts.weights(), whole.weights(), 0, 0)
    assert np.mean(losses[-3:]) < np.mean(losses[:3])


def test_weights_come_back_as_they_were_given(oracle):
    expected = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    assert_same(oracle.weights(), expected, 0, 0)


@pytest.mark.parametrize("change", ["missing", "extra", "rows"])
def test_weights_that_do_not_fit_are_refused(tmp_path, change):
    write_files(tmp_path)
    weights = random_weights({"shop": 6, "bank": 5}, "bank", {"shop": 2, "bank": 2})
    if change == "missing":
        del weights["bank"]["fuse/logit/bias"]
    elif change == "extra":
        weights["shop"]["base/dense_9/bias"] = np.zeros(1)
    else:
        weights["shop"]["base/factors"] = weights["shop"]["base/factors"][:-1]
    with pytest.raises(ValueError, match="expected"):
        make_oracle(parties_of(tmp_path), weights)
