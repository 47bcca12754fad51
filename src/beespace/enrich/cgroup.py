"""What a cgroup path says: container, pod, runtime, systemd service.

A path is read from its leaf to the root, and the innermost container wins: a process in a pod of a node that is
itself a container belongs to the pod.  Only forms that name a container beyond doubt count; anything else stays
unknown.  The forms are those that runtimes write (systemd driver: ``<prefix>-<id>.scope`` below a slice; cgroupfs
driver: plain folders; runc given a systemd path under cgroupfs: ``slice:prefix:id``), see cgroups(7) for the
``/proc/PID/cgroup`` line format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Membership", "parse_path", "parse_proc"]

_ID = r"([0-9a-f]{64})"


@dataclass(frozen=True, slots=True)
class Membership:
    """What a cgroup belongs to; None is unknown.

    ``container_id`` is the runtime's own id (64 hex digits, or a name for LXC and nspawn); ``pod_uid`` in the
    API server's form (dashes; 32 hex digits for static pods); ``service`` is the systemd unit, inside the
    container if there is one.
    """

    container_id: str | None = None
    pod_uid: str | None = None
    runtime: str | None = None
    service: str | None = None


NOTHING = Membership()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form of path end that names a container (its first group) of ``runtime`` (None: any of several)."""

    runtime: str | None
    end: re.Pattern[str]


def _pattern(runtime: str | None, end: str) -> Pattern:
    return Pattern(runtime, re.compile(f"{end}$"))


# Tried in this order on the path up to each folder.  Monitors of a container (crio-conmon-, libpod-conmon-,
# lxc.monitor., nspawn's supervisor) are not inside it and match nothing here.
PATTERNS = (
    _pattern("containerd", rf"[/:](?:cri-containerd|nerdctl)[-:]{_ID}(?:\.scope)?"),
    _pattern("cri-o", rf"[/:]crio[-:]{_ID}(?:\.scope)?"),
    _pattern("docker", rf"[/:]docker[-:/]{_ID}(?:\.scope)?"),
    _pattern("podman", rf"[/:]libpod(?:-payload)?[-:]{_ID}(?:\.scope)?"),
    _pattern("kata", rf"/kata_{_ID}"),
    _pattern(None, rf"/{_ID}"),  # kubelet with the cgroupfs driver, containerd namespaces, custom parents
    _pattern(None, r"/[0-9a-f]{32}/([0-9a-f]{32}-[0-9]{6,12})"),  # ECS: task, then task-number
    _pattern("lxc", r"/lxc\.payload[./]([^/]+)"),
    _pattern("lxc", r"/lxc/([^/]+)"),
    _pattern("systemd-nspawn", r"/systemd-nspawn@([^/]+)\.service/payload"),
    _pattern("systemd-nspawn", r"/machine\.slice/machine-(?!qemu|lxc)([^/]+)\.scope/payload"),
    _pattern("garden", r"/garden/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"),
)

# The kubelet's folder for a pod: pod<uid>, or a slice whose name ends in -pod<uid> with '_' for '-'.
POD = re.compile(r"(?:^|-)pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?::|$)")


@lru_cache(maxsize=8192)
def parse_path(path: str) -> Membership:
    """What the cgroup at ``path`` belongs to; paths relative to a cgroup namespace (``/../..``) too."""
    folders = [folder for folder in path.removesuffix(" (deleted)").split("/") if folder not in ("", ".", "..")]
    container_id = runtime = service = None
    for depth in range(len(folders), 0, -1):
        folder = folders[depth - 1]
        if container_id is None:
            container_id, runtime = _container("/" + "/".join(folders[:depth]))
            if container_id is None and service is None and folder.endswith(".service"):
                service = folder.removeprefix("_")  # systemd's escape for names that the kernel reserves
        if pod := POD.search(folder):
            return Membership(container_id, pod[1].replace("_", "-"), runtime, service)
    return Membership(container_id, None, runtime, service)


def _container(path: str) -> tuple[str | None, str | None]:
    for pattern in PATTERNS:
        if found := pattern.end.search(path):
            return found[1].replace(r"\x2d", "-"), pattern.runtime
    return None, None


def parse_proc(text: str) -> tuple[str | None, Membership]:
    """Read ``/proc/PID/cgroup`` (cgroups(7)): the process's main path, and what it belongs to.

    The v2 line comes first, then the v1 ``name=systemd`` line, then the controllers; the first line that names a
    container decides, else the first that names a pod, else a service.  The path is that of the deciding line.
    """
    paths = sorted(_lines(text))
    read = [(path, parse_path(path)) for _, path in paths]
    for path, membership in read:
        if membership.container_id is not None:
            return path, membership
    for path, membership in read:
        if membership.pod_uid is not None:
            return path, membership
    for (rank, path), (_, membership) in zip(paths, read, strict=True):
        if membership.service is not None and rank < _CONTROLLER:
            return path, membership
    return (read[0][0], NOTHING) if read else (None, NOTHING)


_UNIFIED, _SYSTEMD, _CONTROLLER = range(3)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line's rank and path; ``hierarchy:controllers:path``, where a path may hold colons."""
    for line in text.splitlines():
        hierarchy, separator, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if not separator or not second:
            continue
        if hierarchy == "0" and not controllers:
            yield _UNIFIED, path.removesuffix(" (deleted)")
        else:
            yield _SYSTEMD if controllers == "name=systemd" else _CONTROLLER, path.removesuffix(" (deleted)")
