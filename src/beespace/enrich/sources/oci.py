"""Containers and pods from the files that runtimes keep under ``/run``: no API, no dependency.

* An OCI bundle's ``config.json`` (containerd, CRI-O, crun): annotations name container, pod and image.
* runc's ``state.json``: the same annotations as ``labels``.
* The CNI result cache (``/var/lib/cni/results``, libcni 0.7): which sandbox has which address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beespace.enrich.cgroup import parse_path
from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.workload import workload_of

__all__ = ["OciSource"]

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a runtime keeps one folder per container: ``folder`` (``*``: containerd's namespaces), then the id."""

    runtime: str
    folder: str
    file: str


# Bundles before states: a bundle has the pod, and containerd's runc keeps both.
PLACES = (
    Place("containerd", "run/containerd/io.containerd.runtime.v2.task/*", "config.json"),
    Place("containerd", "run/k3s/containerd/io.containerd.runtime.v2.task/*", "config.json"),
    Place("containerd", "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task/*", "config.json"),
    Place("cri-o", "run/containers/storage/overlay-containers", "userdata/config.json"),
    Place("cri-o", "var/lib/containers/storage/overlay-containers", "userdata/config.json"),
    Place("containerd", "run/containerd/runc/*", "state.json"),
    Place("runc", "run/runc", "state.json"),
)
CNI_RESULTS = ("var/lib/cni/results", "var/lib/cni/cache/results")

# Which annotation says what: first one that is there.
ANNOTATIONS = {
    "name": ("io.kubernetes.cri.container-name", "io.kubernetes.container.name", "nerdctl/name"),
    "image": (
        "io.kubernetes.cri.image-name",
        "io.kubernetes.cri-o.UserRequestedImage",
        "io.kubernetes.cri-o.ImageName",
        "io.kubernetes.cri-o.Image",
    ),
    "pod_name": ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"),
    "pod_uid": ("io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"),
    "namespace": ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace"),
}
KINDS = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
LABELS = "io.kubernetes.cri-o.Labels"
MANAGERS = {"cri-o": "cri-o", "libpod": "podman"}


class OciSource:
    """The state folders below ``root``, the host's root as we see it (``/``, or ``/host`` in a pod)."""

    name = "oci"

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._pods: dict[str, Pod] = {}  # by CNI result file, which is written once

    def find(self, container_id: str) -> Container | None:
        """Raises SourceError if a state file is not what it should be."""
        if _SAFE_ID.fullmatch(container_id) is None:
            return None
        for place in PLACES:
            for folder in self._root.glob(place.folder):
                try:
                    text = (folder / container_id / place.file).read_bytes()
                except OSError:
                    continue
                return self._container(container_id, place, _parsed(text, f"{folder}/{container_id}/{place.file}"))
        return None

    def running(self) -> set[str] | None:
        """Every id that has a state folder; None if no such folders exist."""
        ids: set[str] = set()
        found = False
        for place in PLACES:
            for folder in self._root.glob(place.folder):
                found = True
                ids.update(state.parent.name for state in folder.glob(f"*/{place.file.partition('/')[0]}"))
        return ids if found else None

    def pods(self) -> Sequence[Pod]:
        """The pods of the CNI result cache; those with the host's network have no result."""
        seen: dict[str, Pod] = {}
        for folder in CNI_RESULTS:
            for file in (self._root / folder).glob("*"):
                pod = self._pods.get(str(file)) or self._pod_of_result(file)
                if pod is not None:
                    seen[str(file)] = pod
        self._pods = seen
        merged: dict[str, Pod] = {}
        for pod in seen.values():  # a pod may be in several networks
            before = merged.get(pod.uid)
            addresses = (*before.addresses, *pod.addresses) if before else pod.addresses
            merged[pod.uid] = Pod(pod.uid, pod.name, pod.namespace, addresses=addresses)
        return list(merged.values())

    def close(self) -> None:
        """Nothing is held open."""

    def _container(self, container_id: str, place: Place, state: Mapping[str, Any]) -> Container:
        notes, cgroup_path = _runc_notes(state) if place.file == "state.json" else _bundle_notes(state)
        facts = {key: _first(notes, names) for key, names in ANNOTATIONS.items()}
        member = parse_path(cgroup_path)
        if member.container_id == container_id and facts["pod_uid"] is None:
            facts["pod_uid"] = member.pod_uid  # containerd before 1.6.11 does not note it
        runtime = MANAGERS.get(notes.get("io.container.manager", ""), place.runtime)
        return Container(
            id=container_id,
            runtime=(member.runtime or "oci") if runtime == "runc" else runtime,
            name=facts["name"],
            image=facts["image"],
            pod_name=facts["pod_name"],
            pod_uid=facts["pod_uid"],
            namespace=facts["namespace"],
            workload=workload_of(facts["pod_name"], _labels(notes)),
            sandbox=_first(notes, KINDS) == "sandbox",
        )

    def _pod_of_result(self, file: Path) -> Pod | None:
        """The pod of a cached CNI result; None if it is of the loopback, of no pod, or just being removed."""
        try:
            cached = _parsed(file.read_bytes(), str(file))
        except OSError:
            return None
        arguments = dict(cached.get("cniArgs") or ())
        name, namespace, uid = (arguments.get(f"K8S_POD_{key}") for key in ("NAME", "NAMESPACE", "UID"))
        if cached.get("ifName") == "lo" or not name or not namespace:
            return None
        if not uid:  # containerd before 1.6.11
            sandbox = self.find(str(cached.get("containerId")))
            uid = sandbox.pod_uid if sandbox else None
        ips = (cached.get("result") or {}).get("ips") or ()
        addresses = tuple(str(ip["address"]).partition("/")[0] for ip in ips)
        return Pod(uid, name, namespace, addresses=addresses) if uid else None


def _bundle_notes(state: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """Annotations and cgroup path of an OCI ``config.json``."""
    path = (state.get("linux") or {}).get("cgroupsPath") or ""
    return dict(state.get("annotations") or {}), _slash(path)


def _runc_notes(state: Mapping[str, Any]) -> tuple[dict[str, str], str]:
    """The same of runc's ``state.json``, where annotations are ``key=value`` labels."""
    config = state.get("config") or {}
    labels = (str(label).partition("=") for label in config.get("labels") or ())
    cgroups = config.get("cgroups") or {}
    return {key: value for key, _, value in labels}, _slash(cgroups.get("path") or "")


def _slash(path: str) -> str:
    """``slice:prefix:id``, as the systemd driver writes it, in the form of a path."""
    return path if path.startswith("/") else f"/{path}"


def _labels(notes: Mapping[str, str]) -> Mapping[str, str]:
    """The pod's labels, which CRI-O notes as JSON."""
    if LABELS not in notes:
        return {}
    labels = _parsed(notes[LABELS].encode(), LABELS)
    return {str(key): str(value) for key, value in labels.items()}


def _first(notes: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((notes[name] for name in names if notes.get(name)), None)


def _parsed(text: bytes, what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise SourceError(f"{what} is not a JSON object")
    return value
