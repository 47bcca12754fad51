"""This process and this machine: usage, rights, CPUs, kernel."""

from __future__ import annotations

import os
import resource
from functools import cache

from beespace.record import dataclass
from beespace.syscall.small_files import read_text

# include/uapi/linux/capability.h, in order of their bit
CAPABILITIES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
    "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
    "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage:
    """What this process used: CPU seconds (user and system, children not counted), resident bytes now and at most."""

    cpu_seconds: float
    rss_bytes: int
    max_rss_bytes: int


def usage() -> Usage:
    """What this process has used so far."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(read_text("/proc/self/statm").split()[1])
    return Usage(own.ru_utime + own.ru_stime, pages * resource.getpagesize(), own.ru_maxrss * 1024)


@dataclass(frozen=True, slots=True)
class Rights:
    """What the kernel lets this process do, as far as ``/proc`` tells.

    ``capabilities`` is the effective set.  ``initial_user_namespace`` is whether they count for the
    whole machine.  ``filtered``: a seccomp filter is in force, which may refuse system calls.
    """

    uid: int
    capabilities: frozenset[str]
    initial_user_namespace: bool
    filtered: bool

    def lacks(self, needed: tuple[str, ...]) -> tuple[str, ...]:
        """Those of ``needed`` that are not there; ``CAP_SYS_ADMIN`` stands in for any of them."""
        if "CAP_SYS_ADMIN" in self.capabilities:
            return ()
        return tuple(name for name in needed if name not in self.capabilities)


def rights() -> Rights:
    """The rights of this process now."""
    status = _status()
    return Rights(
        uid=os.geteuid(),
        capabilities=capability_names(int(status.get("CapEff", "0"), 16)),
        initial_user_namespace=in_initial_user_namespace(),
        filtered=status.get("Seccomp", "0") == "2",
    )


def capability_names(mask: int) -> frozenset[str]:
    """The names of the bits of a capability mask; bits without a name are left out."""
    return frozenset(name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1)


def in_initial_user_namespace() -> bool:
    """Whether this process is in the user namespace that the machine booted with."""
    return covers_all_users(_text("/proc/self/uid_map"))


def confinement() -> str | None:
    """The profile or context that AppArmor, SELinux or Smack holds this process in; ``None``: none."""
    text = _text("/proc/self/attr/current").strip().strip("\0")
    return None if text in ("", "unconfined", "kernel", "_") or ":unconfined_t:" in text else text


def covers_all_users(uid_map: str) -> bool:
    """Whether a ``uid_map`` is that of the initial user namespace: all 2**32 - 1 ids onto themselves."""
    return uid_map.split() in ([], ["0", "0", "4294967295"])


def splits_admin() -> bool:
    """Whether the kernel knows ``CAP_BPF`` and ``CAP_PERFMON`` (5.8); before, both are part of ``CAP_SYS_ADMIN``."""
    text = _text("/proc/sys/kernel/cap_last_cap").strip()
    return not text.isdigit() or int(text) >= CAPABILITIES.index("CAP_BPF")


def _status() -> dict[str, str]:
    lines = (line.partition(":") for line in _text("/proc/self/status").splitlines())
    return {key: value.strip() for key, _, value in lines}


def _text(path: str) -> str:
    try:
        return read_text(path)
    except OSError:
        return ""  # no /proc: nothing is known, which callers read as the ordinary case


def sysctl(name: str) -> int | None:
    """The number in ``/proc/sys`` by its dotted name; ``None`` if it is not there, not readable or no number."""
    text = _text("/proc/sys/" + name.replace(".", "/")).strip()
    return int(text) if text.lstrip("-").isdigit() else None


def parse_cpus(text: str) -> tuple[int, ...]:
    """The numbers in a CPU list such as ``0-3,8``; ``ValueError`` if it is none."""
    cpus: list[int] = []
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return tuple(cpus)


@cache
def possible_cpus() -> tuple[int, ...]:
    """The CPUs that the machine may ever have: per-CPU maps have a value for each of them."""
    return parse_cpus(read_text("/sys/devices/system/cpu/possible"))


def online_cpus() -> tuple[int, ...]:
    """The CPUs that run now."""
    return parse_cpus(read_text("/sys/devices/system/cpu/online"))


def kernel_release() -> str:
    """``uname -r``."""
    return os.uname().release
