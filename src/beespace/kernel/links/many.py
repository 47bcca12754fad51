"""Whether this kernel has links to many functions at once; where it has not, each place gets a probe of its own.

A program for many places is loaded with the attach type of such links only on kernels that have them: those that know
the type refuse the program for single probes, and its ``bpf_get_attach_cookie`` would read the wrong memory there.
So the loader asks here first.
"""

from __future__ import annotations

import errno
import struct
from functools import cache

from beespace.errors import KernelError, NotSupported
from beespace.hooks import Hook
from beespace.kernel.links.link import Attachable
from beespace.syscall import Descriptor, bpf

__all__ = ["has_multi", "multi_type", "require_many", "require_multi"]

_KPROBE = 2  # BPF_PROG_TYPE_KPROBE
_KPROBE_MULTI, _KPROBE_SESSION = 42, 56  # enum bpf_attach_type
_UPROBE_MULTI, _UPROBE_SESSION = 48, 57
_NO_PROCESS = 0xFFFFFFFF
_RETURN_ZERO = struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)  # r0 = 0; exit
# A place that cannot be, by attach type, and the error number of a kernel that went to look for it.
_NOWHERE: dict[int, tuple[bpf.Where, int]] = {
    _KPROBE_MULTI: (bpf.KprobeMulti(symbols=("beespace_no_such_function",)), errno.ESRCH),
    _KPROBE_SESSION: (bpf.KprobeMulti(symbols=("beespace_no_such_function",)), errno.ESRCH),
    _UPROBE_MULTI: (bpf.UprobeMulti("/", (0,)), errno.EBADF),
    _UPROBE_SESSION: (bpf.UprobeMulti("/", (0,)), errno.EBADF),
}


def has_multi(hook: Hook) -> bool:
    """Whether the kernel has the links that ``hook`` is for, found by asking for one at a place that cannot be."""
    return _has(multi_type(hook))


def multi_type(hook: Hook) -> int:
    """``enum bpf_attach_type`` of those links; static probes are uprobes."""
    return _UPROBE_MULTI if hook.link == "usdt" else hook.attach_type


@cache
def _has(attach_type: int) -> bool:
    where, found_out = _NOWHERE[attach_type]
    try:
        program, _ = bpf.prog_load(_KPROBE, _RETURN_ZERO, expected_attach_type=attach_type)
    except KernelError:
        return True  # whoever loads the real program is told why it cannot be
    with program:
        if _answer(program, attach_type, where) != found_out:
            return False
        # Before Linux 6.10 (commit 46ba0e49b642) a process was one of its threads; a pid that none can have tells.
        nobody = bpf.UprobeMulti("/", (0,), pid=_NO_PROCESS)
        return attach_type != _UPROBE_MULTI or _answer(program, attach_type, nobody) == errno.EINVAL


def _answer(program: Descriptor, attach_type: int, where: bpf.Where) -> int:
    try:
        bpf.link_create(program, attach_type, where=where).close()
    except KernelError as error:
        return error.errno or 0
    return 0


def require_multi(program: Attachable) -> None:
    """:class:`NotSupported` if this kernel has no links to many places."""
    hook = program.attachment.hook
    if not has_multi(hook):
        option = ", CONFIG_FPROBE" if hook.link == "kprobe_multi" else ""
        help = None if hook.link == "usdt" else f"put the program into section {_single(hook)}"
        since = "6.6" if hook.link == "usdt" else hook.since + option
        raise NotSupported(f"links of {hook.section} to many places", since=since, help=help)


def require_many(program: Attachable) -> None:
    """:class:`NotSupported` if ``program`` cannot be attached to each place alone."""
    hook = program.attachment.hook
    if has_multi(hook):
        raise NotSupported(
            f"single probes for program {program.name!r}, which was loaded for links of {hook.section}",
            help=None if hook.link == "usdt" else f"put it into section {_single(hook)}",
        )
    if "session" in hook.section:
        raise NotSupported(
            f"programs for entry and return at once ({hook.section})", since=hook.since,
            help=f"write two programs, {_single(hook)} and {_single(hook).replace('probe', 'retprobe')}",
        )  # fmt: skip


def _single(hook: Hook) -> str:
    return hook.section.partition(".")[0]
