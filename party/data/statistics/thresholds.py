"""From where on a dataset deserves a warning; docs/configuration.md states each of them."""

from __future__ import annotations

FEWEST_ROWS = 50  # of a dataset, for any warning but that all cells are missing
UNKNOWN_SHARE = 0.2  # of a dataset's cells
ID_SHARE = 0.95  # distinct values by cells
FEWEST_IDS = 100  # cells that hold a value
ID_SPACING = 2  # whole numbers lie as close as ids if their range is at most so many times their count
OUTLIER_RANGES = 3.0  # interquartile ranges beyond the quartiles
MISSING_DIFFERENCE = 0.1  # of two shares
LABEL_DIFFERENCE = 0.1  # of two shares
MEAN_SHIFT = 0.5  # deviations of the training rows
DISTRIBUTION_DISTANCE = 0.35  # total variation
STANDARD_ERRORS = 5.0  # that a difference must exceed
CHANCE = 1e-6  # with which two samples of one distribution may differ as much
ROWS_PER_VALUE = 10  # of a value that determines a label
EXACT_FIT = 1e-6  # share of a label's variance that a number may leave open if it determines the label
