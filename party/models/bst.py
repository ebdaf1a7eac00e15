"""Split BST: a transformer over a party's sequences, beside its other features.

For a sequence with a target at the same party, the target joins it as the last
item. Per block, with S the items and their positions:

    S' = LayerNorm(S + Dropout(MultiHead(S)))
    F  = LayerNorm(S' + Dropout(W₂ LeakyReLU(W₁ S' + b₁) + b₂))

Padding is zeroed before the first block, takes no part in any attention, and
is excluded from the pooling, so that its content never changes an output.

References: Chen et al., "Behavior Sequence Transformer for E-commerce
Recommendation in Alibaba", DLP-KDD 2019, equations 1 to 5; for target
attention, Zhou et al., "Deep Interest Network for Click-Through Rate
Prediction", KDD 2018, equation 3.
"""

from __future__ import annotations

import keras
from keras import ops

from party.configuration.layout import BaseLayout, FeatureLayout
from party.configuration.models import BSTModel
from party.cut.hidden import HiddenSpec
from party.models.embedding import INDICES, EmbeddedFeatures, dense_layers, embed
from party.models.summed import DEEP, below_the_cut, deep_spec

HIDDEN_ACTIVATION = "leaky_relu"
MASKED_SCORE = -1e9  # far below any score: its softmax weight is zero in float32


def base_specs(layout: BaseLayout, section: BSTModel) -> tuple[HiddenSpec, ...]:
    """The one hidden that a BST base model sends."""
    return (deep_spec(layout, section, section.units[-1] if section.units else _width(layout, section)),)


def build_base(layout: BaseLayout, section: BSTModel) -> keras.Model:
    """Builds the base model of one party.

    Args:
        layout: layout of its features, at least one of them a sequence.
        section: the model's hyper-parameters.

    Returns:
        A model from {indices: int32 (batch, slots), values: float32 (batch,
        slots)} to {deep: float32 (batch, units)}.
    """
    embedded = embed(layout, section)
    by_name = {feature.name: feature for feature in layout.features}
    parts: list[keras.KerasTensor] = []
    for feature in layout.features:
        if feature.kind == "sequence":
            target = None if feature.target is None else by_name[feature.target]
            parts += _interest(embedded, feature, target, section, prefix=f"sequence_{len(parts)}_")
        else:
            parts.append(embedded.field(feature))
    hidden = keras.layers.Concatenate(name="parts")(parts) if len(parts) > 1 else parts[0]
    deep = below_the_cut(dense_layers(hidden, section.units, section), layout, section)
    return keras.Model(embedded.inputs, {DEEP: deep}, name="base")


def _width(layout: BaseLayout, section: BSTModel) -> int:
    """Total width of all parts; a sequence with a target yields two vectors."""
    parts = len(layout.features) + sum(feature.target is not None for feature in layout.features)
    return parts * section.embedding_dimension


def _interest(
    embedded: EmbeddedFeatures,
    feature: FeatureLayout,
    target: FeatureLayout | None,
    section: BSTModel,
    *,
    prefix: str,
) -> list[keras.KerasTensor]:
    """The representation of a sequence: its pooled items and, with a target, the output of the blocks for it."""
    items, mask = embedded.slots[feature.name], embedded.mask(feature)
    tokens, present = items, mask
    if target is not None:
        item = ops.expand_dims(embedded.field(target), 1)
        tokens = ops.concatenate([items, item], axis=1)
        present = ops.concatenate([mask, ops.ones_like(item[:, :, :1])], axis=1)
    tokens = (tokens + _positions(embedded, tokens.shape[1], section, prefix)) * present
    for number in range(section.blocks):
        tokens = _block(tokens, present, section, f"{prefix}block_{number}_")
    if target is None:
        return [_mean(tokens, mask)]
    history, judged = tokens[:, :-1], tokens[:, -1]
    if section.pooling == "mean":
        return [_mean(history, mask), judged]
    return [_target_attention(history, judged, mask, section=section, prefix=prefix), judged]


def _positions(embedded: EmbeddedFeatures, length: int, section: BSTModel, prefix: str) -> keras.KerasTensor:
    """Learned position embeddings, the last for the target or the most recent item: float32 (1, length, d).

    They are looked up once for all rows: Keras's Adam squares the gradient of each lookup before it adds them.
    """
    first_row = ops.zeros_like(embedded.inputs[INDICES][:1, :1])
    places = first_row + ops.expand_dims(ops.arange(length, dtype="int32"), 0)
    return keras.layers.Embedding(length, section.embedding_dimension, name=f"{prefix}positions")(places)


def _block(tokens: keras.KerasTensor, present: keras.KerasTensor, section: BSTModel, prefix: str) -> keras.KerasTensor:
    def dropped(hidden: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return keras.layers.Dropout(section.dropout, name=f"{prefix}{name}")(hidden) if section.dropout else hidden

    attention = keras.layers.MultiHeadAttention(
        section.heads, section.embedding_dimension // section.heads, dropout=section.dropout, name=f"{prefix}attention"
    )
    allowed = ops.cast(ops.transpose(present, (0, 2, 1)), "bool")
    attended = attention(tokens, tokens, attention_mask=allowed)
    tokens = keras.layers.LayerNormalization(name=f"{prefix}attention_norm")(
        tokens + dropped(attended, "attention_dropout")
    )
    inner = keras.layers.Dense(section.feed_forward_width, activation=HIDDEN_ACTIVATION, name=f"{prefix}inner")(tokens)
    outer = keras.layers.Dense(section.embedding_dimension, name=f"{prefix}outer")(inner)
    return keras.layers.LayerNormalization(name=f"{prefix}outer_norm")(tokens + dropped(outer, "outer_dropout"))


def _mean(items: keras.KerasTensor, mask: keras.KerasTensor) -> keras.KerasTensor:
    """Mean over the items that are not padding; zero if all are."""
    return ops.sum(items * mask, axis=1) / ops.maximum(ops.sum(mask, axis=1), 1.0)


def _target_attention(
    history: keras.KerasTensor,
    target: keras.KerasTensor,
    mask: keras.KerasTensor,
    *,
    section: BSTModel,
    prefix: str,
) -> keras.KerasTensor:
    """Sum of the items, weighted by their scores against the target; zero if all are padding."""
    query = ops.expand_dims(target, 1) + ops.zeros_like(history)
    hidden = ops.concatenate([query, history, query - history, query * history], axis=-1)
    for number, width in enumerate(section.attention_units):
        hidden = keras.layers.Dense(width, activation="sigmoid", name=f"{prefix}score_{number}")(hidden)
    score = keras.layers.Dense(1, name=f"{prefix}score")(hidden)
    weight = ops.softmax(score + (1.0 - mask) * MASKED_SCORE, axis=1) * mask
    return ops.sum(weight * history, axis=1)
