"""``beespace deploy``: manifests that Kubernetes' own schemas take, the same as the chart that Helm renders."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.cli.main import main
from beespace.deploy import Settings, documents, manifests
from beespace.deploy.explained import When, Why, plain
from beespace.deploy.files import CHART, KUBERNETES, VALUES, chart, ephemeral_pod, values_of
from beespace.deploy.manifests import cluster_objects
from beespace.deploy.security import CAPABILITIES

ROOT = Path(__file__).parents[2]
OTHER = Settings(
    namespace="watching", image="registry.example/bees:2", pull_policy="Always", store="/data/bees",
    runtime="/run/crio", keep="2d", keep_bytes="1GiB", max_cpu="3%", listen=":9470", cpu_request="100m", cpu_limit="2",
    memory_request="1Gi", memory_limit="2Gi", max_unavailable="3", costs=True, kubelet="proxy",
    kubelet_insecure_tls=True,
)  # fmt: skip

# A key longer than 1024 characters would need "? " in front of it.
text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x7f"), max_size=20)
odd = st.sampled_from(["yes", "NO", "~", "1.5", "0x1", "a: b", "-", "1_000", "12:30:00", "2026-11-23", "=", "<<"])
scalars = st.none() | st.booleans() | st.integers() | text | odd
data = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=10)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(text, data, min_size=1), max_size=3))
def test_yaml_is_read_as_it_was_meant(objects: list[Any]) -> None:
    assert list(yaml.safe_load_all(documents(objects))) == objects


def test_reasons_are_comments() -> None:
    value = {"a": Why([Why({"b": 1, "c": Why([], "none")}, "first"), 2], "a list"), "d": [[1, [2]], {}]}
    assert documents([value]) == (
        "---\n# a list\na:\n  # first\n  - b: 1\n    # none\n    c: []\n  - 2\nd:\n  - - 1\n    - - 2\n  - {}\n"
    )
    assert list(yaml.safe_load_all(documents([value]))) == [plain(value)]


def test_what_nobody_asked_for_is_not_there() -> None:
    value = {
        "a": [1, When("", Why({"b": 2}, "two")), When("yes", Why({"b": 3}, "three")), When(False, "x"), When(True, "z")]
    }
    assert documents([value]) == "---\na:\n  - 1\n  # three\n  - b: 3\n  - z\n"
    assert list(yaml.safe_load_all(documents([value]))) == [plain(value)]
    assert documents([[When("{{ .Values.b }}", Why("c", "why"))]]) == (
        "---\n{{- if .Values.b }}\n# why\n- c\n{{- end }}\n"
    )


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*options: str) -> str:
        assert main(["deploy", *options]) == 0
        return capsys.readouterr().out

    return run


def test_the_kubelet_is_asked_only_where_that_is_wanted(printed: Any) -> None:
    assert "kubelet=" not in printed() and "nodes/" not in printed()
    for right in ("pods", "proxy"):
        objects = list(yaml.safe_load_all(printed("--kubelet", right, "--kubelet-insecure-tls")))
        (role,) = [each for each in objects if each["kind"] == "ClusterRole"]
        assert {"apiGroups": [""], "resources": [f"nodes/{right}"], "verbs": ["get"]} in role["rules"]
        (agents,) = [each for each in objects if each["kind"] == "DaemonSet"]
        (container,) = agents["spec"]["template"]["spec"]["containers"]
        assert container["args"][-2:] == ["--kubelet=$(NODE_IP)", "--kubelet-insecure-tls"]
        assert {"fieldPath": "status.hostIP"} in [
            each.get("valueFrom", {}).get("fieldRef") for each in container["env"]
        ]


@pytest.mark.parametrize("version", ["1.25", "1.30", "1.34"])
def test_kubernetes_takes_each_object(printed: Any, version: str) -> None:
    """Strictly: a field that is not there is refused."""
    found = list(yaml.safe_load_all(printed("--image", "registry.example/beespace:1")))
    assert [each["kind"] for each in found] == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "DaemonSet",
    ]  # fmt: skip
    for each in (*found, json.loads(ephemeral_pod())):
        kubernetes_validate.validate(each, version, strict=True)


def test_json_is_the_same(printed: Any) -> None:
    items = json.loads(printed("--image", "a/b:1", "-o", "json"))["items"]
    assert items == list(yaml.safe_load_all(printed("--image", "a/b:1")))


def test_options(printed: Any) -> None:
    found = {
        each["kind"]: each
        for each in json.loads(
            printed(
                *("-o", "json", "--namespace", "watching", "--image", "a/b:1", "--runtime", "crio", "--store", "/data"),
                *("--keep", "2d", "--keep-bytes", "1GiB", "--scrape", "--max-cpu", "2%", "--costs"),
            )
        )["items"]
    }
    assert found["Namespace"]["metadata"]["name"] == found["DaemonSet"]["metadata"]["namespace"] == "watching"
    assert found["ClusterRoleBinding"]["subjects"][0]["namespace"] == "watching"
    pod = found["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "a/b:1"
    limits = ["--keep=2d", "--keep-bytes=1GiB", "--max-cpu=2%"]
    assert pod["containers"][0]["args"] == ["serve", "--listen=:9470", *limits, "--costs"]
    paths = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod["volumes"]}
    assert (paths["store"], paths["runtime"]) == ("/data", "/run/crio")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--namespace", "Not_A_Name"], "is no name of a namespace"),
        (["--runtime", "docker"], "is no folder of a node"),
        (["--store", "data"], "is no folder of a node"),
        (["--store", "/a/../b"], "is no folder of a node"),
        (["--keep", "soon"], "is no duration"),
        (["--keep-bytes", "much"], "is no size"),
    ],
)
def test_what_cannot_be(options: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", *options]) == 2
    output, errors = capsys.readouterr()
    assert says in errors and output == ""


def test_the_agent_takes_its_arguments() -> None:
    from beespace.cli.arguments import parse

    (container,) = pod_spec(OTHER)["containers"]
    options = parse(container["args"])
    assert (options.costs, options.max_cpu, options.kubelet_insecure_tls) == (True, 0.03, True)
    assert options.kubelet == "$(NODE_IP)"  # by the container's environment, which Kubernetes puts in
    (container,) = pod_spec(Settings())["containers"]
    options = parse(container["args"])
    assert (options.command, options.listen, options.keep) == ("serve", ("127.0.0.1", 9470), 7 * 86400.0)
    assert (options.costs, options.max_cpu, options.kubelet, options.kubelet_insecure_tls) == (False, None, None, False)
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == options.listen[1]


def pod_spec(settings: Settings) -> dict[str, Any]:
    spec: dict[str, Any] = plain(manifests(settings)[-1])["spec"]["template"]["spec"]
    return spec


def test_the_rights_are_few() -> None:
    security = pod_spec(Settings())["containers"][0]["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": list(CAPABILITIES)}
    assert "SYS_ADMIN" not in CAPABILITIES
    assert (security["privileged"], security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (
        False, False, True,
    )  # fmt: skip
    mounts = pod_spec(Settings())["containers"][0]["volumeMounts"]
    assert {mount["name"] for mount in mounts if not mount.get("readOnly")} == {"store", "tmp"}
    (role,) = (plain(each) for each in manifests(Settings()) if plain(each)["kind"] == "ClusterRole")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


RESTRICTED = {  # Pod Security Standards: what "restricted" asks for and the agent does not keep
    ("spec", "hostPID"), ("spec", "hostNetwork"), ("spec", "volumes"),
    ("container", "runAsUser"), ("container", "add"),
}  # fmt: skip


def test_each_deviation_is_explained() -> None:
    """The words stand in the output, right above the line that deviates."""
    lines = documents(manifests(Settings())).splitlines()
    for _, key in RESTRICTED:
        (at,) = (number for number, line in enumerate(lines) if re.fullmatch(rf" *{key}:.*", line))
        above = at - 1
        said = ""
        while lines[above].lstrip().startswith("#"):
            said = lines[above].strip(" #") + " " + said
            above -= 1
        assert said.startswith("Beyond 'restricted'"), (key, said)


# -- Helm ----------------------------------------------------------------------------------------------------------


def test_the_repository_has_what_the_tables_say() -> None:
    for name, content in chart().items():
        assert (ROOT / CHART / name).read_text() == content, "run tools/deploy_files.py"
    assert ephemeral_pod() in (ROOT / "plugins/kubectl-beespace").read_text(), "run tools/deploy_files.py"


@pytest.mark.parametrize("settings", [Settings(), OTHER], ids=["default", "other"])
def test_helm_renders_the_manifests(settings: Settings) -> None:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk has no wheel for this machine")
    rendered = helm.Chart.load(str(ROOT / CHART)).render(values_of(settings), name="bees", namespace=settings.namespace)
    assert list(rendered) == ["beespace/templates/agent.yaml"]
    (text,) = rendered.values()
    assert list(yaml.safe_load_all(text)) == [plain(each) for each in cluster_objects(settings)]


def test_the_charts_defaults_are_ours() -> None:
    assert yaml.safe_load((ROOT / CHART / "values.yaml").read_text()) == values_of(Settings())
    fields = {field for _, field, _ in VALUES} | {"namespace"}
    assert fields == set(Settings.__dataclass_fields__), "a setting that the chart has no value for"
    for _, field, _ in VALUES:
        assert getattr(OTHER, field) != getattr(Settings(), field), field


@pytest.mark.parametrize("wrong", [{"kubelet": "nodes"}, {"kubelet": True}, {"costs": "no"}])
def test_helm_refuses_other_values(wrong: dict[str, Any]) -> None:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk has no wheel for this machine")
    with pytest.raises(Exception, match=next(iter(wrong))):
        helm.Chart.load(str(ROOT / CHART)).render({**values_of(Settings()), **wrong}, name="bees", namespace="bees")


def test_the_chart_takes_the_cluster_of_our_tests() -> None:
    source = (ROOT / "tests/cluster/kube_build.py").read_text()
    major, minor = re.search(r'^VERSION = "(\d+)\.(\d+)', source, re.M).groups()  # type: ignore[union-attr]
    assert tuple(map(int, KUBERNETES.split("."))) <= (int(major), int(minor))
    assert yaml.safe_load((ROOT / CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={KUBERNETES}.0-0"


def test_helm_finds_no_fault_with_it() -> None:
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk has no wheel for this machine")
    report = helm.lint(str(ROOT / CHART), strict=True)
    assert report["total_charts_linted"] == 1
    worse = [message for message in report["messages"] if message["severity"] > 1]
    assert (worse, report["errors"]) == ([], None) or (worse, report["errors"]) == ([], [])
