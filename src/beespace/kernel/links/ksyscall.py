"""Entry of and return from a system call, by its name.

The kernel's function bears the name of the architecture (``__x64_sys_read``, ``__arm64_sys_read``) and takes its
arguments in a ``struct pt_regs`` (``CONFIG_ARCH_HAS_SYSCALL_WRAPPER``); elsewhere it is ``__se_sys_read`` or
``sys_read``.
System calls of 32-bit programs on a 64-bit kernel have functions of their own, which are not probed.
"""

from __future__ import annotations

import os

from beespace.errors import UsageError
from beespace.kernel.links.kernel_functions import UnknownFunction, near
from beespace.kernel.links.kprobe import attach_alternatives
from beespace.kernel.links.link import Attachable, Link, Where

__all__ = ["attach", "prefixes"]

_WRAPPERS = {"x86_64": "__x64_sys_", "aarch64": "__arm64_sys_", "riscv64": "__riscv_sys_", "s390x": "__s390x_sys_"}


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the system call ``where.function`` or that of the section, such as ``openat``."""
    name = where.function or program.attachment.target
    if not name:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} is for no system call yet",
            help="say which: attach(function='openat')",
        )
    names = [prefix + name for prefix in prefixes()]
    returns = program.attachment.hook.section.startswith("kret")
    try:
        return attach_alternatives(program, names, where, returns=returns)
    except UnknownFunction as error:
        alike = [each.rpartition("sys_")[2] for each in near(names[0]) if "sys_" in each]
        raise UsageError(
            f"this kernel has no system call {name!r}",
            help=f"did you mean {' or '.join(dict.fromkeys(alike))}?" if alike else "their names: man 2 syscalls",
        ) from error


def prefixes() -> tuple[str, ...]:
    """What functions of system calls begin with here, the likeliest first."""
    wrapper = _WRAPPERS.get(os.uname().machine)
    return (*([wrapper] if wrapper else []), "__se_sys_", "sys_")
