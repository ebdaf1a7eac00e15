"""The joined DeepFM, trained in one process from the parties' CSV files: the reference for split runs.

Written from the formulas alone; it shares no code with the parties. The logit
of a row whose parties p hold active entries (embedding v, linear weight w,
value x) is

    Σ w x + ½ (‖Σ v x‖² − Σ ‖v x‖²) + Dense(1)(MLP_fuse(concat_p MLP_p(fields of p)))

with the sums over all entries of all parties (Guo et al., 2017, equations 1
to 3).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tests.support.numpy_deepfm import Arrays, numpy_deepfm_loss_and_gradients

__all__ = ["EncodedFeature", "JoinedOracle", "OracleParty", "numpy_deepfm_loss_and_gradients", "philox_permutation"]


@dataclass(frozen=True)
class OracleParty:
    """A party's file and columns; `label` maps the numbers of `label_column` to 0 and 1."""

    name: str
    path: Path | str
    features: Sequence[Mapping[str, str]] = ()
    label: Callable[[np.ndarray], np.ndarray] | None = None
    label_column: str | None = None


@dataclass(frozen=True)
class EncodedFeature:
    """The active entries of all joined rows; those of row r are at starts[r] to starts[r + 1]."""

    size: int
    starts: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns indices, values and positions within `rows` of the entries of these rows."""
        counts = self.starts[rows + 1] - self.starts[rows]
        entries = [np.arange(self.starts[row], self.starts[row + 1]) for row in rows]
        chosen = np.concatenate([np.zeros(0, np.int64), *entries])
        return self.indices[chosen], self.values[chosen], np.repeat(np.arange(len(rows)), counts)


def philox_permutation(row_key: bytes, stream: str, epoch: int, rows: int) -> np.ndarray:
    """Returns the order of `rows` rows that a key of 32 bytes, a stream's name and an epoch define, int64."""
    text = b"vsl/1 order\0" + row_key + stream.encode() + epoch.to_bytes(8, "little")
    key = np.frombuffer(hashlib.sha256(text).digest()[:16], dtype="<u8").astype(np.uint64)
    return np.argsort(np.random.Philox(key=key).random_raw(rows), kind="stable")


def read_joined(parties: Sequence[OracleParty], id_column: str) -> tuple[list[str], dict[str, pd.DataFrame]]:
    """Returns the common ids by their UTF-8 bytes, and each party's rows of them in that order, as text."""
    frames = {}
    for party in parties:
        frame = pd.read_csv(party.path, dtype=str, keep_default_na=False, na_filter=False, encoding="utf-8")
        if frame[id_column].duplicated().any() or (frame[id_column] == "").any():
            raise ValueError(f"{party.path}: the id column holds duplicate or empty ids")
        frames[party.name] = frame.set_index(id_column)
    common = set.intersection(*(set(frame.index) for frame in frames.values()))
    ids = sorted(common, key=lambda sample_id: sample_id.encode())
    return ids, {name: frame.loc[ids] for name, frame in frames.items()}


def encode_feature(cells: Sequence[str], feature: Mapping[str, str], training_rows: np.ndarray) -> EncodedFeature:
    """Encodes a column's cells; the encoding is fitted on its training rows alone."""
    if feature["kind"] == "numeric":
        numbers = np.array([float(cell) if cell else np.nan for cell in cells], dtype=np.float64)
        known = numbers[training_rows][~np.isnan(numbers[training_rows])]
        standardised = (numbers - known.mean()) / (known.std() or 1.0)
        values = np.where(np.isnan(numbers), 0.0, standardised).astype(np.float32)
        return EncodedFeature(1, np.arange(len(cells) + 1), np.zeros(len(cells), np.int64), values)
    if feature["kind"] == "vocabulary":
        parts = [[cell] for cell in cells]
    elif feature["kind"] == "multi_hot":
        parts = [[part.strip() for part in cell.split(feature["separator"]) if part.strip()] for cell in cells]
    else:
        raise ValueError(f"the oracle does not know the kind {feature['kind']}")
    texts = {text for row in training_rows for text in parts[row] if text}
    index = {text: 2 + place for place, text in enumerate(sorted(texts, key=lambda text: text.encode()))}
    index[""] = 0
    found = [sorted({index.get(text, 1) for text in row_parts}) for row_parts in parts]
    starts = np.concatenate([[0], np.cumsum([len(row_indices) for row_indices in found])]).astype(np.int64)
    indices = np.array([place for row_indices in found for place in row_indices], dtype=np.int64)
    return EncodedFeature(2 + len(texts), starts, indices, np.ones(len(indices), np.float32))


def _dense_names(prefix: str, layers: int) -> list[tuple[str, str]]:
    return [(f"{prefix}/dense_{layer}/kernel", f"{prefix}/dense_{layer}/bias") for layer in range(layers)]


def _dense_shapes(prefix: str, inputs: int, units: Sequence[int]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for (kernel, bias), rows, columns in zip(
        _dense_names(prefix, len(units)), [inputs, *units][:-1], units, strict=True
    ):
        shapes |= {kernel: (rows, columns), bias: (columns,)}
    return shapes


class JoinedOracle:
    """The DeepFM of all parties together, with each feature's table, and gradients as TensorFlow made them.

    Args:
        parties: files and columns.
        id_column: what joins the files.
        label_party: name of the party with labels and the fuse model.
        row_key: of the run's order of rows.
        validation_fraction: share of the joined rows that is held out.
        embedding_dimension: width of the factors.
        base_units: widths of every party's dense layers.
        fuse_units: widths of the fuse model's dense layers.
        optimizer: makes one Keras optimizer for each party.
        weights: initial weights of each party by key, tables of features one after another.
        batch_size: rows in a step.

    Raises:
        ValueError: if weights do not fit the files.
    """

    def __init__(
        self,
        parties: Sequence[OracleParty],
        id_column: str,
        label_party: str,
        row_key: bytes,
        validation_fraction: float,
        embedding_dimension: int,
        base_units: Sequence[int],
        fuse_units: Sequence[int],
        optimizer: Callable[[], keras.optimizers.Optimizer],
        weights: Mapping[str, Mapping[str, np.ndarray]],
        batch_size: int,
    ) -> None:
        self.parties = sorted(parties, key=lambda party: party.name)
        self.label_party, self.row_key, self.batch_size = label_party, row_key, batch_size
        self.dimension, self.base_units, self.fuse_units = embedding_dimension, list(base_units), list(fuse_units)
        self.ids, frames = read_joined(self.parties, id_column)
        self.joined_row_count = len(self.ids)
        held_out = math.floor(validation_fraction * self.joined_row_count)
        order = philox_permutation(row_key, "hold out", 0, self.joined_row_count)
        self.held_out_rows, self.training_rows = order[:held_out], np.sort(order[held_out:])
        self.training_row_count = len(self.training_rows)
        self.encoded = {
            party.name: [
                encode_feature(frames[party.name][f["column"]].tolist(), f, self.training_rows) for f in party.features
            ]
            for party in self.parties
        }
        (holder,) = (party for party in self.parties if party.name == label_party)
        if holder.label is None:
            raise ValueError("the label party has no label rule")
        numbers = frames[label_party][holder.label_column].astype(np.float64).to_numpy()
        self.labels = np.asarray(holder.label(numbers)).astype(np.float32)
        self._variables = {party.name: self._build(party.name, weights[party.name]) for party in self.parties}
        self._optimizers = {party.name: optimizer() for party in self.parties}
        self._step = 0

    def _shapes(self, party: str) -> dict[str, tuple[int, ...]]:
        encoded, dimension = self.encoded[party], self.dimension
        shapes: dict[str, tuple[int, ...]] = {}
        if encoded:
            total = sum(feature.size for feature in encoded)
            shapes |= {"base/factors": (total, dimension), "base/linear": (total, 1)}
            shapes |= _dense_shapes("base", len(encoded) * dimension, self.base_units)
        if party == self.label_party:
            widths = [
                [len(features) * dimension, *self.base_units][-1] for features in self.encoded.values() if features
            ]
            shapes |= _dense_shapes("fuse", sum(widths), self.fuse_units)
            shapes |= {"fuse/logit/kernel": ([sum(widths), *self.fuse_units][-1], 1), "fuse/logit/bias": (1,)}
        return shapes

    def _build(self, party: str, weights: Mapping[str, np.ndarray]) -> dict[str, list[keras.Variable]]:
        """Makes the variables of a party: one for each feature of a table, one for any other key."""
        expected, received = self._shapes(party), {key: np.shape(array) for key, array in weights.items()}
        if expected != received:
            raise ValueError(f"weights of {party}: expected {expected}; received {received}")
        bounds = np.cumsum([feature.size for feature in self.encoded[party]])[:-1]
        tables = ("base/factors", "base/linear")
        return {
            key: [
                keras.Variable(piece, dtype="float32")
                for piece in (np.split(weights[key], bounds) if key in tables else [weights[key]])
            ]
            for key in expected
        }

    def _dense(self, party: str, prefix: str, units: Sequence[int], inputs: tf.Tensor) -> tf.Tensor:
        for kernel, bias in _dense_names(prefix, len(units)):
            variables = self._variables[party]
            inputs = tf.nn.relu(inputs @ variables[kernel][0].value + variables[bias][0].value)
        return inputs

    def _base(self, party: str, rows: np.ndarray) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns deep, factor_sum, factor_square and linear of a party; each table is gathered once."""
        fields, squares, linears = [], [], []
        tables = zip(self._variables[party]["base/factors"], self._variables[party]["base/linear"], strict=True)
        for feature, (factors, linear) in zip(self.encoded[party], tables, strict=True):
            indices, values, places = feature.batch(rows)
            entries = tf.gather(factors.value, indices) * values[:, None]
            weighted = tf.gather(linear.value, indices) * values[:, None]
            fields.append(tf.math.unsorted_segment_sum(entries, places, len(rows)))
            squares.append(tf.math.unsorted_segment_sum(tf.reduce_sum(entries**2, axis=1), places, len(rows)))
            linears.append(tf.math.unsorted_segment_sum(weighted[:, 0], places, len(rows)))
        deep = self._dense(party, "base", self.base_units, tf.concat(fields, axis=1))
        return deep, tf.add_n(fields), tf.add_n(squares), tf.add_n(linears)

    def _logits(self, rows: np.ndarray) -> tf.Tensor:
        outputs = [self._base(party, rows) for party, features in self.encoded.items() if features]
        deeps, sums, squares, linears = zip(*outputs, strict=True)
        interactions = 0.5 * (tf.reduce_sum(tf.add_n(sums) ** 2, axis=1) - tf.add_n(squares))
        fuse = self._variables[self.label_party]
        deep = self._dense(self.label_party, "fuse", self.fuse_units, tf.concat(deeps, axis=1))
        deep = deep @ fuse["fuse/logit/kernel"][0].value + fuse["fuse/logit/bias"][0].value
        return tf.add_n(linears) + interactions + deep[:, 0]

    def raw_gradients(self, rows: np.ndarray) -> tuple[float, dict[str, dict[str, list[Any]]]]:
        """Returns the mean loss of joined rows and its weight gradients, tf.IndexedSlices for tables."""
        variables = {
            p: {key: [v.value for v in pieces] for key, pieces in v.items()} for p, v in self._variables.items()
        }
        with tf.GradientTape() as tape:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=self.labels[rows], logits=self._logits(rows))
            loss = tf.reduce_mean(losses)
        return float(loss), tape.gradient(loss, variables)

    def loss_and_gradients(self, rows: np.ndarray) -> tuple[float, dict[str, Arrays]]:
        """Returns the mean loss of joined rows and its weight gradients, dense, by the keys of the weights."""
        loss, gradients = self.raw_gradients(np.asarray(rows))
        return loss, {
            party: {key: np.concatenate([tf.convert_to_tensor(g).numpy() for g in v]) for key, v in by_key.items()}
            for party, by_key in gradients.items()
        }

    def batch_rows(self, step: int) -> np.ndarray:
        """Returns the joined rows of a step that counts from 0 through all epochs."""
        epoch, batch = divmod(step, math.ceil(self.training_row_count / self.batch_size))
        order = self.training_rows[philox_permutation(self.row_key, "shuffle", epoch, self.training_row_count)]
        rows: np.ndarray = order[batch * self.batch_size : (batch + 1) * self.batch_size]
        return rows

    def train(self, steps: int) -> list[float]:
        """Trains further steps and returns the loss of each, before its update."""
        losses = []
        for _ in range(steps):
            loss, gradients = self.raw_gradients(self.batch_rows(self._step))
            for party, variables in self._variables.items():
                pairs = [pair for key in variables for pair in zip(gradients[party][key], variables[key], strict=True)]
                self._optimizers[party].apply([g for g, _ in pairs], [variable for _, variable in pairs])
            losses.append(loss)
            self._step += 1
        return losses

    def weights(self) -> dict[str, Arrays]:
        """Returns the current weights of each party by key; the tables of features are concatenated."""
        return {
            party: {key: np.concatenate([v.value.numpy() for v in pieces]) for key, pieces in variables.items()}
            for party, variables in self._variables.items()
        }

    def logits(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns the logits of joined rows, float32."""
        logits: np.ndarray = self._logits(np.asarray(rows, dtype=np.int64)).numpy()
        return logits
