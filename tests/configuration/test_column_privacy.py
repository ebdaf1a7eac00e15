"""`privacy` of a feature party: what is accepted, and what is refused with its reason."""

import copy

import pytest

from party.configuration.party import PartyConfiguration
from party.configuration.strict import validate
from party.errors import ConfigurationError
from tests.support.configuration_cases import feature_party, label_party

COLUMNS = {"b": {"values": ["x", "y", ""], "other": "z"}, "d": {"minimum": 0, "maximum": 9.5, "missing": [""]}}
PUBLIC = ["a", "c", "e", "f"]
PRIVATE = {"epsilon": 1.0, "entity": "user", "public": PUBLIC, "columns": COLUMNS}


def loaded(privacy, party=feature_party):
    return validate(PartyConfiguration, {**party(), "privacy": privacy}, "test")


def changed(**changes):
    return {"columns": {**copy.deepcopy(PRIVATE), **changes}}


def test_a_whole_section_is_read():
    configuration = loaded({"columns": PRIVATE, "decorrelate": {"columns": ["c"]}})
    section = configuration.privacy.columns
    assert section.share == 0.5
    assert section.columns["b"].symbols == ("x", "y", "", "z")
    assert configuration.privacy.decorrelate.weight == 0.03
    assert configuration.protections["columns"] == 1.0
    assert {"user", "b", "d"} <= set(configuration.columns("train"))


def test_nothing_is_protected_by_default():
    configuration = loaded({})
    assert configuration.privacy.read == frozenset()
    assert "columns" not in configuration.protections


REFUSED = {
    "1 of 6 columns in use are neither private nor public: a;": changed(public=PUBLIC[1:]),
    "b is private and public": changed(public=[*PUBLIC, "b"]),
    "names a twice": changed(public=[*PUBLIC, "a"]),
    "public names nothing, which no feature reads": changed(public=[*PUBLIC, "nothing"]),
    "the id column ID cannot be private": changed(columns={**COLUMNS, "ID": {"values": ["1", "2"]}}),
    "the entity user cannot be private": changed(columns={**COLUMNS, "user": {"values": ["1", "2"]}}),
    "feature b is of kind vocabulary; declare values": changed(columns={**COLUMNS, "b": {"minimum": 0, "maximum": 1}}),
    "minimum must be below maximum": changed(columns={**COLUMNS, "d": {"minimum": 3, "maximum": 3}}),
    "values must differ": changed(columns={**COLUMNS, "b": {"values": ["x", "x"]}}),
    "other must be none of them": changed(columns={**COLUMNS, "b": {"values": ["x", "y"], "other": "x"}}),
    "holds nothing to protect": changed(columns={**COLUMNS, "b": {"values": ["x"]}}),
    "unknown key privacy.columns.columns.b.value, did you mean values?": changed(
        columns={**COLUMNS, "b": {"value": ["x"]}}
    ),
    "key privacy.columns.epsilon: must be a number from 0.01 to 64, ": changed(epsilon=0.0),
    "from 0.01 to 64, such as": changed(epsilon=65.0),
    "key privacy.columns.columns: must be a mapping of names to sections, at least 1 of them": changed(columns={}),
    "which privacy.columns protects: the penalty needs the true cells": {
        "columns": PRIVATE,
        "decorrelate": {"columns": ["b"]},
    },
    "2 of 7 columns in use are neither private nor public: a, gender;": {
        **changed(public=PUBLIC[1:]),
        "decorrelate": {"columns": ["gender"]},
    },
    "the id column differs in every row": {"decorrelate": {"columns": ["ID"]}},
    "privacy.decorrelate.columns names c twice": {"decorrelate": {"columns": ["c", "c"]}},
    "key privacy.decorrelate.weight: must be a number above 0": {"decorrelate": {"columns": ["c"], "weight": 0.0}},
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_fit_is_refused_with_its_reason(text):
    with pytest.raises(ConfigurationError) as refused:
        loaded(REFUSED[text])
    assert text in str(refused.value)


@pytest.mark.parametrize("privacy", [{"columns": PRIVATE}, {"decorrelate": {"columns": ["c"]}}])
def test_the_label_party_sends_no_hiddens_to_protect(privacy):
    with pytest.raises(ConfigurationError, match="the label party sends none"):
        loaded(privacy, party=label_party)
