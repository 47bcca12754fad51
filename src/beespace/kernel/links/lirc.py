"""Infrared receivers (``lirc_mode2``, Linux 4.18): the kernel has no link for them.

The program stays on the receiver if the process is killed.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

from beespace.errors import KernelError, UsageError
from beespace.kernel.links.held import Held
from beespace.kernel.links.link import Attachable, Link, Where
from beespace.syscall import Descriptor, bpf

__all__ = ["attach"]

_LIRC_MODE2 = 16  # BPF_LIRC_MODE2, enum bpf_attach_type


def attach(program: Attachable, where: Where) -> Link:
    """Attach to the receiver ``where.device``; up to 64 programs run in the order in which they came."""
    if where.device is None:
        raise UsageError(
            f"program {program.name!r} at {program.attachment.section!r} needs a receiver",
            help="say which: attach(device='/dev/lirc0')",
        )
    path = os.fspath(where.device)
    with ExitStack() as undo:
        try:
            receiver = Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC), "infrared receiver")
        except OSError as error:
            raise UsageError(f"{path} is no infrared receiver: {os.strerror(error.errno or 0)}") from None
        undo.enter_context(receiver)
        held = undo.enter_context(Held(program))
        bpf.prog_attach(program.fileno(), _LIRC_MODE2, target_fd=receiver)
        undo.pop_all()

    def detach() -> None:
        with held:
            try:
                bpf.prog_detach(held, _LIRC_MODE2, target_fd=receiver)
            except KernelError as error:
                if error.errno not in (errno.ENOENT, errno.ENODEV):  # somebody detached it; it was unplugged
                    raise

    stays = f"it stays until {path} is unplugged"
    return Link(program, receiver, is_link=False, undo=detach, via="prog_attach", at=path, stays=stays)
