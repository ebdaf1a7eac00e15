"""Runs of a label party that is alone with random hiddens: one for each family of models, schedule and codec."""

import shutil
from pathlib import Path

from party.cut.hidden import Aggregation, HiddenSpec
from party.pb.handshake_pb2 import Purpose
from tests.support.label_side import FEATURES, LabelSide, deep, labels_section, random_labels, session_labels

DEEPFM = (
    *deep(),
    HiddenSpec("factor_sum", 3, Aggregation.SUM),
    HiddenSpec("factor_square", 1, Aggregation.SUM),
    HiddenSpec("linear", 1, Aggregation.SUM),
)
EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "two_tower.py"
DROPOUT = {"dropout": 0.2}
SMALL_DNN = {"kind": "dnn", "embedding_dimension": 2, "units": [4], **DROPOUT}
SMALL_BST = {"kind": "bst", "embedding_dimension": 4, "heads": 2, "units": [4], "pooling": "target_attention"}
MIXTURE = {
    "kind": "mmoe",
    "experts": 2,
    "expert_units": [4],
    "tower_units": [3],
    "task_weighting": "uncertainty",
}
INFERENCE = (Purpose.PURPOSE_EVALUATE, Purpose.PURPOSE_PREDICT)
STOPPING = {"metric": "val_loss", "minimum_delta": 1e6, "patience": 0}
PIPELINED = {"kind": "pipelined", "depth": 2}
FEEDBACK = {"kind": "int8", "error_feedback": True}
LOCAL = {"steps": 1, "window": 2, "uses": 2, "minimum_cosine": 0.2}

CASES = {
    "deepfm": {
        "names": ["liked"],
        "party": {"model": {"kind": "deepfm", "embedding_dimension": 3, "units": [4]}, "fuse": {"kind": "deepfm"}},
        "specs": DEEPFM,
        "training": {"codecs": {"gradient": FEEDBACK}},
        "then": INFERENCE,
    },
    "dnn": {
        "names": ["mood", "liked"],
        "party": {"model": {**SMALL_DNN, "dropout": 0.0}, "fuse": {"kind": "dnn", "units": [4]}},
        "training": {"epochs": 1, "optimizer": {"name": "adam", "learning_rate": 0.01}},
    },
    "smallest, early stopping": {
        "names": ["liked"],
        "features": [],
        "party": {"fuse": {"kind": "dnn", "units": []}},
        "training": {
            "early_stopping": {"metric": "val_loss", "patience": 0},
            "epochs": 4,
            "optimizer": {"name": "sgd", "learning_rate": 0.3},
        },
        "then": INFERENCE,
    },
    "dnn, no own features, local steps, pipelined": {
        "names": ["mood"],
        "features": [],
        "party": {"fuse": {"kind": "dnn", "units": [4], **DROPOUT}},
        "training": {
            "local_updates": LOCAL,
            "schedule": PIPELINED,
            "codecs": {"hidden": FEEDBACK, "gradient": {"kind": "bfloat16"}},
        },
    },
    "bst, numbers, early stopping": {
        "names": ["minutes"],
        "party": {"model": SMALL_BST, "fuse": {"kind": "dnn", "units": [4]}},
        "training": {"early_stopping": STOPPING, "epochs": 3},
    },
    "mmoe, three labels, learned task weights, early stopping, local steps": {
        "names": ["liked", "minutes", "mood"],
        "features": FEATURES[:2],
        "party": {"model": SMALL_DNN, "fuse": MIXTURE},
        "training": {"early_stopping": STOPPING, "epochs": 3, "local_updates": LOCAL},
    },
    "own models, rounded figures, pipelined": {
        "names": ["liked"],
        "party": {
            "model": {"file": "two_tower.py", "base": "build_item_tower"},
            "fuse": {"file": "two_tower.py", "fuse": "build_match"},
            "policy": {"minimum_metric_rows": 8, "running_metrics": True},
        },
        "specs": (HiddenSpec("user", 16, Aggregation.CONCAT),),
        "then": INFERENCE,
        "training": {"schedule": PIPELINED, "codecs": {"gradient": {"kind": "topk", "fraction": 0.25}}},
    },
}


def parts_of(case, private=True):
    """Returns what a `LabelSide` needs of a case, without folder and labels."""
    given = CASES[case]
    data = {"features": given.get("features", FEATURES), "labels": labels_section(given["names"], private)}
    return {
        "party": {"data": data, **given["party"]},
        "training": given["training"],
        "specs": given.get("specs", deep()),
    }


def true_and_drawn(case):
    """Returns true and drawn labels of a case, which have nothing to do with each other."""
    names = CASES[case]["names"]
    return random_labels(names, seed=1), random_labels(names, seed=2)


def label_side(folder, case, true, drawn):
    """Makes the label party of a case; without drawn labels, none is private."""
    folder.mkdir(mode=0o700, exist_ok=True)
    shutil.copy(EXAMPLE, folder / EXAMPLE.name)
    labels = session_labels(CASES[case]["names"], true, drawn)
    return LabelSide(folder, **parts_of(case, private=drawn is not None), labels=labels)


def whole_run(folder, case, true, drawn):
    """Trains with checkpoints, then evaluates and predicts in some cases; returns the label party."""
    side = label_side(folder, case, true, drawn)
    side.open_training()
    for _ in range(2):
        side.exchange()
    side.checkpoint()
    while not side.label.finished:
        side.exchange()
    side.checkpoint()
    side.finish()
    for purpose in CASES[case].get("then", ()):
        side.open_inference(purpose)
        side.finish()
    return side
