"""Where container names come from: CRI, the Docker API, state folders; each behind ``ContainerSource``.

May import: the rest of ``enrich``.  Invariant: a source that finds no socket or folder is quiet and cheap, so all
of them are always there and a runtime may start after us; nobody but a source knows a runtime's format.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from beespace.enrich.container import ContainerSource
from beespace.enrich.sources.cri import CriSource
from beespace.enrich.sources.docker import DockerSource
from beespace.enrich.sources.oci import OciSource
from beespace.errors import UsageError

__all__ = ["CriSource", "DockerSource", "OciSource", "standard_sources"]

# Below the host's root.
CRI_SOCKETS = (
    "run/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/k3s/containerd/containerd.sock",
    "run/k0s/containerd.sock",
    "var/snap/microk8s/common/run/containerd.sock",
    "run/cri-dockerd.sock",
)
DOCKER_SOCKETS = (("run/docker.sock", "docker"), ("run/podman/podman.sock", "podman"))
ENDPOINT = "CONTAINER_RUNTIME_ENDPOINT"  # as crictl has it


def standard_sources(
    root: Path = Path("/"), endpoint: str | None = None, environment: Mapping[str, str] = os.environ
) -> list[ContainerSource]:
    """Every source, the one that knows most first: CRI, then Docker and Podman, then state folders.

    ``root`` is the host's root as we see it.  ``endpoint`` (else ``$CONTAINER_RUNTIME_ENDPOINT``) is the one CRI
    socket to use, as a path or ``unix://`` address.  Raises UsageError for an address of another kind.
    """
    endpoint = endpoint or environment.get(ENDPOINT)
    sockets = [_socket_path(endpoint)] if endpoint else [root / path for path in CRI_SOCKETS]
    engines = [(root / path, runtime) for path, runtime in DOCKER_SOCKETS]
    docker_host = environment.get("DOCKER_HOST", "")
    if docker_host.startswith("unix://"):
        engines.insert(0, (_socket_path(docker_host), "docker"))
    return [
        *(CriSource(path) for path in sockets),
        *(DockerSource(path, runtime) for path, runtime in dict(engines).items()),
        OciSource(root),
    ]


def _socket_path(endpoint: str) -> Path:
    path = endpoint.removeprefix("unix://")
    if "://" in path or not path.startswith("/"):
        raise UsageError(
            f"{endpoint!r} is no container runtime endpoint",
            help="give the path of its socket, like unix:///run/containerd/containerd.sock",
        )
    return Path(path)
