"""The systemd unit of a party, held to rules; systemd is not needed."""

import re

import pytest

from party.errors import ConfigurationError, DataError, IdentityError, InstallationError, StorageError
from tests.support.documents import ROOT

UNIT = ROOT / "deploy" / "systemd" / "party@.service"
CONFINED = {
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "LimitCORE": "0",
    "LockPersonality": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "StateDirectory": "splitrain/%i",
    "StateDirectoryMode": "0700",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "splitrain",
}


def settings():
    """Values by key, in the order of the file: systemd lets a key be given several times."""
    found = {}
    for line in UNIT.read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize(("key", "value"), CONFINED.items(), ids=list(CONFINED))
def test_the_unit_is_confined(key, value):
    assert settings()[key] == [value]


def test_only_calls_of_an_ordinary_service_are_let_through():
    assert settings()["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert settings()["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]


def test_what_a_party_may_take_is_limited():
    limits = {key: settings()[key] for key in ("LimitNOFILE", "TasksMax", "MemoryMax")}
    assert all(re.fullmatch(r"\d+[KMG]?", value) for (value,) in limits.values())


def test_what_needs_a_person_is_not_started_again():
    codes = {kind.exit_code for kind in (ConfigurationError, DataError, IdentityError, InstallationError, StorageError)}
    (stated,) = settings()["RestartPreventExitStatus"]
    assert settings()["Restart"] == ["on-failure"]
    assert {int(code) for code in stated.split()} == codes
