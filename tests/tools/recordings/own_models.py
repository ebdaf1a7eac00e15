"""Models from a party owner's file: batch normalisation and dropout below the cut, experts above it.

The file is copied beside the parties' configuration; nothing imports it here.
"""

import keras
from keras import ops


def build_base(features):
    """Builds an embedding or a number for every feature, batch normalisation, a dense layer and dropout."""
    inputs, parts = {}, []
    for feature in features.values():
        if feature.kind == "numeric":
            inputs[feature.name] = keras.Input((1,), name=feature.name)
            parts.append(inputs[feature.name])
            continue
        inputs[feature.name] = keras.Input((feature.width,), dtype="int32", name=feature.name)
        table = keras.layers.Embedding(feature.size, 4, name=f"{feature.name}_table")
        parts.append(ops.sum(table(inputs[feature.name]), axis=1))
    joined = keras.layers.BatchNormalization(name="normalised")(ops.concatenate(parts, axis=1))
    dense = keras.layers.Dense(6, activation="relu", name="dense")(joined)
    deep = keras.layers.Dropout(0.2, name="dropout")(dense)
    vote = keras.layers.Dense(2, name="vote")(joined)
    return keras.Model(inputs, {"deep": deep, "vote": vote}), {"deep": "concat", "vote": "sum"}


def build_fuse(hiddens, labels):
    """Builds a dense layer over all hiddens, and one output per label."""
    inputs = {name: keras.Input((one.units,), name=name) for name, one in hiddens.items()}
    joined = ops.concatenate([inputs[name] for name in sorted(inputs)], axis=1)
    dense = keras.layers.Dense(7, activation="tanh", name="dense")(keras.layers.Dropout(0.1, name="dropout")(joined))
    return keras.Model(
        inputs, {name: keras.layers.Dense(one.units, name=f"{name}_output")(dense) for name, one in labels.items()}
    )
