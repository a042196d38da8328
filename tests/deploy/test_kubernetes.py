"""The manifests: what a pod may, who reaches it, and that what they say to Pinion is understood."""

import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploy.files import (
    KUBERNETES,
    ROOT,
    container,
    environment_names,
    manifests,
    of_kind,
    options_of,
    pod,
    served_with,
)


def test_every_file_is_in_the_kustomization():
    """Manifests and policies: what is not listed is not applied."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    (generated,) = listed["configMapGenerator"]
    named = {*listed["resources"], *generated["files"], "kustomization.yaml"}
    assert named == {path.relative_to(KUBERNETES).as_posix() for path in KUBERNETES.rglob("*.yaml")}


def test_three_replicas_and_never_fewer_ready_ones():
    """A rolling update begins with a new replica."""
    (deployment,) = of_kind("Deployment")
    assert 3 == deployment["spec"]["replicas"]
    assert {"maxSurge": 1, "maxUnavailable": 0} == deployment["spec"]["strategy"]["rollingUpdate"]
    (budget,) = of_kind("PodDisruptionBudget")
    assert 1 == budget["spec"]["maxUnavailable"]


def test_selectors_meet_the_pods():
    """Services, budget, spread and policies are about the pods of the Deployment."""
    (deployment,) = of_kind("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels == deployment["spec"]["selector"]["matchLabels"]
    assert all(labels == service["spec"]["selector"] for service in of_kind("Service"))
    assert labels == of_kind("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"]
    spread = pod()["topologySpreadConstraints"]
    assert {"topology.kubernetes.io/zone", "kubernetes.io/hostname"} == {one["topologyKey"] for one in spread}
    assert all(labels == one["labelSelector"]["matchLabels"] for one in spread)


def test_no_pod_is_root():
    """By number, so that the cluster can see it."""
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] is True
    assert 10001 == context["runAsUser"] == context["runAsGroup"]


def test_system_calls_are_filtered():
    """By the runtime's own profile."""
    assert {"type": "RuntimeDefault"} == pod()["securityContext"]["seccompProfile"]


def test_the_root_file_system_is_read_only():
    """What is written goes to a volume, which has a limit."""
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    (copy,) = (volume for volume in pod()["volumes"] if volume["name"] == "copy")
    assert copy["emptyDir"]["sizeLimit"]


def test_no_capability_is_left():
    """And none can be had."""
    assert ["ALL"] == container()["securityContext"]["capabilities"]["drop"]
    assert container()["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_namespace_refuses_what_is_less_confined():
    """The restricted profile, enforced."""
    (namespace,) = of_kind("Namespace")
    assert "restricted" == namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]


def test_a_gateway_has_no_account_in_the_cluster():
    """No token is mounted, and no link variable would be read as an option."""
    assert pod()["automountServiceAccountToken"] is False
    assert of_kind("ServiceAccount")[0]["automountServiceAccountToken"] is False
    assert pod()["enableServiceLinks"] is False


def test_resources_are_told():
    """A memory limit, so that one replica cannot take a node down; no processor limit, which would throttle streams."""
    resources = container()["resources"]
    assert {"cpu", "memory"} == set(resources["requests"])
    assert {"memory"} == set(resources["limits"])


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")]
)
def test_probes_ask_the_operations_api(probe, path):
    """Readiness says whether it takes requests; liveness only whether it answers at all."""
    assert {"path": path, "port": "operations"} == container()[probe]["httpGet"]


def test_ports_are_those_of_pinion(monkeypatch):
    """What the container opens is what `pinion serve` listens on under this environment."""
    told = _told(monkeypatch)
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert {"applications": told["port"], "operations": told["admin_port"]} == ports
    assert ("0.0.0.0", "0.0.0.0") == (told["host"], told["admin_host"])


def test_the_command_exists():
    """The image's entry point is `pinion`."""
    (verb,) = container()["args"]
    assert "--store" in options_of(verb)


def test_a_replica_has_the_time_to_drain(monkeypatch):
    """The pod is given longer than delay and grace, and what comes after them, take."""
    told = _told(monkeypatch)
    assert pod()["terminationGracePeriodSeconds"] >= told["drain_delay"] + told["drain_grace"] + 20


def test_a_draining_replica_is_seen_before_its_listener_closes(monkeypatch):
    """The probe fails well within the delay."""
    probe = container()["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < _told(monkeypatch)["drain_delay"]


def test_secrets_are_references():
    """No Secret is written down; what holds a password is taken from one by name."""
    assert [] == of_kind("Secret")
    secret = {"PINION_ADMIN_TOKEN", "PINION_STORE", "PINION_FLEET", "OPENAI_API_KEY"}
    taken = {one["name"] for one in container()["env"] if "secretKeyRef" in one.get("valueFrom", {})}
    assert secret == taken
    assert {"pinion"} == {one["valueFrom"]["secretKeyRef"]["name"] for one in container()["env"] if "valueFrom" in one}


def test_policies_are_mounted_as_a_folder(monkeypatch):
    """Where Pinion looks for them, not by subPath, which would never change; and under a name that stays."""
    (mount,) = (one for one in container()["volumeMounts"] if one["name"] == "policies")
    assert str(_told(monkeypatch)["policies"]) == mount["mountPath"]
    assert "subPath" not in mount
    (generated,) = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["configMapGenerator"]
    assert generated["options"]["disableNameSuffixHash"] is True
    (volume,) = (one for one in pod()["volumes"] if one["name"] == "policies")
    assert generated["name"] == volume["configMap"]["name"]


def test_the_copy_of_the_store_is_on_a_volume(monkeypatch):
    """The rest of the file system takes no file."""
    (mount,) = (one for one in container()["volumeMounts"] if one["name"] == "copy")
    assert mount["mountPath"] == str(_told(monkeypatch)["store_copy"].parent)


def test_the_operations_api_stays_inside():
    """It has a Service of its own, no Service is reached from outside, and no Ingress names either."""
    ports = {
        one["metadata"]["name"]: [port["targetPort"] for port in one["spec"]["ports"]] for one in of_kind("Service")
    }
    assert {"pinion": ["applications"], "pinion-operations": ["operations"]} == ports
    assert {"ClusterIP"} == {service["spec"]["type"] for service in of_kind("Service")}
    assert not {"Ingress", "HTTPRoute", "Gateway"} & {found["kind"] for found in manifests()}


def test_traffic_is_denied_unless_it_is_needed():
    """Both ways for every pod; the operations port is open to those alone who watch."""
    policies = {policy["metadata"]["name"]: policy["spec"] for policy in of_kind("NetworkPolicy")}
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == policies["default-deny"]
    opened = {port["port"]: rule["from"] for rule in policies["pinion-ingress"]["ingress"] for port in rule["ports"]}
    assert {
        "applications": [{"namespaceSelector": {"matchLabels": {"pinion/applications": "true"}}}],
        "operations": [{"namespaceSelector": {"matchLabels": {"pinion/operations": "true"}}}],
    } == opened
    reached = {port["port"] for rule in policies["pinion-egress"]["egress"] for port in rule["ports"]}
    assert {53, 5432, 6379, 443} == reached
    (block,) = (to["ipBlock"] for rule in policies["pinion-egress"]["egress"] for to in rule["to"] if "ipBlock" in to)
    assert {"10.0.0.0/8", "169.254.0.0/16"} <= set(block["except"])


@pytest.mark.tools
def test_kustomize_builds_it():
    """Every object is in the namespace, and the policies are whole."""
    built = subprocess.run(["kubectl", "kustomize", KUBERNETES], check=True, capture_output=True, text=True)
    objects = list(yaml.safe_load_all(built.stdout))
    assert {"pinion"} == {one["metadata"]["namespace"] for one in objects if one["kind"] != "Namespace"}
    (policies,) = (one["data"] for one in objects if one["kind"] == "ConfigMap")
    assert policies == {path.name: path.read_text() for path in (KUBERNETES / "policies").iterdir()}


def overlays() -> list[str]:
    """What docs/deploy.md has an overlay say, as YAML."""
    page = (ROOT / "docs" / "deploy.md").read_text()
    return [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if block.startswith("patches:")]


def test_the_documented_key_of_the_audit_trail_is_one_that_pinion_reads():
    """The patch gives the container names that `pinion serve` knows, and a file where the volume is mounted."""
    (patch,) = yaml.safe_load(overlays()[0])["patches"]
    added = {each["path"].rsplit("/", 2)[1]: each["value"] for each in yaml.safe_load(patch["patch"])}
    named = {each["value"]["name"]: each["value"] for each in yaml.safe_load(patch["patch"]) if "/env/" in each["path"]}
    assert named.keys() <= environment_names()
    assert {"PINION_AUDIT_KEY", "PINION_AUDIT_ANCHOR"} < named.keys()
    assert f"{added['volumeMounts']['mountPath']}/audit.key" == named["PINION_AUDIT_KEY"]["value"]
    assert 0o440 == added["volumes"]["secret"]["defaultMode"]


@pytest.mark.tools
def test_kustomize_builds_the_documented_overlay(tmp_path):
    """The patch finds its place in the Deployment."""
    shutil.copytree(KUBERNETES, tmp_path / "base")
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(f"resources: [../base]\n{overlays()[0]}")
    built = subprocess.run(["kubectl", "kustomize", folder], check=True, capture_output=True, text=True)
    (made,) = (one for one in yaml.safe_load_all(built.stdout) if one["kind"] == "Deployment")
    spec = made["spec"]["template"]["spec"]
    assert "audit" in [volume["name"] for volume in spec["volumes"]]
    assert "PINION_AUDIT_KEY" in [one["name"] for one in spec["containers"][0]["env"]]


def _told(monkeypatch) -> dict:
    """What `pinion serve` makes of the container's environment; the Secret's values are left out."""
    environment = {one["name"]: one["value"] for one in container()["env"] if "value" in one}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return served_with({one["name"]: "" for one in container()["env"]})
