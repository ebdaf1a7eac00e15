"""The recorded runs: federations, whose parties start once, and the runs that each of them trains."""

from dataclasses import dataclass, field

CITY = {"column": "city", "kind": "vocabulary", "minimum_count": 2}
INCOME = {"column": "income", "kind": "numeric"}
AGE = {"column": "age", "kind": "integer_buckets", "boundaries": [18, 25, 35, 50, 65], "malformed": "missing"}
ZIP = {"column": "zip", "kind": "hash", "buckets": 20, "salt": "zip"}
FILM = {"column": "film", "kind": "vocabulary", "maximum_size": 12}
GENRES = {"column": "genres", "kind": "multi_hot", "separator": "|"}
SEEN = {"column": "seen", "kind": "sequence", "separator": " ", "maximum_length": 4, "target": "film"}
SHOP = {"column": "shop", "kind": "vocabulary"}
VISITS = {"column": "visits", "kind": "numeric"}
FEATURES = {"alice": [CITY, INCOME, AGE, ZIP], "bob": [FILM, GENRES], "charlie": [SHOP, VISITS]}

LIKED = {"rule": "rating > 3"}
MINUTES = {"kind": "regression", "column": "minutes", "loss": "huber", "weight": 0.5}
MOOD = {"kind": "multi_class", "column": "mood", "classes": ["calm", "loud", "sad"], "class_weights": {"sad": 2.0}}
LABELS = {"liked": {**LIKED, "class_weights": {"positive": 2.0}}, "minutes": MINUTES, "mood": MOOD}

DEEPFM = {"kind": "deepfm", "embedding_dimension": 16, "units": [8, 24], "embedding_l2": 0.001}
DNN = {"kind": "dnn", "embedding_dimension": 4, "units": [16]}
BST = {"kind": "bst", "embedding_dimension": 4, "heads": 2, "units": [12], "pooling": "target_attention"}
MMOE = {"kind": "mmoe", "experts": 2, "expert_units": [5], "tower_units": [3], "task_weighting": "uncertainty"}
OWN_BASE = {"file": "own_models.py", "base": "build_base"}
OWN_FUSE = {"file": "own_models.py", "fuse": "build_fuse"}
EXACT = {"running_metrics": True, "exact_metrics": True}

MOMENTUM = {
    "name": "sgd",
    "learning_rate": {
        "name": "ExponentialDecay",
        "arguments": {"initial_learning_rate": 0.05, "decay_steps": 4, "decay_rate": 0.9},
    },
    "arguments": {"momentum": 0.9},
}
BEST = {"early_stopping": {"metric": "val_auc", "mode": "max", "patience": 1}}
WORST = {"early_stopping": {"metric": "val_loss", "minimum_delta": 1e6, "patience": 0}}  # the first epoch is the best
LONG = {"epochs": 6}
COORDINATOR = "coordinator"
KILLED = {  # processes to kill in the middle of a run; none if the coordinator is stopped on request
    "coordinator and alice killed": (COORDINATOR, "alice"),
    "label party killed": ("bob",),
    "all killed": (COORDINATOR, "alice", "bob"),
    "coordinator stopped": (),
}


@dataclass(frozen=True)
class Case:
    """One run.

    Attributes:
        training: keys that differ from the default `training` section.
        interruption: a key of KILLED; None for an uninterrupted run.
        predicted: datasets to predict after training; `future` has no labels.
    """

    training: dict = field(default_factory=dict)
    interruption: str | None = None
    predicted: tuple = ("test",)


@dataclass(frozen=True)
class Federation:
    """Parties with the same files for all of their runs.

    Attributes:
        cases: by name.
        features: by party.
        sections: by party, keys that differ from the default configuration.
        data: keys that differ in the label party's section `data`.
    """

    cases: dict
    features: dict
    sections: dict = field(default_factory=dict)
    data: dict = field(default_factory=dict)


def features(*parties, **changed):
    return {party: changed.get(party, FEATURES[party]) for party in parties}


def codecs(hidden=None, gradient=None):
    return {"codecs": {name: one for name, one in (("hidden", hidden), ("gradient", gradient)) if one is not None}}


def pipelined(depth):
    return {"schedule": {"kind": "pipelined", "depth": depth}}


def local(steps=2, **section):
    return {"local_updates": {"steps": steps, "window": 3, "uses": 2, "minimum_cosine": 0.5, **section}}


KINDS = {
    "float16": {"kind": "float16"},
    "bfloat16": {"kind": "bfloat16"},
    "int8": {"kind": "int8"},
    "int4": {"kind": "int4"},
    "topk": {"kind": "topk", "fraction": 0.15},
    "topk int8": {"kind": "topk", "fraction": 0.15, "values": "int8"},
    "randomk": {"kind": "randomk", "fraction": 0.2},
    "randomk int8": {"kind": "randomk", "fraction": 0.2, "values": "int8"},
}
FED_BACK = {name: {**codec, "error_feedback": True} for name, codec in KINDS.items()}
BOTH_TOPK = codecs(FED_BACK["topk int8"], FED_BACK["topk int8"])
CODEC_CASES = {
    **{name: Case(codecs(one, one)) for name, one in KINDS.items()},
    **{f"{name}, error feedback": Case(codecs(one, one)) for name, one in FED_BACK.items()},
    "hiddens alone, error feedback": Case(codecs(hidden=FED_BACK["int4"])),
    "gradients alone, error feedback": Case(codecs(gradient=FED_BACK["int4"])),
    "different by direction": Case(codecs(KINDS["bfloat16"], FED_BACK["randomk"])),
    "topk int8, pipelined 4, error feedback": Case({**BOTH_TOPK, **pipelined(4)}),
    "int4 and int8, local updates, error feedback": Case({**codecs(FED_BACK["int4"], FED_BACK["int8"]), **local()}),
}
SCHEDULE_CASES = {
    "synchronous": Case(),
    "first step": Case({"maximum_steps": 1}),
    "last batch dropped": Case({"remainder": "drop", "batch_size": 48, "maximum_steps": 11}),
    "all rows trained on": Case({"validation_fraction": 0.0, "seed": 6}),
    "momentum and schedule": Case({"optimizer": MOMENTUM}),
    "pipelined 2": Case(pipelined(2)),
    "pipelined 4": Case(pipelined(4)),
    "local updates": Case(local()),
    "local updates, all rows count": Case(local(window=1, minimum_cosine=None)),
    "local updates, pipelined 3": Case({**local(), **pipelined(3)}),
    "early stopping, best epoch first": Case({**LONG, **WORST}),
    "early stopping, pipelined 2": Case({**LONG, **BEST, **pipelined(2), "optimizer": {"learning_rate": 0.05}}),
    "resumed, coordinator and alice killed": Case(LONG, "coordinator and alice killed"),
    "resumed, label party killed": Case({**LONG, **pipelined(2)}, "label party killed"),
    "resumed, all killed, error feedback, pipelined 3, local updates": Case(
        {**LONG, **BOTH_TOPK, **pipelined(3), **local(), "early_stopping": {"patience": 9}}, "all killed"
    ),
}
TWO_PARTIES = {
    "alice": {"model": DEEPFM},
    "bob": {"model": DEEPFM, "fuse": {"kind": "deepfm", "units": [8]}, "policy": EXACT},
}
FEDERATIONS = {
    "schedules": Federation(SCHEDULE_CASES, features("alice", "bob"), TWO_PARTIES),
    "codecs": Federation(CODEC_CASES, features("alice", "bob"), TWO_PARTIES),
    "three parties": Federation(
        {
            "synchronous": Case(),
            "pipelined 4": Case(pipelined(4)),
            "local updates, pipelined 2": Case({**local(), **pipelined(2)}),
            "codec, error feedback": Case(codecs(FED_BACK["topk"], FED_BACK["int8"])),
            "early stopping": Case({**LONG, **WORST}),
            "resumed, coordinator and alice killed": Case({**LONG, **BOTH_TOPK}, "coordinator and alice killed"),
        },
        features("alice", "bob", "charlie"),
        {
            **{name: {"model": {**DEEPFM, "dropout": 0.1}} for name in ("alice", "charlie")},
            "bob": {"model": DEEPFM, "fuse": {"kind": "deepfm", "units": [8, 4], "dropout": 0.2}},
        },
    ),
    "label party without features": Federation(
        {
            "synchronous": Case(),
            "pipelined 2, error feedback": Case({**pipelined(2), **codecs(FED_BACK["int8"], FED_BACK["int4"])}),
            "local updates": Case(local()),
        },
        features("alice", "bob", "charlie", bob=[]),
        {
            "alice": {"model": DNN},
            "bob": {"fuse": {"kind": "dnn", "units": [6]}},
            "charlie": {"model": {**DNN, "units": [6], "activation": "gelu"}},
        },
        data={"labels": {"minutes": {"kind": "regression", "column": "minutes"}}},
    ),
    "own models": Federation(
        {
            "synchronous": Case(),
            "pipelined 4": Case(pipelined(4)),
            "local updates": Case(local()),
            "resumed, coordinator stopped": Case({**LONG, **BEST}, "coordinator stopped"),
        },
        features("alice", "bob"),
        {"alice": {"model": OWN_BASE}, "bob": {"model": OWN_BASE, "fuse": OWN_FUSE}},
    ),
    "sequences and experts": Federation(
        {
            "synchronous": Case(),
            "pipelined 2": Case(pipelined(2)),
            "codec, error feedback": Case(codecs(FED_BACK["int4"], FED_BACK["randomk"])),
            "local updates": Case(local()),
            "resumed, all killed": Case(LONG, "all killed"),
        },
        features("alice", "bob", bob=[FILM, SEEN]),
        {
            "alice": {"model": DNN, "optimizer": {"name": "adagrad", "learning_rate": 0.05}},
            "bob": {"model": BST, "fuse": MMOE},
        },
        data={"labels": LABELS, "sample_weight": "weight"},
    ),
    "classes and dropout": Federation(
        {"synchronous": Case(predicted=("test", "future")), "pipelined 2": Case(pipelined(2))},
        features("alice", "bob"),
        {
            "alice": {"model": {**DNN, "dropout": 0.3}},
            "bob": {"model": {**DNN, "activation": "elu"}, "fuse": {"kind": "dnn", "units": [8], "dropout": 0.3}},
        },
        data={"labels": {"mood": MOOD, "liked": LIKED}},
    ),
}


def all_cases():
    """Returns the names of all cases, each prefixed with the name of its federation."""
    return [f"{name}: {case}" for name, federation in FEDERATIONS.items() for case in federation.cases]
