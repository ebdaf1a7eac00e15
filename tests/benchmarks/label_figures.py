"""How the told AUC of private labels compares with that of true ones: `python -m tests.benchmarks.label_figures`."""

import numpy as np

from party.metrics.area_under_curve import area_under_curve
from party.metrics.corrected_figures import UNKNOWN, DrawnClasses
from party.privacy.replacement import replacement_probability

REPETITIONS = 1000
EPSILONS = (0.5, 1.0, 2.0)
ROWS = ((5000, 0.5), (20_000, 0.25), (16_000, 0.04), (64_000, 0.04))
DISTANCE = 1.2  # of the scores of the two classes, in deviations: an AUC of about 0.8


def repeated(truth, scores, epsilon, generator):
    """Values and errors of all draws for which an area is told."""
    replacement = replacement_probability(epsilon, 2)
    told = []
    for _ in range(REPETITIONS):
        replaced = generator.random(len(truth)) < replacement
        drawn = np.where(replaced, generator.integers(0, 2, len(truth)), truth).astype(np.float32)
        figure = DrawnClasses(drawn, replacement).area(scores)
        if figure != UNKNOWN:
            told.append((figure.value, figure.error))
    return np.array(told).T


def main():
    print("| ε | rows | positive | true AUC | told in | mean | deviation | stated error |")
    print("|---|---|---|---|---|---|---|---|")
    for epsilon in EPSILONS:
        for rows, share in ROWS:
            generator = np.random.default_rng(0)
            truth = (np.arange(rows) < round(rows * share)).astype(np.float32)
            scores = generator.normal(truth * DISTANCE, 1.0)
            values, errors = repeated(truth, scores, epsilon, generator)
            print(
                f"| {epsilon:g} | {rows:,} | {100 * share:.0f} % | {area_under_curve(scores, truth):.3f}"
                f" | {100 * len(values) / REPETITIONS:.0f} % | {values.mean():.3f} | {values.std():.3f}"
                f" | {errors.mean():.3f} |"
            )


if __name__ == "__main__":
    main()
