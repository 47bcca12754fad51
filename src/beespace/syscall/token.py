"""BPF tokens: rights that an administrator delegated to a user namespace, through a bpf file system (Linux 6.9).

Source: Documentation/bpf, kernel commit 35f96de04127 (``BPF_TOKEN_CREATE``); the options ``delegate_cmds``,
``delegate_maps``, ``delegate_progs`` and ``delegate_attachs`` of bpffs.
"""

from __future__ import annotations

from beespace.syscall._attributes import Command
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.request import ask
from beespace.syscall.small_files import read_text

__all__ = ["not_delegated", "token_create", "token_flag"]

_TOKEN_FD = 1 << 16  # BPF_F_TOKEN_FD in the flags of map_create, prog_load and btf_load


def token_create(bpffs: Fd, flags: int = 0) -> Descriptor:
    """A token that carries the rights delegated to a bpf file system into a user namespace (6.9).

    ``bpffs`` is a descriptor of its root directory, which must have been mounted in the caller's user namespace;
    takes ``CAP_BPF`` there.  ENOENT: nothing is delegated; EOPNOTSUPP: this is the initial user namespace.
    """
    answer = ask(Command.TOKEN_CREATE, "create a BPF token", {"bpffs_fd": number(bpffs), "flags": flags})
    return Descriptor(answer.result, "BPF token")


def token_flag(token: Fd | None) -> int:
    """The flag that a command with a token takes; 0 without."""
    return 0 if token is None else _TOKEN_FD


def not_delegated(
    token: Fd | None,
    command: Command,
    *,
    map_type: int | None = None,
    prog_type: int | None = None,
    attach_type: int | None = None,
) -> str | None:
    """What of a command the token does not carry, in words; ``None``: nothing is missing, or it cannot be told.

    The kernel shows a token's rights in ``/proc/self/fdinfo``: a mask of each kind, or ``any``.
    """
    if token is None:
        return None
    try:
        lines = read_text(f"/proc/self/fdinfo/{number(token)}").splitlines()
    except OSError:
        return None
    carried = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    for kind, asked, what in (
        ("cmds", command, f"BPF_{command.name} (delegate_cmds)"),
        ("maps", map_type, "maps of this type (delegate_maps)"),
        ("progs", prog_type, "programs of this type (delegate_progs)"),
        ("attachs", attach_type, "programs of this attach type (delegate_attachs)"),
    ):
        mask = carried.get(f"allowed_{kind}", "any")
        if asked is not None and mask != "any" and not int(mask, 16) >> asked & 1:
            return f"the BPF token does not delegate {what}"
    return None
