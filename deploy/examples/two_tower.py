"""A two-tower model, as the owner of a party would write it: one tower per party, their cosine above the cut.

At the party with the users:  model: {file: two_tower.py, base: build_user_tower}
At the party with the films:  model: {file: two_tower.py, base: build_item_tower}
                              fuse:  {file: two_tower.py, fuse: build_match}

Each organisation needs only its own functions. The file imports nothing from this project.
"""

import keras
from keras import ops

EMBEDDING_WIDTH = 16
TOWER_UNITS = (64, 32)


def build_user_tower(features):
    """Builds the tower over the user features: one output vector, named user."""
    return tower(features, "user")


def build_item_tower(features):
    """Builds the tower over the item features: one output vector, named item."""
    return tower(features, "item")


def build_match(hiddens, labels):
    """Builds the fuse model: the cosine of user and item, scaled and shifted to a logit per label."""
    user = keras.Input((hiddens["user"].units,), name="user")
    item = keras.Input((hiddens["item"].units,), name="item")
    cosine = ops.sum(ops.normalize(user) * ops.normalize(item), axis=1, keepdims=True)
    logits = {name: keras.layers.Dense(task.units, name=f"{name}_logit")(cosine) for name, task in labels.items()}
    return keras.Model({"user": user, "item": item}, logits)


def tower(features, name):
    """Embeds every feature, and stacks dense layers on the concatenated embeddings."""
    inputs, parts = {}, []
    for feature in features.values():
        if feature.kind == "numeric":
            inputs[feature.name] = keras.Input((1,), name=feature.name)
            parts.append(keras.layers.Dense(EMBEDDING_WIDTH, name=f"{len(parts)}_scale")(inputs[feature.name]))
            continue
        inputs[feature.name] = keras.Input((feature.width,), dtype="int32", name=feature.name)
        vectors = keras.layers.Embedding(feature.size, EMBEDDING_WIDTH, name=f"{len(parts)}_table")(
            inputs[feature.name]
        )
        if feature.kind in ("multi_hot", "sequence"):  # whose index 0 is padding
            vectors = vectors * ops.cast(ops.expand_dims(inputs[feature.name] > 0, -1), "float32")
        parts.append(ops.sum(vectors, axis=1))
    hidden = ops.concatenate(parts, axis=1)
    for number, units in enumerate(TOWER_UNITS):
        hidden = keras.layers.Dense(units, activation="relu", name=f"dense_{number}")(hidden)
    return keras.Model(inputs, {name: hidden}), {name: "concat"}
