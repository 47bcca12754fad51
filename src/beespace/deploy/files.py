"""Files of the repository that are made of the tables: the Helm chart, and the pod of ``kubectl beespace``.

``tools/deploy_files.py`` writes them; a test compares, and renders the chart with Helm itself.
"""

from __future__ import annotations

import json

from beespace import __version__
from beespace.deploy.explained import plain
from beespace.deploy.manifests import Settings, cluster_objects, container, host_view
from beespace.deploy.security import volumes
from beespace.deploy.yaml import documents
from beespace.record import replace

__all__ = ["CHART", "VALUES", "chart", "ephemeral_pod", "values_of"]

CHART = "charts/beespace"
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
    ("listen", "listen", 'Where /metrics is served; ":9470" is every address of the node.'),
    ("cpuRequest", "cpu_request", ""),
    ("cpuLimit", "cpu_limit", ""),
    ("memoryRequest", "memory_request", "Tables of the kernel count as the agent's memory."),
    ("memoryLimit", "memory_limit", ""),
    ("maxUnavailable", "max_unavailable", "So many nodes are without an agent at a time during an update."),
)
NOTE = "# Made by tools/deploy_files.py from the same tables as `beespace deploy`.\n"


def values_of(settings: Settings) -> dict[str, str]:
    """The chart's values that say what ``settings`` do."""
    return {name: str(getattr(settings, field)) for name, field, _ in VALUES}


def chart() -> dict[str, str]:
    """The files of the Helm chart, by path below :data:`CHART`.

    The namespace is Helm's own business (``--create-namespace``); everything else is as in the manifests.
    """
    templated = Settings(namespace="{{ .Release.Namespace }}")
    for name, field, _ in VALUES:
        # Every value is a string, and stands in double quotes: JSON's strings are YAML's.
        templated = replace(templated, **{field: f"{{{{ .Values.{name} }}}}"})
    about = {
        "apiVersion": "v2", "name": "beespace", "description": DESCRIPTION, "type": "application",
        "version": __version__, "appVersion": __version__, "kubeVersion": ">=1.25.0-0",
    }  # fmt: skip
    values = []
    for (name, _, said), value in zip(VALUES, values_of(Settings()).values(), strict=True):
        values += [f"# {said}\n"] if said else []
        values.append(f"{name}: {json.dumps(value)}\n")
    return {
        "Chart.yaml": NOTE + documents([about]).removeprefix("---\n"),
        "values.yaml": NOTE + "".join(values),
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
