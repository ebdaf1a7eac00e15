"""The loss of a DeepFM and its derivatives, by hand, in float64 NumPy: no automatic differentiation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Arrays = dict[str, np.ndarray]


def _numpy_dense(inputs: np.ndarray, weights: Arrays, prefix: str) -> list[np.ndarray]:
    """Returns the input and each layer's output, h = max(0, h_before K + b)."""
    outputs = [inputs]
    while f"{prefix}/dense_{len(outputs) - 1}/kernel" in weights:
        layer = f"{prefix}/dense_{len(outputs) - 1}"
        outputs.append(np.maximum(0.0, outputs[-1] @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"]))
    return outputs


def _numpy_dense_gradients(
    outputs: list[np.ndarray], gradient: np.ndarray, weights: Arrays, prefix: str
) -> tuple[np.ndarray, Arrays]:
    """With g = ∂L/∂h ∘ [h > 0]: ∂L/∂K = h_beforeᵀ g, ∂L/∂b = Σ_rows g, ∂L/∂h_before = g Kᵀ."""
    gradients: Arrays = {}
    for layer in reversed(range(len(outputs) - 1)):
        name = f"{prefix}/dense_{layer}"
        through = gradient * (outputs[layer + 1] > 0)
        gradients |= {f"{name}/kernel": outputs[layer].T @ through, f"{name}/bias": through.sum(axis=0)}
        gradient = through @ weights[f"{name}/kernel"].T
    return gradient, gradients


def numpy_deepfm_loss_and_gradients(
    weights: Mapping[str, Mapping[str, np.ndarray]],
    indices: Mapping[str, np.ndarray],
    values: Mapping[str, np.ndarray],
    labels: np.ndarray,
) -> tuple[float, np.ndarray, dict[str, Arrays], dict[str, Arrays]]:
    """DeepFM in float64 with derivatives by hand, for features with one entry in a row.

    With z the logits, B rows, S = Σ_p factor_sum_p, e = V[i] x an entry:

        L = mean(max(z, 0) − z y + log(1 + exp(−|z|)))   ∂L/∂z = d = (sigmoid(z) − y) / B
        ∂L/∂linear_p = d           ∂w[i] += d x
        ∂L/∂factor_square_p = −d/2   ∂L/∂factor_sum_p = d S
        ∂L/∂e = d S − d e + ∂L/∂field     ∂V[i] += x ∂L/∂e
        ∂L/∂(logit kernel) = hᵀ d   ∂L/∂(logit bias) = Σ d   ∂L/∂h = d kernelᵀ

    Args:
        weights: of each party by key; the label party is the one that holds `fuse/logit/kernel`.
        indices: of each party with features, rows of its tables, (batch, features), integers.
        values: of each party with features, (batch, features).
        labels: (batch,), 0 or 1.

    Returns:
        The loss; logits (batch,); weight gradients by party and key; hidden gradients by party:
        deep (batch, units), factor_sum (batch, dimension), factor_square and linear (batch, 1).
    """
    wide = {p: {key: np.asarray(array, np.float64) for key, array in arrays.items()} for p, arrays in weights.items()}
    (label_party,) = (party for party, arrays in wide.items() if "fuse/logit/kernel" in arrays)
    names, fuse, rows = sorted(indices), wide[label_party], len(labels)
    scale = {p: np.asarray(values[p], np.float64)[:, :, None] for p in names}
    entries = {p: wide[p]["base/factors"][indices[p]] * scale[p] for p in names}  # (batch, features, dimension)
    total = sum(entries[p].sum(axis=1) for p in names)
    squares = sum((entries[p] ** 2).sum(axis=(1, 2)) for p in names)
    linear = sum((wide[p]["base/linear"][indices[p]] * scale[p]).sum(axis=(1, 2)) for p in names)
    bases = {p: _numpy_dense(entries[p].reshape(rows, -1), wide[p], "base") for p in names}
    layers = _numpy_dense(np.concatenate([bases[p][-1] for p in names], axis=1), fuse, "fuse")
    deep = (layers[-1] @ fuse["fuse/logit/kernel"] + fuse["fuse/logit/bias"])[:, 0]
    logits = linear + 0.5 * ((total**2).sum(axis=1) - squares) + deep
    loss = float(np.mean(np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))))

    d = ((1 / (1 + np.exp(-logits)) - labels) / rows)[:, None]
    deep_gradient, fuse_gradients = _numpy_dense_gradients(layers, d @ fuse["fuse/logit/kernel"].T, fuse, "fuse")
    fuse_gradients |= {"fuse/logit/kernel": layers[-1].T @ d, "fuse/logit/bias": d.sum(axis=0)}
    bounds = np.cumsum([bases[p][-1].shape[1] for p in names])[:-1]
    gradients: dict[str, Arrays] = {p: {} for p in wide}
    hidden_gradients: dict[str, Arrays] = {}
    for p, received in zip(names, np.split(deep_gradient, bounds, axis=1), strict=True):
        hidden_gradients[p] = {"deep": received, "factor_sum": d * total, "factor_square": -d / 2, "linear": d}
        fields, gradients[p] = _numpy_dense_gradients(bases[p], received, wide[p], "base")
        entry_gradients = (d * total)[:, None, :] - d[:, :, None] * entries[p] + fields.reshape(entries[p].shape)
        gradients[p] |= {key: np.zeros_like(wide[p][key]) for key in ("base/factors", "base/linear")}
        np.add.at(gradients[p]["base/factors"], indices[p], scale[p] * entry_gradients)
        np.add.at(gradients[p]["base/linear"], indices[p], scale[p] * d[:, :, None])
    gradients[label_party] |= fuse_gradients
    return loss, logits, gradients, hidden_gradients
