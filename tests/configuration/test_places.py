"""Paths, addresses and rules in a configuration: what is taken, and what an error says to write."""

from pathlib import Path

import pytest

from coordinator.configuration import CoordinatorConfiguration
from party.configuration.party import PartyConfiguration
from party.configuration.rules import rule_parts
from party.configuration.strict import validate
from tests.support.configuration_cases import change, coordinator, feature_party, label_party, refusal

PATHS = {
    "party": (
        PartyConfiguration,
        label_party,
        ("tls.certificate", "tls.key", "peers.0.ca", "coordinators.0.ca", "state", "data.datasets.train"),
    ),
    "coordinator": (CoordinatorConfiguration, coordinator, ("tls.certificate", "tls.key", "parties.0.ca", "output")),
}


def value_at(section, path):
    for part in path.split("."):
        section = (
            section[int(part)]
            if part.isdecimal()
            else section[part]
            if isinstance(section, dict)
            else getattr(section, part)
        )
    return section


@pytest.mark.parametrize("file", PATHS)
def test_the_home_folder_is_expanded_in_every_path(file, monkeypatch, tmp_path):
    model, make, keys = PATHS[file]
    monkeypatch.setenv("HOME", str(tmp_path))
    for key in keys:
        configuration = validate(model, change(make(), key, "~/files/x") | {"folder": Path("/elsewhere")}, "x")
        assert configuration.path(value_at(configuration, key)) == tmp_path / "files" / "x"
        assert "no such home folder" in refusal(validate, model, change(make(), key, "~nobody-here/x"), "x")


def test_own_models_and_tables_lie_in_the_home_folder_too(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    content = change(label_party(), "model", {"file": "~/model.py", "base": "base_model"})
    assert validate(PartyConfiguration, content, "x").model.file == f"{tmp_path}/model.py"
    content = change(feature_party(), "data.datasets", None)
    content["data"]["tables"] = {"users": "~/users.csv"}
    assert validate(PartyConfiguration, content, "x").data.tables["users"] == f"{tmp_path}/users.csv"


@pytest.mark.parametrize("path", ["$HOME/x.csv", "${DATA}/x.csv", "/data/$USER/x.csv", "data/part_${N}.csv"])
@pytest.mark.parametrize("file", PATHS)
def test_environment_variables_are_not_expanded_and_the_error_says_so(file, path):
    model, make, keys = PATHS[file]
    for key in keys:
        text = refusal(validate, model, change(make(), key, path), "x")
        assert f"key {key}: environment variables are not expanded: write the path out, or begin with ~/" in text


@pytest.mark.parametrize("path", ["a~b.csv", "data/~/x.csv", "price$.csv", "a$b.csv", "50%.csv", "x y.csv"])
def test_other_signs_in_a_path_are_kept(path):
    assert validate(PartyConfiguration, change(label_party(), "state", path), "x").state == path


GOOD = ["alice:1", "a_b-c.example.com:50051", "127.0.0.1:65535", "[::1]:5", "[2001:db8::1]:50051", "[fe80::1%eth0]:5"]
BAD = {
    "http://alice:50051": "leave out what stands before the host",
    "https://alice.example": "leave out what stands before the host",
    "grpc://alice:50051": "leave out what stands before the host",
    "grpcs://10.0.0.1:50051/": "leave out what stands before the host",
    "dns:///alice:50051": "leave out what stands before the host",
    "ipv4:10.0.0.1:50051": "leave out what stands before the host",
    "unix:/run/alice.sock": "leave out what stands before the host",
    "alice:50051/": "leave out the path",
    "alice:50051/v1": "leave out the path",
    "user@alice:50051": "leave out the user",
    "alice:1,bob:2": "several addresses",
    "alice": "the port is missing",
    "10.0.0.1": "the port is missing",
    "alice:": "the port is missing",
    "[::1]": "the port is missing",
    ":50051": "the host is missing",
    "::1:50051": "an IPv6 address stands in brackets",
    "2001:db8::1": "an IPv6 address stands in brackets",
    "[alice]:50051": "the brackets hold no IPv6 address",
    " alice:50051": "it holds blanks",
    "alice: 50051": "it holds blanks",
    "ali ce:50051": "it holds blanks",
    "alice:50051\n": "it holds blanks",
    "alice:five": "the port is no number",
    "alice:-1": "the port is no number",
    "alice:123456": "the port is no number of at most five digits",
    "alice:\u0665\u0660": "the port is no number",
    "": "the port is missing",
}


@pytest.mark.parametrize("address", GOOD)
def test_an_address_is_host_and_port(address):
    assert validate(CoordinatorConfiguration, change(coordinator(), "parties.0.address", address), "x")
    assert validate(PartyConfiguration, change(label_party(), "listen", address), "x").listen == address


@pytest.mark.parametrize("address", BAD)
def test_every_other_form_is_refused_with_the_right_one(address):
    for model, make, key in (
        (CoordinatorConfiguration, coordinator, "parties.0.address"),
        (PartyConfiguration, label_party, "listen"),
    ):
        text = refusal(validate, model, change(make(), key, address), "x")
        assert f"key {key}: must be HOST:PORT, such as alice.example.com:50051, 192.0.2.1:50051 or" in text
        assert BAD[address] in text


def test_a_port_may_be_left_to_the_system_only_where_a_party_listens():
    assert validate(PartyConfiguration, change(label_party(), "listen", "127.0.0.1:0"), "x")
    text = refusal(validate, CoordinatorConfiguration, change(coordinator(), "parties.0.address", "alice:0"), "x")
    assert "port 0 is for listen" in text
    assert "at most 65535" in refusal(validate, PartyConfiguration, change(label_party(), "listen", "a:65536"), "x")


@pytest.mark.parametrize("rule", ["income_>50K == 1", "income_>50K==1", "a<b != c", "y <= b < c", "a>b>c"])
def test_a_column_with_an_operator_needs_backquotes_and_the_error_says_so(rule):
    text = refusal(validate, PartyConfiguration, change(label_party(), "data.labels.liked.rule", rule), "x")
    assert "holds two operators" in text
    assert "stands in backquotes, as in `income_>50K` == 1" in text
    content = feature_party()
    content["audit"] = {"secrets": {"rich": rule}}
    assert "key audit.secrets.rich: holds two operators" in refusal(validate, PartyConfiguration, content, "x")


@pytest.mark.parametrize("rule", ["", "Rating", "> 3", "a=b == 1", "`a` ==", "`` == 1", "`a == 1"])
def test_what_is_no_rule_is_answered_with_one(rule):
    text = refusal(validate, PartyConfiguration, change(label_party(), "data.labels.liked.rule", rule), "x")
    assert "must read COLUMN OPERATOR VALUE with one of > >= < <= == !=, such as Rating > 3" in text


@pytest.mark.parametrize("name", ["income_>50K", "a=b", "x!", "<", "a == b", "two words", "plain", "'quoted'"])
@pytest.mark.parametrize("operator", [">", ">=", "<", "<=", "==", "!="])
def test_a_column_in_backquotes_is_taken_as_it_is(name, operator):
    assert rule_parts(f"`{name}` {operator} 1") == (name, operator, "1")
    assert rule_parts(f"  `{name}`{operator}1 ") == (name, operator, "1")
    label = {"kind": "binary", "rule": f"`{name}` {operator} 1"}
    content = change(label_party(), "data.labels", {"liked": label})
    assert name in validate(PartyConfiguration, content, "x").columns("train")
