"""The context that a program is run on by hand (``BPF_PROG_TEST_RUN``), by the names of its fields.

Which struct it is follows from the program's hook; its layout is that of the running kernel, or of the object if the
kernel has no BTF.  A ``syscall`` program says it by the type of its argument.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from beespace.btf import Btf, Kind
from beespace.btf.codec import codec
from beespace.btf.types import Pointer, Struct
from beespace.btf.values import Record
from beespace.errors import BeespaceError, UsageError
from beespace.hooks import Context, Hook
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.syscall.layout import Buffer

__all__ = ["Fields", "decode_context", "encode_context"]

Fields = Buffer | Mapping[str, object] | Sequence[int]
"""A context: raw bytes, fields by name, or the arguments of a raw tracepoint."""

_SLOTS = (Context.RAW_ARGUMENTS, Context.ARGUMENTS)
# What the kernel takes for the context of a hook where it is another struct than the program sees.
_TAKEN = {"bpf_nf_ctx": "nf_hook_state"}


def encode_context(
    hook: Hook, context: Fields, packet: int, own: Btf | None, entry: str, kernel: Btf | None = None
) -> bytearray:
    """The bytes of ``context``, for a run of a program on ``packet`` bytes.

    ``data_end`` of ``xdp_md``, which must be the packet's length, is filled in when it is not given.  ``kernel`` are
    the kernel's types, if not the running one's.
    :class:`UsageError` names what the struct does not have.
    """
    if isinstance(context, bytes | bytearray | memoryview):
        return context if isinstance(context, bytearray) else bytearray(context)
    if isinstance(context, Mapping | Record):
        types, number = _struct(hook, own, entry, kernel)
        if hook.context_type == "xdp_md" and isinstance(context, Mapping):
            context = {"data_end": packet} | dict(context)
        return bytearray(codec(types, number).encode(context))
    if hook.context not in _SLOTS:
        raise UsageError(
            f"a program of hook {hook.name!r} is not run on a list of numbers",
            help="give bytes, or fields by name: a list is the arguments of a raw tracepoint",
        )
    return bytearray(struct.pack(f"={len(context)}Q", *(number & 0xFFFF_FFFF_FFFF_FFFF for number in context)))


def decode_context(hook: Hook, data: bytes, own: Btf | None, entry: str, kernel: Btf | None = None) -> Record:
    """The fields of a context that came back."""
    types, number = _struct(hook, own, entry, kernel)
    coder = codec(types, number)
    record = coder.decode(data.ljust(coder.size, b"\0"))
    assert isinstance(record, Record)
    return record


def _struct(hook: Hook, own: Btf | None, entry: str, kernel: Btf | None) -> tuple[Btf, int]:
    if hook.context is Context.CALLER:
        found = None if own is None else _argument(own, entry)
        if own is None or found is None:
            raise UsageError(
                f"nothing says which struct {entry}() is called with",
                help="give bytes, or declare its argument as a pointer to a struct",
            )
        return own, found
    if hook.context is not Context.STRUCT:
        raise UsageError(f"programs of hook {hook.name!r} have no struct that they could be run on; give bytes")
    name = _TAKEN.get(hook.context_type, hook.context_type)
    for types in (kernel or _kernel(), own):
        ids = types.find_all(name, Kind.STRUCT) if types is not None else []
        if types is not None and ids:
            return types, ids[0]
    raise UsageError(f"neither the kernel nor the object knows struct {name}", help="give bytes")


def _kernel() -> Btf | None:
    try:
        return vmlinux_btf()
    except BeespaceError:
        return None


def _argument(own: Btf, entry: str) -> int | None:
    """The struct that the first argument of function ``entry`` points to."""
    for function in own.find_all(entry, Kind.FUNC):
        parameters = own.prototype(function).parameters
        if not parameters:
            continue
        pointer = own.type(own.resolve(parameters[0].type))
        if isinstance(pointer, Pointer):
            target = own.resolve(pointer.type)
            if isinstance(own.type(target), Struct):
                return target
    return None
