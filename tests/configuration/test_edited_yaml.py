"""Changes to the text of a configuration: what was there stays, comments included, and the new value is there."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from party.configuration.edited_yaml import with_entry, with_value
from party.configuration.yaml_file import parse_yaml
from party.configuration.yaml_text import flow_text
from party.errors import ConfigurationError

ENTRY = {"name": "bob", "ca": "certs/bob-ca.pem"}
OTHER = {"name": "dora", "ca": "x.pem"}
LISTS = {
    "absent": "party: alice  # one\n",
    "absent, without a last line feed": "party: alice  # one",
    "empty": "party: alice\npeers: []  # one\nstate: x # two\n",
    "nothing": "party: alice\npeers:  # one\nstate: x\n",
    "block": "peers:\n  # one\n  - name: dora\n    ca: x.pem  # two\n\n# three\nstate: x\n",
    "block at the margin": "peers:\n- name: dora\n  ca: x.pem # one\nstate: x\n",
    "flow entries": "peers:\n  - {name: dora, ca: x.pem}  # one\n# two\nstate: x\n",
    "flow": "peers: [{name: dora, ca: x.pem}]  # one\nstate: x\n",
    "flow with a last comma": "peers: [{name: dora, ca: x.pem},]  # one\n",
    "flow over lines": "peers: [\n  {name: dora, ca: x.pem},  # one\n  ]\nstate: x\n",
    "last of the file": "state: x\npeers:\n  - {name: dora, ca: x.pem}",
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_an_entry_is_added_and_everything_else_stays(text):
    before = yaml.safe_load(text)
    changed = with_entry(text, "peers", ENTRY, "x.yaml")
    after = yaml.safe_load(changed)
    assert after.pop("peers") == [*(before.pop("peers", None) or []), ENTRY]
    assert after == before
    for comment in ("# one", "# two", "# three"):
        assert changed.count(comment) == text.count(comment)
    again = with_entry(changed, "peers", OTHER, "x.yaml")
    assert yaml.safe_load(again)["peers"][-2:] == [ENTRY, OTHER]


VALUES = {
    "present": "a: {}\nalignment:\n  datasets: [train]  # one\n  chunk_rows: 64\n",
    "block": "alignment:\n  # one\n  datasets:\n    - train\n    - test\n  chunk_rows: 64\n",
    "absent in its section": "alignment:\n  chunk_rows: 64  # one\nother: 1\n",
    "absent in a section on one line": "alignment: {chunk_rows: 64}  # one\n",
    "absent section": "other: 1  # one\n",
    "empty": "alignment:\n  datasets: []  # one\n",
}


@pytest.mark.parametrize("text", VALUES.values(), ids=VALUES)
def test_a_value_is_set_and_everything_else_stays(text):
    before = yaml.safe_load(text)
    changed = with_value(text, ("alignment", "datasets"), ["train", "more-rows"], "x.yaml")
    after = yaml.safe_load(changed)
    assert after.setdefault("alignment", {}).pop("datasets") == ["train", "more-rows"]
    before.setdefault("alignment", {}).pop("datasets", None)
    assert after == before
    assert changed.count("# one") == 1


def test_a_value_at_the_margin_and_one_of_an_entry_are_set():
    text = (
        "label_party:  # one\nparties:\n  - name: bob\n    address: old:1  # two\n  - {name: alice, address: 'old:1'}\n"
    )
    changed = with_value(text, ("label_party",), "bob", "x.yaml")
    for place in (0, 1):
        changed = with_value(changed, ("parties", place, "address"), "new:2", "x.yaml")
    assert [one["address"] for one in yaml.safe_load(changed)["parties"]] == ["new:2", "new:2"]
    assert "label_party: bob  # one\n" in changed
    assert "# two" in changed


@pytest.mark.parametrize("text", ["{party: alice}\n", "party: alice\npeers: &a\n  - *a\n", "peers: 5\n"])
def test_what_cannot_be_changed_without_risk_is_refused_with_what_to_write(text):
    with pytest.raises(ConfigurationError) as refused:
        with_entry(text, "peers", ENTRY, "x.yaml")
    assert "x.yaml" in str(refused.value)


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)


@given(
    st.recursive(
        TEXTS | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
        max_leaves=6,
    )
)
def test_what_is_written_is_what_is_read(value):
    line = f"key: {flow_text(value)}\n"
    assert line.count("\n") == 1
    try:
        read = parse_yaml(line, "x.yaml")
    except ConfigurationError as error:
        assert "control character" in str(error)  # which no file may hold, however it is written
    else:
        assert read == {"key": value}
