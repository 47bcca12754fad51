"""What a cgroup path says: every form that runtimes write, and the ones that must stay unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.enrich.cgroup import Membership, parse_path, parse_proc

A = "a1" * 32
B = "b2" * 32
UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
UNDER = UID.replace("-", "_")
STATIC = "0123456789abcdef0123456789abcdef"
OTHER = "99999999-4b5a-6978-8796-a5b4c3d2e1f0"

# what it is, path, container id, pod uid, runtime, service
VECTORS = [
    ("root", "/", None, None, None, None),
    ("nothing", "", None, None, None, None),
    # Kubernetes, systemd driver
    (
        "containerd, burstable",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDER}.slice/cri-containerd-{A}.scope",
        *(A, UID, "containerd", None),
    ),
    (
        "containerd, guaranteed has no class folder",
        f"/kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{A}.scope",
        *(A, UID, "containerd", None),
    ),
    (
        "CRI-O",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice/crio-{A}.scope",
        *(A, UID, "cri-o", None),
    ),
    (
        "CRI-O with crun: a folder of crun's own inside",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice/crio-{A}.scope/container",
        *(A, UID, "cri-o", None),
    ),
    (
        "the monitor of a CRI-O container is the pod's, not in the container",
        f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UNDER}.slice/crio-conmon-{A}.scope",
        *(None, UID, None, None),
    ),
    (
        "Docker as the kubelet's runtime",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDER}.slice/docker-{A}.scope",
        *(A, UID, "docker", None),
    ),
    (
        "static pod: a hash for a uid",
        f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{A}.scope",
        *(A, STATIC, "containerd", None),
    ),
    (
        "a kubelet with a cgroup root of its own",
        f"/kr1.slice/kr1-kubepods.slice/kr1-kubepods-pod{UNDER}.slice/cri-containerd-{A}.scope",
        *(A, UID, "containerd", None),
    ),
    (
        "systemd path given to a cgroupfs driver",
        f"/system.slice/containerd.service/kubepods-besteffort-pod{UNDER}.slice:cri-containerd:{A}",
        *(A, UID, "containerd", None),
    ),
    (
        "the same under CRI-O",
        f"/kubepods-burstable-pod{UNDER}.slice:crio:{A}",
        *(A, UID, "cri-o", None),
    ),
    ("the same with a static pod", f"/kubepods-pod{STATIC}.slice:cri-containerd:{A}", A, STATIC, "containerd", None),
    # Kubernetes, cgroupfs driver
    ("cgroupfs, best effort", f"/kubepods/besteffort/pod{UID}/{A}", A, UID, None, None),
    ("cgroupfs, guaranteed", f"/kubepods/pod{UID}/{A}", A, UID, None, None),
    ("cgroupfs, CRI-O", f"/kubepods/burstable/pod{UID}/crio-{A}", A, UID, "cri-o", None),
    ("cgroupfs, static pod", f"/kubepods/burstable/pod{STATIC}/{A}", A, STATIC, None, None),
    ("cgroupfs, below another folder", f"/node7/kubepods/besteffort/pod{UID}/{A}", A, UID, None, None),
    ("a pod's own folder", f"/kubepods/besteffort/pod{UID}", None, UID, None, None),
    ("a class folder", "/kubepods/besteffort", None, None, None, None),
    ("kata: the sandbox's hypervisor", f"/kubepods/besteffort/pod{UID}/kata_{A}", A, UID, "kata", None),
    # Without Kubernetes
    ("Docker, systemd driver", f"/system.slice/docker-{A}.scope", A, None, "docker", None),
    ("Docker, cgroupfs driver", f"/docker/{A}", A, None, "docker", None),
    ("Docker below its service", f"/system.slice/docker.service/docker/{A}", A, None, "docker", None),
    ("Docker with a parent of its own", f"/batch/jobs/{A}", A, None, None, None),
    ("CI job", f"/actions_job/{A}", A, None, None, None),
    (
        "rootless Docker",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope",
        *(A, None, "docker", None),
    ),
    ("Podman", f"/machine.slice/libpod-{A}.scope", A, None, "podman", None),
    ("Podman with crun", f"/machine.slice/libpod-{A}.scope/container", A, None, "podman", None),
    ("Podman, split cgroups", f"/system.slice/web.service/libpod-payload-{A}", A, None, "podman", None),
    ("Podman pod", f"/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope", A, None, "podman", None),
    ("Podman, cgroupfs", f"/libpod_parent/libpod-{A}", A, None, "podman", None),
    ("Podman's monitor is not in the container", f"/machine.slice/libpod-conmon-{A}.scope", None, None, None, None),
    (
        "rootless Podman",
        f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope/container",
        *(A, None, "podman", None),
    ),
    ("nerdctl, systemd driver", f"/system.slice/nerdctl-{A}.scope", A, None, "containerd", None),
    ("nerdctl, cgroupfs driver", f"/default/{A}", A, None, None, None),
    ("ctr with a name: could be anything", "/default/redis", None, None, None, None),
    ("Fargate task", f"/ecs/{STATIC}/{STATIC}-1234567890", f"{STATIC}-1234567890", None, None, None),
    ("ECS task on EC2", f"/ecs/{STATIC}/{A}", A, None, None, None),
    ("LXC", "/lxc.payload.web", "web", None, "lxc", None),
    ("LXC, older", "/lxc/web", "web", None, "lxc", None),
    ("LXC with systemd inside", "/lxc.payload.web/system.slice/nginx.service", "web", None, "lxc", "nginx.service"),
    ("LXC's monitor", "/lxc.monitor.web", None, None, None, None),
    (
        "nspawn",
        "/machine.slice/systemd-nspawn@db.service/payload/system.slice/cron.service",
        *("db", None, "systemd-nspawn", "cron.service"),
    ),
    (
        "nspawn's supervisor is not inside",
        "/machine.slice/systemd-nspawn@db.service/supervisor",
        *(None, None, None, "systemd-nspawn@db.service"),
    ),
    ("nspawn as a scope", r"/machine.slice/machine-my\x2ddb.scope/payload", "my-db", None, "systemd-nspawn", None),
    ("a virtual machine is no container", r"/machine.slice/machine-qemu\x2d1\x2dvm.scope", None, None, None, None),
    ("garden", f"/garden/{UID}", UID, None, "garden", None),
    # One inside the other: the innermost wins
    (
        "a pod on a node that is a Docker container",
        f"/docker/{B}/kubelet/kubepods/besteffort/pod{UID}/{A}",
        *(A, UID, None, None),
    ),
    (
        "the same with the systemd driver",
        f"/system.slice/docker-{B}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
        f"kubelet-kubepods-burstable-pod{UNDER}.slice/cri-containerd-{A}.scope",
        *(A, UID, "containerd", None),
    ),
    (
        "the kubelet of such a node",
        f"/system.slice/docker-{B}.scope/kubelet.slice/kubelet.service",
        *(B, None, "docker", "kubelet.service"),
    ),
    ("its first process", f"/system.slice/docker-{B}.scope/init.scope", B, None, "docker", None),
    (
        "the node's container is not a pod's",
        f"/docker/{B}/kubepods/besteffort/pod{UID}",
        *(None, UID, None, None),
    ),
    ("Docker inside a pod", f"/kubepods/besteffort/pod{UID}/{B}/docker/{A}", A, UID, "docker", None),
    (
        "a cluster inside a pod",
        f"/kubepods/besteffort/pod{OTHER}/{B}/kubepods/besteffort/pod{UID}/{A}",
        *(A, UID, None, None),
    ),
    (
        "systemd inside a pod's container",
        f"/kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{A}.scope/system.slice/nginx.service",
        *(A, UID, "containerd", "nginx.service"),
    ),
    # Services
    ("service", "/system.slice/sshd.service", None, None, None, "sshd.service"),
    ("delegated to a service", "/system.slice/worker.service/pool/3", None, None, None, "worker.service"),
    (
        "template in a slice",
        r"/system.slice/system-getty.slice/getty@tty1.service",
        *(None, None, None, "getty@tty1.service"),
    ),
    (
        "user service",
        "/user.slice/user-1000.slice/user@1000.service/app.slice/music.service",
        *(None, None, None, "music.service"),
    ),
    ("session", "/user.slice/user-1000.slice/session-3.scope", None, None, None, None),
    ("a name that systemd escaped", "/system.slice/_cgroup.service", None, None, None, "cgroup.service"),
    ("the runtime's own service", "/system.slice/containerd.service", None, None, None, "containerd.service"),
    # Changed by the kernel
    ("removed", f"/docker/{A} (deleted)", A, None, "docker", None),
    (
        "removed, scope",
        f"/kubepods.slice/kubepods-pod{UNDER}.slice/cri-containerd-{A}.scope (deleted)",
        *(A, UID, "containerd", None),
    ),
    ("seen from a cgroup namespace", f"/../{A}", A, None, None, None),
    ("from further below", f"/../../pod{UID}/{A}", A, UID, None, None),
    ("from inside a scope", f"/../cri-containerd-{A}.scope", A, None, "containerd", None),
    ("from below, nothing left", "/../../..", None, None, None, None),
    # Almost
    ("63 digits", f"/docker/{A[:-1]}", None, None, None, None),
    ("65 digits", f"/docker/{A}0", None, None, None, None),
    ("capitals", f"/docker/{A.upper()}", None, None, None, None),
    ("a session manager's 32 digits", f"/process_api/{STATIC}", None, None, None, None),
    ("an id inside a longer name", f"/system.slice/backup-{A}.service", None, None, None, f"backup-{A}.service"),
    ("a uid that is none", "/kubepods/besteffort/podabc", None, None, None, None),
    ("a word that ends in pod", f"/tripod{UID}/x", None, None, None, None),
]


@pytest.mark.parametrize(
    ("path", "expected"),
    [pytest.param(path, Membership(*rest), id=what) for what, path, *rest in VECTORS],
)
def test_path(path: str, expected: Membership) -> None:
    assert parse_path(path) == expected


def test_unified_line_alone() -> None:
    path, member = parse_proc(f"0::/kubepods/besteffort/pod{UID}/{A}\n")
    assert path == f"/kubepods/besteffort/pod{UID}/{A}"
    assert member == Membership(A, UID)


def test_version_1_lines_alone() -> None:
    text = f"12:pids:/docker/{A}\n11:cpu,cpuacct:/docker/{A}\n1:name=systemd:/docker/{A}\n"
    assert parse_proc(text) == (f"/docker/{A}", Membership(A, None, "docker"))


def test_hybrid_where_only_version_1_knows_the_container() -> None:
    text = f"4:memory:/docker/{A}\n1:name=systemd:/docker/{A}\n0::/system.slice/docker.service\n"
    path, member = parse_proc(text)
    assert (path, member.container_id, member.service) == (f"/docker/{A}", A, None)


def test_unified_line_decides_over_version_1() -> None:
    text = f"4:memory:/docker/{B}\n0::/system.slice/docker-{A}.scope\n"
    assert parse_proc(text)[1].container_id == A


def test_a_controller_names_no_service() -> None:
    text = "4:memory:/system.slice/old.service\n1:name=systemd:/system.slice/real.service\n0::/\n"
    assert parse_proc(text) == ("/system.slice/real.service", Membership(service="real.service"))
    assert parse_proc("4:memory:/system.slice/old.service\n0::/\n") == ("/", Membership())


def test_a_pod_without_container_beats_a_service() -> None:
    text = f"4:memory:/kubepods/pod{UID}\n0::/system.slice/kubelet.service\n"
    assert parse_proc(text)[1] == Membership(pod_uid=UID)


def test_colons_in_paths_and_odd_lines() -> None:
    text = f"rubbish\n3\n\n0::/system.slice/containerd.service/kubepods-pod{UNDER}.slice:cri-containerd:{A}\n"
    assert parse_proc(text)[1] == Membership(A, UID, "containerd")
    assert parse_proc("") == (None, Membership())


@given(st.text(alphabet=st.sampled_from("abcdef0123456789-_./:podkubescri containerd(deleted)"), max_size=300))
def test_any_text_is_read_without_error(path: str) -> None:
    member = parse_path(path)
    assert member.container_id is None or member.container_id in path.replace(r"\x2d", "-")
    parse_proc(path)


@given(st.lists(st.sampled_from(["kubepods", "besteffort", f"pod{UID}", A, B, "init.scope", "docker", "x.service"])))
def test_the_container_is_the_innermost_id_below_no_pod(folders: list[str]) -> None:
    member = parse_path("/" + "/".join(folders))
    for folder in reversed(folders):
        if folder in (A, B):
            assert member.container_id == folder
            return
        if folder.startswith("pod"):
            break
    assert member.container_id is None
