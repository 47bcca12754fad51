"""Containers from the Docker Engine API over its unix socket, which Podman serves too.

Plain HTTP/1.1, ``GET /containers/json`` and ``GET /containers/{id}/json`` (any API version since 1.12).
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.workload import workload_of

__all__ = ["DockerSource"]

TIMEOUT_S = 2.0
ANSWER_MAX = 16 << 20
KIND = "io.kubernetes.docker.type"


class DockerSource:
    """The engine behind ``path``; while there is no such socket it knows nothing, without complaint."""

    def __init__(self, path: Path, runtime: str = "docker") -> None:
        self.name = f"{runtime}:{path}"
        self._path = path
        self._runtime = runtime

    def find(self, container_id: str) -> Container | None:
        """Raises SourceError if the engine does not answer."""
        answer = self._get(f"/containers/{quote(container_id, safe='')}/json")
        # The engine also finds by name and by the beginning of an id; only the id itself will do.
        if not isinstance(answer, dict) or answer.get("Id") != container_id:
            return None
        config = answer.get("Config") or {}
        labels: dict[str, str] = config.get("Labels") or {}
        pod_name = labels.get("io.kubernetes.pod.name")
        return Container(
            id=container_id,
            runtime=self._runtime,
            name=labels.get("io.kubernetes.container.name") or str(answer.get("Name") or "").lstrip("/") or None,
            image=config.get("Image") or None,
            pod_name=pod_name,
            pod_uid=labels.get("io.kubernetes.pod.uid"),
            namespace=labels.get("io.kubernetes.pod.namespace"),
            workload=workload_of(pod_name, labels),
            sandbox=labels.get(KIND) == "podsandbox",
            created_ns=_created_ns(answer.get("Created")),
        )

    def running(self) -> set[str] | None:
        """The running containers; None if there is no engine."""
        answer = self._get("/containers/json")
        if not isinstance(answer, list):
            return None
        return {str(container["Id"]) for container in answer}

    def pods(self) -> Sequence[Pod]:
        """None: where the kubelet uses Docker, the pods' addresses are in the CNI result cache."""
        return ()

    def close(self) -> None:
        """Nothing is held open."""

    def _get(self, target: str) -> Any:
        """The answer's JSON; None if there is no socket or no such thing."""
        if not self._path.is_socket():
            return None
        connection = _UnixConnection(self._path)
        try:
            connection.request("GET", target)
            answer = connection.getresponse()
            text = answer.read(ANSWER_MAX)
            if answer.status == http.client.NOT_FOUND:
                return None
            if answer.status != http.client.OK:
                raise SourceError(f"GET {target} answered {answer.status} {answer.reason}")
            return json.loads(text)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SourceError(f"GET {target}: {error or type(error).__name__}") from error
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def _created_ns(text: Any) -> int | None:
    """RFC 3339, in which Go writes up to nine digits of a second."""
    try:
        return int(datetime.fromisoformat(str(text)).timestamp()) * 1_000_000_000
    except ValueError:
        return None
