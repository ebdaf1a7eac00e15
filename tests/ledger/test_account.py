"""The account adds up as the mathematics of the mechanisms says, and lines of earlier versions count in it."""

import itertools
import json
import math
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import dp_accounting
import pytest
from dp_accounting import pld
from hypothesis import given
from hypothesis import strategies as st

from party.ledger.account import Account, charges_by_session
from party.ledger.charge import Charge
from party.ledger.entry import Content, LedgerEntry, entry_from_line
from party.ledger.file import HEAD_FILE, LEDGER_FILE, Ledger, read_ledger
from party.security.files import private_folder, write_atomically

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAMES = ("alice", "charlie", "driver")


EPSILONS = st.integers(1, 10**4).map(lambda thousandths: thousandths / 1000)


def charges(epsilon=EPSILONS):
    audience = st.lists(st.sampled_from(NAMES), min_size=1, unique=True).map(tuple)
    return st.builds(
        Charge,
        secret=st.sampled_from(["labels", "columns"]),
        generation=st.integers(1, 4),
        epsilon=epsilon,
        audience=audience,
    )


def many(epsilon=EPSILONS):
    return st.lists(charges(epsilon), max_size=12)


POOLS = st.one_of(st.none(), st.sets(st.sampled_from(NAMES), min_size=1))
SECRETS = st.sampled_from(["labels", "columns"])


@given(many(), SECRETS, POOLS)
def test_the_largest_within_a_generation_and_the_sum_over_generations(made, secret, pool):
    """Said again the long way round: for each generation by itself, what anybody of the pool was sent."""
    expected = Fraction()
    for generation in range(1, 5):
        seen = [
            Fraction(round(one.epsilon * 1000), 1000)
            for one in made
            if (one.secret, one.generation) == (secret, generation) and (pool is None or pool & set(one.audience))
        ]
        expected += max(seen, default=Fraction())
    assert Account(made).spent(secret, pool) == expected


@given(many(), SECRETS, POOLS, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(made, secret, pool, generator):
    mixed = made * 2
    generator.shuffle(mixed)
    assert Account(mixed).spent(secret, pool) == Account(made).spent(secret, pool)


@given(many(), charges(st.one_of(st.none(), EPSILONS)), SECRETS, POOLS)
def test_a_charge_never_lowers_it_and_costs_at_most_its_epsilon(made, more, secret, pool):
    before, after = Account(made).spent(secret, pool), Account([*made, more]).spent(secret, pool)
    most = math.inf if more.epsilon is None else Fraction(round(more.epsilon * 1000), 1000)
    assert before <= after <= before + most
    if more.secret != secret:
        assert after == before


@given(many(), SECRETS, st.sets(st.sampled_from(NAMES), min_size=1), st.sets(st.sampled_from(NAMES), min_size=1))
def test_who_pools_holds_at_least_what_each_has_and_at_most_the_sum(made, secret, some, others):
    account = Account(made)
    one, other, both = (account.spent(secret, pool) for pool in (some, others, some | others))
    assert max(one, other) <= both <= one + other
    assert both <= account.spent(secret)


@given(many(), SECRETS, POOLS)
def test_one_exact_release_is_infinite_for_those_who_received_it(made, secret, pool):
    exact = Charge(secret=secret, generation=0, epsilon=None, audience=("alice",))
    account = Account([*made, exact])
    received = pool is None or "alice" in pool
    assert account.is_exact(secret, pool) == received
    assert account.spent(secret, pool) == (math.inf if received else Account(made).spent(secret, pool))
    assert account.generations(secret, pool) == Account(made).generations(secret, pool)


# The mathematics behind it


def replacement(epsilon, symbols):
    return symbols / (math.exp(epsilon) + symbols - 1)


def answer(truth, shown, replaced, symbols):
    """Probability of a symbol after an event with this probability, at which a uniform one takes the truth's place."""
    return (1 - replaced) * (truth == shown) + replaced / symbols


def one_generation(epsilons_, symbols):
    """Largest log-ratio, over all answers at several epsilons, of draws that are events in time."""
    times = sorted(-math.log1p(-replacement(epsilon, symbols)) for epsilon in epsilons_)
    waits = [later - earlier for earlier, later in itertools.pairwise([0.0, *times])]

    def probability(truth, answers):
        product, last = 1.0, truth
        for wait, shown in zip(waits, answers, strict=True):
            product *= answer(last, shown, -math.expm1(-wait), symbols)
            last = shown
        return product

    return largest_ratio(probability, len(times), symbols)


def generations_apart(epsilons_, symbols):
    """The same for independent draws."""
    replaced = [replacement(epsilon, symbols) for epsilon in epsilons_]

    def probability(truth, answers):
        return math.prod(answer(truth, shown, one, symbols) for one, shown in zip(replaced, answers, strict=True))

    return largest_ratio(probability, len(replaced), symbols)


def largest_ratio(probability, answers, symbols):
    return max(
        math.log(probability(truth, shown) / probability(other, shown))
        for shown in itertools.product(range(symbols), repeat=answers)
        for truth, other in itertools.permutations(range(symbols), 2)
        if probability(truth, shown)
    )


CASES = [((0.5, 1.0, 2.0), 2), ((1.0, 1.0), 2), ((0.1, 3.0), 3), ((2.0, 0.7, 0.3), 4)]


def charged(epsilons_, *, apart):
    made = [
        Charge(secret="labels", generation=number if apart else 1, epsilon=epsilon, audience=("alice",))
        for number, epsilon in enumerate(epsilons_, start=1)
    ]
    return float(Account(made).spent("labels"))


@pytest.mark.parametrize(("epsilons_", "symbols"), CASES)
def test_it_charges_the_loss_of_all_answers_together(epsilons_, symbols):
    distinct = sorted(set(epsilons_))  # one answer at one epsilon, however often it is sent
    assert charged(epsilons_, apart=False) == pytest.approx(one_generation(distinct, symbols), rel=1e-9)
    assert charged(epsilons_, apart=True) == pytest.approx(generations_apart(epsilons_, symbols), rel=1e-9)


def measured(*composed):
    accountant = pld.PLDAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    return accountant.compose(*composed).get_epsilon(0.0)


@pytest.mark.parametrize(("epsilons_", "symbols"), CASES)
def test_generations_cost_what_another_accountant_says(epsilons_, symbols):
    events = [dp_accounting.RandomizedResponseDpEvent(replacement(one, symbols), symbols) for one in epsilons_]
    expected = measured(dp_accounting.ComposedDpEvent(events))
    assert charged(epsilons_, apart=True) == pytest.approx(expected, rel=1e-3)


def test_where_the_other_accountant_is_wrong_the_truth_is_charged():
    """It ignores how often this event is repeated; the sum over all answers does not."""
    event = dp_accounting.RandomizedResponseDpEvent(replacement(1.0, 2), 2)
    assert measured(event, 3) == pytest.approx(1.0)
    assert charged((1.0, 1.0, 1.0), apart=True) == 3.0 == pytest.approx(generations_apart((1.0,) * 3, 2))


# Lines


OLD = Path(__file__).with_name("ledger-0.3.0.jsonl")  # as that version wrote it
CONTENT = Content(event="agreed", session="ab", coordinator="driver", peers=("alice", "charlie"))
EXACT_LABELS = Charge(secret="labels", generation=0, epsilon=None, audience=("alice", "charlie", "driver"))


def test_a_ledger_of_an_earlier_version_verifies_goes_on_and_counts_as_exact(tmp_path):
    state = private_folder(tmp_path / "state")
    for name, content in (
        (LEDGER_FILE, OLD.read_bytes()),
        (
            HEAD_FILE,
            json.dumps({"sequence": 4, "digest": json.loads(OLD.read_bytes().splitlines()[-1])["digest"]}).encode(),
        ),
    ):
        write_atomically(state / name, content)
    ledger = Ledger(state, lambda: NOW)
    ledger.append(CONTENT.model_copy(update={"charges": (EXACT_LABELS,)}))
    ledger.close()
    entries = read_ledger(state)
    assert b"".join(one.to_line() for one in entries[:4]) == OLD.read_bytes()
    assert [one.charges for one in entries] == [None] * 4 + [(EXACT_LABELS,)]
    old, new = charges_by_session(entries, "bob").values()
    assert old == new == (EXACT_LABELS,)


@pytest.mark.parametrize(
    ("releases", "ended", "expected"),
    [
        ({"hiddens": 9}, None, {"columns": ("bob",)}),
        ({"gradients": 9, "metrics": 1}, None, {"labels": ("alice", "charlie", "driver")}),
        ({"gradients": 9, "metrics": 1}, {"gradients": 3}, {"labels": ("alice", "charlie")}),
        ({"gradients": 9, "metrics": 1}, {"gradients": 0}, {}),
        ({"metrics": 1}, {"metrics": 1}, {"labels": ("driver",)}),
        ({"predictions": 9, "intersections": 9}, None, {}),
    ],
)
def test_an_old_session_counts_with_what_it_released_and_to_whom(tmp_path, releases, ended, expected):
    ledger = Ledger(tmp_path / "state", lambda: NOW)
    ledger.append(CONTENT.model_copy(update={"releases": releases}))
    if ended is not None:
        ledger.append(CONTENT.model_copy(update={"event": "ended", "releases": ended}))
    (made,) = charges_by_session(ledger.entries, "bob").values()
    assert {one.secret: one.audience for one in made} == expected
    assert all(one.epsilon is None for one in made)


def test_a_session_is_charged_whatever_it_then_released(tmp_path):
    """There are no refunds, also where it says that it released nothing."""
    ledger = Ledger(tmp_path / "state", lambda: NOW)
    charge = Charge(secret="labels", generation=2, epsilon=0.1, audience=("alice",))
    ledger.append(CONTENT.model_copy(update={"charges": (charge,), "releases": {"gradients": 5}}))
    ledger.append(CONTENT.model_copy(update={"event": "ended", "releases": {"gradients": 0}}))
    assert charges_by_session(ledger.entries, "bob") == {"ab": (charge,)}


@given(many(st.one_of(st.none(), EPSILONS)))
def test_charges_are_in_a_line_as_they_were_made(made):
    entry = LedgerEntry.following(None, CONTENT.model_copy(update={"charges": tuple(made)}), NOW.isoformat())
    read = entry_from_line(entry.to_line().removesuffix(b"\n"))
    assert read == entry
    assert read.charges == tuple(made)
    assert read.follows(None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"charges":[', b'"charges":null,"x":['),
        (b'"epsilon":1.0', b'"epsilon":1'),
        (b'"epsilon":1.0', b'"epsilon":Infinity'),
        (b'"epsilon":1.0', b'"epsilon":-1.0'),
        (b'"generation":1', b'"generation":-1'),
        (b'"audience":["alice"]', b'"audience":[]'),
    ],
)
def test_a_line_with_a_charge_that_cannot_be_is_no_line(before, after):
    charge = Charge(secret="labels", generation=1, epsilon=1.0, audience=("alice",))
    line = LedgerEntry.following(None, CONTENT.model_copy(update={"charges": (charge,)}), NOW.isoformat()).to_line()
    assert before in line
    assert entry_from_line(line.removesuffix(b"\n").replace(before, after)) is None


def test_a_line_says_who_was_left_out_and_one_of_a_session_with_all_has_no_such_key():
    everybody, left_out = (
        LedgerEntry.following(None, CONTENT.model_copy(update={"without": without}), NOW.isoformat())
        for without in ((), ("charlie",))
    )
    assert b"without" not in everybody.to_line()
    assert json.loads(left_out.to_line())["without"] == ["charlie"]
    assert entry_from_line(left_out.to_line().rstrip(b"\n")) == left_out
    altered = left_out.to_line().replace(b"charlie", b"alice")
    assert altered != left_out.to_line()
    assert not entry_from_line(altered.rstrip(b"\n")).follows(None)
