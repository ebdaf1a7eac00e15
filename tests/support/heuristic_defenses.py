"""Protections of labels that other systems offer, applied to gradients that a party recorded."""

from dataclasses import dataclass, replace

import numpy as np

NOISE = 2.0  # standard deviation of Gaussian noise, in units of the norm that rows are clipped to
MARVELL_POWER = 4.0
GRID = 24


def max_norm(gradients, labels, generator):
    """Noise along each gradient, so that all have the norm of the largest one in expectation.

    Reference:
        Li et al. 2022, section 4.1.
    """
    squares = (gradients**2).sum(axis=1, keepdims=True)
    factor = np.sqrt(np.maximum(squares.max() / np.maximum(squares, 1e-30) - 1, 0))
    return gradients * (1 + factor * generator.standard_normal((len(gradients), 1)))


def gaussian(gradients, labels, generator):
    """Rows clipped to the median norm, then noise of NOISE times that norm in every column."""
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    bound = np.median(norms)
    clipped = gradients * np.minimum(1, bound / np.maximum(norms, 1e-30))
    scale = NOISE * bound
    return clipped + scale * generator.standard_normal(gradients.shape)


def marvell(gradients, labels, generator):
    """Noise of each class, along the difference of the class means and isotropic, that hides the classes best.

    The sum of both Kullback-Leibler divergences is minimised over a grid under the constraint on the noise's power.

    Reference:
        Li et al. 2022, section 4.2, theorem 2.
    """
    positive = labels == 1
    if not 0 < positive.sum() < len(labels):
        return gradients
    columns, share = gradients.shape[1], positive.mean()
    difference = gradients[positive].mean(axis=0) - gradients[~positive].mean(axis=0)
    squared = float(difference @ difference)
    variances = [float(gradients[one].var(axis=0).sum()) / columns + 1e-30 for one in (~positive, positive)]
    along, isotropic = _noise_variances(squared, variances, (1 - share, share), columns)
    unit = difference / np.sqrt(squared + 1e-30)
    noisy = gradients.copy()
    for place, members in enumerate((~positive, positive)):
        count = int(members.sum())
        noise = np.sqrt(isotropic[place]) * generator.standard_normal((count, columns))
        line = np.sqrt(max(0.0, along[place] - isotropic[place])) * generator.standard_normal((count, 1))
        noisy[members] += noise + line * unit
    return noisy


def _noise_variances(squared, variances, shares, columns):
    """Variances along and across the difference, of the negative and the positive class."""
    power, steps = MARVELL_POWER * squared, np.linspace(0, 1, GRID)
    split, first, second = np.meshgrid(steps, steps, steps, indexing="ij")  # power of a class, part of it that is along
    across, along = [], []
    for share, part, line in ((shares[0], 1 - split, first), (shares[1], split, second)):
        total = power * part / share
        across.append(total * (1 - line) / columns)
        along.append(total * (1 - line) / columns + total * line)
    (v, u), (b0, b1), (a0, a1) = variances, across, along
    divergence = (columns - 1) * ((b0 + v) / (b1 + u) + (b1 + u) / (b0 + v))
    divergence += (a0 + v + squared) / (a1 + u) + (a1 + u + squared) / (a0 + v)
    best = np.unravel_index(np.argmin(divergence), divergence.shape)
    return [one[best] for one in along], [one[best] for one in across]


DEFENSES = {"none": lambda gradients, labels, generator: gradients, "max_norm": max_norm, "Marvell": marvell}
DEFENSES["Gaussian noise"] = gaussian


@dataclass(frozen=True)
class Noisy:
    """Recorded hiddens with fresh Gaussian noise in every batch.

    Attributes:
        received: the recording.
        scale: standard deviation of the noise, in units of that of each column in its batch.
    """

    received: object
    scale: float
    seed: int = 0

    @property
    def header(self):
        return self.received.header

    def batches(self):
        for batch in self.received.batches():
            generator = np.random.default_rng((self.seed, batch.position))
            deviations = self.scale * batch.values.std(axis=0)
            values = batch.values + deviations * generator.standard_normal(batch.values.shape)
            yield replace(batch, values=values.astype(np.float32))


@dataclass(frozen=True)
class Defended:
    """Recorded gradients with a protection applied to every batch, of some epochs."""

    received: object
    labels: np.ndarray
    defense: object
    epochs: range
    seed: int = 0

    @property
    def header(self):
        return self.received.header

    def batches(self):
        for batch in self.received.batches():
            if batch.epoch in self.epochs:
                generator = np.random.default_rng((self.seed, batch.position))
                values = self.defense(batch.values.astype(np.float64), self.labels[batch.rows], generator)
                yield replace(batch, values=values.astype(np.float32))
