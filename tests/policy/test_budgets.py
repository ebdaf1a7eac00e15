"""A budget refuses a session that would spend more than is left, whoever asks and however often it restarts."""

import math

import pytest

from party.configuration.budgets import BudgetsSection, budget_warnings
from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import PolicyError
from party.policy.budget_uses import budget_use
from tests.support.configuration_cases import feature_party, label_party, refusal
from tests.support.spending import SpendingOwner, labels_charge

EXACT = labels_charge(None)


@pytest.fixture
def make_owner(tmp_path):
    owners = []

    def make(budget):
        for owner in owners:
            owner.ledger.close()
        owners.append(SpendingOwner(tmp_path, budget))
        return owners[-1]

    yield make
    for owner in owners:
        owner.ledger.close()


def refused(owner, *charges, received, **options):
    lines = len(owner.ledger.entries)
    with pytest.raises(
        PolicyError, match=r"^bank: refused by policy\.budgets\.labels: epsilon of the labels; "
    ) as caught:
        owner.reserve(*charges, **options)
    assert f"received {received}" in str(caught.value)
    (last,) = owner.ledger.entries[lines:]
    assert (last.event, last.result) == ("refused", str(caught.value)[:300])


def test_the_largest_epsilon_of_a_generation_counts_and_generations_add(make_owner):
    owner = make_owner({"epsilon": 2.0})
    for epsilon in (0.5, 1.0, 1.0, 0.25):
        owner.spend(labels_charge(epsilon))
    assert owner.account().spent("labels") == 1
    refused(owner, labels_charge(2.1), received="2.1 with this session")
    owner.spend(labels_charge(1.0, generation=2))
    refused(owner, labels_charge(0.1, generation=3), received="2.1 with this session")
    refused(owner, labels_charge(1.1, generation=1), received="2.1 with this session")
    owner.spend(labels_charge(1.0, generation=1))
    owner.spend(labels_charge(1.0, generation=2))


def test_neither_a_restart_nor_another_coordinator_nor_a_resume_resets_it(make_owner):
    owner = make_owner({"epsilon": 1.0})
    owner.spend(labels_charge(1.0))
    for coordinator in ("driver", "other"):
        for resume in (False, True):
            owner = make_owner({"epsilon": 1.0})
            charge = labels_charge(0.1, generation=2, audience=(coordinator, "shop"))
            refused(owner, charge, coordinator=coordinator, resume=resume, received="1.1 with this session")
    owner.spend(labels_charge(1.0, audience=("other", "shop")), coordinator="other")


def test_receivers_count_as_one_because_they_may_pool_what_they_hold(make_owner):
    owner = make_owner({"epsilon": 1.0})
    owner.spend(labels_charge(0.7, generation=1, audience=("shop",)))
    refused(owner, labels_charge(0.7, generation=2, audience=("driver",)), received="1.4 with this session")
    owner.spend(labels_charge(1.0, generation=1, audience=("driver",)))


def test_a_session_that_was_not_agreed_spends_nothing_and_one_that_was_spends_all(make_owner):
    owner = make_owner({"epsilon": 1.0})
    owner.reserve(labels_charge(1.0, generation=1))
    owner = make_owner({"epsilon": 1.0})
    grant = owner.reserve(labels_charge(1.0, generation=2))
    grant.agreed()
    refused(owner, labels_charge(0.1, generation=3), received="1.1")
    owner = make_owner({"epsilon": 1.0})  # killed in between: it has released nothing that it says
    assert owner.ledger.entries[-2].result == "interrupted: the process ended"
    refused(owner, labels_charge(0.1, generation=3), received="1.1")


def test_decimals_add_up_as_they_are_written(make_owner):
    """Ten of 0.1 are 1.0; in binary the sum of three is above 0.3."""
    assert 0.1 + 0.1 + 0.1 > 0.3
    owner = make_owner({"epsilon": 0.3})
    for generation in (1, 2, 3):
        owner.spend(labels_charge(0.1, generation=generation))
    refused(owner, labels_charge(1e-9, generation=4), received="0.300000001 with this session")


def test_an_exact_release_is_infinite(make_owner):
    unprotected = "an exact release: no mechanism protects them"
    for budget in ({"epsilon": 1e300}, {"epsilon": 1.0, "exact_releases": "past"}):
        refused(make_owner(budget), EXACT, received=unprotected)
    owner = make_owner(None)
    owner.spend(EXACT)
    assert owner.account().spent("labels") == math.inf
    owner = make_owner({"epsilon": 1.0})
    refused(owner, labels_charge(0.1), received="an exact release in a session before")
    assert budget_use(owner.configuration, owner.ledger.entries).left == 0.0
    owner = make_owner({"epsilon": 1.0, "exact_releases": "past"})
    owner.spend(labels_charge(0.9))
    refused(owner, EXACT, received=unprotected)
    refused(owner, labels_charge(0.2, generation=2), received="1.1 with this session")
    owner = make_owner({"epsilon": 1.0, "exact_releases": "any"})
    owner.spend(EXACT)
    refused(owner, labels_charge(0.2, generation=2), received="1.1 with this session")
    assert budget_use(owner.configuration, owner.ledger.entries).left == pytest.approx(0.1)


def test_without_a_budget_all_is_charged_and_nothing_refused(make_owner):
    owner = make_owner(None)
    for generation in range(1, 30):
        owner.spend(labels_charge(5.0, generation=generation))
    assert owner.account().spent("labels") == 145


def test_a_session_that_releases_nothing_of_the_secret_needs_no_budget(make_owner):
    owner = make_owner({"epsilon": 1.0})
    owner.spend(labels_charge(1.0))
    owner.spend()
    assert owner.ledger.entries[-2].charges == ()


def test_the_use_names_what_each_receiver_holds_and_what_some_hold_together(make_owner):
    owner = make_owner({"epsilon": 5.0})
    owner.spend(labels_charge(1.0, generation=1, audience=("a", "b")))
    owner.spend(labels_charge(2.0, generation=1, audience=("c",)))
    owner.spend(labels_charge(0.5, generation=2, audience=("b",)))
    use = budget_use(owner.configuration, owner.ledger.entries, ["b", "a"])
    assert [(one.receivers, one.epsilon) for one in use.alone] == [(("a",), 1.0), (("b",), 1.5), (("c",), 2.0)]
    assert (use.pooled.receivers, use.pooled.generations) == (("a", "b"), {1: 1.0, 2: 0.5})
    assert (use.together.epsilon, use.budget, use.left) == (2.5, 5.0, 2.5)
    assert not any(one.exact for one in (*use.alone, use.together))


# Configuration


@pytest.mark.parametrize(
    ("make", "budgets", "text"),
    [
        (label_party, {"columns": {"epsilon": 1.0}}, "policy.budgets.columns belongs to a feature party"),
        (feature_party, {"labels": {"epsilon": 1.0}}, "policy.budgets.labels belongs to the label party"),
        (label_party, {"labels": {"epsilon": 0.0}}, "policy.budgets.labels.epsilon"),
        (label_party, {"labels": {"epsilon": math.inf}}, "policy.budgets.labels.epsilon"),
        (label_party, {"labels": {"epsilon": math.nan}}, "policy.budgets.labels.epsilon"),
        (label_party, {"labels": {"epsilon": 1.0, "exact_releases": "some"}}, "policy.budgets.labels.exact_releases"),
        (label_party, {"label": {"epsilon": 1.0}}, "did you mean labels"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(make, budgets, text):
    assert text in refusal(validate, PartyConfiguration, make() | {"policy": {"budgets": budgets}}, "x")


@pytest.mark.parametrize(
    ("budget", "protections", "found"),
    [
        ({"epsilon": 1.0}, {}, ["no mechanism protects the labels, so every session"]),
        ({"epsilon": 1.0}, {"columns": 0.5}, ["no mechanism protects the labels, so every session"]),
        ({"epsilon": 1.0}, {"labels": 2.0}, ["epsilon 1.0 is below the 2.0 of the mechanism, so every session"]),
        ({"epsilon": 1.0}, {"labels": 1.0}, []),
        ({"epsilon": 1.0, "exact_releases": "past"}, {}, ["no mechanism", "past: the budget does not count"]),
        ({"epsilon": 1.0, "exact_releases": "any"}, {}, ["any: the budget does not count exact releases"]),
    ],
)
def test_a_budget_that_cannot_work_is_warned_of(budget, protections, found):
    warnings = list(budget_warnings(validate(BudgetsSection, {"labels": budget}, "x"), protections))
    assert [text in sentence for text, sentence in zip(found, warnings, strict=True)] == [True] * len(found)
    assert all(sentence.startswith("policy.budgets.labels") for sentence in warnings)


@pytest.mark.parametrize(
    ("privacy", "text"),
    [(None, "no mechanism protects the labels"), ({"epsilon": 2.0}, "epsilon 1.0 is below the 2.0 of the mechanism")],
)
def test_a_party_is_warned_by_its_file(privacy, text):
    content = label_party() | {"policy": {"budgets": {"labels": {"epsilon": 1.0}}}}
    content["data"]["labels"] = {"liked": {"rule": "Rating > 3", "privacy": privacy}}
    del content["data"]["sample_weight"]
    found = [one for one in validate(PartyConfiguration, content, "x").warnings if "policy.budgets.labels: " in one]
    assert [text in one for one in found] == [True]
