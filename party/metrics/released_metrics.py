"""How a figure over many rows is rounded before a coordinator may see it.

A figure is released in three steps:

1. Its *bound* is the most by which it changes when one row, with its label and its outputs, is replaced by another.
   Whoever computes the figure must ensure it: losses of rows are clipped, and a mean over n rows of values between 0
   and B changes by at most B / n.
2. The *step* g of its grid is the least of 1, 2 or 5 times a power of ten that is worth at least eight rows and at
   least √n / 8 rows. That is about the figure's own standard error: digits below it say nothing about a model. The
   figure x is rounded at random to one of the two multiples of g around it, more likely to the nearer one: to
   g ⌊x / g + u⌋, with u between 0 and 1. Every pass has its own draw: if equal figures of two passes shared one, an
   observer who keeps all other rows fixed would see from a changed release that a row has changed. The draw derives
   from a key that only the label party has, from the name of the pass and from the exact figure, so that asking again
   for the figure of a pass returns the same number.
3. The result is rounded to three significant digits.

What a release reveals about one row: whatever else an observer knows, replacing one row changes the distribution of
the released figure, in total variation, by at most bound / g ≤ min(⅛, 8 / √n). No observer can infer the label of a
row from one figure with a greater advantage over guessing than that: 0.125 up to 4,096 rows, 0.08 at 10,000. Rounding
to the nearest multiple would bound nothing: an attacker who chooses outputs so that the figure lies between two
multiples reads one label from each figure. About all rows together, one figure reveals at most the logarithm of the
number of its values: a mean between 0 and B has at most 2 + min(n / 8, 8 √n) of them, so 5.4 bits at 320 rows and
9.7 bits at 10,000.

Releases add up. The epochs of a run pass over the same rows again and again: from FEW_PASSES on, the step is
√(passes / FEW_PASSES) times as wide, so that all passes together reveal about as much as FEW_PASSES. The number of
evaluations and runs has to be limited separately.

Many passes over few rows make the step so wide that its multiples say nothing of a model, or lie outside what the
figure can be at all. A figure whose step exceeds WIDEST_STEP of its span is withheld: nothing but its name is released.
Step and span follow from the numbers of rows and passes and, as above, from coarse counts of classes or groups and from
the scale of numeric labels. The step of a released figure shows these already, so that withholding one shows nothing
that releasing it would not.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from party.metrics.bounded_figures import BoundedFigure
from party.metrics.grid import grid_step, is_too_wide, step_above
from party.metrics.groups import Groups

UNIFORM_BITS = 53  # of a float64

Uniform = Callable[[float], float]
Draws = Callable[[str], Uniform]
FloatArray = npt.NDArray[np.float32]
Figures = Mapping[str, float]
Released = Mapping[str, float | None]  # None for a figure that is withheld


class Bounded(Protocol):
    """Computes figures with their bounds, by name."""

    def __call__(
        self, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Mapping[str, BoundedFigure]:
        """Computes them from the rows of a pass, as a `Releaser` gets them; NaN where a figure is undefined."""


class Releaser(Protocol):
    """Computes the figures of a pass that a coordinator may see."""

    def __call__(
        self, name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Released:
        """Computes the released figures by name; NaN where one is undefined, None where its step would tell nothing.

        Args:
            name: name of the pass.
            outputs: float32 (rows, outputs).
            labels: float32 (rows, labels).
            exact: exact figures by name.
            groups: number of each row's group by column, int32 (rows, columns); None if no metric has groups.
        """


def release_figure(figure: BoundedFigure, rows: int, uniform: Uniform, passes: int = 1) -> float:
    """Rounds one figure for a coordinator.

    Args:
        figure: the figure, finite.
        rows: number of rows that the figure is computed over.
        uniform: maps the exact figure to a number in [0, 1) that a coordinator cannot predict.
        passes: number of passes over the same rows that may be released.

    Returns:
        A multiple of the step of the figure's grid, with at most SIGNIFICANT_DIGITS digits; of a root, with no more
        digits than its released square has.
    """
    step = grid_step(figure.bound, rows, passes)
    released = step.multiple(math.floor(figure.value / step.size + uniform(figure.value)))
    if not figure.root:
        return released
    # A function of `released` alone reveals no more than it does. Its digits are those that one step changes.
    root = math.sqrt(max(0.0, released))
    coarse = step_above(math.sqrt(max(0.0, released) + step.size) - root)
    return coarse.multiple(round(root / coarse.size))


def secret_draws(key: bytes) -> Draws:
    """Makes a pseudorandom function of passes and figures.

    Args:
        key: 32 bytes that no coordinator and no peer knows.

    Returns:
        A function from the name of a pass and a figure to a number in [0, 1). To anybody without the key its values
        look independent and uniform.
    """

    def of_pass(name: str) -> Uniform:
        own = hmac.new(key, name.encode(), hashlib.sha256).digest()

        def draw(figure: float) -> float:
            digest = hmac.new(own, struct.pack("<d", figure), hashlib.sha256).digest()
            return math.ldexp(int.from_bytes(digest[:8], "little") >> (64 - UNIFORM_BITS), -UNIFORM_BITS)

        return draw

    return of_pass


def of_events(bounded: Bounded, rows: int, spread: Collection[str] = ()) -> Bounded:
    """Figures whose bounds hold for a row of a file together with the negatives that were sampled for it.

    Args:
        bounded: computes figures with their bounds for one row; those with other units stay.
        rows: number of rows of an event: its own and its negatives.
        spread: names of figures of groups whose columns differ between the rows of an event, as those of its item do:
            an event then moves as many groups as it has rows.
    """

    def of_all_rows(
        outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Mapping[str, BoundedFigure]:
        events = max(1, len(outputs) // rows)
        return {
            name: replace(one, bound=one.bound * rows, units=one.units or events)
            if one.units is None or name in spread
            else one
            for name, one in bounded(outputs, labels, exact, groups=groups).items()
        }

    return of_all_rows


def release_rounded(bounded: Bounded, draws: Draws, passes: int = 1) -> Releaser:
    """Makes a releaser that rounds the figures whose bound is known; the others it leaves out.

    Args:
        bounded: computes figures with their bounds.
        draws: from `secret_draws`.
        passes: number of passes over the same rows that may be released.

    Returns:
        The releaser.
    """

    def release(
        name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
    ) -> Released:
        figures, uniform = bounded(outputs, labels, exact, groups=groups), draws(name)
        return {key: _released(one, one.units or len(outputs), uniform, passes) for key, one in figures.items()}

    return release


def _released(figure: BoundedFigure, rows: int, uniform: Uniform, passes: int) -> float | None:
    if math.isnan(figure.value):
        return math.nan
    if is_too_wide(grid_step(figure.bound, rows, passes), figure.span):
        return None
    return release_figure(figure, rows, uniform, passes)


def release_exactly(
    name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
) -> Released:
    """The releaser that passes all figures on unchanged, which an owner may choose."""
    return exact


def release_nothing(
    name: str, outputs: FloatArray, labels: FloatArray, exact: Figures, *, groups: Groups | None = None
) -> Released:
    """The releaser that withholds every figure: the default where no policy allows more."""
    return {}
