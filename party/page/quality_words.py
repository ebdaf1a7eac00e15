"""What a model cannot learn from in a dataset, in words for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from party.output.quantities import counted

OTHER = "other"  # a kind that this version does not know
WORDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "dead": ("has missing cells only", "have missing cells only"),
        "constant": ("is constant", "are constant"),
        "identifier": ("looks like an id", "look like ids"),
        "unknown": ("has many unknown cells", "have many unknown cells"),
        "missing_differs": ("is missing more or less often", "are missing more or less often"),
        "numbers_differ": ("has other numbers", "have other numbers"),
        "values_differ": ("has other values", "have other values"),
        OTHER: ("has something else", "have something else"),
    }
)
DIFFERING = ("missing_differs", "numbers_differ", "values_differ")
THAN = " than in the dataset that is trained on"
NOTHING_AMISS = "nothing amiss"


def warned_features(kind: str, features: int) -> str:
    """How many features have which fault, such as `2 features are constant`.

    Args:
        kind: of the fault; others than those of WORDS are something else.
        features: number of features, at least 1.
    """
    one, several = WORDS.get(kind, WORDS[OTHER])
    than = THAN if kind in DIFFERING else ""
    return f"{counted(features, 'feature')} {one if features == 1 else several}{than}"


def all_warned_features(warnings: Mapping[str, int]) -> str:
    """All faults of a dataset in one text.

    Args:
        warnings: number of features by kind.
    """
    return "; ".join(warned_features(kind, features) for kind, features in warnings.items()) or NOTHING_AMISS
