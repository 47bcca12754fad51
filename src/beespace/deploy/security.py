"""What the agent's container may do, and what of its node it sees: as little as works, each with its reason.

Everything that goes beyond Kubernetes' Pod Security Standard "restricted" stands here, and nothing does elsewhere.
What is needed was found by trying: ``tests/pods/test_pods_deploy.py`` runs the agent with these rights, and without
each of them.
"""

from __future__ import annotations

from beespace.deploy.explained import Data, Why

__all__ = ["CACHE", "CAPABILITIES", "HOST_CGROUPS", "RUNTIMES", "STORE", "container_security", "mounts", "volumes"]

STORE = "/var/lib/beespace"
CACHE = "/tmp"
HOST_CGROUPS = "/host/sys/fs/cgroup"

# The folder of the runtime's socket; state that names containers when the socket does not answer is beside it.
RUNTIMES = {
    "containerd": "/run/containerd",
    "crio": "/run/crio",
    "k3s": "/run/k3s/containerd",
}

CAPABILITIES = {
    "BPF": "loads programs and makes maps.",
    "PERFMON": "tracing programs: who executes what, who uses which socket, cgroups that come and go.",
    "NET_ADMIN": "programs that see packets of cgroups.",
    "SYS_PTRACE": "reads in /proc which file a process of another container executes.",
}


def container_security() -> Data:
    """``securityContext`` of the container."""
    return {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsUser": Why(
            0,
            "Beyond 'restricted' (runAsNonRoot): Kubernetes gives added capabilities to root only, and the runtime's "
            "socket is root's.  Without capabilities, root is not more than the owner of root's files.",
        ),
        "runAsGroup": 0,
        "capabilities": {
            "drop": ["ALL"],
            "add": Why(
                [Why(name, f"{name}: {reason}") for name, reason in CAPABILITIES.items()],
                "Beyond 'restricted' (which allows NET_BIND_SERVICE alone).  CAP_SYS_ADMIN is not among them.",
            ),
        },
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def mounts(runtime: str) -> list[Data]:
    """``volumeMounts`` of the container; the runtime's folder is where it is on the node, and so is found."""
    return [
        {"name": "store", "mountPath": STORE},
        {"name": "cgroup", "mountPath": HOST_CGROUPS, "readOnly": True, "mountPropagation": "HostToContainer"},
        {"name": "runtime", "mountPath": runtime, "readOnly": True, "mountPropagation": "HostToContainer"},
        {"name": "tmp", "mountPath": CACHE},
    ]


def volumes(store: str, runtime: str) -> Data:
    """``volumes`` of the pod: the history in the node's folder ``store``, the runtime's folder ``runtime``."""
    return Why(
        [
            Why(
                {"name": "store", "hostPath": {"path": store, "type": "DirectoryOrCreate"}},
                "The history: it stays on the node when the pod is replaced, and the next agent goes on with it.",
            ),
            Why(
                {"name": "cgroup", "hostPath": {"path": "/sys/fs/cgroup", "type": "Directory"}},
                "Where the programs are attached, and the ids of containers are found; a container's own mount shows "
                "its own cgroup only.",
            ),
            Why(
                {"name": "runtime", "hostPath": {"path": runtime}},
                "The container runtime's socket and state: names of containers the moment they start.  Mounts that "
                "the runtime undoes are undone here, too (HostToContainer).",
            ),
            {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
        ],
        "Beyond 'restricted' and 'baseline': hostPath.",
    )
