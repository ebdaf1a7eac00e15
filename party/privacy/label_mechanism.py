"""Draws the labels of a row at random: as one symbol for all classes together, or each by itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from party.configuration.labels import AnyLabel, BinaryLabel, Labels, MultiClassLabel, RegressionLabel
from party.privacy.levels import Levels
from party.privacy.replacement import replacement_probability
from party.privacy.symbol_draws import SymbolDraws

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

# Of a joint symbol: with 53 bits of a draw, the probabilities of so many symbols are equal within 2^-21.
LARGEST_ALPHABET = 1 << 32
_JOINT = "labels"


class LabelMechanism:
    """The mechanism for all labels of a row.

    All labels with classes are drawn together, as one of K symbols at the sum of their epsilons, K being the product of
    their numbers of classes, if this changes none of them more often than drawing it by itself at its own epsilon.
    Otherwise each is drawn by itself. A number is always drawn by itself. Either way the labels of a row lose at most
    the sum of all epsilons.

    Args:
        labels: labels by name, all of them private.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = dict(labels)
        self._epsilons = [_epsilon(label) for label in labels.values()]
        self._levels = {place: _levels(one) for place, one in enumerate(labels.values()) if _is_number(one)}
        self._classes = [place for place in range(len(labels)) if place not in self._levels]
        self._sizes = [_class_count(label) for label in labels.values()]
        epsilons, sizes = [self._epsilons[one] for one in self._classes], [self._sizes[one] for one in self._classes]
        self._together = draws_together(epsilons, sizes)
        self._joint_epsilon = _sum(epsilons)

    @property
    def epsilon(self) -> float:
        """Privacy loss of all labels of a row together."""
        return _sum(self._epsilons)

    @property
    def replacements(self) -> Mapping[str, tuple[float, int]]:
        """How each label is drawn, in the order of the labels.

        A uniform one of so many classes, or levels of a number, replaces the true one with this probability.
        """
        return {name: self._replacement_of(place) for place, name in enumerate(self._labels)}

    @property
    def joint_symbols(self) -> int:
        """Number of symbols of the labels that are drawn together; 0 if each is drawn by itself."""
        return math.prod(self._sizes[place] for place in self._classes) if self._together else 0

    @property
    def form(self) -> bytes:
        """All that draws depend on besides secret, generation, ids and values; another form draws independently.

        Two mechanisms of one form differ by a common factor of all epsilons at most, so that draws with the larger
        ones determine those with the smaller ones. The names of labels do not matter.
        """
        content = {
            "together": self._together,
            "labels": [_description(label) for label in self._labels.values()],
            "levels": [levels.count for levels in self._levels.values()],
            "shares": [str(_exact(one) / _exact(self.epsilon)) for one in self._drawn_epsilons],
        }
        return json.dumps(content, sort_keys=True).encode()

    def draw(self, values: FloatArray, ids: Iterable[str], *, secret: bytes, generation: int) -> FloatArray:
        """Draws the labels of rows.

        Args:
            values: true labels, float32 (rows, labels); for classes their indices.
            ids: id of each row; they are gone through several times.
            secret: 32 bytes that only this party knows.
            generation: of the draws; it belongs to `form` alone.

        Returns:
            Drawn classes, and targets whose expectation is the true number; float32 (rows, labels).
        """
        drawn = np.empty_like(values)
        if self._together:
            shape = tuple(self._sizes[place] for place in self._classes)
            truth: IntArray = np.asarray(
                np.ravel_multi_index(tuple(values[:, self._classes].astype(np.int64).T), shape)
            )
            draws = SymbolDraws(secret, generation, _JOINT)
            joint = draws.draw(ids, truth, self.joint_symbols, self._joint_epsilon)
            drawn[:, self._classes] = np.stack(np.unravel_index(joint, shape), axis=1)
        for place in range(len(self._labels)):
            draws = SymbolDraws(secret, generation, f"label {place}")
            epsilon, column = self._epsilons[place], values[:, place]
            if place in self._levels:
                levels = self._levels[place]
                symbols = levels.to_symbols(column.astype(np.float64), draws.uniforms(ids))
                drawn[:, place] = levels.debiased(draws.draw(ids, symbols, levels.count, epsilon))
            elif not self._together:
                drawn[:, place] = draws.draw(ids, column.astype(np.int64), self._sizes[place], epsilon)
        return drawn

    def _replacement_of(self, place: int) -> tuple[float, int]:
        if place in self._levels:
            return self._levels[place].replacement, self._levels[place].count
        size = self._sizes[place]
        if not self._together:
            return replacement_probability(self._epsilons[place], size), size
        return replacement_probability(self._joint_epsilon, self.joint_symbols), size

    @property
    def _drawn_epsilons(self) -> list[float]:
        """Epsilon of everything that is drawn by itself."""
        apart = [one for place, one in enumerate(self._epsilons) if place in self._levels or not self._together]
        return [self._joint_epsilon, *apart] if self._together else apart


def draws_together(epsilons: Sequence[float], sizes: Sequence[int]) -> bool:
    """Whether one symbol for several labels changes none of them more often than a symbol for each.

    A replaced joint symbol is uniform, and so is each label of it. It therefore changes a label of K_l classes with
    probability w(Σε, ΠK) (K_l − 1) / K_l, where a symbol of its own would with w(ε_l, K_l) (K_l − 1) / K_l.

    Args:
        epsilons: privacy loss of each label.
        sizes: number of classes of each.

    Returns:
        False with fewer than two labels, and with more than LARGEST_ALPHABET joint symbols.
    """
    alphabet = math.prod(sizes)
    if len(sizes) <= 1 or alphabet > LARGEST_ALPHABET:
        return False
    joint = replacement_probability(_sum(epsilons), alphabet)
    return all(joint <= replacement_probability(epsilon, size) for epsilon, size in zip(epsilons, sizes, strict=True))


def _sum(epsilons: Sequence[float]) -> float:
    """The sum of epsilons as they are written: .1 + .2 is .3."""
    return float(sum(map(_exact, epsilons)))


def _exact(epsilon: float) -> Fraction:
    return Fraction(repr(epsilon))


def _epsilon(label: AnyLabel) -> float:
    if label.privacy is None:
        raise ValueError("a label is not private")
    return label.privacy.epsilon


def _is_number(label: AnyLabel) -> bool:
    return isinstance(label, RegressionLabel)


def _class_count(label: AnyLabel) -> int:
    """Number of classes; 0 for a number."""
    match label:
        case BinaryLabel():
            return 2
        case MultiClassLabel():
            return len(label.classes)
    return 0


def _levels(label: AnyLabel) -> Levels:
    if not isinstance(label, RegressionLabel) or label.privacy is None:
        raise ValueError("the label is no private number")
    return Levels(label.privacy.minimum, label.privacy.maximum, label.privacy.epsilon)


def _description(label: AnyLabel) -> list[object]:
    """What a label's true values mean."""
    match label:
        case BinaryLabel():
            return [label.kind, *label.parts]
        case MultiClassLabel():
            return [label.kind, label.column, *label.classes]
        case RegressionLabel(privacy=privacy) if privacy is not None:
            return [label.kind, label.column, privacy.minimum, privacy.maximum]
    raise ValueError("the label is not private")
