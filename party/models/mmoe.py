"""Split MMoE: multi-gate mixture of experts above the cut.

    logit_k = tower_k( Σ_e gate_k(x)_e expert_e(x) ),   gate_k(x) = softmax(W_k gate_layers_k(x))

with x the hiddens of all parties side by side.

Reference: Ma et al., "Modeling Task Relationships in Multi-task Learning with
Multi-gate Mixture-of-Experts", KDD 2018, equations 5 to 7.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from party.configuration.labels import Labels
from party.configuration.models import MMoEFuse
from party.models.embedding import dense_layers
from party.models.fuse_outputs import FuseOutputs, ReportedOutput
from party.models.summed import DEEP, above_the_cut

EXPERTS = "expert outputs"  # no label can have these names
GATES = "gate weights"


def build_fuse(section: MMoEFuse, units: Mapping[str, int], labels: Labels, *, summed: bool = False) -> keras.Model:
    """Builds the fuse model.

    Args:
        section: the model's hyper-parameters.
        units: width of each aggregated hidden by name; only `deep`.
        labels: the labels that it predicts, one task for each.
        summed: whether `deep` is a sum; experts and gates then share the layer that it is the input of.

    Returns:
        A model from {deep: float32 (batch, units)} to {label: logits, float32 (batch, units of the label)}, with the
        experts' outputs, float32 (batch, experts, units), and the gates' weights, float32 (batch, labels, experts).
    """
    taken = keras.Input((units[DEEP],), name=DEEP)
    deep = above_the_cut(taken, section, summed=summed)
    experts = ops.stack(
        [
            dense_layers(deep, section.expert_units, section, prefix=f"expert_{number}_")
            for number in range(section.experts)
        ],
        axis=1,
    )
    gates = ops.stack([_gate(deep, section, name) for name in labels], axis=1)
    mixed = ops.matmul(gates, experts)
    outputs = {}
    for place, (name, label) in enumerate(labels.items()):
        tower = dense_layers(mixed[:, place], section.tower_units, section, prefix=f"{name}_tower_")
        outputs[name] = keras.layers.Dense(label.units, name=f"{name}_logit")(tower)
    return keras.Model({DEEP: taken}, {**outputs, EXPERTS: experts, GATES: gates}, name="fuse")


def fuse_outputs(section: MMoEFuse, labels: Labels) -> FuseOutputs:
    """The outputs of a mixture: its labels share the experts, and each gate's mean weight of every expert is reported.

    Args:
        section: the model's hyper-parameters.
        labels: the labels that it predicts.

    Returns:
        The outputs of the model that `build_fuse` builds.
    """
    names = tuple(f"{name}_expert_{number}_gate" for name in labels for number in range(section.experts))
    return FuseOutputs(labels=labels, shared=EXPERTS, reported=(ReportedOutput(GATES, names),))


def _gate(deep: keras.KerasTensor, section: MMoEFuse, name: str) -> keras.KerasTensor:
    """Weights of the experts for one label, float32 (batch, experts), adding up to 1; gates have no dropout."""
    for number, width in enumerate(section.gate_units):
        deep = keras.layers.Dense(width, activation=section.activation, name=f"{name}_gate_dense_{number}")(deep)
    return keras.layers.Dense(section.experts, activation="softmax", use_bias=False, name=f"{name}_gate")(deep)
