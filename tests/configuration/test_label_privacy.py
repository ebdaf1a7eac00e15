"""Private labels in a party's file: what is accepted, what is refused with which reason, and what is warned of."""

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from tests.support.configuration_cases import change, label_party, refusal

BOUNDS = {"minimum": 0.0, "maximum": 24.0}


def check(content):
    return validate(PartyConfiguration, content, "bank.yaml")


def private(liked=1.0, hours=1.0, genre=1.0):
    """A label party with three private labels and no weights."""
    content = change(label_party(), "data.sample_weight", None)
    content = change(content, "pinned_secret", None)
    content = change(content, "data.labels.hours.loss", "mean_squared_error")
    content = change(content, "data.labels.liked.privacy", {"epsilon": liked})
    content = change(content, "data.labels.hours.privacy", {"epsilon": hours, **BOUNDS})
    return change(content, "data.labels.genre.privacy", {"epsilon": genre})


def test_every_kind_of_label_may_be_private():
    configuration = check(private(0.5, 0.1, 0.2))
    assert configuration.data.label_epsilon == 0.8
    assert configuration.protections == {"labels": 0.8}
    assert configuration.data.labels["hours"].privacy.maximum == 24.0


def test_labels_are_exact_unless_they_say_otherwise():
    configuration = check(label_party())
    assert configuration.data.label_epsilon is None
    assert configuration.protections == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.labels.genre.privacy": None}, "labels.genre needs privacy too: an exact label tells about the private"),
        ({"data.labels.hours.loss": "huber"}, "labels.hours.loss: with privacy only mean_squared_error without"),
        ({"data.labels.liked.loss": "binary_focal_crossentropy"}, "labels.liked.loss: with privacy only binary_cross"),
        (
            {"data.labels.genre.loss": {"name": "SparseCategoricalCrossentropy", "arguments": {"ignore_class": 1}}},
            "labels.genre.loss: with privacy only sparse_categorical_crossentropy without arguments",
        ),
        ({"data.sample_weight": "w"}, "sample_weight beside private labels: weights that depend on labels reveal them"),
        ({"data.label_independent_weights": True}, "label_independent_weights needs sample_weight"),
        (
            {"data.sample_weight": "hours", "data.label_independent_weights": True},
            "a private label's column can be neither id nor sample_weight",
        ),
        ({"data.id": "hours"}, "a private label's column can be neither id nor sample_weight"),
        ({"data.labels.hours.privacy": {"epsilon": 1.0}}, "privacy.minimum is missing"),
        ({"data.labels.hours.privacy.minimum": 24.0}, "minimum must be below maximum"),
        ({"data.labels.hours.privacy.maximum": float("inf")}, "privacy.maximum"),
        ({"data.labels.liked.privacy": {"epsilon": 1.0, **BOUNDS}}, "unknown key data.labels.liked.privacy.minimum"),
        ({"data.labels.liked.privacy.epsilon": 0.0}, "must be a number from 0.01 to 16"),
        ({"data.labels.liked.privacy.epsilon": 16.5}, "must be a number from 0.01 to 16"),
        ({"data.labels.liked.privacy.epsilon": float("nan")}, "data.labels.liked.privacy.epsilon"),
    ],
)
def test_what_would_undo_privacy_or_cannot_be_corrected_is_refused(changes, message):
    content = private()
    for path, value in changes.items():
        content = change(content, path, value)
    assert message in refusal(check, content)


def test_default_losses_may_be_named_as_keras_names_them():
    content = change(private(), "data.labels.liked.loss", {"name": "BinaryCrossentropy"})
    assert check(content).data.label_epsilon == 3.0


def test_weights_that_are_declared_independent_are_accepted():
    content = change(change(private(), "data.sample_weight", "w"), "data.label_independent_weights", True)
    assert check(content).data.sample_weight == "w"


def test_the_declaration_is_refused_beside_exact_labels():
    content = change(label_party(), "data.label_independent_weights", True)
    assert "label_independent_weights is for sample_weight beside private labels" in refusal(check, content)


def test_epsilons_that_protect_nothing_are_refused():
    content = private(16.0, 16.0, 16.0)
    check(content)
    for name in ("second", "third"):
        content["data"]["labels"][name] = {"rule": f"{name} > 1", "privacy": {"epsilon": 16.0}}
    assert "the epsilons of a row add up to 80, which protects nothing" in refusal(check, content)


@pytest.mark.parametrize(("epsilons", "readable"), [((0.5, 0.5, 0.99), False), ((0.5, 0.5, 1.0), True)])
def test_labels_that_are_readable_in_all_are_warned_of(epsilons, readable):
    warnings = [one for one in check(private(*epsilons)).warnings if "readable" in one]
    assert len(warnings) == readable
    assert all("privacy.epsilon is 2 for the labels of a row together" in one for one in warnings)


def test_metrics_of_drawn_labels_give_nothing_up():
    content = private()
    content["policy"] |= {"running_metrics": True, "exact_metrics": True}
    assert not [one for one in check(content).warnings if "metrics" in one]
