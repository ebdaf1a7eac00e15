"""Invitations that steer the terminal which shows them, or would change whom another name means."""

from datetime import UTC, datetime

import pytest

from coordinator.accepting import run_acceptor
from party.configuration.addresses import checked_address
from party.errors import ConfigurationError
from party.invitation.accepting import accept, received_invitations
from party.invitation.at_party import party_acceptor
from party.invitation.invitation import Invitation
from party.invitation.received import read_invitation
from party.security.certificates import Usage
from party.security.issuing import OrganisationFiles, write_organisation
from party.security.protocol import PROTOCOL

NOW = datetime.now(UTC)
ADDRESS = "bob.example.com:50051"
# Control sequences of one byte, backspaces, another character set, conceal, letters from right to left, blanks that
# are none, also in the zone of an IPv6 address.
STEERING = ("\x9b8m", "\b\b\b", "\x1b(0", "\x1bc", "\x1b[8m", "\u202e", "\u2066", "\u2800", "\u200b", "\x7f")


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bob")
    write_organisation("bob", Usage.PARTY, folder / "certs", now=NOW)
    made = {"invitation": 1, "name": "bob", "role": "label_party", "protocol": PROTOCOL, "address": ADDRESS}
    authority = OrganisationFiles("bob", folder / "certs").authority.read_text()
    return Invitation(**made, datasets=("train",), authority=authority).to_bytes().decode()


def escaped(text):
    """As YAML writes any character between double quotes."""
    return "".join(f"\\x{ord(one):02x}" if ord(one) < 256 else f"\\u{ord(one):04x}" for one in text)


@pytest.mark.parametrize("steering", STEERING, ids=ascii)
@pytest.mark.parametrize("host", ["bob{}.example.com", "[fe80::1%{}]"])
def test_an_address_cannot_steer_the_terminal_that_shows_the_fingerprint(content, tmp_path, steering, host):
    path = tmp_path / "bob.invitation"
    address = f"{host.format(steering)}:50051"
    with pytest.raises(ValueError, match=r"no host has|blanks|no IPv6 address"):
        checked_address(address)
    assert f'"{ADDRESS}"' in content
    path.write_text(content.replace(ADDRESS, escaped(address)))
    with pytest.raises(ConfigurationError, match="key address") as refused:
        read_invitation(path, NOW)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("address", [ADDRESS, "192.0.2.1:1", "[2001:db8::1]:50051", "[fe80::1%eth0]:2", "a_b-c:65535"])
def test_hosts_as_there_are_stay_addresses(address):
    assert checked_address(address) == address


@pytest.mark.parametrize("name", ["bob\nfingerprint  0000 0000\n\x9b8m.invitation", "bob\u202e.invitation"], ids=ascii)
def test_the_name_of_the_file_cannot_look_like_another_line(content, tmp_path, name):
    path, lines = tmp_path / name, []
    path.write_text(content)
    (received,) = received_invitations([path], NOW, lines.append)
    assert all(line.isprintable() for line in lines)
    assert [line for line in lines if line.startswith("fingerprint")] == [f"fingerprint  {received.fingerprint}"]


SHARING = """\
party: alice
peers:
  - {name: bob, ca: certs/bob-group.pem}
coordinators:
  - {name: driver, ca: CERTS/bob-group.pem}
"""


@pytest.mark.parametrize("other", ["certs", "certs/../certs"])
def test_a_new_authority_of_one_name_does_not_become_that_of_another(content, tmp_path, other):
    """Bob has a new authority: it must not vouch for the coordinator, whose name stands beside the same file."""
    write_organisation("bob", Usage.PARTY, tmp_path / "old", now=NOW)
    path, shared = tmp_path / "alice.yaml", tmp_path / "certs" / "bob-group.pem"
    shared.parent.mkdir()
    shared.write_bytes(OrganisationFiles("bob", tmp_path / "old").authority.read_bytes())
    path.write_text(SHARING.replace("CERTS", other))
    (tmp_path / "bob.invitation").write_text(content)
    received = read_invitation(tmp_path / "bob.invitation", NOW)
    before = shared.read_bytes(), path.read_bytes()

    def take():
        accept(path, party_acceptor(path), [received], fingerprints=[received.fingerprint], replace=True, ask=None)

    with pytest.raises(ConfigurationError, match=r"bob-group\.pem vouches for driver too"):
        take()
    assert (shared.read_bytes(), path.read_bytes()) == before
    path.write_text(SHARING.replace("CERTS/bob-group.pem", "certs/driver.pem"))
    take()
    assert shared.read_bytes() == received.pem


def test_a_new_name_does_not_take_the_file_of_another(content, tmp_path):
    write_organisation("bob", Usage.PARTY, tmp_path / "old", now=NOW)
    path, file = tmp_path / "alice.yaml", tmp_path / "certs" / "bob-ca.pem"
    file.parent.mkdir()
    file.write_bytes(before := OrganisationFiles("bob", tmp_path / "old").authority.read_bytes())
    path.write_text("party: alice\npeers: [{name: carol, ca: certs/bob-ca.pem}]\ncoordinators: []\n")
    (tmp_path / "bob.invitation").write_text(content)
    received = read_invitation(tmp_path / "bob.invitation", NOW)
    with pytest.raises(ConfigurationError, match=r"bob-ca\.pem vouches for carol too"):
        accept(path, party_acceptor(path), [received], fingerprints=[received.fingerprint], replace=True, ask=None)
    assert file.read_bytes() == before


def test_a_partner_whose_datasets_change_what_is_trained_on_does_not_do_so_in_silence(content, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "coordinator: driver\nparties: []\nlabel_party:\n"
        "alignment: {datasets: [train, test]}\ntraining: {dataset: train, epochs: 3}\n"
    )
    (tmp_path / "bob.invitation").write_text(content.replace("datasets: [train]", "datasets: [test]"))
    received = read_invitation(tmp_path / "bob.invitation", NOW)
    accepted = accept(path, run_acceptor(), [received], fingerprints=[received.fingerprint], replace=False, ask=None)
    assert list(accepted.lines(None)) == [
        "added label party bob to parties",
        "set label_party to bob",
        "set alignment.datasets to test, was train, test",
        "set training.dataset to test, was train",
        f"wrote {path}",
    ]


def test_a_name_that_was_removed_while_the_question_stood_open_does_not_come_back(content, tmp_path):
    path = tmp_path / "alice.yaml"
    path.write_text("party: alice\npeers: [{name: mallory, ca: mallory.pem}]\ncoordinators: []\n")
    (tmp_path / "bob.invitation").write_text(content)
    received = read_invitation(tmp_path / "bob.invitation", NOW)
    removed = "party: alice\npeers: []\ncoordinators: []\n"

    def telephone(question):
        path.write_text(removed)
        return True

    with pytest.raises(ConfigurationError, match="was changed meanwhile"):
        accept(path, party_acceptor(path), [received], fingerprints=[], replace=False, ask=telephone)
    assert path.read_text() == removed
    assert not (tmp_path / "certs").exists()
