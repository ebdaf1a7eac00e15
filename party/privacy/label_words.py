"""What the privacy of labels means, in words for their owner."""

from __future__ import annotations

import math
from collections.abc import Iterator

from party.configuration.labels import Labels
from party.configuration.private_labels import epsilon_of_a_row
from party.privacy.label_mechanism import LabelMechanism


def label_privacy_lines(labels: Labels) -> Iterator[str]:
    """Says what the configured epsilons mean for somebody who guesses labels.

    Args:
        labels: labels by name.

    Yields:
        A line for each label, then two for all labels of a row; nothing without private labels.
    """
    total = epsilon_of_a_row(labels)
    if total is None:
        return
    mechanism = LabelMechanism(labels)
    for (name, label), (replacement, symbols) in zip(labels.items(), mechanism.replacements.values(), strict=True):
        true = 100 * (1 - replacement + replacement / symbols)
        what = "level of the number" if label.kind == "regression" else "label"
        epsilon = "" if label.privacy is None else f"epsilon {label.privacy.epsilon:g}, "
        yield f"label {name}, private: {epsilon}the drawn {what} is the true one of {symbols} in {true:.1f} % of rows"
    together = f", classes drawn as one of {mechanism.joint_symbols} symbols" if mechanism.joint_symbols else ""
    yield f"labels of a row together: epsilon {total:g} over all epochs and runs{together}"
    guess = 100 / (1 + math.exp(-total))
    yield (
        "who hesitates evenly between two values of a row's labels, whatever else they know, guesses right with at most"
        f" {guess:.1f} %; each further generation of draws adds {total:g} to epsilon"
    )
