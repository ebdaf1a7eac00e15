"""The systemd units of a party and a coordinator, held to rules, and read by systemd itself where it is installed."""

import re
import shutil
import subprocess

import pytest

from coordinator.cli import main as coordinator_command
from party.cli import main as party_command
from party.errors import (
    ERRORS_BY_CODE,
    INTERRUPTED_EXIT_CODE,
    ConfigurationError,
    ConnectionLostError,
    DataError,
    IdentityError,
    InstallationError,
    SessionLostError,
    StoppedError,
    StorageError,
)
from tests.support.documents import ROOT

UNITS = ROOT / "deploy" / "systemd"
SERVICES = {"party": party_command, "coordinator": coordinator_command}
CONFINED = {
    "AmbientCapabilities": "",
    "CapabilityBoundingSet": "",
    "DevicePolicy": "closed",
    "KeyringMode": "private",
    "LimitCORE": "0",
    "LockPersonality": "yes",
    "MemorySwapMax": "0",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "StateDirectory": "splitrain/%i",
    "StateDirectoryMode": "0700",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "UMask": "0077",
    "User": "splitrain",
}


SECTIONS = {
    "Unit": {
        *("After", "Description", "Documentation", "StartLimitBurst", "StartLimitIntervalSec", "Wants"),
    },
    "Service": {
        *("ExecReload", "ExecStart", "ExecStartPre", "Group", "LimitNOFILE", "MemoryMax", "Restart", "RestartSec"),
        *("RestartPreventExitStatus", "RestrictAddressFamilies", "SuccessExitStatus", "SystemCallFilter", "TasksMax"),
        *("TimeoutStartSec", "TimeoutStopSec", "Type", *CONFINED),
    },
    "Timer": {"OnCalendar", "Persistent", "RandomizedDelaySec"},
    "Install": {"WantedBy"},
}
MOST_EXPOSED = 15  # tenths, of 100: what `systemd-analyze security` calls OK at most


def settings(unit):
    """Values by section and key, in the order of the file: systemd lets a key be given several times."""
    found, section = {}, None
    for line in (UNITS / unit).read_text().splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            section.setdefault(key, []).append(value)
    return found


def service(role):
    return settings(f"{role}@.service")["Service"]


@pytest.mark.parametrize("path", sorted(UNITS.iterdir()), ids=lambda path: path.name)
def test_units_have_known_keys_in_their_sections(path):
    """systemd ignores a key that it does not know in a section: a protection with a slip in it would be none."""
    for section, keys in settings(path.name).items():
        assert set(keys) <= SECTIONS[section]


@pytest.mark.parametrize("role", SERVICES)
@pytest.mark.parametrize(("key", "value"), CONFINED.items(), ids=list(CONFINED))
def test_the_unit_is_confined(role, key, value):
    assert service(role)[key] == [value]


@pytest.mark.parametrize("role", SERVICES)
def test_only_calls_of_an_ordinary_service_are_let_through(role):
    assert service(role)["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert service(role)["RestrictAddressFamilies"] == ["AF_INET AF_INET6 AF_UNIX"]


@pytest.mark.parametrize("role", SERVICES)
def test_what_a_service_may_take_is_limited(role):
    limits = {key: service(role)[key] for key in ("LimitNOFILE", "TasksMax", "MemoryMax")}
    assert all(re.fullmatch(r"\d+[KMG]?", value) for (value,) in limits.values())


@pytest.mark.parametrize("role", SERVICES)
def test_units_call_commands_with_options_that_there_are(role):
    calls = [
        value.split() for key in ("ExecStartPre", "ExecStart", "ExecReload") for value in service(role).get(key, [])
    ]
    assert calls
    for program, command, *arguments in calls:
        assert program == f"/opt/splitrain/bin/{role}"
        known = {option for one in SERVICES[role].commands[command].params for option in one.opts}
        assert {one for one in arguments if one.startswith("--")} <= known


def prevented(role):
    (stated,) = service(role)["RestartPreventExitStatus"]
    assert service(role)["Restart"] == ["on-failure"]
    return {int(code) for code in stated.split()}


def test_a_party_that_needs_a_person_is_not_started_again():
    errors = (ConfigurationError, DataError, IdentityError, InstallationError, StorageError)
    assert prevented("party") == {error.exit_code for error in errors}


def test_a_coordinator_is_started_again_only_after_what_may_pass():
    passing = {ConnectionLostError.exit_code, SessionLostError.exit_code, StoppedError.exit_code}
    assert prevented("coordinator") == {error.exit_code for error in ERRORS_BY_CODE.values()} - passing
    assert service("coordinator")["SuccessExitStatus"] == [f"{StoppedError.exit_code} {INTERRUPTED_EXIT_CODE}"]


def test_the_timer_starts_the_coordinator():
    timer = settings("coordinator@.timer")
    assert (UNITS / "coordinator@.service").exists()
    assert timer["Timer"]["OnCalendar"]
    assert timer["Install"] == {"WantedBy": ["timers.target"]}
    assert "Install" not in settings("coordinator@.service")


# systemd itself

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def analyze(*arguments):
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@needs_systemd
@pytest.mark.parametrize("path", sorted(UNITS.iterdir()), ids=lambda path: path.name)
def test_systemd_finds_nothing_in_a_unit_but_that_the_software_is_not_installed_here(path):
    lines = analyze("verify", path).stderr.splitlines()
    assert [line for line in lines if " is not executable: No such file or directory" not in line] == []


@needs_systemd
def test_systemd_finds_a_key_that_it_does_not_know(tmp_path):
    unit = tmp_path / "party@.service"
    unit.write_text((UNITS / unit.name).read_text().replace("ProtectHome=", "ProtectHomes="))
    assert "'ProtectHomes'" in analyze("verify", unit).stderr


@needs_systemd
@pytest.mark.parametrize("role", SERVICES)
def test_systemd_calls_the_exposure_of_a_service_low(role):
    checked = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", UNITS / f"{role}@.service")
    assert checked.returncode == 0, checked.stdout
