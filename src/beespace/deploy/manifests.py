"""The objects that a cluster needs to run the agent on every node, in the order in which they are applied."""

from __future__ import annotations

from beespace import __version__
from beespace.deploy.explained import Data, When, Why
from beespace.deploy.security import CACHE, RUNTIMES, STORE, container_security, mounts, volumes
from beespace.record import dataclass

__all__ = ["KUBELET", "NAME", "PORT", "Settings", "agent_pod", "manifests"]

NAME = "beespace"
PORT = 9470
KUBELET = ("pods", "proxy")  # subresource of nodes by which the kubelet's /pods may be read


@dataclass(frozen=True, slots=True)
class Settings:
    """What a cluster's operator may choose.  Sizes and times are written as for ``beespace serve``.

    ``store`` is the folder of the node that has the history; ``runtime`` that of the container runtime's socket;
    ``listen`` where the agent serves HTTP: nobody but the node itself reaches the default.  ``costs``: the kernel
    counts the CPU time of the agent's programs.  ``kubelet``: the right by which it asks the kubelet of its node, one
    of :data:`KUBELET`; nothing: it does not.
    """

    namespace: str = NAME
    image: str = f"beespace:{__version__}"
    pull_policy: str = "IfNotPresent"
    store: str = STORE
    runtime: str = RUNTIMES["containerd"]
    keep: str = "7d"
    keep_bytes: str = "10GiB"
    max_cpu: str = "none"
    costs: bool = False
    listen: str = f"127.0.0.1:{PORT}"
    cpu_request: str = "50m"
    cpu_limit: str = "1"
    memory_request: str = "192Mi"
    memory_limit: str = "512Mi"
    max_unavailable: str = "10%"
    kubelet: str = ""
    kubelet_insecure_tls: bool = False


def manifests(settings: Settings) -> list[Data]:
    """Everything, with reasons."""
    return [_namespace(settings), *cluster_objects(settings)]


def cluster_objects(settings: Settings) -> list[Data]:
    """Everything but the namespace."""
    return [
        _service_account(settings),
        _cluster_role(settings),
        _cluster_role_binding(settings),
        _priority_class(),
        _daemon_set(settings),
    ]


def _labels() -> dict[str, Data]:
    return {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "agent"}


def _meta(namespace: str | None = None) -> dict[str, Data]:
    where = {} if namespace is None else {"namespace": namespace}
    return {"name": NAME, **where, "labels": {**_labels(), "app.kubernetes.io/version": __version__}}


def _namespace(settings: Settings) -> Data:
    standard = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": settings.namespace,
            "labels": Why(
                {**_labels(), **standard},
                "The agent sees all of its node (hostPID, hostNetwork, hostPath), which only the standard "
                "'privileged' allows.  It is not privileged itself: see securityContext below.",
            ),
        },
    }


def _service_account(settings: Settings) -> Data:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _meta(settings.namespace),
        "automountServiceAccountToken": False,
    }


def _cluster_role(settings: Settings) -> Data:
    watched, read = ["get", "list", "watch"], ["get"]
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": _meta(),
        "rules": Why(
            [
                Why(
                    {"apiGroups": [""], "resources": ["pods"], "verbs": watched},
                    "Watched on the agent's own node only; pods of other nodes are asked for one by one, when "
                    "somebody talks to them.",
                ),
                Why(
                    {"apiGroups": [""], "resources": ["services", "nodes", "namespaces"], "verbs": watched},
                    "What addresses of Services and nodes are called; which cluster this is.",
                ),
                Why(
                    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watched},
                    "Pods behind Services, on any node.",
                ),
                Why(
                    {"apiGroups": ["apps"], "resources": ["replicasets"], "verbs": read},
                    "The Deployment behind a pod's ReplicaSet, and the CronJob behind its Job.",
                ),
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": read},
                When(settings.kubelet, _kubelet_rule(settings.kubelet)),
            ],
            "Names only: no rule can change anything, and none reads Secrets or ConfigMaps.  Whatever is taken away "
            "here costs names, which the agent says, and nothing else.",
        ),
    }


def _kubelet_rule(subresource: str) -> Why:
    return Why(
        {"apiGroups": [""], "resources": [f"nodes/{subresource}"], "verbs": ["get"]},
        "GET /pods of the kubelet.  nodes/pods is nothing else (Kubernetes 1.33, KubeletFineGrainedAuthz).  Before, "
        "there is no smaller right than nodes/proxy, which lets its holder run commands in every container of every "
        "node: leave it out where names may be missing.",
    )


def _cluster_role_binding(settings: Settings) -> Data:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _meta(),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": settings.namespace}],
    }


def _priority_class() -> Data:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": _meta(),
        "value": 1_000_000,
        "description": "Agents that have to be on every node.",
    }


def _daemon_set(settings: Settings) -> Data:
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": _meta(settings.namespace),
        "spec": {
            "selector": {"matchLabels": _labels()},
            "minReadySeconds": 10,
            "updateStrategy": Why(
                {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": settings.max_unavailable}},
                "One agent of a node ends before the next one starts (no maxSurge): the history has one writer.  If "
                "the old one is still there all the same, the new one waits for it.",
            ),
            "template": {
                "metadata": {"labels": {**_labels(), "app.kubernetes.io/version": __version__}},
                "spec": agent_pod(
                    settings,
                    [
                        "serve", f"--listen={settings.listen}", f"--keep={settings.keep}",
                        f"--keep-bytes={settings.keep_bytes}", f"--max-cpu={settings.max_cpu}",
                        When(settings.costs, "--costs"),
                        When(settings.kubelet, "--kubelet=$(NODE_IP)"),
                        When(settings.kubelet_insecure_tls, "--kubelet-insecure-tls"),
                    ],
                ),
            },
        },
    }  # fmt: skip


def agent_pod(settings: Settings, arguments: list[Data]) -> Data:
    """The pod's ``spec``."""
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": True,
        "priorityClassName": NAME,
        "terminationGracePeriodSeconds": Why(
            30, "On SIGTERM the agent writes out what it has seen; that takes a second or two."
        ),
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": Why([{"operator": "Exists"}], "On every node, whatever it is reserved for."),
        **host_view(),
        "containers": [
            {
                **container(settings),
                "args": arguments,
                "resources": {
                    "requests": {"cpu": settings.cpu_request, "memory": settings.memory_request},
                    "limits": Why(
                        {"cpu": settings.cpu_limit, "memory": settings.memory_limit},
                        "Tables of the kernel count as the agent's memory.",
                    ),
                },
                **_probes(),
            }
        ],
        "volumes": volumes(settings.store, settings.runtime),
    }


def host_view() -> dict[str, Data]:
    """What of the node's namespaces the pod shares."""
    return {
        "hostPID": Why(
            True,
            "Beyond 'restricted' and 'baseline': /proc then has the processes that the kernel names; without it, "
            "programs are known by the 16 bytes of their kernel name only.",
        ),
        "hostNetwork": Why(
            True,
            "Beyond 'restricted' and 'baseline': names and counters of the node's interfaces, and the addresses that "
            "are the node's own.",
        ),
        "dnsPolicy": "Default",
    }


def container(settings: Settings) -> dict[str, Data]:
    """The container, but for what it runs."""
    return {
        "name": "agent",
        "image": settings.image,
        "imagePullPolicy": settings.pull_policy,
        "command": [NAME],
        "env": [
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            When(settings.kubelet, _NODE_IP),
            {"name": "BEESPACE_STORE", "value": STORE},
            {"name": "XDG_CACHE_HOME", "value": CACHE},
        ],
        "securityContext": container_security(),
        "volumeMounts": mounts(settings.runtime),
    }


_NODE_IP: Data = {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}


def _probes() -> dict[str, Data]:
    def get(path: str) -> Data:
        return {"host": "127.0.0.1", "path": path, "port": PORT}

    return {
        "livenessProbe": Why(
            {"httpGet": get("/healthz"), "periodSeconds": 15, "timeoutSeconds": 5, "failureThreshold": 4},
            "The kubelet asks over the node's loopback, where nobody else than the node itself can.",
        ),
        "readinessProbe": {"httpGet": get("/readyz"), "periodSeconds": 5, "timeoutSeconds": 5},
    }
