"""Whether bytes look uniform."""

import numpy as np

BYTE_VALUES = 256
# Of uniform bytes, chi-square with 255 degrees of freedom (mean 255, deviation 22.6) exceeds this once in 10^8 times.
MOST_CHI_SQUARE = 406.0


def chi_square(data):
    """Distance of the counts of all bytes from uniform ones."""
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=BYTE_VALUES)
    expected = len(data) / BYTE_VALUES
    return float(((counts - expected) ** 2 / expected).sum())
