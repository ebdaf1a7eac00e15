"""Invitations: what an honest one says, and what somebody tries who changes one on its way."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from cryptography import x509

from coordinator.accepting import run_acceptor
from coordinator.new_run import NewRun, create_run
from party.configuration.party import load_party_configuration
from party.errors import ConfigurationError, IdentityError, SplitError
from party.invitation.accepting import accept
from party.invitation.at_party import party_acceptor
from party.invitation.fingerprint import fingerprint, normalised
from party.invitation.of_party import invite_for_party
from party.invitation.received import MAXIMUM_BYTES, read_invitation
from party.security.certificates import Usage
from party.security.issuing import write_organisation
from party.security.protocol import PROTOCOL

NOW = datetime.now(UTC)
PARTY = """\
# a comment that stays
party: {name}
listen: 127.0.0.1:50051
peers: []
coordinators: []
tls: {{certificate: certs/{name}/{name}.pem, key: certs/{name}/{name}-key.pem}}
state: state
data:
  id: secret_id_column
  datasets: {{train: secret-folder/train.csv, test: test.csv}}
  features:
    - {{column: secret_column, kind: numeric}}
"""
LABELS = "  labels:\n    secret_label: {rule: secret_column_2 > 3}\n"


def make_party(folder, name, address="127.0.0.1:50051"):
    """A party that has its certificate and its invitation."""
    home = folder / name
    home.mkdir()
    write_organisation(name, Usage.PARTY, home / "certs" / name, now=NOW)
    text = PARTY.format(name=name) + (LABELS if name == "bob" else "")
    path = home / f"{name}.yaml"
    path.write_text(text + ("label_party: bob\n" if name == "bob" else ""))
    invite_for_party(path, address, target=None, force=True, now=NOW)
    return home


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """alice, bob and a coordinator that has accepted both."""
    folder = tmp_path_factory.mktemp("companies")
    for name in ("alice", "bob"):
        make_party(folder, name)
    (folder / "coordinator").mkdir()
    received = [read_invitation(invitation(folder, name), NOW) for name in ("alice", "bob")]
    new = NewRun(name="coordinator", target=folder / "coordinator" / "run.yaml", writes_schema=True, force=False)
    create_run(new, received, fingerprints=[one.fingerprint for one in received], ask=None, now=NOW)
    return folder


@pytest.fixture
def companies(made, tmp_path):
    """A copy of these folders."""
    return shutil.copytree(made, tmp_path / "companies")


def invitation(folder, name):
    return folder / name / f"{name}.invitation"


def take(folder, *names, owner="alice", fingerprints=None, replace=False, ask=None):
    """Has a party accept others' invitations, with the right fingerprints if none are given."""
    received = [read_invitation(invitation(folder, name), NOW) for name in names]
    told = [one.fingerprint for one in received] if fingerprints is None else fingerprints
    path = folder / owner / f"{owner}.yaml"
    accepted = accept(path, party_acceptor(path), received, fingerprints=told, replace=replace, ask=ask)
    return list(accepted.lines(None))


def edited(path, *replacements):
    text = path.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def unchanged(folder, owner="alice"):
    """The bytes of everything in a folder."""
    return {one: one.read_bytes() for one in sorted((folder / owner).rglob("*")) if one.is_file()}


# Honest


def test_an_invitation_says_public_facts_and_nothing_else(companies):
    texts = {name: invitation(companies, name).read_text() for name in ("alice", "bob", "coordinator")}
    content = yaml.safe_load(texts["bob"])
    assert {key: content[key] for key in ("name", "role", "address", "datasets")} == {
        "name": "bob",
        "role": "label_party",
        "address": "127.0.0.1:50051",
        "datasets": ["train", "test"],
    }
    assert set(content) == {"invitation", "name", "role", "protocol", "address", "datasets", "authority"}
    for text in texts.values():
        assert not any(word in text for word in ("secret_", "secret-", ".csv", "certs/", "PRIVATE", str(companies)))


def test_accepted_invitations_make_a_configuration_that_loads(companies):
    take(companies, "bob", "coordinator")
    configuration = load_party_configuration(companies / "alice" / "alice.yaml")
    assert [peer.name for peer in configuration.peers] == ["bob"]
    assert [one.name for one in configuration.coordinators] == ["coordinator"]
    assert configuration.label_party == "bob"
    assert (companies / "alice" / "alice.yaml").read_text().startswith("# a comment that stays\n")
    for path in configuration.authority_files:
        name = path.name.removesuffix("-ca.pem")
        theirs = companies / name / "certs" / name / path.name
        assert x509.load_pem_x509_certificate(path.read_bytes()) == x509.load_pem_x509_certificate(theirs.read_bytes())
    run = yaml.safe_load((companies / "coordinator" / "run.yaml").read_text())
    assert {one["name"]: one["address"] for one in run["parties"]} == dict.fromkeys(("alice", "bob"), "127.0.0.1:50051")
    assert (run["label_party"], run["alignment"]["datasets"]) == ("bob", ["train", "test"])


def test_the_same_invitation_twice_changes_nothing(companies):
    take(companies, "bob", "coordinator")
    before = unchanged(companies)
    assert "already knew label party bob" in take(companies, "bob")
    assert unchanged(companies) == before


def test_a_fingerprint_may_be_typed_in_any_way():
    digits = fingerprint(b"x")
    assert len(digits.replace(" ", "")) == 32
    assert normalised(digits.upper().replace(" ", ":")) == normalised(digits.replace(" ", "")) == digits
    for wrong in ("", digits[:-1], digits + "0", digits.replace(digits[0], "g")):
        with pytest.raises(ConfigurationError, match="is no fingerprint"):
            normalised(wrong)


# Changed on the way


def test_another_authority_has_another_fingerprint_and_is_refused(companies):
    """The attacker makes an authority for the name bob and puts it in place of bob's."""
    before, real = unchanged(companies), read_invitation(invitation(companies, "bob"), NOW)
    forged = write_organisation("bob", Usage.PARTY, companies / "forged", now=NOW)
    text, pem = invitation(companies, "bob").read_text(), forged.authority.read_text()
    lines = "".join(f"  {line}\n" for line in pem.splitlines())
    invitation(companies, "bob").write_text(text.partition("authority: |\n")[0] + "authority: |\n" + lines)
    received = read_invitation(invitation(companies, "bob"), NOW)
    assert received.authority != real.authority
    assert received.fingerprint != real.fingerprint
    with pytest.raises(IdentityError, match="another fingerprint"):
        take(companies, "bob", fingerprints=[real.fingerprint])
    asked = []
    with pytest.raises(IdentityError, match="was not confirmed"):
        take(companies, "bob", fingerprints=[], ask=asked.append)
    assert received.fingerprint in asked[0]
    with pytest.raises(IdentityError, match="nobody has confirmed"):
        take(companies, "bob", fingerprints=[])
    assert unchanged(companies) == before


@pytest.mark.parametrize("place", range(0, 900, 97))
def test_every_changed_byte_changes_the_fingerprint(made, tmp_path, place):
    content = bytearray(invitation(made, "bob").read_bytes())
    before = fingerprint(bytes(content))
    content[place] ^= 1
    assert fingerprint(bytes(content)) != before


def test_one_wrong_fingerprint_of_two_refuses_both(companies):
    before, bob = unchanged(companies), read_invitation(invitation(companies, "bob"), NOW)
    with pytest.raises(IdentityError, match="another fingerprint"):
        take(companies, "bob", "coordinator", fingerprints=[bob.fingerprint])
    assert unchanged(companies) == before


REFUSED = {
    "a path as the name": ([("name: bob", 'name: "../../bob"')], "key name"),
    "a path after the name": ([("name: bob", 'name: "bob/../../etc"')], "key name"),
    "an unknown key": ([("role:", "ca: /etc/passwd\nrole:")], "unknown key"),
    "a key twice": ([("role:", "name: eve\nrole:")], "given twice"),
    "another version of the form": ([("invitation: 1", "invitation: 2")], "key invitation"),
    "another protocol": ([(f"protocol: {PROTOCOL}", f"protocol: {PROTOCOL - 1}")], "another version"),
    "an address of nothing": ([("127.0.0.1:50051", "http://x")], "key address"),
    "no address": ([('address: "127.0.0.1:50051"\n', "")], "address"),
    "an object of Python": ([("name: bob", "name: !!python/object/apply:os.system [x]")], "not valid YAML"),
    "a dataset with a path": ([("datasets: [train", "datasets: [../train")], "datasets"),
    "a role that is none": ([("role: label_party", "role: owner")], "key role"),
    "a private key": ([("  -----END", "  -----BEGIN EC PRIVATE KEY-----\n  -----END")], "private key"),
    "a private key in a comment": ([("# What", "# -----BEGIN PRIVATE KEY-----\n# What")], "private key"),
    "text before the certificate": ([("authority: |\n", "authority: |\n  name\n")], "exactly one certificate"),
    "a broken certificate": ([("  MII", "  AAA")], "certificate"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_invitation_is_refused(companies, changes, words):
    before = unchanged(companies)
    edited(invitation(companies, "bob"), *changes)
    with pytest.raises(SplitError, match=words):
        take(companies, "bob")
    assert unchanged(companies) == before


def test_a_second_certificate_is_refused(companies):
    text = invitation(companies, "bob").read_text()
    invitation(companies, "bob").write_text(text + text.partition("authority: |\n")[2])
    with pytest.raises(IdentityError, match="exactly one certificate"):
        take(companies, "bob")


def test_a_huge_file_a_pipe_and_a_folder_are_refused_at_once(companies):
    path = companies / "large.invitation"
    path.write_bytes(b"#" * (MAXIMUM_BYTES + 1))
    with pytest.raises(ConfigurationError, match="is too long"):
        read_invitation(path, NOW)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="is no file"):
        read_invitation(path, NOW)
    for other in (companies, companies / "absent.invitation"):
        with pytest.raises(ConfigurationError, match=r"cannot be read|is no file"):
            read_invitation(other, NOW)


def with_certificate(companies, pem):
    lines = "".join(f"  {line}\n" for line in pem.decode().splitlines())
    text = invitation(companies, "bob").read_text().partition("authority: |\n")[0]
    invitation(companies, "bob").write_text(f"{text}authority: |\n{lines}")


def test_a_certificate_that_is_no_authority_or_out_of_its_time_is_refused(companies):
    with_certificate(companies, (companies / "bob" / "certs" / "bob" / "bob.pem").read_bytes())
    with pytest.raises(IdentityError, match="no authority"):
        take(companies, "bob")
    old = write_organisation("bob", Usage.PARTY, companies / "old", now=NOW - timedelta(days=4000))
    with_certificate(companies, old.authority.read_bytes())
    with pytest.raises(IdentityError, match="expired"):
        take(companies, "bob")


# Names that are known


def new_authority(companies):
    """bob loses its authority, makes another one and another invitation."""
    shutil.rmtree(companies / "bob" / "certs" / "bob")
    write_organisation("bob", Usage.PARTY, companies / "bob" / "certs" / "bob", now=NOW)
    invite_for_party(companies / "bob" / "bob.yaml", None, target=None, force=True, now=NOW)


def test_a_known_name_with_another_authority_needs_replace(companies):
    take(companies, "bob", "coordinator")
    before = unchanged(companies)
    new_authority(companies)
    with pytest.raises(IdentityError, match="known with another authority"):
        take(companies, "bob")
    assert unchanged(companies) == before
    assert "replaced what was known of label party bob" in take(companies, "bob", replace=True)
    known = (companies / "alice" / "certs" / "bob-ca.pem").read_bytes()
    now = (companies / "bob" / "certs" / "bob" / "bob-ca.pem").read_bytes()
    assert x509.load_pem_x509_certificate(known) == x509.load_pem_x509_certificate(now)


def test_a_pinned_key_is_not_replaced_behind_its_owners_back(companies):
    take(companies, "bob", "coordinator")
    edited(companies / "alice" / "alice.yaml", ("bob-ca.pem}", f"bob-ca.pem, spki_sha256: {'0' * 64}}}"))
    new_authority(companies)
    with pytest.raises(ConfigurationError, match="remove spki_sha256"):
        take(companies, "bob", replace=True)


def test_a_file_in_the_place_of_an_authority_is_not_overwritten(companies):
    new_authority(companies)
    forged = write_organisation("bob", Usage.PARTY, companies / "forged", now=NOW)
    shutil.copy(forged.authority, companies / "alice" / "certs" / "bob-ca.pem")
    with pytest.raises(IdentityError, match="known with another authority"):
        take(companies, "bob")


def test_an_address_changes_with_replace_alone(companies):
    path = companies / "coordinator" / "run.yaml"
    invite_for_party(companies / "bob" / "bob.yaml", "bob.example:1", target=None, force=True, now=NOW)
    received = [read_invitation(invitation(companies, "bob"), NOW)]
    told = [received[0].fingerprint]
    with pytest.raises(ConfigurationError, match="known with another address"):
        accept(path, run_acceptor(), received, fingerprints=told, replace=False, ask=None)
    accept(path, run_acceptor(), received, fingerprints=told, replace=True, ask=None)
    addresses = {one["name"]: one["address"] for one in yaml.safe_load(path.read_text())["parties"]}
    assert addresses == {"alice": "127.0.0.1:50051", "bob": "bob.example:1"}


ROLES = {
    "the own name": ("alice", [], "alice", "the name alice is taken"),
    "a second label party": ("bob", [("name: bob", "name: dora")], "bob", "this party holds labels too"),
    "a label party as another role": (
        "bob",
        [("role: label_party", "role: feature_party")],
        "alice",
        "names bob as the label party",
    ),
    "a peer's name for a coordinator": (
        "coordinator",
        [("name: coordinator", "name: bob")],
        "alice",
        "name bob is taken",
    ),
}


@pytest.mark.parametrize(("sender", "changes", "owner", "words"), ROLES.values(), ids=ROLES)
def test_roles_and_names_do_not_mix(companies, sender, changes, owner, words):
    take(companies, "alice", owner="bob")
    take(companies, "bob")
    edited(invitation(companies, sender), *changes)
    before = unchanged(companies, owner)
    with pytest.raises(ConfigurationError, match=words):
        take(companies, sender, owner=owner)
    assert unchanged(companies, owner) == before


def test_a_coordinator_is_no_party_of_a_run_and_datasets_must_meet(companies):
    path = companies / "coordinator" / "run.yaml"
    with pytest.raises(ConfigurationError, match="is a coordinator"):
        take_at_run(path, invitation(companies, "coordinator"))
    edited(invitation(companies, "alice"), ("name: alice", "name: carol"), ("[train, test]", "[test]"))
    take_at_run(path, invitation(companies, "alice"))
    run = yaml.safe_load(path.read_text())
    assert (run["alignment"]["datasets"], run["training"]["dataset"]) == (["test"], "test")
    edited(invitation(companies, "alice"), ("name: carol", "name: dora"), ("[test]", "[other]"))
    with pytest.raises(ConfigurationError, match="none of the run's datasets"):
        take_at_run(path, invitation(companies, "alice"))


def take_at_run(path, file):
    received = [read_invitation(file, NOW)]
    return accept(path, run_acceptor(), received, fingerprints=[received[0].fingerprint], replace=False, ask=None)
