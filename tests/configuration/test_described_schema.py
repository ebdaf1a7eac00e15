"""The JSON Schemas of both files: valid, described at every key, and of one mind with the models."""

import json

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from coordinator.cli import main as coordinator_command
from coordinator.configuration import CoordinatorConfiguration
from party.cli import main as party_command
from party.configuration.described_schema import described_schema, descriptions, sections_of
from party.configuration.party import PartyConfiguration
from tests.support.documents import CONFIGURATION, README, examples

MODELS = {"party": PartyConfiguration, "run": CoordinatorConfiguration}
COMMANDS = {"party": party_command, "run": coordinator_command}
EXAMPLES = [(path.name, *one) for path in (README, CONFIGURATION) for one in examples(path)]


def validator(which):
    return jsonschema.Draft202012Validator(described_schema(MODELS[which], which))


def keys_of(schema):
    """Every key with its own schema, wherever it stands."""
    if isinstance(schema, list):
        return [pair for one in schema for pair in keys_of(one)]
    if not isinstance(schema, dict):
        return []
    own = [(key, one) for key, one in schema.get("properties", {}).items() if isinstance(one, dict)]
    return own + [pair for inner in schema.values() for pair in keys_of(inner)]


@pytest.mark.parametrize("which", MODELS)
def test_the_command_prints_a_valid_schema_with_a_description_at_every_key(which):
    done = CliRunner().invoke(COMMANDS[which], ["schema"])
    assert done.exit_code == 0
    schema = json.loads(done.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    keys = keys_of(schema)
    assert len(keys) > 50
    assert [key for key, one in keys if len(one.get("description", "").split()) < 2] == []
    assert "folder" not in schema["properties"]
    assert "ranges" not in dict(keys)


@pytest.mark.parametrize("which", MODELS)
def test_every_docstring_names_keys_that_exist(which):
    for section in sections_of(MODELS[which]):
        assert set(descriptions(section)) - {"kind"} <= set(section.model_fields), section.__name__


@pytest.mark.parametrize(("document", "name", "text"), EXAMPLES, ids=[f"{one[0]}-{one[1]}" for one in EXAMPLES])
def test_every_example_fits_and_a_broken_one_does_not(document, name, text):
    content = yaml.safe_load(text)
    schema = validator("run" if "coordinator" in content else "party")
    assert [error.message for error in schema.iter_errors(content)] == []
    for broken in (
        {**content, "unknown": 1},
        {**content, "label_party": 5},
        {**content, "tls": {**content["tls"], "pem": "x"}},
        {key: value for key, value in content.items() if key != "label_party"},
    ):
        assert not schema.is_valid(broken)


def test_a_broken_part_of_a_section_is_found():
    ((_, text),) = [one for one in examples(CONFIGURATION) if one[0] == "alice.yaml"]
    schema = validator("party")
    for key, value in (("kind", "number"), ("missing", 3), ("columns", [""])):
        content = yaml.safe_load(text)
        content["data"]["features"][0][key] = value
        assert not schema.is_valid(content), key
