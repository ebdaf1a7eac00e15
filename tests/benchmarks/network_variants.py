"""What is trained across a slow network: each technique alone, and together."""

from __future__ import annotations

Training = dict[str, object]

PLAIN = "synchronous"
INT8 = {"kind": "int8"}
TOPK = {"kind": "topk", "fraction": 0.2, "values": "int8"}
SPARSE_GRADIENTS = {"kind": "topk", "fraction": 0.1, "values": "int8", "error_feedback": True}
LOCAL_UPDATES = {"steps": 2, "window": 5, "uses": 5, "minimum_cosine": 0.5}


def both(codec: Training) -> Training:
    return {"codecs": {"hidden": codec, "gradient": codec}}


def pipelined(depth: int) -> Training:
    return {"schedule": {"kind": "pipelined", "depth": depth}}


VARIANTS: dict[str, Training] = {
    PLAIN: {},
    "float16": both({"kind": "float16"}),
    "bfloat16": both({"kind": "bfloat16"}),
    "int8": both(INT8),
    "int4": both({"kind": "int4"}),
    "topk": both(TOPK),
    "topk-feedback": {"codecs": {"gradient": SPARSE_GRADIENTS}},
    "randomk": both({"kind": "randomk", "fraction": 0.5, "values": "int8"}),
    "local": {"local_updates": LOCAL_UPDATES},
    "pipelined-2": pipelined(2),
    "pipelined-4": pipelined(4),
    "pipelined-8": pipelined(8),
    "pipelined-16": pipelined(16),
    "pipelined-32": pipelined(32),
    "int8-topk-feedback": {"codecs": {"hidden": INT8, "gradient": SPARSE_GRADIENTS}},
    "int8-local": {**both(INT8), "local_updates": LOCAL_UPDATES},
    "pipelined-8-int8": {**pipelined(8), **both(INT8)},
    "pipelined-16-int8": {**pipelined(16), **both(INT8)},
    "pipelined-16-topk": {**pipelined(16), **both(TOPK)},
    "pipelined-16-local": {**pipelined(16), "local_updates": LOCAL_UPDATES},
    "pipelined-8-int8-local": {**pipelined(8), **both(INT8), "local_updates": LOCAL_UPDATES},
}
# Those that show one more of a kind are left out unless they are named: each takes minutes.
DEFAULT = [name for name in VARIANTS if name not in ("bfloat16", "int4", "randomk", "int8-local", "pipelined-2")]
