"""Arguments that are the program's context (``__arg_ctx``), for kernels that do not know the word (before 6.8).

A global function is checked on its own, by the types of its arguments.  Such a kernel knows a context by the name
of its struct alone, which depends on the program's type: for each, the function gets a type of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import cache

from beespace.btf import Btf, BtfBuilder, DeclTag, Function, FunctionPrototype, Int, Kind, Pointer, Struct
from beespace.btf.types import Linkage, Parameter, Void
from beespace.elf.datasec import join, string_section, types_of
from beespace.errors import KernelError
from beespace.hooks import Context, Hook
from beespace.isa import Insn, encode
from beespace.record import replace
from beespace.syscall import bpf

__all__ = ["TAG", "context_name", "retyped", "with_contexts"]

TAG = "arg:ctx"
_KPROBE, _PERF_EVENT, _RAW_TRACEPOINTS = 2, 7, (17, 24)
#: What the kernel calls the registers of a probe (``BPF_PROG_TYPE`` in include/linux/bpf_types.h).
_REGISTERS, _RAW = "bpf_user_pt_regs_t", "bpf_raw_tracepoint_args"
_GET_FUNC_IP = 173

Types = Mapping[int, int]
"""Type of a function in the object -> type that it has for programs with one context."""


def context_name(hook: Hook) -> str:
    """The struct that the kernel knows the hook's context by; ``""``: none."""
    if hook.program_type == _KPROBE:
        return _REGISTERS
    if hook.program_type in _RAW_TRACEPOINTS:
        return _RAW
    return hook.context_type if hook.context is Context.STRUCT else ""


def with_contexts(btf: bytes, hooks: Iterable[Hook]) -> tuple[bytes, Mapping[str, Types]]:
    """``btf`` with the types that programs of these hooks need, and those by the name of their context.

    The same bytes and nothing if nobody says ``__arg_ctx``, or the kernel knows what that means.
    """
    if f"\0{TAG}\0".encode() not in btf or _kernel_knows():
        return btf, {}
    types = Btf(btf)
    tagged: dict[int, list[int]] = {}
    for number in types.ids(Kind.DECL_TAG):
        tag = types.type(number)
        if isinstance(tag, DeclTag) and tag.name == TAG:
            tagged.setdefault(tag.type, []).append(tag.component)
    text = string_section(btf)
    builder = BtfBuilder(first_id=types.count, first_string=len(text))
    found: dict[str, Types] = {}
    for hook in hooks:
        name = context_name(hook)
        if name and name not in found:
            found[name] = _clones(builder, types, tagged, name, hook.program_type)
    added = builder.bytes()
    return join(types_of(btf) + types_of(added), text + string_section(added)), found


def _clones(
    builder: BtfBuilder, types: Btf, tagged: Mapping[int, list[int]], name: str, program_type: int
) -> dict[int, int]:
    context = builder.pointer(builder.struct(name, 0, ()))
    clones: dict[int, int] = {}
    for number, places in tagged.items():
        function = types.type(number)
        if not isinstance(function, Function) or function.linkage != Linkage.GLOBAL:
            continue
        prototype = types.type(function.type)
        assert isinstance(prototype, FunctionPrototype)
        parameters = list(prototype.parameters)
        for place in places:
            if 0 <= place < len(parameters) and _is_context(types, parameters[place], program_type):
                parameters[place] = replace(parameters[place], type=context)
        if tuple(parameters) != prototype.parameters:
            changed = builder.add(replace(prototype, parameters=tuple(parameters)))
            clones[number] = builder.add(replace(function, type=changed))
    return clones


def _is_context(types: Btf, parameter: Parameter, program_type: int) -> bool:
    """Whether the parameter is declared as a context may be, but not as the kernel knows it."""
    pointer = types.type(types.resolve(parameter.type))
    if not isinstance(pointer, Pointer):
        return False
    if types.name(pointer.type) == _REGISTERS:
        return False
    match types.type(types.resolve(pointer.type)):
        case Void():
            return True
        case Struct(name="pt_regs" | "user_pt_regs"):
            return program_type in (_KPROBE, _PERF_EVENT)
        case Int(size=8):
            return program_type in _RAW_TRACEPOINTS
    return False


def retyped(func_info: bytes, types: Types) -> bytes:
    """Packed ``struct bpf_func_info`` with the types of functions exchanged."""
    if not types:
        return func_info
    rows = struct.iter_unpack("=II", func_info)
    return b"".join(struct.pack("=II", index, types.get(number, number)) for index, number in rows)


@cache
def _kernel_knows() -> bool:
    """By loading a probe whose global function takes a tagged ``void *`` for its registers."""
    builder = BtfBuilder()
    number, anything = builder.int("int", 4, signed=True), builder.pointer(0)
    main = builder.function("a", builder.prototype(number, [("a", anything)]), Linkage.GLOBAL)
    sub = builder.function("b", builder.prototype(number, [("b", anything)]), Linkage.GLOBAL)
    builder.decl_tag(TAG, sub, 0)
    leave = Insn(0x95)
    code = encode([Insn(0x85, 0, 1, 0, 1), leave, Insn(0x85, 0, 0, 0, _GET_FUNC_IP), leave])
    try:
        with bpf.btf_load(builder.bytes())[0] as types:
            info = struct.pack("=4I", 0, main, 2, sub)
            bpf.prog_load(_KPROBE, code, name="bee_arg_ctx", prog_btf_fd=types, func_info=info)[0].close()
    except KernelError:
        return False
    return True
