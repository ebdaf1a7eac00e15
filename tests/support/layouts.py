"""Layouts of models, for tests without named features."""

from party.configuration.labels import BinaryLabel
from party.configuration.layout import BaseLayout, FeatureLayout

LABELS = {"liked": BinaryLabel(rule="rating > 3")}


def layout_of(section, widths, size):
    """Returns the layout of a base model over features of the given widths."""
    starts = [sum(widths[:place]) for place in range(len(widths))]
    features = tuple(
        FeatureLayout(
            name=f"feature{place}", kind="vocabulary" if width == 1 else "multi_hot", start=start, width=width
        )
        for place, (start, width) in enumerate(zip(starts, widths, strict=True))
    )
    return BaseLayout(section=section, features=features, size=size)
