"""Kernel file systems without mounting them anywhere.

tracefs, cgroup v2 and bpffs are reached through the mount that the machine has, if it has one,
and else through a detached mount: a descriptor of its root directory that appears in no mount
table and goes away when it is closed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Mapping

from beespace.errors import KernelError, NotPermitted, NotSupported
from beespace.record import dataclass
from beespace.syscall import capabilities, door, refusal
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.small_files import read_text

# include/uapi/linux/mount.h
_FSOPEN_CLOEXEC = 1
_FSMOUNT_CLOEXEC = 1
_FSCONFIG_SET_FLAG = 0
_FSCONFIG_SET_STRING = 1
_FSCONFIG_CMD_CREATE = 6
_MOUNT_ATTR_NOSUID = 0x2
_MOUNT_ATTR_NODEV = 0x4
_MOUNT_ATTR_NOEXEC = 0x8

_CGROUP_ROOT = 1  # inode of a hierarchy's root: the first that kernfs gives (fs/kernfs/dir.c)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of ``/proc/self/mountinfo``.  ``root`` is the part of the file system that is mounted."""

    device: int
    root: str
    path: str
    kind: str


def parse_mountinfo(text: str) -> Iterator[Mount]:
    """The mounts of a ``mountinfo`` text (proc_pid_mountinfo(5))."""
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if dash and len(fields) >= 5:
            major, _, minor = fields[2].partition(":")
            root, path = (_unescape(field) for field in fields[3:5])
            yield Mount(os.makedev(int(major), int(minor)), root, path, after.split()[0])


def _unescape(text: str) -> str:
    first, *escaped = text.split("\\")  # space, tab, newline and backslash as three octal digits
    return first + "".join([chr(int(part[:3], 8)) + part[3:] for part in escaped])


def visible_mounts(kind: str) -> list[Mount]:
    """The mounts of a file system type that this process can reach: whole ones, not covered by another mount."""
    try:
        text = read_text("/proc/self/mountinfo")
    except OSError:
        return []
    return [mount for mount in parse_mountinfo(text) if mount.kind == kind and _is_whole(mount)]


def _is_whole(mount: Mount) -> bool:
    if not _is_there(mount):
        return False
    if mount.kind == "cgroup2":
        # In a cgroup namespace, "/" is the namespace's own part, and the root something like "/../..".
        return os.stat(mount.path).st_ino == _CGROUP_ROOT
    return mount.root == "/"


def _is_there(mount: Mount) -> bool:
    """Whether it can be reached, and nothing else is mounted over it."""
    try:
        return os.stat(mount.path).st_dev == mount.device
    except OSError:
        return False


def detached_mount(kind: str, options: Mapping[str, str | None] | None = None) -> Descriptor:
    """The root directory of a new mount of file system ``kind`` that no mount table shows.

    Takes ``CAP_SYS_ADMIN``.  Raises :class:`~beespace.errors.NotSupported` if the kernel has no such file system.
    An option of value ``None`` is a flag.  Since Linux 5.2 (fsopen(2), fsconfig(2), fsmount(2)).
    """
    what = f"reach the file system {kind}"
    result = door.issue("fsopen", (kind.encode() + b"\0", _FSOPEN_CLOEXEC))
    if result == -errno.ENODEV:
        raise NotSupported(f"the file system {kind}", call="fsopen", errno=errno.ENODEV)
    with Descriptor(_checked("fsopen", result, what), f"{kind} context") as context:
        for key, value in (options or {}).items():
            command = _FSCONFIG_SET_FLAG if value is None else _FSCONFIG_SET_STRING
            text = None if value is None else value.encode() + b"\0"
            _configure(context, command, key.encode() + b"\0", text, what)
        _configure(context, _FSCONFIG_CMD_CREATE, None, None, what)
        attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | _MOUNT_ATTR_NOEXEC
        result = door.issue("fsmount", (context.fileno(), _FSMOUNT_CLOEXEC, attributes))
        return Descriptor(_checked("fsmount", result, what), f"{kind} mount")


def _configure(context: Descriptor, command: int, key: bytes | None, value: bytes | None, what: str) -> None:
    _checked("fsconfig", door.issue("fsconfig", (context.fileno(), command, key, value, 0)), what)


def _checked(call: str, result: int, what: str) -> int:
    if result < 0:
        raise refusal.error(call, -result, what, needs=(capabilities.SYS_ADMIN,))
    return result


def root_of(kind: str) -> Descriptor:
    """The root directory of file system ``kind``: the visible mount, or a detached one."""
    for mount in visible_mounts(kind):
        try:
            return Descriptor(os.open(mount.path, _DIRECTORY), f"{kind} mount")
        except PermissionError:
            continue
    return detached_mount(kind)


def tracefs() -> Descriptor:
    """The directory that has ``events/``."""
    return root_of("tracefs")


def cgroup2_root() -> Descriptor:
    """The root of the cgroup v2 hierarchy: programs attached there see every cgroup.

    :class:`~beespace.errors.NotPermitted` in a cgroup namespace that sees its own part only.
    """
    root = root_of("cgroup2")
    if os.fstat(root.fileno()).st_ino != _CGROUP_ROOT:
        root.close()
        raise NotPermitted(
            "reach the root of cgroup v2",
            missing="this process is in a cgroup namespace of its own, and the host's hierarchy is mounted nowhere",
            help="mount the host's /sys/fs/cgroup anywhere in the container (as `beespace deploy` does), or run it in "
            "the host's cgroup namespace (docker --cgroupns=host)",
        )
    return root


def containers_cgroup2() -> str | None:
    """Where a machine that is a container itself (a node of kind) has its own part of the hierarchy.

    None where the root is visible, and where the part has nobody but this process's own container.
    """
    if visible_mounts("cgroup2"):
        return None
    try:
        found = list(parse_mountinfo(read_text("/proc/self/mountinfo")))
        own = next(line[3:] for line in read_text("/proc/self/cgroup").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    widest = widest_mount(mount for mount in found if _is_there(mount))
    above = any(mount.path == widest and ".." in mount.root for mount in found)
    return widest if above or own != "/" else None


def reachable_cgroup2() -> Descriptor:
    """The root of cgroup v2, or the own part of a machine that is a container itself: where programs are attached.

    :class:`~beespace.errors.NotPermitted` where neither can be reached.
    """
    part = containers_cgroup2()
    return cgroup2_root() if part is None else Descriptor(os.open(part, _DIRECTORY), "cgroup2 mount")


def widest_mount(mounts: Iterable[Mount]) -> str | None:
    """Where the largest part of the cgroup v2 hierarchy is mounted, or None.

    Seen from a cgroup namespace, the host's hierarchy bind-mounted into it has a root of ``/..`` parts; a mount of
    a sub-tree, whose root is a plain folder, would show wrong paths and does not count.
    """
    ups = {
        mount.path: mount.root.count("..") for mount in mounts if mount.kind == "cgroup2" and not mount.root.strip("/.")
    }
    return max(ups, key=lambda path: ups[path]) if ups else None


def bpffs() -> Descriptor:
    """A bpf file system to pin objects in.  A detached one is private: its pins end with the descriptor."""
    return root_of("bpf")


def open_at(directory: Fd, path: str, flags: int = os.O_RDONLY) -> Descriptor:
    """Open ``path`` relative to ``directory``; close-on-exec.  A missing file is a :class:`KernelError` with ENOENT.

    :class:`~beespace.errors.NotPermitted` where its mode forbids it: some kernels (6.18) let everybody enter tracefs,
    and root alone read what is in it.
    """
    try:
        fd = os.open(path, flags | os.O_CLOEXEC, dir_fd=number(directory))
    except OSError as error:
        if error.errno == errno.EACCES:
            writes = flags & os.O_ACCMODE != os.O_RDONLY
            needs = (capabilities.DAC_OVERRIDE if writes else capabilities.DAC_READ_SEARCH,)
            raise refusal.not_permitted("openat", errno.EACCES, f"open {path}", needs=needs) from error
        raise refusal.error("openat", error.errno or 0, f"open {path}") from error
    return Descriptor(fd, path)


def read_at(directory: Fd, path: str) -> bytes:
    """The content of the file ``path`` relative to ``directory``."""
    with open_at(directory, path) as file:
        parts = []
        try:
            while part := os.read(file.fileno(), 1 << 16):
                parts.append(part)
        except OSError as error:
            raise refusal.error("read", error.errno or 0, f"read {path}") from error
    return b"".join(parts)


def list_at(directory: Fd, path: str = ".") -> list[str]:
    """The sorted names in the directory ``path`` relative to ``directory``."""
    with open_at(directory, path, _DIRECTORY) as opened:
        return sorted(os.listdir(opened.fileno()))


def lockdown() -> str | None:
    """``none``, ``integrity`` or ``confidentiality`` (kernel_lockdown(7)); ``None`` if it cannot be told."""
    try:
        with root_of("securityfs") as root:
            text = read_at(root, "lockdown").decode()
    except KernelError:
        return None
    return text.partition("[")[2].partition("]")[0] or None
