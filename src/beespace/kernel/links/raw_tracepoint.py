"""Raw tracepoints and BTF tracepoints: a tracepoint's own arguments.

Raw ones are attached by name (Linux 4.17), BTF ones have their target since they were loaded
(Linux 5.5).  The kernel detaches them with the descriptor.
"""

from __future__ import annotations

from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import bpf

__all__ = ["attach_btf", "attach_raw"]


def attach_raw(program: Attachable, where: Where) -> Link:
    """Attach to the raw tracepoint that the section names.  ``ENOENT`` if the kernel has none of that name."""
    return Link(program, bpf.raw_tracepoint_open(program.fileno(), program.attachment.target))


def attach_btf(program: Attachable, where: Where) -> Link:
    """Attach a program whose target is a BTF type: tracepoint, fentry, LSM."""
    return Link(program, bpf.raw_tracepoint_open(program.fileno()))
