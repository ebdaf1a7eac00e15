import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from party.data.order import epoch_order, hold_out, permutation

KEYS = st.binary(min_size=32, max_size=32)
WORD = 2**64 - 1


def philox_words(key, count, counter=1):
    """Philox-4x64-10 as in the paper; NumPy's 256-bit counter starts at 1."""
    words = []
    while len(words) < count:
        block = [counter >> shift & WORD for shift in (0, 64, 128, 192)]
        keys = list(key)
        for _ in range(10):
            first = 0xD2E7470EE14C6C93 * block[0]
            second = 0xCA5A826395121157 * block[2]
            block = [
                second >> 64 ^ block[1] ^ keys[0],
                second & WORD,
                first >> 64 ^ block[3] ^ keys[1],
                first & WORD,
            ]
            keys = [keys[0] + 0x9E3779B97F4A7C15 & WORD, keys[1] + 0xBB67AE8584CAA73B & WORD]
        words.extend(block)
        counter += 1
    return words[:count]


def key_of(number):
    return number.to_bytes(32, "little")


def expected_permutation(key, stream, epoch, rows):
    message = b"vsl/1 order\x00" + key + stream.encode("utf-8") + epoch.to_bytes(8, "little")
    digest = hashlib.sha256(message).digest()
    words = philox_words((int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little")), rows)
    return sorted(range(rows), key=lambda row: words[row])


def test_the_oracle_gives_the_published_known_answers():
    # The vector of Random123 for counter and key zero, and the 10000th number that C++26 demands of std::philox4x64.
    assert philox_words((0, 0), 4, counter=0) == [
        0x16554D9ECA36314C,
        0xDB20FE9D672D0FDC,
        0xD7E772CEE186176B,
        0x7E68B68AEC7BA23B,
    ]
    assert philox_words((20111115, 0), 10000, counter=0)[-1] == 3409172418970261260


@given(KEYS, st.text(max_size=12), st.integers(0, 1000), st.integers(0, 40))
def test_permutation_equals_an_independent_philox(key, stream, epoch, rows):
    assert permutation(key, stream, epoch, rows).tolist() == expected_permutation(key, stream, epoch, rows)


@pytest.mark.parametrize(
    ("number", "stream", "epoch", "expected"),
    [
        (0, "shuffle", 0, [0, 8, 2, 6, 7, 3, 9, 4, 5, 1]),
        (0, "shuffle", 1, [2, 0, 4, 5, 6, 3, 7, 1, 9, 8]),
        (7, "hold out", 0, [3, 9, 0, 4, 8, 1, 5, 6, 7, 2]),
        (2**63 - 1, "shuffle", 3, [0, 9, 8, 4, 5, 1, 3, 6, 7, 2]),
    ],
)
def test_permutation_never_changes(number, stream, epoch, expected):
    assert permutation(key_of(number), stream, epoch, 10).tolist() == expected


@given(KEYS, st.integers(0, 100), st.integers(0, 500))
def test_permutation_holds_every_row_once(key, epoch, rows):
    order = permutation(key, "shuffle", epoch, rows)
    assert order.dtype == np.int32
    assert sorted(order.tolist()) == list(range(rows))


def test_key_stream_and_epoch_each_change_the_order():
    orders = [
        permutation(key_of(1), "shuffle", 0, 100),
        permutation(key_of(2), "shuffle", 0, 100),
        permutation(key_of(1), "hold out", 0, 100),
        permutation(key_of(1), "shuffle", 1, 100),
    ]
    assert len({order.tobytes() for order in orders}) == 4


def test_positions_are_uniform():
    """Chi-squared over where row 0 lands in 8000 epochs; 44.5 is the 0.0001 quantile of 15 degrees of freedom."""
    rows, epochs = 16, 8000
    landed = [int(np.flatnonzero(permutation(key_of(3), "shuffle", epoch, rows) == 0)[0]) for epoch in range(epochs)]
    counts = np.bincount(landed, minlength=rows)
    assert (((counts - epochs / rows) ** 2) / (epochs / rows)).sum() < 44.5


@given(KEYS, st.integers(0, 300), st.floats(0, 1, exclude_max=True))
def test_hold_out_splits_the_rows(key, rows, fraction):
    training, held_out = hold_out(key, rows, fraction)
    assert training.dtype == held_out.dtype == np.int32
    assert len(held_out) == int(fraction * rows)
    assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(rows))
    assert (np.diff(training) > 0).all()
    assert (np.diff(held_out) > 0).all()


def test_hold_out_takes_the_first_of_the_permutation():
    _, held_out = hold_out(key_of(5), 100, 0.25)
    assert held_out.tolist() == sorted(expected_permutation(key_of(5), "hold out", 0, 100)[:25])


def test_holding_nothing_out_leaves_every_row():
    training, held_out = hold_out(key_of(5), 7, 0.0)
    assert training.tolist() == list(range(7))
    assert held_out.size == 0


def test_epoch_order_shuffles_the_training_rows_only():
    training, _ = hold_out(key_of(5), 40, 0.5)
    order = epoch_order(key_of(5), 2, training)
    assert order.dtype == np.int32
    assert order.tolist() == [int(training[row]) for row in expected_permutation(key_of(5), "shuffle", 2, 20)]
    assert order.tolist() != training.tolist()


def test_epochs_differ_and_repeat():
    training = np.arange(50)
    assert epoch_order(key_of(1), 0, training).tolist() == epoch_order(key_of(1), 0, training).tolist()
    assert epoch_order(key_of(1), 0, training).tolist() != epoch_order(key_of(1), 1, training).tolist()


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_key_of_another_length_is_refused(size):
    with pytest.raises(ValueError, match=f"a key of 32 bytes, not {size}"):
        permutation(bytes(size), "shuffle", 0, 3)
