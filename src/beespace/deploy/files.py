"""Files of the repository that are made of the tables: the Helm chart, and the pod of ``kubectl beespace``.

``tools/deploy_files.py`` writes them; a test compares, and renders the chart with Helm itself.
"""

from __future__ import annotations

import json
from typing import Any

from beespace import __version__
from beespace.deploy.explained import plain
from beespace.deploy.manifests import KUBELET, Settings, cluster_objects, container, host_view
from beespace.deploy.security import volumes
from beespace.deploy.yaml import documents

__all__ = ["CHART", "KUBERNETES", "VALUES", "chart", "ephemeral_pod", "values_of"]

CHART = "charts/beespace"
# The oldest Kubernetes that takes every field of the manifests: securityContext.seccompProfile is the newest of them.
# The agent itself makes do with older ones (EndpointSlices are of 1.17, and it works without them).
KUBERNETES = "1.19"
DESCRIPTION = "Who talks to whom: exact flows with true names, from eBPF, on every node"

# What may be chosen: the value's name in the chart, the setting, what it is.
VALUES = (
    ("image", "image", "The agent's image, as your registry names it."),
    ("imagePullPolicy", "pull_policy", ""),
    ("runtime", "runtime", "The folder of each node that has the container runtime's socket: /run/crio for CRI-O."),
    ("store", "store", "The folder of each node for the history."),
    ("keep", "keep", "Age limit of the history."),
    ("keepBytes", "keep_bytes", "Size limit of the history."),
    (
        "maxCpu",
        "max_cpu",
        'The share of one core that the agent may use, as "2%": it leaves detail out rather than more.',
    ),
    ("costs", "costs", "Have the kernel count the CPU time of the agent's programs, for /metrics."),
    (
        "kubelet",
        "kubelet",
        'Ask each node\'s kubelet for its pods where the API is silent, by the right to nodes/"pods" (Kubernetes '
        '1.33), or to nodes/"proxy", which lets its holder run commands in every container of every node.',
    ),
    ("kubeletInsecureTls", "kubelet_insecure_tls", "Do not verify the kubelets' certificates."),
    ("listen", "listen", 'Where /metrics is served; ":9470" is every address of the node.'),
    ("cpuRequest", "cpu_request", ""),
    ("cpuLimit", "cpu_limit", ""),
    ("memoryRequest", "memory_request", "Tables of the kernel count as the agent's memory."),
    ("memoryLimit", "memory_limit", ""),
    ("maxUnavailable", "max_unavailable", "So many nodes are without an agent at a time during an update."),
)
NOTE = "# Made by tools/deploy_files.py from the same tables as `beespace deploy`.\n"


def values_of(settings: Settings) -> dict[str, str | bool]:
    """The chart's values that say what ``settings`` do."""
    return {name: getattr(settings, field) for name, field, _ in VALUES}


def chart() -> dict[str, str]:
    """The files of the Helm chart, by path below :data:`CHART`.

    The namespace is Helm's own business (``--create-namespace``); everything else is as in the manifests.
    """
    # Strings stand in double quotes: JSON's strings are YAML's.  Booleans stand in conditions only.
    values: Any = {field: f"{{{{ .Values.{name} }}}}" for name, field, _ in VALUES}
    templated = Settings(namespace="{{ .Release.Namespace }}", **values)
    about = {
        "apiVersion": "v2", "name": "beespace", "description": DESCRIPTION, "type": "application",
        "version": __version__, "appVersion": __version__, "kubeVersion": f">={KUBERNETES}.0-0",
    }  # fmt: skip
    written = []
    for (name, _, said), value in zip(VALUES, values_of(Settings()).values(), strict=True):
        written += [f"# {said}\n"] if said else []
        written.append(f"{name}: {json.dumps(value)}\n")
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "kubelet": {"enum": ["", *KUBELET]},
            **{name: {"type": "boolean"} for name, value in values_of(Settings()).items() if isinstance(value, bool)},
        },
    }
    return {
        "Chart.yaml": NOTE + documents([about]).removeprefix("---\n"),
        "values.yaml": NOTE + "".join(written),
        "values.schema.json": json.dumps(schema, indent=2) + "\n",
        "templates/agent.yaml": NOTE + documents(cluster_objects(templated)),
    }


def ephemeral_pod() -> str:
    """The pod that ``kubectl beespace`` makes, as JSON with ``@NAME@`` and such in it: the DaemonSet's, but that it
    keeps nothing on the node, asks no API, waits for commands, and ends by itself."""
    settings = Settings(image="@IMAGE@", runtime="@RUNTIME@")
    kept = [volume for volume in plain(volumes(settings.store, settings.runtime)) if volume["name"] != "store"]
    spec = {
        "nodeName": "@NODE@",
        "restartPolicy": "Never",
        "activeDeadlineSeconds": 3600,
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "tolerations": [{"operator": "Exists"}],
        **plain(host_view()),
        "containers": [{**plain(container(settings)), "command": ["sleep", "3600"]}],
        "volumes": [{"name": "store", "emptyDir": {"sizeLimit": "1Gi"}}, *kept],
    }
    labels = {"app.kubernetes.io/name": "beespace", "app.kubernetes.io/component": "ephemeral"}
    metadata = {"name": "@NAME@", "labels": labels}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, indent=1) + "\n"
