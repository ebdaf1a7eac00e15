"""The files that containers are made of, held to rules; an engine is not needed."""

import importlib.metadata
import re
import tomllib

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from coordinator.configuration import load_coordinator_configuration
from coordinator.local_folders import COORDINATOR
from deploy.demo import containers
from deploy.demo.containers import PARTIES, THREE_COMPANIES
from deploy.demo.federation import DATASETS
from party.configuration.party import load_party_configuration
from tests.support.documents import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
COMPOSE = ROOT / "deploy" / "compose.yaml"
LOCKS = {  # of what each image has: file and extras
    "party": (ROOT / "deploy" / "requirements.lock", ("party", "prometheus")),
    "coordinator": (ROOT / "deploy" / "requirements-coordinator.lock", ("prometheus",)),
}
BUILD_LOCK = ROOT / "deploy" / "requirements-build.lock"
ORGANISATIONS = (*PARTIES, COORDINATOR)
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


@pytest.mark.parametrize("name", PARTIES)
def test_a_party_is_limited_to_a_share_of_the_processors_by_option(name):
    assert services()[name]["cpus"] == "${PARTY_CPUS:-0}"


def test_everybody_has_the_image_of_its_role_alone():
    targets = {name: service["build"]["target"] for name, service in services().items()}
    roles = {"prepare": "demonstration", COORDINATOR: "coordinator"}
    assert targets == {name: roles.get(name, "party") for name in services()}
    assert {name: service["image"] for name, service in services().items()} == {
        name: f"splitrain-{target}" for name, target in targets.items()
    }


def test_nobody_starts_before_what_it_needs():
    for party in PARTIES:
        assert services()[party]["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
    assert services()["coordinator"]["depends_on"] == {party: {"condition": "service_healthy"} for party in PARTIES}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """What `prepare` leaves of forty ratings, and whether its folder for the download is still there."""
    folder, caches = tmp_path_factory.mktemp("prepared"), []

    def prepare(source, folder, *, cache, **options):
        (cache / "download").write_bytes(b"all columns")
        caches.append(cache)
        rows = [f"{number},{number % 7},M,{20 + number},{number % 3},0{number}" for number in range(40)]
        films = [f"{number},{number},{number % 5 + 1},Film {number},Drama,{number}" for number in range(40)]
        headers = {
            "alice": "ID,UserID,Gender,Age,Occupation,Zip-code",
            "bob": "ID,MovieID,Rating,Title,Genres,Timestamp",
        }
        for party, lines in (("alice", rows), ("bob", films)):
            (folder / party).mkdir(mode=0o700)
            for dataset in DATASETS:
                (folder / party / f"{dataset}.csv").write_text("\n".join([headers[party], *lines, ""]))
        return "data"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(containers, "prepare", prepare)
        for printed in ("data", "prepared before"):
            done = CliRunner().invoke(containers.main, [str(folder)])
            assert (done.exit_code, done.output) == (0, f"{printed}\n")
    return folder, [cache.exists() for cache in caches]


def test_the_download_is_in_nobodys_folder(prepared):
    """It holds the columns of all parties, and the labels; the coordinator's volume kept it."""
    folder, caches = prepared
    files = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    assert {path.parts[0] for path in files} == set(ORGANISATIONS)
    assert "download" not in {path.name for path in files}
    assert caches == [False]


def test_three_companies_hold_columns_of_their_own(prepared):
    folder, _ = prepared
    for name, company in THREE_COMPANIES.companies.items():
        header, first, *_ = (folder / name / "train.csv").read_text().splitlines()
        needed = {str(feature["column"]) for feature in company.features}
        assert {"ID"} | needed == set(header.split(",")) - {"Rating"}
        assert first.split(",")[0] == "0"
    assert "00" in (folder / "carol" / "train.csv").read_text().splitlines()[1].split(",")  # a zip code stays a text


def test_the_files_of_the_containers_load_and_name_each_other(prepared):
    folder, _ = prepared
    run = load_coordinator_configuration(folder / COORDINATOR / "run.yaml")
    assert {one.name: one.address for one in run.parties} == {name: f"{name}:{containers.PORT}" for name in PARTIES}
    for name in PARTIES:
        party = load_party_configuration(folder / name / f"{name}.yaml")
        assert (party.listen, party.label_party) == (f"0.0.0.0:{containers.PORT}", "bob")
        assert {one.name for one in party.peers} == set(PARTIES) - {name}


# The images


def instructions():
    """Instructions of the Dockerfile: a word and its arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def stages():
    """Base and instructions of each stage by its name."""
    found = {}
    for word, arguments in instructions():
        if word == "FROM":
            base, _, name = arguments.split()
            found[name] = (base, [])
            *_, (_, current) = found.values()
        elif found:
            current.append((word, arguments))
    return found


def layers(name):
    """Instructions of a stage, after those of the stages that it builds upon."""
    base, own = stages()[name]
    return [*(layers(base) if base in stages() else []), *own]


def copies(name):
    return [arguments for word, arguments in layers(name) if word in ("COPY", "ADD")]


def test_every_stage_begins_with_the_image_that_is_pinned_by_digest():
    word, argument = instructions()[0]
    name, _, default = argument.partition("=")
    assert (word, name) == ("ARG", "BASE_IMAGE")
    assert PINNED.fullmatch(default)
    bases = {base for base, _ in stages().values()}
    assert bases - set(stages()) == {"${BASE_IMAGE}"}


def test_what_is_downloaded_has_a_digest_and_runs_nothing_while_an_image_is_built():
    runs = [
        arguments
        for word, arguments in instructions()
        if word == "RUN" and re.search(r"pip\b.* (install|wheel)", arguments)
    ]
    downloading = [one for one in runs if "--no-index" not in one]
    assert len(runs) == 6
    assert len(downloading) == 3
    assert all("--require-hashes --only-binary :all:" in one for one in downloading)


@pytest.mark.parametrize("role", LOCKS)
def test_an_image_has_the_packages_of_its_role_and_nothing_of_what_built_it(role):
    lock, _ = LOCKS[role]
    assert copies(role) == [f"--from={role}-packages /opt/splitrain /opt/splitrain"]
    assert not any("pip" in arguments for word, arguments in layers(role) if word == "RUN")
    assert copies(f"{role}-packages")[0] == f"deploy/{lock.name} /source/"
    assert ("RUN", "python -m venv --without-pip /opt/splitrain") in layers(f"{role}-packages")


@pytest.mark.parametrize("target", [*LOCKS, "demonstration"])
def test_an_image_runs_as_nobody_special(target):
    *_, last = [arguments for word, arguments in layers(target) if word == "USER"]
    assert last == "1000:1000"


@pytest.mark.parametrize("role", LOCKS)
def test_nothing_of_a_role_is_made_by_root_but_its_user_and_folders(role):
    assert [word for word, arguments in layers(role) if word == "RUN" or arguments == "root"] == ["RUN"]


def test_the_demonstration_alone_has_its_programs():
    assert copies("demonstration") == [*copies("party"), "deploy /app/deploy"]


def test_all_that_the_wheel_is_built_from_reaches_the_image():
    copied = {name for arguments in copies("wheel") for name in arguments.split()[:-1]}
    files = {"pyproject.toml", "party", "coordinator", project()["readme"], *project()["license-files"]}
    assert files <= copied
    assert files <= {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines()}


# The locks


def locked(lock):
    """Versions by name, where every entry has digests."""
    entries = lock.read_text().replace(" \\\n   ", "").splitlines()
    matches = [LOCKED.fullmatch(entry) for entry in entries]
    assert all(matches), [entry[:80] for entry, match in zip(entries, matches, strict=True) if match is None]
    return {canonicalize_name(match["name"]): match["version"] for match in matches}


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def needed(extras):
    """What an image needs: the requirements of its extras, and what they need in turn; several of one name."""
    own = project()
    found, waiting = [], [*own["dependencies"]]
    for extra in extras:
        waiting += own["optional-dependencies"][extra]
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.marker is None or requirement.marker.evaluate(IMAGE):
            known = {one.name for one in found}
            found.append(requirement)
            if requirement.name not in known:
                waiting += importlib.metadata.requires(requirement.name) or ()
    return found


@pytest.mark.parametrize(("lock", "extras"), LOCKS.values(), ids=list(LOCKS))
def test_a_lock_has_digests_for_all_that_its_image_needs_and_nothing_else(lock, extras):
    versions = locked(lock)
    assert set(versions) == {canonicalize_name(requirement.name) for requirement in needed(extras)}
    assert [one for one in needed(extras) if versions[canonicalize_name(one.name)] not in one.specifier] == []


def test_a_coordinator_has_what_a_party_has_and_no_library_that_computes():
    party, coordinator = (set(lock.read_text().split("\n")) for lock, _ in LOCKS.values())
    assert coordinator <= party
    assert {"tensorflow", "keras", "numpy", "pandas"}.isdisjoint(locked(LOCKS["coordinator"][0]))


def test_the_lock_of_the_build_has_what_builds_the_wheel():
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    versions = locked(BUILD_LOCK)
    assert [one for one in map(Requirement, requires) if versions[one.name] not in one.specifier] == []
    assert set(versions) == {Requirement(one).name for one in requires}


@pytest.mark.parametrize("lock", [*(lock for lock, _ in LOCKS.values()), BUILD_LOCK], ids=lambda lock: lock.name)
def test_locks_and_constraints_agree_and_name_no_index(lock):
    constraints = dict(line.split("==") for line in CONSTRAINTS.read_text().splitlines())
    constrained = {canonicalize_name(name): version for name, version in constraints.items()}
    assert {name: constrained.get(name) for name in locked(lock)} == locked(lock)
    assert "://" not in lock.read_text()
    assert "--index" not in lock.read_text()
