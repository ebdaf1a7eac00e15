"""Metrics straight from their definitions: one row, one pair, one order at a time, in plain Python."""

import itertools
import math


def by_group(scores, labels, groups):
    """The rows of each group as pairs of a score and a label; an empty name is no group."""
    rows = {}
    for score, label, group in zip(scores, labels, groups, strict=True):
        if group not in ("", -1):
            rows.setdefault(group, []).append((float(score), float(label)))
    return list(rows.values())


def area(rows):
    """The share of pairs of a positive and a negative row that are in order, ties half; None without pairs."""
    pairs = [(p, n) for p, one in rows if one for n, other in rows if not other]
    return sum(1.0 if p > n else 0.5 if p == n else 0.0 for p, n in pairs) / len(pairs) if pairs else None


def grouped_area(scores, labels, groups):
    found = [(area(rows), len(rows)) for rows in by_group(scores, labels, groups)]
    counted = [(one, size) for one, size in found if one is not None]
    return sum(one * size for one, size in counted) / sum(size for _, size in counted) if counted else math.nan


def over_orders(rows, figure):
    """The mean of a figure of an order of labels, over all orders that the scores allow."""
    blocks = [
        [label for _, label in block] for _, block in itertools.groupby(sorted(rows, reverse=True), lambda one: one[0])
    ]
    orders = [list(itertools.chain(*one)) for one in itertools.product(*map(itertools.permutations, blocks))]
    return sum(map(figure, orders)) / len(orders)


def mean_of_groups(scores, labels, groups, figure):
    counted = [rows for rows in by_group(scores, labels, groups) if any(label for _, label in rows)]
    return sum(over_orders(rows, figure) for rows in counted) / len(counted) if counted else math.nan


def hit_rate(scores, labels, groups, k):
    return mean_of_groups(scores, labels, groups, lambda order: float(any(order[:k])))


def gain(order, k):
    return sum(label / math.log2(place + 2) for place, label in enumerate(order[:k]))


def discounted_gain(scores, labels, groups, k):
    return mean_of_groups(scores, labels, groups, lambda order: gain(order, k) / gain(sorted(order, reverse=True), k))


def average_precision(scores, labels):
    """The sum over thresholds of the recall that each adds, times the precision there."""
    positives, total, before = sum(labels), 0.0, 0.0
    if not positives:
        return math.nan
    for threshold in sorted(set(scores), reverse=True):
        taken = [label for score, label in zip(scores, labels, strict=True) if score >= threshold]
        recall = sum(taken) / positives
        total += (recall - before) * sum(taken) / len(taken)
        before = recall
    return total


def calibration_error(probabilities, right, bins=15):
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            (p, y) for p, y in zip(probabilities, right, strict=True) if low < p <= high or (number == 0 and p == 0)
        ]
        if inside:
            distance = sum(y for _, y in inside) / len(inside) - sum(p for p, _ in inside) / len(inside)
            total += abs(distance) * len(inside)
    return total / len(probabilities)
