"""Draws symbols by id: the same id gets the same answer in every epoch, run and dataset."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from party.privacy.replacement import event_horizon
from party.security.framing import length_prefixed

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]

SECRET_BYTES = 32
EVENTS_PER_BLOCK = 4
_BLOCK_BYTES = 16 * EVENTS_PER_BLOCK  # an interval and a symbol, 64 bits each; the largest digest of BLAKE2b
_EVENTS, _ROUNDING = b"vsl/1 events\0", b"vsl/1 rounding\0"
_DRAWN_TOGETHER = 1 << 16  # rows
_UNIFORM_BITS = 53  # of a float64


class SymbolDraws:
    """The symbol mechanism: keeps a value, or replaces it by a uniform symbol.

    Each id has a sequence of events in time, a Poisson process of rate 1, and every event has a uniform symbol. The
    last event before the time that belongs to ε decides; without any, the true symbol stays. A smaller ε waits longer.
    So all answers for one id at several ε are steps of one Markov chain that begins at the answer with the largest ε:
    together they cost the largest ε, not the sum.

    Args:
        secret: 32 bytes that only this party knows.
        generation: counts the tables of true values; another generation draws independently.
        name: what is drawn, such as a label or a column.

    Raises:
        ValueError: the secret has another length.

    Reference:
        Koufogiannis, Han and Pappas, "Gradual Release of Sensitive Data under Differential Privacy", arXiv 1504.00429.
    """

    def __init__(self, secret: bytes, generation: int, name: str) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError("the secret must have 32 bytes")
        self._secret = secret
        self._domain = length_prefixed([str(generation).encode(), name.encode()])

    def draw(self, ids: Iterable[str], symbols: IntArray, alphabet: int, epsilon: float) -> IntArray:
        """Draws a symbol for every row.

        Args:
            ids: id of each row; rows of one id must have one symbol.
            symbols: true symbols from 0 to `alphabet` − 1, int64 (rows,).
            alphabet: number of symbols; another number draws independently.
            epsilon: privacy loss of one id.

        Returns:
            The drawn symbols, int64 (rows,).

        Raises:
            ValueError: a symbol is not in the alphabet.
        """
        symbols = np.asarray(symbols, np.int64)
        if len(symbols) and (symbols.min() < 0 or symbols.max() >= alphabet):
            raise ValueError("a symbol is not in the alphabet")
        horizon, drawn, start = event_horizon(epsilon, alphabet), symbols.copy(), 0
        for encoded in _encoded(ids):
            block = drawn[start : start + len(encoded)]
            block[:] = self._after_events(encoded, block, alphabet, horizon)
            start += len(encoded)
        if start != len(symbols):
            raise ValueError("every symbol needs an id")
        return drawn

    def _after_events(self, ids: npt.NDArray[np.object_], symbols: IntArray, alphabet: int, horizon: float) -> IntArray:
        """What the events before a time make of the symbols of some rows, int64 (rows,)."""
        drawn, times = symbols.copy(), np.zeros(len(symbols))
        open_rows, block = np.arange(len(symbols)), 0
        while len(open_rows):
            numbers = self._numbers(_EVENTS + str(alphabet).encode(), ids[open_rows], block)
            for event in range(EVENTS_PER_BLOCK):
                times[open_rows] += -np.log(_uniform(numbers[:, 2 * event]))
                due = times[open_rows] < horizon
                chosen = np.minimum((_uniform(numbers[:, 2 * event + 1]) * alphabet).astype(np.int64), alphabet - 1)
                drawn[open_rows[due]] = chosen[due]
                open_rows, numbers = open_rows[due], numbers[due]
            block += 1
        return drawn

    def uniforms(self, ids: Iterable[str]) -> DoubleArray:
        """One number in (0, 1) for every row, for rounding at random; the same id gets the same number.

        Args:
            ids: id of each row.

        Returns:
            float64 (rows,).
        """
        parts = [_uniform(self._numbers(_ROUNDING, encoded, 0)[:, 0]) for encoded in _encoded(ids)]
        return np.concatenate([*parts, []])

    def _numbers(self, what: bytes, ids: npt.NDArray[np.object_], block: int) -> npt.NDArray[np.uint64]:
        """Pseudorandom numbers of a block, uint64 (rows, 2 · EVENTS_PER_BLOCK)."""
        start = hashlib.blake2b(self._domain + length_prefixed([what, str(block).encode()]), key=self._secret)
        digests = bytearray()
        for one in ids:
            digest = start.copy()
            digest.update(one)  # the last field: needs no length
            digests += digest.digest()
        return np.frombuffer(digests, "<u8").reshape(len(ids), _BLOCK_BYTES // 8)


def _encoded(ids: Iterable[str]) -> Iterator[npt.NDArray[np.object_]]:
    """The ids in UTF-8, some at a time: what is drawn of a row depends on no other."""
    waiting = iter(ids)
    while block := [one.encode() for one in itertools.islice(waiting, _DRAWN_TOGETHER)]:
        yield np.array(block, dtype=object)


def _uniform(numbers: npt.NDArray[np.uint64]) -> DoubleArray:
    """Numbers in (0, 1), never 0 and never 1."""
    shift = np.uint64(64 - _UNIFORM_BITS)
    return ((numbers >> shift).astype(np.float64) + 0.5) * 2.0**-_UNIFORM_BITS
