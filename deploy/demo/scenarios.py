"""Scenarios: features, models and training of two companies for every prepared data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.histories import HISTORY, SEPARATOR

Section = dict[str, object]

HISTORY_LENGTH = 20


@dataclass(frozen=True)
class Company:
    """The part of a party's file that depends on the scenario.

    Attributes:
        features: value of `data.features`.
        model: section of the base model; None for the default.
    """

    features: list[Section]
    model: Section | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The part of a federation that depends on its data.

    Attributes:
        companies: by party name, ascending.
        label_party: name of the label party.
        labels: value of `data.labels`.
        fuse: section of the fuse model; None for the default.
        extension: of the data files.
        training: keys of the run's training section.
    """

    companies: Mapping[str, Company]
    label_party: str
    labels: Section
    fuse: Section | None = None
    extension: str = "csv"
    training: Section = field(default_factory=dict)


USERS: list[Section] = [
    {"column": "UserID", "kind": "vocabulary"},
    {"column": "Gender", "kind": "vocabulary"},
    {"column": "Age", "kind": "integer_buckets", "boundaries": [18, 25, 35, 45, 50, 56]},
    {"column": "Occupation", "kind": "vocabulary"},
    {"column": "Zip-code", "kind": "hash", "buckets": 1000, "salt": "zip"},
]
FILMS: list[Section] = [
    {"column": "MovieID", "kind": "vocabulary"},
    {"column": "Title", "kind": "vocabulary"},
    {"column": "Genres", "kind": "multi_hot", "separator": "|"},
    {"column": "Timestamp", "kind": "numeric"},
]
FILM_HISTORY: Section = {
    "column": HISTORY,
    "kind": "sequence",
    "separator": SEPARATOR,
    "maximum_length": HISTORY_LENGTH,
    "target": "MovieID",
}
LIKED: Section = {"liked": {"rule": "Rating > 3"}}

DEEPFM = Scenario(companies={"alice": Company(USERS), "bob": Company(FILMS)}, label_party="bob", labels=LIKED)

BST = Scenario(
    companies={
        "alice": Company(USERS, {"kind": "dnn"}),
        "bob": Company(
            [*FILMS, FILM_HISTORY],
            {"kind": "bst", "embedding_dimension": 16, "heads": 4, "pooling": "target_attention"},
        ),
    },
    label_party="bob",
    labels=LIKED,
    fuse={"kind": "dnn"},
)

ADULT = Scenario(
    companies={
        "alice": Company(
            [
                {"column": "workclass", "kind": "vocabulary"},
                {"column": "fnlwgt", "kind": "numeric"},
                {"column": "education", "kind": "vocabulary"},
                {"column": "education_num", "kind": "numeric"},
                {"column": "relationship", "kind": "vocabulary"},
                {"column": "race", "kind": "vocabulary"},
                {
                    "column": "capital_gain",
                    "kind": "integer_buckets",
                    "boundaries": [1, 3000, 5000, 7000, 10000, 20000],
                },
                {"column": "capital_loss", "kind": "integer_buckets", "boundaries": [1, 1500, 1700, 1850, 2000, 2300]},
                {"column": "hours_per_week", "kind": "integer_buckets", "boundaries": [20, 35, 40, 41, 50, 60]},
            ],
            {"kind": "dnn", "embedding_dimension": 8, "units": [64, 32]},
        ),
        "bob": Company(
            [
                {
                    "column": "age",
                    "kind": "integer_buckets",
                    "boundaries": [20, 23, 26, 30, 35, 40, 45, 50, 55, 60, 65],
                },
                {"column": "sex", "kind": "vocabulary"},
                {"column": "occupation", "kind": "vocabulary"},
                {"column": "native_country", "kind": "vocabulary"},
            ],
            {"kind": "dnn", "embedding_dimension": 8, "units": [64, 32]},
        ),
    },
    label_party="alice",
    labels={
        "income": {"rule": "income == >50K"},
        "never_married": {"rule": "marital_status == Never-married"},
    },
    fuse={"kind": "mmoe"},
    extension="parquet",
    training={"epochs": 10, "batch_size": 256},
)

BANK = Scenario(
    companies={
        "alice": Company(
            [
                {"column": "balance", "kind": "numeric"},
                {"column": "default", "kind": "vocabulary"},
                {"column": "housing", "kind": "vocabulary"},
                {"column": "loan", "kind": "vocabulary"},
                {"column": "contact", "kind": "vocabulary"},
                {"column": "day", "kind": "vocabulary"},
                {"column": "month", "kind": "vocabulary"},
                {"column": "duration", "kind": "numeric"},
                {"column": "campaign", "kind": "integer_buckets", "boundaries": [1, 2, 3, 4, 6, 10]},
                {"column": "pdays", "kind": "integer_buckets", "boundaries": [0, 90, 180, 270, 365]},
                {"column": "previous", "kind": "integer_buckets", "boundaries": [1, 2, 3, 5]},
                {"column": "poutcome", "kind": "vocabulary"},
            ],
            {"kind": "dnn", "embedding_dimension": 8, "units": [64, 16]},
        ),
        "bob": Company(
            [
                {"column": "age", "kind": "integer_buckets", "boundaries": [25, 30, 35, 40, 45, 50, 55, 60]},
                {"column": "job", "kind": "vocabulary"},
                {"column": "marital", "kind": "vocabulary"},
                {"column": "education", "kind": "vocabulary"},
            ],
            {"kind": "dnn", "embedding_dimension": 8, "units": [32, 16]},
        ),
    },
    label_party="alice",
    labels={"subscribes": {"rule": "y == yes"}},
    fuse={"kind": "dnn", "units": [32]},
    training={"epochs": 10, "batch_size": 64},
)

TABLE_USERS: Section = {"id": "UserID", "features": USERS}
TABLE_FILMS: Section = {"id": "MovieID", "features": [FILMS[1], FILMS[2]]}
RATINGS: Section = {"features": [FILMS[0], FILMS[3]], "labels": LIKED}
