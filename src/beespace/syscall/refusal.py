"""Why the kernel said no, in plain words."""

from __future__ import annotations

import errno as _errno
import os
from collections.abc import Mapping

from beespace.errors import KernelError, NotPermitted
from beespace.syscall import door, process

ENOTSUPP = 524  # the kernel's own "not supported", which escapes to user space; libc has no name for it

# What an errno of a call means, and what to do about it.  A key without a call is for all calls.
_WORDS: Mapping[tuple[str, int], tuple[str, str | None]] = {
    ("", ENOTSUPP): ("this kernel cannot do that", None),
    ("", _errno.EBADF): ("a descriptor is closed or of the wrong kind", None),
    ("", _errno.ENOSYS): ("this kernel does not have the system call", "use a kernel with CONFIG_BPF_SYSCALL"),
    ("", _errno.ENOMEM): ("there is not enough memory", "make it smaller, or raise the memory limit of the cgroup"),
    ("BPF_MAP_CREATE", _errno.EINVAL): ("the kernel does not know the map type, or refuses its sizes or flags", None),
    ("BPF_MAP_CREATE", _errno.E2BIG): ("it is too large, or asks for something that this kernel does not know", None),
    ("BPF_MAP_UPDATE_ELEM", _errno.E2BIG): ("the map is full, or the index is past its end", "raise max_entries"),
    ("BPF_MAP_UPDATE_ELEM", _errno.EEXIST): ("the key is there already", None),
    ("BPF_MAP_UPDATE_ELEM", _errno.ENOENT): ("the key is not there", None),
    ("BPF_MAP_UPDATE_ELEM", _errno.EBUSY): ("the map has no free entry at the moment", "try again"),
    ("BPF_MAP_UPDATE_BATCH", _errno.E2BIG): ("the map is full", "raise max_entries"),
    ("BPF_MAP_DELETE_ELEM", _errno.EINVAL): ("entries of this kind of map cannot be deleted", None),
    ("BPF_MAP_LOOKUP_BATCH", ENOTSUPP): ("this kernel has no batches for this kind of map", None),
    ("BPF_MAP_LOOKUP_AND_DELETE_BATCH", ENOTSUPP): ("this kernel has no batches for this kind of map", None),
    ("BPF_MAP_FREEZE", _errno.EBUSY): ("somebody writes the map, or has it mapped for writing", None),
    ("BPF_PROG_LOAD", _errno.EINVAL): ("the kernel does not know the program type, attach type, target or flags", None),
    ("BPF_PROG_LOAD", _errno.E2BIG): (
        "it has too many instructions, or asks for what this kernel does not know",
        None,
    ),
    ("BPF_PROG_LOAD", ENOTSUPP): ("the kernel's compiler (JIT) cannot translate it", None),
    ("BPF_PROG_TEST_RUN", _errno.EINVAL): ("the input is too short, or this program type takes no such input", None),
    ("BPF_PROG_TEST_RUN", ENOTSUPP): ("programs of this type cannot be run for a test", None),
    ("BPF_PROG_TEST_RUN", _errno.EOPNOTSUPP): ("programs of this type cannot be run for a test", None),
    ("BPF_RAW_TRACEPOINT_OPEN", _errno.ENOENT): (
        "the kernel has no such tracepoint",
        "names: tracefs, available_events",
    ),
    ("BPF_RAW_TRACEPOINT_OPEN", _errno.EBUSY): ("another program is there, and the place takes one only", None),
    ("BPF_RAW_TRACEPOINT_OPEN", ENOTSUPP): ("this kernel cannot attach to functions (no trampolines)", None),
    ("BPF_LINK_CREATE", _errno.EINVAL): (
        "the kernel does not know the attach type, or the target does not fit it",
        None,
    ),
    ("BPF_LINK_CREATE", _errno.EBUSY): ("another program is there, and does not share the place", "see: bpftool link"),
    ("BPF_LINK_CREATE", _errno.EEXIST): ("the program is attached there already", None),
    ("BPF_LINK_CREATE", _errno.ENODEV): ("there is no such interface", None),
    ("BPF_LINK_CREATE", _errno.ESTALE): ("the list of programs there has changed meanwhile", "try again"),
    ("BPF_LINK_CREATE", _errno.EOPNOTSUPP): ("this kernel cannot attach there", None),
    ("BPF_LINK_UPDATE", _errno.EINVAL): (
        "links of this kind keep their program, or the new one is of another type",
        "detach it, and attach the new program",
    ),
    ("BPF_LINK_UPDATE", _errno.EOPNOTSUPP): (
        "links of this kind keep their program",
        "detach it, and attach the new program",
    ),
    ("BPF_LINK_UPDATE", _errno.ENOLINK): ("what it was attached to is gone", None),
    ("BPF_PROG_ATTACH", _errno.EBADF): ("the target is no cgroup v2 directory, map or network namespace", None),
    ("BPF_PROG_DETACH", _errno.ENOENT): ("it is not attached there", None),
    ("BPF_OBJ_GET", _errno.ENOENT): ("nothing is pinned there", None),
    ("BPF_OBJ_PIN", _errno.ENOENT): ("its directory is not there", "make it, or mount a bpf file system there"),
    ("BPF_OBJ_PIN", _errno.EEXIST): ("something is pinned there already", "remove it, or choose another name"),
    ("BPF_OBJ_GET", _errno.EACCES): ("it is no pinned BPF object, or this user may not open it", None),
    ("BPF_PROG_GET_FD_BY_ID", _errno.ENOENT): ("it is gone", None),
    ("BPF_MAP_GET_FD_BY_ID", _errno.ENOENT): ("it is gone", None),
    ("BPF_LINK_GET_FD_BY_ID", _errno.ENOENT): ("it is gone", None),
    ("BPF_BTF_GET_FD_BY_ID", _errno.ENOENT): ("it is gone", None),
    ("perf_event_open", _errno.ENOENT): ("this kernel has no such event", None),
    ("ioctl", _errno.EEXIST): ("the event has a program already", None),
    ("mmap", _errno.EINVAL): ("the map was not made for it, or the length is wrong", None),
}

# Calls whose EPERM is about the object, once the rights to bpf(2) are there.
_ABOUT_THE_OBJECT: Mapping[str, str] = {
    "BPF_MAP_UPDATE_ELEM": "the map is frozen, or was opened for reading only",
    "BPF_MAP_UPDATE_BATCH": "the map is frozen, or was opened for reading only",
    "BPF_MAP_DELETE_ELEM": "the map is frozen, or was opened for reading only",
    "BPF_MAP_DELETE_BATCH": "the map is frozen, or was opened for reading only",
    "BPF_MAP_LOOKUP_AND_DELETE_BATCH": "the map is frozen, or was opened for reading only",
    "BPF_MAP_LOOKUP_AND_DELETE_ELEM": "the map is frozen, or was opened for reading only",
    "BPF_MAP_LOOKUP_ELEM": "the map was opened for writing only",
    "BPF_MAP_LOOKUP_BATCH": "the map was opened for writing only",
    "BPF_MAP_GET_NEXT_KEY": "the map was opened for writing only",
    "BPF_MAP_FREEZE": "the map was opened for reading only",
    "mmap": "the map is frozen, or was opened for reading only",
    "BPF_OBJ_PIN": "the directory is not in a bpf file system (mount -t bpf bpf /sys/fs/bpf)",
    "BPF_LINK_CREATE": "a program there does not let others in, or the attach point does not take programs",
    "BPF_LINK_UPDATE": "its program is not the one that was expected",
    "BPF_RAW_TRACEPOINT_OPEN": "the attach point does not take programs",
    "BPF_PROG_ATTACH": "a program there does not let others in",
}

_NO_COMMAND = 0x7FFFFFFF
_MOUNT_CALLS = frozenset({"fsopen", "fsconfig", "fsmount"})


def words(call: str, errno: int) -> tuple[str, str | None]:
    """What ``errno`` of ``call`` means, and what helps (``None``: nothing is known)."""
    known = _WORDS.get((call, errno)) or _WORDS.get(("", errno))
    return known or (os.strerror(errno), None)


def error(
    call: str, errno: int, what: str, *, needs: tuple[str, ...] = (), not_delegated: str | None = None
) -> KernelError:
    """The exception for a system call or bpf command that failed with ``errno``; ``what`` completes "cannot ...".

    ``needs`` are the capabilities that the call takes; ``not_delegated`` is what the BPF token that it was made with
    lacks.
    """
    if errno == _errno.EPERM and not_delegated is not None:
        more = "mount the bpf file system with more, see: bpftool token list"
        return NotPermitted(what, missing=not_delegated, call=call, errno=errno, help=more)
    if errno == _errno.EPERM:
        return not_permitted(call, errno, what, needs=needs)
    meaning, help = words(call, errno)
    return KernelError(f"cannot {what}: {meaning}", call=call, errno=errno, help=help)


def not_permitted(
    call: str, errno: int, what: str, *, needs: tuple[str, ...] = (), sysctl: str | None = None
) -> NotPermitted:
    """The exception for a call that was refused: names what is missing, as far as ``/proc`` tells."""
    missing, help = reason(call, process.rights(), needs, sysctl)
    return NotPermitted(what, missing=missing, call=call, errno=errno, help=help)


def reason(
    call: str, rights: process.Rights, needs: tuple[str, ...], sysctl: str | None = None
) -> tuple[str, str | None]:
    """What is missing for ``call``, and what to do: the first that applies of what can forbid it."""
    if needs and not process.splits_admin():
        needs = ("CAP_SYS_ADMIN",)
    lacking = rights.lacks(needs)
    if lacking:
        missing = f"this process (user {rights.uid}) lacks {' and '.join(lacking)}"
        name = sysctl or ("kernel.unprivileged_bpf_disabled" if "CAP_BPF" in lacking else None)
        value = None if name is None else process.sysctl(name)
        if value is not None and value > 0:
            missing += f" ({name} = {value})"
        return missing, granting(lacking)
    if not rights.initial_user_namespace:
        return (
            "this process is in a user namespace, whose capabilities do not count here",
            "run it outside of the user namespace (rootless containers are one), or delegate a BPF token",
        )
    if call in _ABOUT_THE_OBJECT:
        if rights.lacks(("CAP_BPF",)) and process.sysctl("kernel.unprivileged_bpf_disabled"):
            return f"{_ABOUT_THE_OBJECT[call]}; or this kernel asks for CAP_BPF (before 6.4)", granting(("CAP_BPF",))
        return _ABOUT_THE_OBJECT[call], None
    locked = _lockdown(call)
    if locked not in (None, "none"):
        return (
            f"the capabilities are there, but the kernel is locked down ({locked})",
            "boot without Secure Boot or lockdown=, see kernel_lockdown(7)",
        )
    if rights.filtered and not (call.startswith("BPF_") and _bpf_arrives()):
        return (
            "a seccomp filter refuses the call",
            "let the container use bpf and perf_event_open (seccomp profile), or run it privileged",
        )
    unseen = " (lockdown cannot be read here)" if locked is None and call not in _MOUNT_CALLS else ""
    profile = process.confinement()
    if profile is not None:
        return (
            f"the capabilities are there, but the kernel or a security module refuses it (this process is {profile})",
            "allow it in the profile (the system's log says what was denied), or run it unconfined",
        )
    return f"the capabilities are there, but the kernel or a security module refuses it{unseen}", None


def granting(lacking: tuple[str, ...]) -> str:
    """How to get capabilities, for everybody who starts the process some way."""
    short = ", ".join(name.removeprefix("CAP_") for name in lacking)
    ways = "systemd AmbientCapabilities=, docker --cap-add, Kubernetes capabilities.add"
    return f"run it as root, or grant {short} ({ways})"


def _bpf_arrives() -> bool:
    """Whether bpf(2) gets past the seccomp filter: the kernel itself says EINVAL to a command that there is not."""
    return door.issue("bpf", (_NO_COMMAND, 0, 0)) == -_errno.EINVAL


def _lockdown(call: str) -> str | None:
    if call in _MOUNT_CALLS:  # finding it out may take such a call
        return None
    from beespace.syscall import mounts  # it reports through this module

    return mounts.lockdown()
