"""The files that containers are made of, held to rules; an engine is not needed."""

import importlib.metadata
import re
import tomllib

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.demo import containers
from deploy.demo.federation import DATASETS, ORGANISATIONS, PARTIES
from tests.support.documents import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
LOCK = ROOT / "deploy" / "requirements.lock"
CONSTRAINTS = ROOT / "constraints.txt"
PINNED = re.compile(r"[a-z0-9./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
LOCKED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)")
IMAGE = {  # what markers of requirements are evaluated for
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.11",
    "python_full_version": "3.11.16",
    "extra": "",
}

# The compose file


def services():
    return yaml.safe_load(COMPOSE.read_text())["services"]


def bytes_of(size):
    return int(size[:-1]) * {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[size[-1]]


@pytest.mark.parametrize("name", ["prepare", *ORGANISATIONS])
def test_every_service_is_confined(name):
    service = services()[name]
    assert (service["read_only"], service["init"]) == (True, True)
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "user", "devices", "network_mode", "pid", "ipc", "ports"} & set(service)
    (folder,) = service["tmpfs"]
    assert folder.startswith("/tmp:size=")
    assert {"noexec", "nosuid", "nodev"} <= set(folder.split(","))
    assert 0 < service["pids_limit"] <= 4096
    assert service["ulimits"] == {"nofile": {"soft": 4096, "hard": 4096}, "core": 0}
    assert 0 < bytes_of(service["mem_limit"]) <= 4 << 30
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


def test_there_is_no_other_service():
    assert set(services()) == {"prepare", *ORGANISATIONS}


@pytest.mark.parametrize("name", ORGANISATIONS)
def test_an_organisation_sees_its_own_volume_only(name):
    assert services()[name]["volumes"] == [f"{name}:/federation/{name}"]


def test_parties_reach_nobody_and_only_the_coordinator_reaches_them():
    networks = yaml.safe_load(COMPOSE.read_text())["networks"]
    for party in PARTIES:
        (network,) = services()[party]["networks"]
        assert networks[network] == {"internal": True}
        assert [name for name, one in services().items() if network in one["networks"]] == [party, "coordinator"]
    assert all(networks[network] == {"internal": True} for network in services()["coordinator"]["networks"])


@pytest.mark.parametrize("name", PARTIES)
def test_a_party_tells_whether_it_answers_and_is_started_again(name):
    service = services()[name]
    *command, path = service["command"]
    assert command == ["party", "serve", "--config"]
    assert service["healthcheck"]["test"] == ["CMD", "party", "health", "--config", path]
    assert {"interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    assert service["restart"].startswith("on-failure")


def test_nobody_starts_before_what_it_needs():
    for party in PARTIES:
        assert services()[party]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
    assert services()["coordinator"]["depends_on"] == {party: {"condition": "service_healthy"} for party in PARTIES}


def test_the_download_is_in_nobodys_folder(tmp_path, monkeypatch):
    """It holds the columns of both parties, and the labels; the coordinator's volume kept it."""
    caches = []

    def prepare(source, folder, *, cache, **options):
        (cache / "download").write_bytes(b"all columns")
        for party in PARTIES:
            (folder / party).mkdir(mode=0o700)
            for dataset in DATASETS:
                (folder / party / f"{dataset}.csv").touch()
        caches.append(cache)
        return "data"

    monkeypatch.setattr(containers, "prepare", prepare)
    for printed in ("data", "prepared before"):
        done = CliRunner().invoke(containers.main, [str(tmp_path)])
        assert (done.exit_code, done.output) == (0, f"{printed}\n")
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parts[0] for path in files} == set(ORGANISATIONS)
    assert "download" not in {path.name for path in files}
    assert [cache.exists() for cache in caches] == [False]


# The image


def instructions():
    """Instructions of the Dockerfile: a word and its arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def stages():
    """Instructions by stage, the last one that of the image."""
    found = []
    for word, arguments in instructions():
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, arguments))
    return found


def test_every_stage_begins_with_the_image_that_is_pinned_by_digest():
    word, argument = instructions()[0]
    name, _, default = argument.partition("=")
    assert (word, name) == ("ARG", "BASE_IMAGE")
    assert PINNED.fullmatch(default)
    bases = [arguments.split()[0] for word, arguments in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert set(bases) == {"${BASE_IMAGE}"}


def test_what_is_downloaded_has_a_digest_and_runs_nothing_while_the_image_is_built():
    installs = [arguments for word, arguments in instructions() if word == "RUN" and "pip install" in arguments]
    downloading = [one for one in installs if "--no-index" not in one]
    assert len(installs) == 2
    assert len(downloading) == 1
    assert "--require-hashes --only-binary :all:" in downloading[0]


def test_the_image_keeps_nothing_of_what_built_it_and_runs_as_nobody_special():
    image = stages()[-1]
    assert not any("pip" in arguments for word, arguments in image if word == "RUN")
    assert [arguments for word, arguments in image if word in ("COPY", "ADD")] == [
        "--from=build /opt/splitrain /opt/splitrain",
        "deploy /app/deploy",
    ]
    users = [arguments for word, arguments in image if word == "USER"]
    assert users == ["1000:1000"]
    assert image[-1][0] == "USER"


def test_all_that_the_wheel_is_built_from_reaches_the_image():
    copied = [arguments.split()[:-1] for word, arguments in stages()[0] if word == "COPY"]
    files = {"pyproject.toml", "party", "coordinator", project()["readme"], *project()["license-files"]}
    assert files <= {name for names in copied for name in names}
    assert files <= {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}


# The lock


def locked():
    """Versions by name, where every entry has digests."""
    entries = LOCK.read_text().replace(" \\\n   ", "").splitlines()
    matches = [LOCKED.fullmatch(entry) for entry in entries]
    assert all(matches), [entry[:80] for entry, match in zip(entries, matches, strict=True) if match is None]
    return {canonicalize_name(match["name"]): match["version"] for match in matches}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed():
    """What the image needs: a party's requirements, and what they need in turn; several of one name."""
    own = project()
    found, waiting = [], [*own["dependencies"], *own["optional-dependencies"]["party"]]
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker is None or requirement.marker.evaluate(IMAGE):
            known = {one.name for one in found}
            found.append(requirement)
            if requirement.name not in known:
                waiting += importlib.metadata.requires(requirement.name) or ()
    return found


def test_the_lock_has_digests_for_all_that_the_project_needs_and_nothing_else():
    assert set(locked()) == {canonicalize_name(requirement.name) for requirement in needed()}
    versions = locked()
    assert [one for one in needed() if versions[canonicalize_name(one.name)] not in one.specifier] == []


def test_lock_and_constraints_agree():
    constraints = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines())
    constrained = {canonicalize_name(name): version for name, version in constraints.items()}
    assert {name: constrained.get(name) for name in locked()} == locked()


def test_the_lock_names_no_index():
    assert "://" not in LOCK.read_text()
    assert "--index" not in LOCK.read_text()
