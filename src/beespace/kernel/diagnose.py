"""``diagnose``: what this machine allows, what is missing, and what to do about it.

Every answer comes from trying (:mod:`beespace.kernel.features`) or from a file that says it; nothing here
looks at a kernel version, needs root or raises.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from beespace.errors import BeespaceError, KernelError
from beespace.hooks import by_name
from beespace.isa import MapType, ProgramType
from beespace.kernel.features import Feature, attach_kind, helper, machine_feature
from beespace.kernel.features.program_types import Smallest
from beespace.kernel.token import find_token
from beespace.record import dataclass
from beespace.syscall import Descriptor, bpf, mounts, process, refusal

__all__ = ["PROBES", "Finding", "diagnose"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that beespace may need.

    ``why`` says what was found, also when it is ``available``; ``help`` says what to do when it is not (``""``
    otherwise).  ``needed_by`` are shipped probes and commands; nobody: only probes of your own.
    """

    feature: str
    available: bool
    why: str
    help: str
    needed_by: tuple[str, ...]


# The hooks of each shipped probe (a test holds it against the probes themselves).
PROBES: dict[str, tuple[str, ...]] = {
    "flows": (
        "cgroup_skb/egress", "cgroup_skb/ingress", "cgroup_sock/create", "cgroup_sock_addr/connect4",
        "cgroup_sock_addr/connect6", "cgroup_sock_addr/sendmsg4", "cgroup_sock_addr/sendmsg6", "cgroup_sock_addr/bind4",
        "cgroup_sock_addr/bind6", "btf_tracepoint", "iterator",
    ),
    "cgroups": ("btf_tracepoint",),
    "execs": ("btf_tracepoint",),
}  # fmt: skip
_ALL = tuple(PROBES)
_FLOWS = ("flows",)
_NAMES = ("container names",)
_PROCESSES = ("process names",)
_RUN = ("beespace run FILE.py",)
_NOBODY: tuple[str, ...] = ()

_NEEDED = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
_ENOUGH_LOCKED_MEMORY = 1 << 26  # bytes; a limit above it is not worth trying to exceed

# Below the host's root; those that :mod:`beespace.enrich.sources` asks (a test holds one against the other).
RUNTIME_SOCKETS = (
    "run/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/k3s/containerd/containerd.sock",
    "run/k0s/containerd.sock",
    "var/snap/microk8s/common/run/containerd.sock",
    "run/cri-dockerd.sock",
    "run/docker.sock",
    "run/podman/podman.sock",
)

# Inodes that the initial namespaces have in every kernel (include/linux/proc_ns.h).
_INITIAL = {"pid": 0xEFFFFFFC, "cgroup": 0xEFFFFFFB}


def diagnose() -> tuple[Finding, ...]:
    """Everything, in the order in which one would mend it.  Takes some tenths of a second."""
    return tuple(finding for check in _CHECKS for finding in check())


# -- rights --------------------------------------------------------------------------------------------------


def _rights() -> Iterator[Finding]:
    rights = process.rights()
    lacking = rights.lacks(_NEEDED if process.splits_admin() else ("CAP_SYS_ADMIN",))
    if not lacking and not rights.initial_user_namespace and (delegated := _token()):
        yield Finding("root or capabilities", True, delegated, "", _ALL)
    elif lacking or not rights.initial_user_namespace:
        why, help = refusal.reason("BPF_PROG_LOAD", rights, _NEEDED)
        yield Finding("root or capabilities", False, why, help or "", _ALL)
    else:
        yield Finding("root or capabilities", True, f"user {rights.uid} has {', '.join(_NEEDED)}", "", _ALL)


def _token() -> str | None:
    """In words, that rights were delegated to this user namespace."""
    try:
        token = find_token(None)
    except BeespaceError:
        return None
    if token is None:
        return None
    token.close()
    return "this process is in a user namespace, and a BPF token carries rights into it"


def _probe_rights() -> Iterator[Finding]:
    rights = process.rights()
    mounted = bool(mounts.visible_mounts("cgroup2"))
    for probe, hooks in PROBES.items():
        asked = {"CAP_BPF"}.union(*(by_name(hook).capabilities for hook in hooks))
        needed = tuple(name for name in _NEEDED if name in asked)
        why = ", ".join(needed)
        if not mounted and any(hook.startswith("cgroup") for hook in hooks):
            needed = (*needed, "CAP_SYS_ADMIN")
            why += "; and CAP_SYS_ADMIN, because cgroup v2 is mounted nowhere"
        if not process.splits_admin():
            needed, why = ("CAP_SYS_ADMIN",), "CAP_SYS_ADMIN; this kernel does not split it into CAP_BPF and others"
        lacking = rights.lacks(needed)
        if lacking:
            why += f"; missing: {', '.join(lacking)}"
        yield Finding(
            f"least privilege of {probe}", not lacking, why, refusal.granting(lacking) if lacking else "", (probe,)
        )


def _executables() -> Iterator[Finding]:
    name, capability = "executables of other users", "CAP_SYS_PTRACE"
    if capability in process.rights().capabilities:
        yield Finding(name, True, f"{capability} is there", "", _PROCESSES)
        return
    why = f"without {capability}, /proc does not say what other users' processes execute; their names are known"
    yield Finding(name, False, why, refusal.granting((capability,)), _PROCESSES)


def _unprivileged() -> Iterator[Finding]:
    value = process.sysctl("kernel.unprivileged_bpf_disabled")
    meaning = {
        None: "this kernel has no such setting",
        0: "0: any user may load socket filters; beespace does not need it",
        1: "1: only with CAP_BPF, until the next boot",
        2: "2: only with CAP_BPF",
    }
    why = meaning.get(value, f"{value}")
    yield Finding("kernel.unprivileged_bpf_disabled", True, why, "", _NOBODY)


def _lockdown() -> Iterator[Finding]:
    mode = mounts.lockdown()
    why = {
        None: "cannot be told (no securityfs, or not permitted to look)",
        "none": "the kernel is not locked down",
        "integrity": "integrity: programs may read kernel memory; some kinds of programs may be refused",
    }.get(mode, f"{mode}: programs may not read kernel memory")
    help = "boot without lockdown=confidentiality, see kernel_lockdown(7)" if mode == "confidentiality" else ""
    yield Finding("no lockdown against reading kernel memory", mode != "confidentiality", why, help, _ALL)


def _locked_memory() -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft == resource.RLIM_INFINITY or soft >= _ENOUGH_LOCKED_MEMORY:
        limit = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft >> 10} KiB"
        yield Finding("locked memory", True, f"the limit is {limit}", "", _ALL)
        return
    try:
        # Kernels before 5.11 count maps against the limit; the map is made after raising it, or not at all.
        bpf.map_create(MapType.ARRAY, 4, 8, (soft >> 3) + 1, name="memlock").close()
    except KernelError as error:
        why = f"the limit is {soft >> 10} KiB, and no map above it could be made"
        help = "ulimit -l unlimited (systemd LimitMEMLOCK=infinity)"
        if process.rights().lacks(("CAP_BPF",)):
            why = f"the limit is {soft >> 10} KiB; cannot be told without CAP_BPF whether this kernel counts maps"
            help = error.help or help
        yield Finding("locked memory", False, why, help, _ALL)
    else:
        yield Finding("locked memory", True, f"a map above the limit of {soft >> 10} KiB could be made", "", _ALL)


# -- where things are ----------------------------------------------------------------------------------------


def _file_systems() -> Iterator[Finding]:
    yield _file_system(
        "cgroup v2", "cgroup2", mounts.cgroup2_root, _ALL, "mount -t cgroup2 none /sys/fs/cgroup/unified"
    )
    yield _file_system(
        "tracefs", "tracefs", mounts.tracefs, _NOBODY, "mount -t tracefs nodev /sys/kernel/tracing (as root)"
    )


def _file_system(
    name: str, kind: str, reach: Callable[[], Descriptor], needed_by: tuple[str, ...], help: str
) -> Finding:
    visible = mounts.visible_mounts(kind)
    where = f"mounted at {visible[0].path}" if visible else "mounted nowhere, reached through a mount of our own"
    if kind == "cgroup2" and mounts.visible_mounts("cgroup"):
        where += "; hybrid: version 1 hierarchies are mounted too"
    try:
        reach().close()
    except KernelError as error:
        if kind == "cgroup2" and (part := mounts.containers_cgroup2()) is not None:
            return Finding(name, True, f"this machine is a container; its own part is at {part}", "", needed_by)
        return Finding(name, False, error.message, help, needed_by)
    return Finding(name, True, where, "", needed_by)


def _namespaces() -> Iterator[Finding]:
    for kind, what, help in (
        (
            "pid",
            "process ids of the host",
            "run it with the host's process ids (docker --pid=host, Kubernetes hostPID); until then programs have the "
            "16 bytes of their kernel name",
        ),
        (
            "cgroup",
            "cgroups of the host",
            "mount the host's /sys/fs/cgroup in the container, or run it in the host's cgroup namespace "
            "(docker --cgroupns=host)",
        ),
    ):
        try:
            inode = Path(f"/proc/self/ns/{kind}").stat().st_ino
        except OSError as error:
            yield Finding(what, False, f"cannot be told: {error.strerror}", "mount /proc", _PROCESSES)
            continue
        if inode == _INITIAL[kind]:
            yield Finding(what, True, f"this process is in the initial {kind} namespace", "", _PROCESSES)
        elif kind == "cgroup" and (visible := mounts.visible_mounts("cgroup2")):
            why = f"in a cgroup namespace of its own, but the host's hierarchy is mounted at {visible[0].path}"
            yield Finding(what, True, why, "", _PROCESSES)
        elif kind == "cgroup" and (part := mounts.containers_cgroup2()) is not None:
            yield Finding(what, True, f"those of the container that this machine is, at {part}", "", _PROCESSES)
        else:
            yield Finding(what, False, f"this process is in a {kind} namespace of its own", help, _PROCESSES)


def _containers() -> Iterator[Finding]:
    found = [path for path in (Path("/", socket) for socket in RUNTIME_SOCKETS) if _is_socket(path)]
    if found:
        yield Finding("container runtime", True, ", ".join(map(str, found)), "", _NAMES)
        return
    help = "none is needed on a host without containers; else CONTAINER_RUNTIME_ENDPOINT= names the CRI socket"
    yield Finding("container runtime", False, "no socket of containerd, CRI-O, Docker or Podman", help, _NAMES)


def _is_socket(path: Path) -> bool:
    try:
        return path.is_socket()
    except OSError:  # a directory on the way that this user may not enter
        return False


def _llvm() -> Iterator[Finding]:
    if find_spec("llvmlite") is None:
        yield Finding("LLVM (llvmlite)", False, "not installed", "pip install 'beespace[compile]'", _RUN)
    else:
        yield Finding("LLVM (llvmlite)", True, "installed", "", _RUN)


# -- what the kernel does ------------------------------------------------------------------------------------


def _tried() -> Iterator[Finding]:
    for name, needed_by, help, parts in _FEATURES:
        features = [part() for part in parts]
        missing = next((feature for feature in features if not feature.available), None)
        if missing is None:
            yield Finding(name, True, "tried, works", "", needed_by)
        else:
            part = f"{missing.name}: " if len(parts) > 1 else ""
            yield Finding(name, False, f"{part}{missing.why}", missing.help or help, needed_by)


def _machine(name: str) -> Callable[[], Feature]:
    return lambda: machine_feature(name)


def _attach(name: str) -> Callable[[], Feature]:
    return lambda: attach_kind(name)


def _helper(program_type: int, name: str, like: Smallest | None = None) -> Callable[[], Feature]:
    return lambda: helper(program_type, name, like)


_NEWER = "use a kernel from {} on, or a distribution that has it backported"

# Name, who needs it, what to do without it, what must work.
_FEATURES: tuple[tuple[str, tuple[str, ...], str, tuple[Callable[[], Feature], ...]], ...] = (
    ("bpf system call", _ALL, "use a kernel with CONFIG_BPF_SYSCALL=y", (_machine("bpf system call"),)),
    (
        "kernel types (BTF)",
        _ALL,
        "use a kernel with CONFIG_DEBUG_INFO_BTF=y; those of current distributions have it",
        (_machine("kernel types (BTF)"), _machine("types of programs (BTF)")),
    ),
    ("JIT", _ALL, "sysctl net.core.bpf_jit_enable=1", (_machine("jit"),)),
    ("BTF tracepoints", _ALL, _NEWER.format("5.5"), (_attach("btf tracepoint"),)),
    ("ring buffer", _ALL, _NEWER.format("5.8"), (_machine("ring buffer"),)),
    (
        "packet hooks of cgroups",
        _FLOWS,
        "use a kernel with CONFIG_CGROUP_BPF=y; if another program refuses company, see: bpftool cgroup tree",
        (_attach("cgroup_skb ingress"), _attach("cgroup_skb egress")),
    ),
    (
        "socket hooks of cgroups",
        _FLOWS,
        "use a kernel with CONFIG_CGROUP_BPF=y; if another program refuses company, see: bpftool cgroup tree",
        tuple(_attach(f"cgroup {hook}") for hook in ("sock_create", "bind4", "connect4", "sendmsg4")),
    ),
    ("socket storage with clone", _FLOWS, _NEWER.format("5.4"), (_machine("socket storage clone"),)),
    (
        "socket storage from every hook",
        _FLOWS,
        _NEWER.format("5.11"),
        tuple(
            _helper(kind, "sk_storage_get")
            for kind in (
                ProgramType.CGROUP_SKB,
                ProgramType.CGROUP_SOCK,
                ProgramType.CGROUP_SOCK_ADDR,
                ProgramType.TRACING,
            )
        ),
    ),
    (
        "iterators over open files",
        _FLOWS,
        _NEWER.format("5.11"),
        (_attach("iterator task_file"), _helper(ProgramType.TRACING, "sock_from_file")),
    ),
    ("batch operations", _FLOWS, _NEWER.format("5.6"), (_machine("batch operations"),)),
    ("tracepoints", _NOBODY, "use a kernel with CONFIG_FTRACE and CONFIG_PERF_EVENTS", (_attach("tracepoint"),)),
    ("raw tracepoints", _NOBODY, _NEWER.format("4.17"), (_attach("raw tracepoint"),)),
    ("TCP events of cgroups (sockops)", _NOBODY, _NEWER.format("4.13"), (_attach("cgroup sockops"),)),
    ("tcx", _NOBODY, _NEWER.format("6.6"), (_attach("tcx"),)),
    ("kprobes", _NOBODY, "use a kernel with CONFIG_KPROBES=y, or a tracepoint instead", (_attach("kprobe"),)),
    ("fentry and fexit", _NOBODY, "use a BTF tracepoint instead", (_attach("fentry"), _attach("fexit"))),
    ("LSM hooks", _NOBODY, "use a kernel with CONFIG_BPF_LSM=y, booted with bpf in lsm=", (_attach("lsm"),)),
    ("run statistics", _NOBODY, _NEWER.format("5.8"), (_machine("run statistics"),)),
)

_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _rights,
    _probe_rights,
    _executables,
    _unprivileged,
    _lockdown,
    _locked_memory,
    _file_systems,
    _namespaces,
    _tried,
    _containers,
    _llvm,
)
