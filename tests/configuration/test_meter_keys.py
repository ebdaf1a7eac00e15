"""The keys of meters, and of the limits that need them."""

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from tests.support.configuration_cases import feature_party, label_party, refusal

PRIVATE = {"liked": {"rule": "Rating > 3", "privacy": {"epsilon": 1.0}}}


def check(content):
    return validate(PartyConfiguration, content, "party.yaml")


def with_limit(content, **policy):
    return {**content, "policy": {**content["policy"], **policy}}


def private_labels(**changes):
    content = label_party()
    data = {key: value for key, value in content["data"].items() if key != "sample_weight"}
    fuse = {"kind": "dnn", "units": [4]}
    return {**content, "data": {**data, "labels": PRIVATE}, "fuse": fuse, "meters": {"labels": True}, **changes}


def private_column():
    content = feature_party()
    feature = {"column": "city", "kind": "vocabulary"}
    privacy = {"columns": {"epsilon": 4.0, "columns": {"city": {"values": ["Ulm", "Bonn"]}}}}
    return {**content, "data": {**content["data"], "features": [feature]}, "privacy": privacy}


def test_columns_beside_private_ones_may_be_watched():
    assert check(private_column() | {"meters": {"columns": ["age"]}}).columns("train") == ("age", "city")


def test_meters_are_off_unless_the_owner_turns_them_on():
    for make in (label_party, feature_party):
        configuration = check(make())
        assert not configuration.meters.labels
        assert configuration.meters.columns == ()
        assert configuration.policy.maximum_label_reading is configuration.policy.maximum_column_reading is None


def test_measured_columns_are_read_of_the_datasets_that_may_be_trained_on():
    configuration = check(feature_party() | {"meters": {"columns": ["gender", "a"]}})
    assert set(configuration.columns("train")) == {"a", "b", "c", "d", "e", "f", "gender"}
    assert set(configuration.columns("test")) == {"a", "b", "c", "d", "e", "f"}
    assert check(feature_party()).columns("train") == check(feature_party()).data.columns("train", trained_on=True)


def test_limits_are_accepted_beside_their_meters():
    labels = with_limit(label_party() | {"meters": {"labels": True}}, maximum_label_reading=0.9)
    assert check(labels).policy.maximum_label_reading == 0.9
    columns = with_limit(feature_party() | {"meters": {"columns": ["g"]}}, maximum_column_reading=0.9)
    assert check(columns).policy.maximum_column_reading == 0.9


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (feature_party() | {"meters": {"labels": True}}, "this party sends no gradients"),
        (label_party() | {"meters": {"columns": ["a"]}}, "the label party's hiddens do not leave"),
        (feature_party() | {"meters": {"columns": ["ID"]}}, "names the id column"),
        (feature_party() | {"meters": {"columns": ["a", "a"]}}, "names one twice"),
        (feature_party() | {"meters": {"columns": [""]}}, "meters.columns"),
        (private_column() | {"meters": {"columns": ["city"]}}, "names a private column"),
        (with_limit(label_party(), maximum_label_reading=0.9), "needs meters.labels: true"),
        (with_limit(feature_party(), maximum_column_reading=0.9), "needs meters.columns"),
        (
            with_limit(label_party() | {"meters": {"labels": True}}, maximum_column_reading=0.9),
            "needs meters.columns, at a feature party",
        ),
        *(
            (with_limit(label_party() | {"meters": {"labels": True}}, maximum_label_reading=limit), "maximum_label")
            for limit in (0.5, 1.0, 90, float("nan"))
        ),
        (with_limit(private_labels(), maximum_label_reading=0.9), "tells more about them than their epsilon"),
    ],
)
def test_what_cannot_be_measured_or_limited_is_refused(content, expected):
    assert expected in refusal(check, content)


def test_private_labels_may_be_watched():
    assert check(private_labels()).meters.labels
