"""Where the numbers lie that a run learns, and how far they spread."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from party.configuration.labels import RegressionLabel
from party.configuration.layout import OutputScale
from party.data.kinds.scales import moments
from party.runtime.batch_setup import BatchSetup

DEVIATION_OF_UNIFORM = 1.0 / math.sqrt(12.0)  # of numbers that are spread evenly over a range of 1


def label_scales(setup: BatchSetup) -> Mapping[str, OutputScale]:
    """The scales of the numbers that a run learns.

    They are about labels, and stay at the label party: in the record of the run, and as constants of the model that it
    saves. Those of private labels follow from their declared bounds alone.

    Args:
        setup: the label party's setup of a session that trains.

    Returns:
        By label, mean and deviation over the training rows, or those that the bounds stand for; of a run that continues
        another, the scales of that one. Without the labels that are no numbers, or whose owner wants none.
    """
    if setup.continued is not None:
        former = setup.continued.record.fuse
        return {} if former is None else former.scales
    labels = setup.opening.context.configuration.data.labels
    return {
        name: _scale(setup, place, label)
        for place, (name, label) in enumerate(labels.items())
        if isinstance(label, RegressionLabel) and label.scale == "standard"
    }


def _scale(setup: BatchSetup, place: int, label: RegressionLabel) -> OutputScale:
    if label.privacy is not None:
        minimum, maximum = label.privacy.minimum, label.privacy.maximum
        return OutputScale(centre=(minimum + maximum) / 2, spread=(maximum - minimum) * DEVIATION_OF_UNIFORM)
    if setup.read_labels is None or setup.training is None:
        raise RuntimeError("a label party without labels to train on")
    numbers = setup.read_labels().true.values[setup.training.training_rows, place].astype(np.float64)
    mean, deviation = moments(*np.unique(numbers[~np.isnan(numbers)], return_counts=True))
    return OutputScale(centre=mean, spread=deviation)
