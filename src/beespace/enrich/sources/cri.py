"""Containers and pods from the Container Runtime Interface, which containerd and CRI-O speak on a unix socket.

gRPC, ``runtime.v1`` (Kubernetes 1.23 on) or ``runtime.v1alpha2`` (before); needs the extra ``containers``
(``grpcio`` and ``container-runtime-interface-api``), imported when a socket is there.
"""

from __future__ import annotations

import importlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.kubernetes.naming import service_name
from beespace.enrich.workload import owner_of

__all__ = ["CriSource"]

TIMEOUT_S = 2.0
SANDBOXES_MAX = 4096
APIS = ("v1", "v1alpha2")
# A proxy that the environment names is not for a unix socket; a runtime that restarts is back within seconds.
CHANNEL = (("grpc.enable_http_proxy", 0), ("grpc.max_reconnect_backoff_ms", 2000))
CONTAINER_NAME = "io.kubernetes.container.name"


class CriSource:
    """The runtime behind ``socket``; while there is no such socket it knows nothing, without complaint."""

    def __init__(self, socket: Path) -> None:
        self.name = f"cri:{socket}"
        self._socket = socket
        self._channel: Any = None
        self._messages: Any = None
        self._stub: Any = None
        self._runtime = "cri"
        self._sandboxes: OrderedDict[str, Any] = OrderedDict()  # id -> PodSandboxStatus, which does not change

    def find(self, container_id: str) -> Container | None:
        """Raises SourceError if the runtime does not answer."""
        if not self._connect():
            return None
        cri = self._messages
        wanted = cri.ListContainersRequest(filter=cri.ContainerFilter(id=container_id))
        for container in self._call("ListContainers", wanted).containers:
            if container.id == container_id:
                return self._container(container)
        status = self._sandbox(container_id)
        return None if status is None else self._pause(container_id, status)

    def running(self) -> set[str] | None:
        """Created and running containers, and ready sandboxes."""
        if not self._connect():
            return None
        cri = self._messages
        alive = (cri.ContainerState.CONTAINER_CREATED, cri.ContainerState.CONTAINER_RUNNING)
        answer = self._call("ListContainers", cri.ListContainersRequest())
        ids = {container.id for container in answer.containers if container.state in alive}
        return ids | set(self._ready())

    def pods(self) -> Sequence[Pod]:
        """The pods whose sandbox is ready."""
        if not self._connect():
            return ()
        pods = []
        for sandbox_id in self._ready():
            if (status := self._sandbox(sandbox_id)) is not None:
                pods.append(self._pod(status))
        return pods

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = self._stub = None

    # Messages to what enrich says

    def _container(self, container: Any) -> Container:
        status = self._sandbox(container.pod_sandbox_id)
        pod = status.metadata if status is not None else None
        return Container(
            id=container.id,
            runtime=self._runtime,
            name=container.labels.get(CONTAINER_NAME) or container.metadata.name or None,
            image=self._image(container),
            pod_name=pod.name if pod else None,
            pod_uid=pod.uid if pod else None,
            namespace=pod.namespace if pod else None,
            created_ns=container.created_at or None,
            **({} if status is None else _belonging(status)),
        )

    def _pause(self, sandbox_id: str, status: Any) -> Container:
        pod = self._pod(status)
        return Container(
            id=sandbox_id,
            runtime=self._runtime,
            pod_name=pod.name,
            pod_uid=pod.uid,
            namespace=pod.namespace,
            workload=pod.workload,
            workload_kind=pod.workload_kind,
            service_name=pod.service_name,
            sandbox=True,
            created_ns=pod.created_ns,
        )

    def _pod(self, status: Any) -> Pod:
        host_network = status.linux.namespaces.options.network == self._messages.NamespaceMode.NODE
        addresses = (status.network.ip, *(more.ip for more in status.network.additional_ips))
        return Pod(
            uid=status.metadata.uid,
            name=status.metadata.name,
            namespace=status.metadata.namespace,
            **_belonging(status),
            addresses=() if host_network else tuple(address for address in addresses if address),
            host_network=host_network,
            created_ns=status.created_at or None,
        )

    def _image(self, container: Any) -> str | None:
        """The image as a person wrote it; the kubelet passes the runtime only its digest."""
        for name in (getattr(container.image, "user_specified_image", ""), container.image.image):
            if name and not _is_digest(name):
                return str(name)
        request = self._messages.ContainerStatusRequest(container_id=container.id)
        name = self._call("ContainerStatus", request).status.image.image
        return str(name or container.image_ref) or None

    def _sandbox(self, sandbox_id: str) -> Any | None:
        known = self._sandboxes.get(sandbox_id)
        if known is not None:
            return known
        cri = self._messages
        wanted = cri.ListPodSandboxRequest(filter=cri.PodSandboxFilter(id=sandbox_id))
        if not any(item.id == sandbox_id for item in self._call("ListPodSandbox", wanted).items):
            return None
        status = self._call("PodSandboxStatus", cri.PodSandboxStatusRequest(pod_sandbox_id=sandbox_id)).status
        if status.state == cri.PodSandboxState.SANDBOX_READY:  # its address is there by then, and stays
            self._sandboxes[sandbox_id] = status
            while len(self._sandboxes) > SANDBOXES_MAX:
                self._sandboxes.popitem(last=False)
        return status

    def _ready(self) -> list[str]:
        cri = self._messages
        answer = self._call("ListPodSandbox", cri.ListPodSandboxRequest())
        return [item.id for item in answer.items if item.state == cri.PodSandboxState.SANDBOX_READY]

    # The connection

    def _connect(self) -> bool:
        """Whether there is a CRI to talk to; raises SourceError if there is one and we cannot."""
        if not self._socket.is_socket():
            self.close()
            return False
        if self._stub is not None:
            return True
        try:
            grpc = importlib.import_module("grpc")
            modules = [
                tuple(importlib.import_module(f"cri_api.{api}.{part}") for part in ("api_pb2", "api_pb2_grpc"))
                for api in APIS
            ]
        except ImportError as error:
            raise SourceError(f"{error.name} is not installed: pip install 'beespace[containers]'") from error
        if self._channel is None:
            self._channel = grpc.insecure_channel(f"unix://{self._socket}", options=CHANNEL)
        for messages, services in modules:
            stub = services.RuntimeServiceStub(self._channel)
            try:
                version = stub.Version(messages.VersionRequest(), timeout=TIMEOUT_S)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                    raise SourceError(_words(error)) from error
                continue
            self._messages, self._stub, self._runtime = messages, stub, version.runtime_name or "cri"
            return True
        return False  # a containerd whose CRI plugin is switched off, as Docker installs it

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self._stub, method)(request, timeout=TIMEOUT_S)
        except Exception as error:
            if not hasattr(error, "code"):
                raise
            raise SourceError(f"{method}: {_words(error)}") from error


def _belonging(status: Any) -> dict[str, Any]:
    """What the pod is a part of; the kubelet gives the runtime all of its labels and annotations.

    Of a pod without an owner that labels tell, nobody here can say that it has none.
    """
    owner = owner_of(status.metadata.name, status.labels)
    owners = [(owner[1], owner[0])] if owner else []
    return {
        "workload": owner[0] if owner else None,
        "workload_kind": owner[1] if owner else None,
        "service_name": service_name(None, owners, dict(status.annotations), dict(status.labels)),
    }


def _is_digest(image: str) -> bool:
    return image.startswith("sha256:") or "@sha256:" in image


def _words(error: Any) -> str:
    """A gRPC error in one line."""
    return f"{error.code().name.lower().replace('_', ' ')}: {error.details()}"
