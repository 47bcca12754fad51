"""What a kubelet does with a pod's ``spec``, as far as our own manifests need it: told to the container runtime.

Defaults (masked paths, read-only paths) are those of Kubernetes.  What a spec has besides is an error, so that no
setting of a manifest is tried by leaving it out.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pods

# pkg/securitycontext/util.go of Kubernetes
MASKED = (
    "/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
    "/sys/devices/virtual/powercap",
)  # fmt: skip
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# Of no meaning to a runtime: for the scheduler, the API server, or the kubelet's own loops.
NOT_OURS = {
    "activeDeadlineSeconds", "automountServiceAccountToken", "dnsPolicy", "nodeName", "nodeSelector",
    "priorityClassName", "restartPolicy", "serviceAccountName", "terminationGracePeriodSeconds", "tolerations",
}  # fmt: skip
NOT_OF_CONTAINER = {"image", "imagePullPolicy", "livenessProbe", "readinessProbe"}
UNITS = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


@dataclass(frozen=True, slots=True)
class Bind:
    """Something of this machine that the pod's image has not got: where the interpreter is."""

    path: str
    source: str


def run(
    node: pods.Node,
    spec: Mapping[str, Any],
    name: str,
    namespace: str,
    *,
    command: Sequence[str],
    binds: Sequence[Bind] = (),
    environment: Mapping[str, str] | None = None,
) -> pods.Pod:
    """Start the pod of ``spec`` on ``node``; ``command`` stands for the command of its one container."""
    from cri_api.v1 import api_pb2 as cri

    left = dict(spec)
    for key in NOT_OURS:
        left.pop(key, None)
    uid = str(uuid.uuid4())
    namespaces = cri.NamespaceOption(
        network=cri.NamespaceMode.NODE if left.pop("hostNetwork", False) else cri.NamespaceMode.POD,
        pid=cri.NamespaceMode.NODE if left.pop("hostPID", False) else cri.NamespaceMode.CONTAINER,
    )
    volumes = {volume.pop("name"): volume for volume in (dict(each) for each in left.pop("volumes"))}
    (container,) = (dict(each) for each in left.pop("containers"))
    assert not left, f"this kubelet does not know: {sorted(left)}"
    for key in NOT_OF_CONTAINER:
        container.pop(key, None)
    security = _security(container.pop("securityContext"), namespaces)
    limits = container.pop("resources", {}).get("limits", {})
    assert container.pop("command")[0] in ("beespace", "sleep")
    mounts = [_mount(node, uid, each, volumes[each["name"]]) for each in container.pop("volumeMounts")]
    mounts += [cri.Mount(container_path=each.path, host_path=each.source, readonly=True) for each in binds]
    variables = {each["name"]: each.get("value", node.name) for each in container.pop("env")} | dict(environment or {})
    config = cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container.pop("name"), attempt=0),
        image=cri.ImageSpec(image=pods.IMAGE),
        command=list(command),
        args=container.pop("args", []),
        envs=[cri.KeyValue(key=key, value=value) for key, value in variables.items()],
        mounts=mounts,
        linux=cri.LinuxContainerConfig(
            security_context=security,
            resources=cri.LinuxContainerResources(
                memory_limit_in_bytes=_bytes(limits.get("memory", "0")),
                cpu_period=100_000,
                cpu_quota=int(limits.get("cpu", "0")) * 100_000,
            ),
        ),
        log_path="agent.log",
    )
    assert not container, f"this kubelet does not know: {sorted(container)}"
    return node.run_container(name, namespace, uid, namespaces, config)


def _security(given: Mapping[str, Any], namespaces: Any) -> Any:
    from cri_api.v1 import api_pb2 as cri

    left = dict(given)
    capabilities = left.pop("capabilities")
    assert left.pop("seccompProfile") == {"type": "RuntimeDefault"}
    made = cri.LinuxContainerSecurityContext(
        privileged=left.pop("privileged"),
        capabilities=cri.Capability(add_capabilities=capabilities["add"], drop_capabilities=capabilities["drop"]),
        namespace_options=namespaces,
        run_as_user=cri.Int64Value(value=left.pop("runAsUser")),
        run_as_group=cri.Int64Value(value=left.pop("runAsGroup")),
        readonly_rootfs=left.pop("readOnlyRootFilesystem"),
        no_new_privs=not left.pop("allowPrivilegeEscalation"),
        masked_paths=MASKED,
        readonly_paths=READ_ONLY,
        seccomp=cri.SecurityProfile(profile_type=cri.SecurityProfile.RuntimeDefault),
    )
    assert not left, f"this kubelet does not know: {sorted(left)}"
    return made


def _mount(node: pods.Node, uid: str, mount: Mapping[str, Any], volume: Mapping[str, Any]) -> Any:
    from cri_api.v1 import api_pb2 as cri

    if "emptyDir" in volume:
        source = f"/var/lib/kubelet/pods/{uid}/{mount['name']}"
        (node.root / source.lstrip("/")).mkdir(parents=True)
    else:
        source = volume["hostPath"]["path"]
        if volume["hostPath"].get("type") == "DirectoryOrCreate":
            (node.root / source.lstrip("/")).mkdir(parents=True, exist_ok=True)
    propagation = {None: "PROPAGATION_PRIVATE", "HostToContainer": "PROPAGATION_HOST_TO_CONTAINER"}
    return cri.Mount(
        container_path=mount["mountPath"],
        host_path=source,
        readonly=mount.get("readOnly", False),
        propagation=getattr(cri.MountPropagation, propagation[mount.get("mountPropagation")]),
    )


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
    assert match is not None, text
    return int(match[1]) * UNITS[match[2]]


def logs(node: pods.Node, pod: pods.Pod) -> str:
    """What the pod's container wrote, without the runtime's prefixes."""
    file = Path(node.root / "logs" / pod.uid / "agent.log")
    return "".join(line.split(" ", 3)[3] for line in file.read_text().splitlines(keepends=True))
