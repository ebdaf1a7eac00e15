"""Files, weights and independent computations for the tests of the oracle."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np

from tests.support.oracle import JoinedOracle, OracleParty

DIMENSION, BASE_UNITS, FUSE_UNITS = 2, [4, 3], [5]
ROW_KEY = bytes(range(32))
SHOP = [{"column": "Colour", "kind": "vocabulary"}, {"column": "Price", "kind": "numeric"}]
TAGS = {"column": "Tags", "kind": "multi_hot", "separator": "|"}
BANK = [{"column": "City", "kind": "vocabulary"}, {"column": "Age", "kind": "numeric"}]


def write_files(folder, rows=23):
    """Writes two files that share `rows` ids, in different orders, each with one more id."""
    generator = np.random.default_rng(5)
    ids = [f"{chr(97 + k % 5)}{k}" for k in range(rows)]
    shop, bank = ["Key,Colour,Price,Tags"], ["Key,City,Age,Rating"]
    for sample_id in generator.permutation([*ids, "only-shop"]):
        tags = "|".join(tag for tag in "uvw" if generator.random() < 0.5)
        colour, price = generator.choice(["red", "blue", "green", ""]), generator.choice(["", "1.5", "-2", "40"])
        shop.append(f"{sample_id},{colour},{price},{tags}")
    for sample_id in generator.permutation(["only-bank", *ids]):
        bank.append(
            f"{sample_id},{generator.choice(['X', 'Y'])},{generator.integers(20, 60)},{generator.integers(1, 6)}"
        )
    (folder / "shop.csv").write_text("\n".join(shop) + "\n")
    (folder / "bank.csv").write_text("\n".join(bank) + "\n")


def parties_of(folder, shop=tuple(SHOP), bank=tuple(BANK)):
    return [
        OracleParty("shop", folder / "shop.csv", shop),
        OracleParty("bank", folder / "bank.csv", bank, lambda rating: rating > 3, "Rating"),
    ]


def random_weights(sizes, label_party, counts, base_units=BASE_UNITS, fuse_units=FUSE_UNITS):
    """Draws weights by party for tables of the given total sizes and numbers of features."""
    generator = np.random.default_rng(11)
    weights = {label_party: {}}

    def dense(party, prefix, inputs, units):
        for layer, columns in enumerate(units):
            weights[party][f"{prefix}/dense_{layer}/kernel"] = generator.normal(0, 0.7, (inputs, columns))
            weights[party][f"{prefix}/dense_{layer}/bias"] = generator.normal(0.3, 0.2, columns)
            inputs = columns

    for party, size in sizes.items():
        weights.setdefault(party, {})["base/factors"] = generator.normal(0, 0.4, (size, DIMENSION))
        weights[party]["base/linear"] = generator.normal(0, 0.4, (size, 1))
        dense(party, "base", counts[party] * DIMENSION, base_units)
    dense(label_party, "fuse", len(sizes) * base_units[-1], fuse_units)
    weights[label_party]["fuse/logit/kernel"] = generator.normal(0, 0.7, (fuse_units[-1], 1))
    weights[label_party]["fuse/logit/bias"] = generator.normal(0, 0.7, 1)
    return {p: {key: array.astype(np.float32) for key, array in arrays.items()} for p, arrays in weights.items()}


def make_oracle(parties, weights, optimizer=None, batch_size=7, fraction=0.2, label_party="bank"):
    return JoinedOracle(
        parties=parties,
        id_column="Key",
        label_party=label_party,
        row_key=ROW_KEY,
        validation_fraction=fraction,
        embedding_dimension=DIMENSION,
        base_units=BASE_UNITS,
        fuse_units=FUSE_UNITS,
        optimizer=optimizer or (lambda: keras.optimizers.Adam(0.01)),
        weights=weights,
        batch_size=batch_size,
    )


def pairwise_loss(oracle, weights, rows):
    """Computes the loss by the FM's definition, Σ over pairs of entries ⟨e, e'⟩, entry by entry, in float64."""
    losses = []
    for row in rows:
        entries, linear, deeps = [], 0.0, []
        for party, features in oracle.encoded.items():
            offset, fields = 0, []
            for feature in features:
                field = np.zeros(DIMENSION)
                for position in range(feature.starts[row], feature.starts[row + 1]):
                    place, value = offset + feature.indices[position], float(feature.values[position])
                    entries.append(weights[party]["base/factors"][place] * value)
                    linear += weights[party]["base/linear"][place, 0] * value
                    field = field + entries[-1]
                offset += feature.size
                fields.extend(field)
            if features:
                deeps.extend(plain_dense(fields, weights[party], "base", len(BASE_UNITS)))
        fuse = weights[oracle.label_party]
        deep = plain_dense(deeps, fuse, "fuse", len(FUSE_UNITS)) @ fuse["fuse/logit/kernel"] + fuse["fuse/logit/bias"]
        logit = linear + sum(a @ b for a, b in itertools.combinations(entries, 2)) + deep[0]
        probability = 1 / (1 + math.exp(-logit))
        losses.append(-math.log(probability if oracle.labels[row] else 1 - probability))
    return sum(losses) / len(losses)


def plain_dense(inputs, weights, prefix, layers):
    for layer in range(layers):
        inputs = (
            np.asarray(inputs) @ weights[f"{prefix}/dense_{layer}/kernel"] + weights[f"{prefix}/dense_{layer}/bias"]
        )
        inputs = inputs * (inputs > 0)
    return inputs


def central_differences(function, weights, epsilon=1e-6):
    """Returns (f(w + ε) − f(w − ε)) / 2ε for each weight of each array."""
    gradients = {party: {key: np.zeros_like(array) for key, array in v.items()} for party, v in weights.items()}
    for party, arrays in weights.items():
        for key, array in arrays.items():
            for place in np.ndindex(array.shape):
                kept = array[place]
                array[place] = kept + epsilon
                above = function()
                array[place] = kept - epsilon
                gradients[party][key][place] = (above - function()) / (2 * epsilon)
                array[place] = kept
    return gradients


def as_float64(weights):
    return {party: {key: array.astype(np.float64) for key, array in v.items()} for party, v in weights.items()}


def assert_same(received, expected, rtol, atol):
    assert {p: set(v) for p, v in received.items()} == {p: set(v) for p, v in expected.items()}
    for party, arrays in expected.items():
        for key, array in arrays.items():
            np.testing.assert_allclose(received[party][key], array, rtol, atol, err_msg=f"{party} {key}")
