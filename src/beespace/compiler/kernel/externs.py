"""What the kernel defines: options that it was built with (``kconfig``), and variables.

Invariant: the object names what it reads and its type; the loader finds it, and refuses the object where it has
another type.
"""

from __future__ import annotations

import ast
from typing import Any, get_type_hints

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.numbers import fit, known
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.names import is_kernel_type, pointer_to
from beespace.compiler.memory import load
from beespace.compiler.types import U32, KernelPointer, Optional, of_kind
from beespace.compiler.values import Value
from beespace.lang import KernelVariable, PerCpuVariable
from beespace.lang.kernel_variables import KernelConfig
from beespace.record import replace
from beespace.schema import BoolKind, IntKind, Kind, TextKind
from beespace.schema.kinds import as_kind, kind_align, kind_name

__all__ = ["config", "per_cpu", "value"]

_TRUSTED = ir.PointerType(ir.Region.KERNEL_TRUSTED)
_UNTRUSTED = ir.PointerType(ir.Region.KERNEL_UNTRUSTED)
_BYTE = IntKind("u8", 8)


def config(frame: Frame, found: KernelConfig, name: str, node: ast.AST) -> Value:
    """``self.hz`` of ``hz: u32 = kconfig("CONFIG_HZ")``."""
    source = frame.unit.declaration.source
    kind = found.kind or as_kind(get_type_hints(source).get(name))
    if not isinstance(kind, (IntKind, BoolKind, TextKind)) or not kind.size:
        raise frame.error(
            rules.Question, node, word="kconfig()", expected="a type for its value", found=found.name,
            suggestion=f'annotate it: `{name}: u32 = kconfig("{found.name}")`',
        )  # fmt: skip
    frame.unit.externs[found.name] = ir.GlobalDefinition(found.name, kind, ir.Section.KCONFIG, b"")
    return load(ir.GlobalAddress(found.name), kind, kind_align(kind))


def value(frame: Frame, variable: KernelVariable[Any], node: ast.AST) -> Value:
    """``self.jiffies.value``: read at the address that the kernel has it at."""
    _declare(frame, variable.name, _BYTE, typeless=True)
    address = ir.Convert(ir.GlobalAddress(variable.name), _UNTRUSTED)
    if is_kernel_type(variable.type):
        return Value(pointer_to(frame, variable.type, node), address)
    return load(address, _number(frame, variable, node), 1)


def per_cpu(frame: Frame, variable: PerCpuVariable[Any], word: str, node: ast.Call) -> Value:
    """``self.runqueues.here()`` and ``.on(cpu)``."""
    type_ = pointer_to(frame, variable.type, node) if is_kernel_type(variable.type) else None
    struct = ""
    kind: Kind = _BYTE
    if type_ is None:
        kind = _number(frame, variable, node)
    else:
        declared = frame.unit.btf.type(type_.target)
        struct = declared.name if isinstance(declared, kernel.Struct) else ""
        type_ = replace(type_, trusted=True)
    _declare(frame, variable.name, kind, struct=struct)
    base = ir.Convert(ir.GlobalAddress(variable.name), _TRUSTED)
    region = _TRUSTED if type_ is not None else ir.PointerType(ir.Region.MAP_VALUE)
    if word == "here":
        arguments_of(frame, node, f"{variable.name}.here", 0)
        return _found(type_, kind, call("this_cpu_ptr", region, base))
    (argument,) = arguments_of(frame, node, f"{variable.name}.on", 1)
    cpu = fit(frame, known(frame, frame.value(argument, U32), argument, "a CPU"), U32, argument, "a CPU")
    pointer = call("per_cpu_ptr", region, base, cpu)
    inner = type_ if type_ is not None else of_kind(kind)
    return Value(Optional(inner, None if type_ is not None else kind), pointer, align=kind_align(kind))


def _found(type_: KernelPointer | None, kind: Kind, pointer: ir.Expression) -> Value:
    return Value(type_, pointer) if type_ is not None else load(pointer, kind, kind_align(kind))


def _number(frame: Frame, variable: KernelVariable[Any] | PerCpuVariable[Any], node: ast.AST) -> Kind:
    kind = as_kind(variable.type)
    if isinstance(kind, (IntKind, BoolKind)):
        return kind
    raise frame.error(
        rules.Question, node, word=f"{type(variable).__name__}()", expected="an integer type or a kernel struct",
        found=kind_name(kind) if kind is not None else variable.type,
    )  # fmt: skip


def _declare(frame: Frame, name: str, kind: Kind, *, struct: str = "", typeless: bool = False) -> None:
    frame.unit.externs[name] = ir.GlobalDefinition(name, kind, ir.Section.KSYMS, b"", struct, typeless)
