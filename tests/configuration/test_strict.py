from typing import Annotated, Literal

import pytest
from pydantic import Field

from party.configuration.strict import StrictModel, validate
from party.configuration.yaml_file import read_yaml
from tests.support.configuration_cases import refusal


class Wheel(StrictModel):
    kind: Literal["wheel"]
    diameter: int


class Sledge(StrictModel):
    kind: Literal["sledge"]
    length: int = 1


class Driver(StrictModel):
    name: str
    licence: bool = True


class Car(StrictModel):
    colour: str
    weight: float = 1.0
    driver: Driver | None = None
    parts: tuple[Annotated[Wheel | Sledge, Field(discriminator="kind")], ...] = Field(default=(), strict=False)
    passengers: tuple[Driver, ...] = Field(default=(), strict=False)


def written(folder, text):
    path = folder / "car.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_mapping_is_read(tmp_path):
    assert read_yaml(written(tmp_path, "a: 1\nb:\n  - {c: d}\n")) == {"a": 1, "b": [{"c": "d"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: 1\nb: 2\na: 3\n", ":3: not valid YAML: key 'a' is given twice", id="twice at the top"),
        pytest.param("a:\n  b: 1\n  b: 1\n", ":3: not valid YAML: key 'b' is given twice", id="twice below"),
        pytest.param("- {a: 1}\n- {b: 1, b: 2}\n", ":2: not valid YAML: key 'b' is given twice", id="twice in a list"),
        pytest.param("a: [1\n", ": not valid YAML: ", id="open bracket"),
        pytest.param("a: b: c\n", ":1: not valid YAML: ", id="two colons"),
        pytest.param("[a]: 1\n", ": not valid YAML: ", id="a list as key"),
        pytest.param("a: \x00\n", ": not valid YAML: ", id="control character"),
        pytest.param("a: !!python/object/apply:os.getcwd []\n", ":1: not valid YAML: ", id="code"),
        pytest.param("[" * 5000, ": not valid YAML: ", id="deep"),
        pytest.param("- a\n", ": is no mapping of keys to values", id="list"),
        pytest.param("", ": is no mapping of keys to values", id="empty"),
        pytest.param(b"a: 1\nb: \xff\n", ":2: is not UTF-8; save the file as UTF-8", id="no UTF-8"),
    ],
)
def test_file_that_is_no_mapping_is_refused(tmp_path, text, message):
    path = written(tmp_path, text)
    assert refusal(read_yaml, path).startswith(str(path))
    assert message in refusal(read_yaml, path)


def test_missing_file_and_folder_are_refused(tmp_path):
    assert "configuration file not found; check --config" in refusal(read_yaml, tmp_path / "absent.yaml")
    assert "cannot be read (IsADirectoryError)" in refusal(read_yaml, tmp_path)


CAR = {"colour": "red"}
ALICE = {"name": "alice"}


def test_valid_content_is_accepted():
    car = validate(Car, CAR | {"parts": [{"kind": "wheel", "diameter": 3}], "driver": ALICE}, "car.yaml")
    assert car.parts == (Wheel(kind="wheel", diameter=3),)
    assert car.driver.licence


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CAR | {"colours": 1}, "unknown key colours, did you mean colour?"),
        (CAR | {"driver": ALICE | {"license": True}}, "unknown key driver.license, did you mean licence?"),
        (CAR | {"passengers": [ALICE, ALICE | {"nam": 1}]}, "unknown key passengers.1.nam, did you mean name?"),
        (
            CAR | {"parts": [{"kind": "wheel", "diameter": 1, "diametre": 2}]},
            "unknown key parts.0.diametre, did you mean diameter?",
        ),
        (
            CAR | {"parts": [{"kind": "sledge", "diameter": 2}]},
            "unknown key parts.0.diameter: diameter belongs to parts of kind wheel",
        ),
        ({}, "key colour is missing"),
        (CAR | {"driver": {}}, "key driver.name is missing"),
        (CAR | {"parts": [{"kind": "wheel"}]}, "key parts.0.diameter is missing: a whole number, such as diameter: 1"),
        (CAR | {"parts": [{"kind": "leg"}]}, "key parts.0.kind: must be one of wheel, sledge"),
        (CAR | {"parts": [{}]}, "key parts.0.kind is missing: one of wheel, sledge, such as kind: wheel"),
        ({"colour": 3}, "key colour: must be a text, not a whole number: write the text in quotes"),
        (CAR | {"weight": "3"}, "key weight: must be a number, such as 1.0, not a text: write it without quotes"),
        (
            CAR | {"driver": ALICE | {"licence": "yes"}},
            "key driver.licence: must be true or false, not a text: write it without quotes",
        ),
        (
            CAR | {"driver": 3},
            "key driver: must be a section with the key name, such as {name: name}, not a whole number",
        ),
        (
            CAR | {"parts": "wheel"},
            "key parts: must be a list of sections, such as [{kind: wheel, diameter: 1}], not a text",
        ),
        (CAR | {3: 4}, "has a key that is no text; known keys are colour, weight, driver, parts, passengers"),
        ([], "must be a section with the key colour, such as {colour: colour}, not a list"),
        (None, "must be a section with the key colour, such as {colour: colour}, and has no value"),
    ],
)
def test_content_that_does_not_fit_is_refused_in_one_line(content, message):
    text = refusal(validate, Car, content, "car.yaml")
    assert text.startswith("car.yaml: ")
    assert message in text


def test_every_problem_is_named_at_once():
    text = refusal(validate, Car, {"color": "red", "weight": "light", "driver": {}}, "car.yaml")
    assert text.count(";") == 3
    for part in ("unknown key color, did you mean colour?", "key colour is missing", "key driver.name", "key weight"):
        assert part in text


def test_error_never_holds_a_value():
    text = refusal(validate, Car, {"colour": 48213, "driver": {"name": ["48213"]}, "parts": [{"kind": "48213"}]}, "x")
    assert "48213" not in text.replace("'48213' found", "")  # the tag is a word of the configuration language


def test_sections_do_not_change():
    car = validate(Car, CAR, "car.yaml")
    with pytest.raises(ValueError, match="frozen"):
        car.colour = "blue"
