"""What is trained across a slow network: each technique alone, and together."""

from __future__ import annotations

import math
from dataclasses import dataclass

Training = dict[str, object]

PLAIN = "synchronous"
FLOAT16, INT8 = {"kind": "float16"}, {"kind": "int8"}
TOPK = {"kind": "topk", "fraction": 0.2, "values": "int8"}
SPARSE = {"kind": "topk", "fraction": 0.1, "values": "int8"}
LOCAL: Training = {"local_updates": {"steps": 2, "window": 5, "uses": 5, "minimum_cosine": 0.5}}
ONE_LOCAL: Training = {"local_updates": {"steps": 1, "window": 5, "uses": 5, "minimum_cosine": 0.5}}
ONE_LOCAL_ALIKE: Training = {"local_updates": {"steps": 1, "window": 5, "uses": 5, "minimum_cosine": None}}


@dataclass(frozen=True)
class Variant:
    """What one variant changes of the plain one.

    Attributes:
        training: keys of the section of that name.
        longer: how many times as many epochs it trains: gradients of older weights take some more of them, each of
            which is short.
    """

    training: Training
    longer: float = 1.0

    def training_for(self, epochs: int) -> Training:
        """Its keys, where the plain variant trains so many epochs."""
        return {**self.training, "epochs": math.ceil(epochs * self.longer)}


def both(codec: Training) -> Training:
    return {"codecs": {"hidden": codec, "gradient": codec}}


def gradient(codec: Training) -> Training:
    return {"codecs": {"gradient": codec}}


def pipelined(depth: int, training: Training | None = None) -> Variant:
    return Variant({"schedule": {"kind": "pipelined", "depth": depth}, **(training or {})}, 1.5)


VARIANTS = {
    PLAIN: Variant({}),
    "float16": Variant(both(FLOAT16)),
    "bfloat16": Variant(both({"kind": "bfloat16"})),
    "int8": Variant(both(INT8)),
    "int4": Variant(both({"kind": "int4"})),
    "topk": Variant(both(TOPK)),
    "topk-gradient": Variant(gradient(SPARSE)),
    "topk-gradient-feedback": Variant(gradient({**SPARSE, "error_feedback": True})),
    "randomk": Variant(both({"kind": "randomk", "fraction": 0.5, "values": "int8"})),
    "local": Variant(LOCAL),
    "int8-local": Variant({**both(INT8), **LOCAL}),
    "pipelined-2": pipelined(2),
    "pipelined-4": pipelined(4),
    "pipelined-8": pipelined(8),
    "pipelined-16": pipelined(16),
    "pipelined-32": pipelined(32),
    "pipelined-8-int8": pipelined(8, both(INT8)),
    "pipelined-16-int8": pipelined(16, both(INT8)),
    "pipelined-16-topk": pipelined(16, both(TOPK)),
    "pipelined-4-local": pipelined(4, LOCAL),
    "pipelined-4-int8-local": pipelined(4, {**both(INT8), **ONE_LOCAL}),
    "pipelined-8-int8-local": pipelined(8, {**both(INT8), **ONE_LOCAL}),
    "pipelined-8-int8-local-alike": pipelined(8, {**both(INT8), **ONE_LOCAL_ALIKE}),
}
# Left out unless they are named: others show as much, and each takes minutes.
RARE = (
    "bfloat16",
    "int4",
    "topk-gradient",
    "randomk",
    "int8-local",
    "pipelined-2",
    "pipelined-4-local",
    "pipelined-4-int8-local",
)
DEFAULT = [name for name in VARIANTS if name not in RARE]
