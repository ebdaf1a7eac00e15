"""The manifests of Kubernetes: what kustomize makes of them, held to the published schemas and to rules of ours."""

import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from coordinator.cli import main as coordinator_command
from coordinator.configuration import load_coordinator_configuration
from party import __version__
from party.cli import main as party_command
from party.configuration.party import load_party_configuration
from party.errors import ConnectionLostError, SessionLostError
from tests.support.documents import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("feature-party", "label-party", "coordinator")
PARTIES = ("feature-party", "label-party")
KUSTOMIZATIONS = sorted(path.parent for path in KUBERNETES.rglob("kustomization.yaml"))
SCHEMAS = ("1.29", "1.37")  # the oldest that has ReadWriteOncePod, and the newest that the validator knows
KILLED = 137
COMMANDS = {"party": party_command, "coordinator": coordinator_command}
SIZES = {"m": 0.001, "": 1, "Mi": 1 << 20, "Gi": 1 << 30}


def content(path):
    return list(yaml.safe_load_all(path.read_text()))


def kustomization(folder):
    return content(folder / "kustomization.yaml")[0]


def resources(folder):
    """The resources of a folder and of those below it, by kind and name, before patches."""
    found = []
    for name in kustomization(folder)["resources"]:
        path = (folder / name).resolve()
        found += list(resources(path).values()) if path.is_dir() else content(path)
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def overlay(name):
    return resources(KUBERNETES / "overlays" / name)


def pods(name):
    """The templates of the pods of an overlay."""
    kinds = ("StatefulSet", "Job")
    return [one["spec"]["template"] for (kind, _), one in overlay(name).items() if kind in kinds]


def containers(pod):
    return [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]


def policies(name):
    return {one: policy["spec"] for (kind, one), policy in overlay(name).items() if kind == "NetworkPolicy"}


# Files, schemas, kustomize


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda path: path.name)
def test_a_kustomization_names_what_there_is_and_every_file_is_named(folder):
    stated = kustomization(folder)
    generated = [file for one in stated.get("configMapGenerator", []) for file in one["files"]]
    patches = [one["path"] for one in stated.get("patches", [])]
    named = [*stated["resources"], *generated, *patches]
    assert [name for name in named if not (folder / name).exists()] == []
    assert {path.name for path in folder.glob("*.yaml")} == {name for name in named if "/" not in name} | {
        "kustomization.yaml"
    }
    for path in patches:
        for patch in content(folder / path):
            assert (patch["kind"], patch["metadata"]["name"]) in resources(folder)


def expect_schema(resource, version):
    """Raises ValidationError for what Kubernetes would refuse, or ignore because it does not know it."""
    kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("version", SCHEMAS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_resources_have_the_published_schema(name, version):
    for resource in overlay(name).values():
        expect_schema(resource, version)


def test_a_slip_is_noticed():
    (pod,) = pods("coordinator")
    pod["spec"]["securityContexts"] = pod["spec"].pop("securityContext")
    broken = {**overlay("coordinator")["Job", "coordinator"]}
    broken["spec"] = {**broken["spec"], "template": pod}
    with pytest.raises(kubernetes_validate.ValidationError, match="securityContexts"):
        expect_schema(broken, SCHEMAS[-1])


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl, which has kustomize in it, is not installed")
@pytest.mark.parametrize("name", OVERLAYS)
def test_kustomize_builds_what_the_schema_allows(name):
    command = ["kubectl", "kustomize", str(KUBERNETES / "overlays" / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    built = [one for one in yaml.safe_load_all(done.stdout) if one]
    for resource in built:
        expect_schema(resource, SCHEMAS[-1])
    assert {(one["kind"], one["metadata"]["name"]) for one in built if one["kind"] != "ConfigMap"} == set(overlay(name))
    (configuration,) = [one for one in built if one["kind"] == "ConfigMap"]
    (workload,) = [one for one in built if one["kind"] in ("StatefulSet", "Job")]
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    assert [one["configMap"]["name"] for one in volumes if "configMap" in one] == [configuration["metadata"]["name"]]
    (label,) = {one["metadata"]["labels"]["app.kubernetes.io/part-of"] for one in built}
    assert workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] == label


# Pods


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_is_confined(name):
    (pod,) = pods(name)
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostAliases"} & set(spec)
    security = spec["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["runAsGroup"]) == (True, 1000, 1000)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    for container in containers(pod):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not any("hostPort" in port for port in container.get("ports", []))
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_namespace_admits_confined_pods_alone(name):
    (namespace,) = [one for (kind, _), one in overlay(name).items() if kind == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert namespace["metadata"]["name"] == kustomization(KUBERNETES / "overlays" / name)["namespace"]


def amount(text):
    number = str(text).rstrip("mMGi")
    return float(number) * SIZES[str(text)[len(number) :]]


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_a_container_may_take_is_limited(name):
    (pod,) = pods(name)
    for container in containers(pod):
        asked, limits = (container["resources"][key] for key in ("requests", "limits"))
        assert set(asked) == set(limits) == {"cpu", "memory", "ephemeral-storage"}
        assert all(0 < amount(asked[key]) <= amount(limits[key]) for key in asked)


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_secret_reaches_the_program_with_the_mode_that_it_needs(name):
    (pod,) = pods(name)
    keys, *others = containers(pod)
    mounts = {one["name"]: {mount["name"] for mount in one["volumeMounts"]} for one in containers(pod)}
    assert [one for one, names in mounts.items() if "secret" in names] == [keys["name"]]
    assert keys["command"][-1] == "install -m 600 /secret/*.pem /tls"
    (tls,) = [one["emptyDir"] for one in pod["spec"]["volumes"] if one["name"] == "tls"]
    assert tls["medium"] == "Memory"
    for one in others:
        (mount,) = [mount for mount in one["volumeMounts"] if mount["name"] == "tls"]
        assert mount["readOnly"] is True
        assert {"name": "configuration", "mountPath": "/etc/splitrain", "readOnly": True} in one["volumeMounts"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_images_have_the_version_of_the_software_until_they_have_a_digest(name):
    (pod,) = pods(name)
    (stated,) = kustomization(KUBERNETES / "overlays" / name)["images"]
    assert {one["image"] for one in containers(pod)} == {f"{stated['name']}:{__version__}"}
    assert stated["newTag"] == __version__


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_call_commands_with_options_that_there_are(name):
    (pod,) = pods(name)
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    calls = [one["command"] for one in containers(pod)[1:]]
    calls += [one[probe]["exec"]["command"] for one in containers(pod) for probe in probes if probe in one]
    for program, command, *arguments in calls:
        known = {option for one in COMMANDS[program].commands[command].params for option in one.opts}
        assert {one for one in arguments if one.startswith("--")} <= known
        assert arguments[-1].startswith("/etc/splitrain/")


# A party


@pytest.mark.parametrize("name", PARTIES)
def test_a_party_is_one_pod_that_keeps_its_state(name):
    stateful = overlay(name)["StatefulSet", "party"]["spec"]
    assert stateful["replicas"] == 1
    (claim,) = stateful["volumeClaimTemplates"]
    (party,) = stateful["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount for mount in party["volumeMounts"]}
    assert "readOnly" not in mounts[claim["metadata"]["name"]]
    assert mounts["data"]["readOnly"] is True
    assert overlay(name)["PodDisruptionBudget", "party"]["spec"]["maxUnavailable"] == 0


@pytest.mark.parametrize("name", PARTIES)
def test_a_party_is_asked_whether_it_answers(name):
    (party,) = overlay(name)["StatefulSet", "party"]["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert party[probe]["exec"]["command"][:2] == ["party", "health"]
    assert party["startupProbe"]["periodSeconds"] * party["startupProbe"]["failureThreshold"] >= 300


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_network_lets_nothing_through_but_what_is_stated(name):
    assert policies(name)["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert set(policies(name)) == {"deny-all", "coordinator" if name == "coordinator" else "party"}


@pytest.mark.parametrize("name", PARTIES)
def test_coordinators_alone_reach_a_party_at_its_port_and_nothing_leaves_it(name):
    policy = policies(name)["party"]
    (pod,) = pods(name)
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "party"}]
    (driver,) = pods("coordinator")
    inside, outside = rule["from"]
    assert inside["podSelector"]["matchLabels"].items() <= driver["metadata"]["labels"].items()
    driving = kustomization(KUBERNETES / "overlays" / "coordinator")["namespace"]
    assert inside["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": driving}
    assert outside["ipBlock"]["cidr"].endswith("/32")
    (service,) = [one["spec"] for (kind, _), one in overlay(name).items() if kind == "Service"]
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    assert "type" not in service  # inside of the cluster only


def test_a_coordinator_reaches_parties_and_names_and_nobody_reaches_it():
    policy = policies("coordinator")["coordinator"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    parties, names = policy["egress"]
    (port,) = parties["ports"]
    (served,) = pods("label-party")[0]["spec"]["containers"][0]["ports"]
    assert port == {"protocol": "TCP", "port": served["containerPort"]}
    assert {one["port"] for one in names["ports"]} == {53}
    assert all(set(one) in ({"namespaceSelector", "podSelector"}, {"ipBlock"}) for one in parties["to"] + names["to"])


def test_a_job_is_tried_again_only_after_what_may_pass():
    ignored, *failed = overlay("coordinator")["Job", "coordinator"]["spec"]["podFailurePolicy"]["rules"]
    assert (ignored["action"], ignored["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
    passing = sorted([ConnectionLostError.exit_code, SessionLostError.exit_code, KILLED])
    for rule in failed:
        assert (rule["action"], rule["onExitCodes"]["operator"]) == ("FailJob", "NotIn")
        assert rule["onExitCodes"]["values"] == passing
    (pod,) = pods("coordinator")
    assert {rule["onExitCodes"]["containerName"] for rule in failed} == {one["name"] for one in containers(pod)[1:]}
    assert pod["spec"]["containers"][0]["command"][:3] == ["coordinator", "train", "--unattended"]


# Configurations


@pytest.mark.parametrize("name", PARTIES)
def test_the_configuration_of_a_party_fits_its_pod(name):
    party = load_party_configuration(KUBERNETES / "overlays" / name / "party.yaml")
    assert party.holds_labels == (name == "label-party")
    (pod,) = pods(name)
    (container,) = pod["spec"]["containers"]
    assert party.listen == f"0.0.0.0:{container['ports'][0]['containerPort']}"
    folders = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert str(party.state).startswith(f"{folders['state']}/")  # below the mount, whose mode is Kubernetes' own
    assert all(path.startswith(f"{folders['data']}/") for path in party.data.datasets.values())
    files = [party.tls.certificate, party.tls.key, *(known.ca for known in [*party.peers, *party.coordinators])]
    assert {str(path).rpartition("/")[0] for path in files} == {folders["tls"]}


def test_the_run_names_the_parties_of_the_other_overlays():
    run = load_coordinator_configuration(KUBERNETES / "overlays" / "coordinator" / "run.yaml")
    (pod,) = pods("coordinator")
    folders = {mount["name"]: mount["mountPath"] for mount in containers(pod)[-1]["volumeMounts"]}
    assert str(run.output).startswith(f"{folders['runs']}/")
    by_namespace = {kustomization(KUBERNETES / "overlays" / name)["namespace"]: name for name in PARTIES}
    for party in run.parties:
        other = load_party_configuration(KUBERNETES / "overlays" / by_namespace[party.name] / "party.yaml")
        assert (party.name, run.label_party) == (other.party, other.label_party)
        assert party.address == f"party.{party.name}.svc:50051"
        assert [one.name for one in other.coordinators] == [run.coordinator]
        assert run.training.dataset in other.data.datasets
