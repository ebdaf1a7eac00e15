import stat
from datetime import timedelta

import pytest
from click.testing import CliRunner

from coordinator.cli import main as coordinator_command
from party.cli import main as party_command
from party.errors import IdentityError, StorageError
from party.security.certificates import Usage, load_chain, own_identity, spki_sha256, verify_leaf
from party.security.files import PARTIAL
from party.security.issuing import make_authority, make_leaf, write_organisation
from party.security.trust import load_authorities
from tests.support import issuing
from tests.support.issuing import DAY, NOW


def verify(leaf, *intermediates, name, authority, usage):
    return verify_leaf(leaf, intermediates, name=name, ca=(authority,), usage=usage, spki_sha256=None, now=NOW)


@pytest.mark.parametrize("usage", Usage)
def test_made_certificates_verify_and_their_authority_issues_no_other_authority(usage):
    made = make_authority("shop", now=NOW)
    identity = make_leaf(made, "shop", usage, now=NOW, days=2)
    keywords = {"name": "shop", "authority": made.certificate, "usage": usage}
    assert verify(identity.chain[0], **keywords) == NOW + 2 * DAY
    intermediate = issuing.authority("middle", issuer=issuing.Issued(made.certificate, made.key))
    below = issuing.leaf(intermediate, usages=(usage.oid,))
    with pytest.raises(IdentityError, match="path length"):
        verify(below.certificate, intermediate.certificate, **keywords)


@pytest.mark.parametrize(
    "name", ["Shop", "shop_1", "1shop", "shop-", "", "a" * 64, "shop.example", "../shop", "shop\n"]
)
def test_unfit_names_are_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(IdentityError, match="cannot be a certificate name"):
        write_organisation(name, Usage.PARTY, tmp_path / "certs", now=NOW)
    assert not (tmp_path / "certs").exists()


def test_longest_name_is_fit():
    name = "a" * 63
    made = make_authority(name, now=NOW)
    identity = make_leaf(made, name, Usage.PARTY, now=NOW)
    assert verify(identity.chain[0], name=name, authority=made.certificate, usage=Usage.PARTY) > NOW


def test_leaf_never_outlives_its_authority():
    made = make_authority("shop", now=NOW, days=1)
    assert make_leaf(made, "shop", Usage.PARTY, now=NOW).chain[0].not_valid_after_utc == NOW + DAY
    with pytest.raises(IdentityError, match="authority of shop: expired on"):
        make_leaf(made, "shop", Usage.PARTY, now=NOW + DAY)


def test_written_files_load_and_renewal_keeps_the_authority(tmp_path):
    folder = tmp_path / "shop"
    files = write_organisation("shop", Usage.PARTY, folder, now=NOW)
    assert sorted(path.name for path in folder.iterdir()) == [
        "shop-ca-key.pem",
        "shop-ca.pem",
        "shop-key.pem",
        "shop.pem",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    first = own_identity("shop", files.certificate, files.key, usage=Usage.PARTY, now=NOW)
    authority_bytes = files.authority.read_bytes()
    with pytest.raises(IdentityError, match=r"already holds .*shop-ca.pem.*add --renew"):
        write_organisation("shop", Usage.PARTY, folder, now=NOW)
    write_organisation("shop", Usage.PARTY, folder, now=NOW, renew=True)
    second = own_identity("shop", files.certificate, files.key, usage=Usage.PARTY, now=NOW)
    assert files.authority.read_bytes() == authority_bytes
    assert spki_sha256(second.chain[0]) != spki_sha256(first.chain[0])
    (authority,) = load_authorities(files.authority)
    for identity in (first, second):
        assert verify(identity.chain[0], name="shop", authority=authority, usage=Usage.PARTY) > NOW


def test_a_failed_attempt_leaves_nothing_in_the_way_of_the_next(tmp_path):
    folder = tmp_path / "shop"
    obstacle = folder / f".shop.pem{PARTIAL}"
    obstacle.mkdir(parents=True)
    folder.chmod(0o700)
    with pytest.raises(StorageError, match=r"shop\.pem: cannot be written"):
        write_organisation("shop", Usage.PARTY, folder, now=NOW)
    assert list(folder.iterdir()) == [obstacle]
    obstacle.rmdir()
    assert write_organisation("shop", Usage.PARTY, folder, now=NOW).certificate.exists()


def test_what_a_killed_attempt_left_is_to_be_deleted(tmp_path):
    files = write_organisation("shop", Usage.PARTY, tmp_path / "shop", now=NOW)
    files.certificate.unlink()
    with pytest.raises(IdentityError, match=r"delete shop-ca.pem, shop-ca-key.pem, shop-key.pem: .* interrupted"):
        write_organisation("shop", Usage.PARTY, tmp_path / "shop", now=NOW)


@pytest.mark.parametrize(
    ("command", "role", "section"),
    [(party_command, "party", "peers"), (coordinator_command, "coordinator", "coordinators")],
)
def test_command_tells_what_to_hand_over(tmp_path, monkeypatch, command, role, section):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "certs" / "shop"
    result = CliRunner().invoke(command, ["certificate", "shop"])
    assert result.exit_code == 0
    leaf = load_chain(folder / "shop.pem")[0]
    assert (
        f"{section}:\n  - name: shop\n    ca: certs/shop-ca.pem\n    spki_sha256: {spki_sha256(leaf)}\n"
        in result.output
    )
    address = "parties:\n  - name: shop\n    address: HOST:PORT\n    ca: certs/shop-ca.pem\n    spki_sha256: "
    assert (address in result.output) == (role == "party")
    assert f"beside this {role}'s configuration" in result.output
    assert "Hand shop-ca.pem to each partner" in result.output
    assert "Never hand over shop-key.pem or shop-ca-key.pem" in result.output
    assert "PRIVATE KEY" not in result.output
    (authority,) = load_authorities(folder / "shop-ca.pem")
    until = verify(leaf, name="shop", authority=authority, usage=Usage[role.upper()])
    assert until - leaf.not_valid_before_utc == 365 * DAY + timedelta(hours=1)


@pytest.mark.parametrize(
    ("command", "arguments", "text"),
    [
        (coordinator_command, ["train", "--resume", "ab", "--new"], "--resume excludes --new and --continue"),
        (coordinator_command, ["train", "--unattended", "--new"], "--unattended excludes --resume and --new"),
        (coordinator_command, ["train", "--unattended", "--resume"], "--unattended excludes --resume and --new"),
        (party_command, ["ledger", "--known", "ab"], "--known needs --verify"),
        (party_command, ["ledger", "--budget", "--limits"], "--verify, --limits and --budget exclude each other"),
        (
            party_command,
            ["ledger", "--verify", "--budget"],
            "--verify, --limits and --budget exclude each other",
        ),
        (party_command, ["ledger", "--pooled", "alice"], "--pooled needs --budget"),
        (party_command, ["data", "--remove", "a", "--remove-unused", "1"], "--remove and --remove-unused exclude"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(command, arguments, text):
    result = CliRunner().invoke(command, [*arguments, "--config", "absent.yaml"])
    assert (result.exit_code, text in result.stderr) == (2, True)


def test_command_renews_and_refuses_to_overwrite(tmp_path):
    folder = tmp_path / "driver"
    arguments = ["certificate", "driver", "--folder", str(folder)]
    assert CliRunner().invoke(coordinator_command, arguments).exit_code == 0
    first = spki_sha256(load_chain(folder / "driver.pem")[0])
    again = CliRunner().invoke(coordinator_command, arguments)
    assert again.exit_code == IdentityError.exit_code
    assert "add --renew" in again.stderr
    renewed = CliRunner().invoke(coordinator_command, [*arguments, "--renew", "--days", "2"])
    assert renewed.exit_code == 0
    leaf = load_chain(folder / "driver.pem")[0]
    assert spki_sha256(leaf) != first
    assert spki_sha256(leaf) in renewed.output
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == 2 * DAY + timedelta(hours=1)
    absent = CliRunner().invoke(party_command, ["certificate", "shop", "--folder", str(folder), "--renew"])
    assert absent.exit_code == IdentityError.exit_code
