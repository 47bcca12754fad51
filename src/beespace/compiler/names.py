"""Names: what a name or attribute of the author's Python stands for while compiling.

Invariant: Python's own rules of scope: a name assigned anywhere in a function is a local of it;
otherwise closure, module, built-ins, in that order, with the values they have now.
"""

from __future__ import annotations

import ast
import builtins
import functools
from enum import EnumType, IntEnum, IntFlag
from types import FunctionType, ModuleType
from typing import Any

from beespace import types as kinds
from beespace.compiler import ir, rules
from beespace.compiler.constants import constant_struct, is_constant
from beespace.compiler.diagnostics import Failure, did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.functions import KernelFunctionName, kernel_function, kernel_functions
from beespace.compiler.kernel.names import enumerator, is_kernel_type, pointer_to
from beespace.compiler.memory import SLOT_ALIGN, load
from beespace.compiler.types import (
    BOOL,
    NONE,
    Address,
    Array,
    Bytes,
    Int,
    Literal,
    MapObject,
    NoneType,
    Optional,
    Poison,
    Program,
    Static,
    StructType,
    SubProgram,
    Text,
    TextLiteral,
    Tuple,
    Type,
    of_kind,
)
from beespace.compiler.values import Value
from beespace.lang import KernelType, Map, bpf
from beespace.lang import Program as ProgramClass
from beespace.lang.attach import SECTION
from beespace.lang.bpf_helpers import function_names, helper_names
from beespace.lang.kernel_variables import KernelConfig, KernelVariable, PerCpuVariable
from beespace.lang.origins import import_of
from beespace.record import replace
from beespace.schema import BytesKind, IntKind, Kind, Struct, TextKind
from beespace.schema.kinds import KINDS, as_kind, kind_align, kind_size

__all__ = [
    "annotation",
    "attribute",
    "captured",
    "constant_of",
    "is_self",
    "kind_named",
    "local",
    "lookup",
    "read_name",
    "self_attribute",
]

_MISSING = object()


def is_self(frame: Frame, node: ast.expr) -> bool:
    """Whether ``node`` is the function's first parameter, the program."""
    if frame.free:
        return False
    arguments = frame.source.node.args
    first = (arguments.posonlyargs + arguments.args)[:1]
    return isinstance(node, ast.Name) and bool(first) and node.id == first[0].arg and node.id not in frame.locals


def lookup(frame: Frame, name: str) -> Any:
    """What Python would find for a name that is no local; ``_MISSING`` if nothing."""
    function = frame.source.function
    free = function.__code__.co_freevars
    if name in free and function.__closure__:
        try:
            return function.__closure__[free.index(name)].cell_contents
        except ValueError:
            return _MISSING
    if name in function.__globals__:
        return function.__globals__[name]
    return getattr(builtins, name, _MISSING)


def read_name(frame: Frame, node: ast.Name) -> Value:
    """The value of a name."""
    if is_self(frame, node):
        return Value(Program())
    if node.id in frame.scope.variables or node.id in frame.locals:
        return local(frame, node)
    found = lookup(frame, node.id)
    if found is _MISSING:
        known = [*frame.locals, *frame.scope.variables, *frame.source.function.__globals__, *_BUILTINS]
        suggestion = import_of(node.id) or did_you_mean(node.id, known)
        plain = node.id.removeprefix("_").partition("__")[2]
        if f"__{plain}" in frame.source.function.__globals__:
            suggestion = f"that is what Python makes of __{plain} in a class; begin its name with one underscore"
        raise frame.error(rules.UndefinedName, node, name=node.id, suggestion=suggestion)
    return captured(frame, found, node, node.id)


_BUILTINS = ("min", "max", "len", "range", "abs", "bool", "True", "False", "None", "self")


def local(frame: Frame, node: ast.Name) -> Value:
    """The value of a local."""
    type_ = frame.state.names.get(node.id)
    if type_ is None:
        known = node.id in frame.scope.variables
        if node.id in frame.ended:
            raise frame.error(rules.HeldNoMore, node, name=node.id, manager=frame.ended[node.id])
        if node.id in frame.given:
            raise frame.error(rules.GivenAway, node, name=node.id, why=frame.given[node.id])
        why = "not on every path to here" if known else "not assigned before this"
        raise frame.error(rules.NotAssigned, node, name=node.id, why=why)
    if isinstance(type_, Poison):
        raise Failure(None)
    variable = frame.scope.variables[node.id]
    if isinstance(type_, NoneType):
        return Value(NONE, path=node.id)
    if variable.slot is not None and variable.box is None:
        return Value(type_, ir.StackSlot(variable.slot), path=node.id, align=SLOT_ALIGN)
    assert variable.code_type is not None
    code = ir.Local(variable.code_name, variable.code_type)
    if variable.box is not None:
        if isinstance(type_, Optional):
            return Value(replace(type_, kind=variable.box), code, path=node.id, align=kind_align(variable.box))
        # Boxed numbers are copied in host order.
        return replace(load(code, _native(variable.box), kind_align(variable.box)), path=node.id,
                       bounds=frame.state.bounds.get(node.id))  # fmt: skip
    inner = type_.inner if isinstance(type_, Optional) else type_
    align = kind_align(inner.cls) if isinstance(inner, StructType) else _align(inner)
    return Value(type_, code, frame.state.bounds.get(node.id), path=node.id, align=align)


def _align(type_: Type) -> int:
    if isinstance(type_, Array):
        return kind_align(type_.kind)
    return 8 if isinstance(type_, Address) else 1


def _native(kind: Kind) -> Kind:
    """A kind as it is boxed: numbers in host order."""
    return replace(kind, big_endian=False) if isinstance(kind, IntKind) else kind


def captured(frame: Frame, found: Any, node: ast.AST, name: str) -> Value:
    """A value of the author's module, as a constant."""
    if found is None:
        return Value(NONE)
    if isinstance(found, bool):
        return Value(BOOL, ir.Const(int(found), ir.BOOL))
    if isinstance(found, int) and (changed := _changed(type(found))):  # type: ignore[arg-type]
        raise frame.error(
            rules.BadConstant, node, name=name, found=f"{type(found).__name__}, which has an {changed}() of its own",
            suggestion="take its number, as `int(...)` in the module gives it",
        )  # fmt: skip
    if isinstance(found, IntEnum | IntFlag):
        return Value(Literal(int(found), type(found)))
    if isinstance(found, int):
        return Value(Literal(int(found)))
    if isinstance(found, str):
        if "\0" in found:
            raise frame.error(
                rules.NotSupported, node, what="a text with a zero byte in it",
                suggestion='texts end at their first zero byte; raw bytes may have some: b"..."',
            )  # fmt: skip
        return Value(TextLiteral(found.encode()))
    if isinstance(found, bytes):
        return Value(TextLiteral(found, raw=True))
    if isinstance(found, Struct):
        return constant_struct(found)
    if is_kernel_type(found):
        return Value(Static(found))
    if isinstance(found, (ModuleType, type, FunctionType, *KINDS)) or callable(found) or is_constant(found):
        return Value(Static(found))
    what = type(found).__name__
    raise frame.error(rules.BadConstant, node, name=name, found=what, suggestion=_constant_help(found))


_OPERATORS = frozenset(
    f"__{prefix}{name}__" for prefix in ("", "r")
    for name in ("add", "sub", "mul", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift", "divmod")
) | {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__neg__", "__invert__"}  # fmt: skip


@functools.cache
def _changed(kind: type) -> str:
    """An operator that a subclass of int has made its own, so that it counts otherwise than a number does."""
    for base in kind.__mro__:
        if base.__module__ in ("builtins", "enum"):
            break
        own = [name for name in _OPERATORS.intersection(vars(base)) if vars(base)[name].__module__ != "enum"]
        if own:  # enumerations of flags get copies of IntFlag's
            return min(own)
    return ""


def _constant_help(found: Any) -> str:
    if isinstance(found, float):
        return "the kernel has no floating point; count in a smaller unit, as nanoseconds or bytes"
    if isinstance(found, (dict, set)):
        return "declare a map: `names = Hash(key=..., value=...)`"
    if isinstance(found, list):
        return "make it a tuple, which can not change; what changes is a map: `values = Array(u32, length)`"
    return ""


def attribute(frame: Frame, owner: Any, node: ast.Attribute) -> Value:
    """``owner.name`` of a compile-time object: a module's or class's attribute, a word, a member of a kernel's enum."""
    if isinstance(owner, KernelType):
        return enumerator(frame, owner.name, node.attr, node)
    if owner is bpf and node.attr not in vars(bpf) and node.attr not in helper_names():
        function = kernel_function(frame.unit.btf, node.attr)
        if function is not None:
            return Value(Static(KernelFunctionName(function)))
        raise frame.error(rules.NoWord, node, name=node.attr, suggestion=_nearest_word(frame, node.attr))
    found = getattr(owner, node.attr, _MISSING)
    if found is _MISSING:
        name = getattr(owner, "__name__", type(owner).__name__)
        members = list(owner.__members__) if isinstance(owner, EnumType) else dir(owner)
        raise frame.error(
            rules.NoAttribute, node, owner=name, name=node.attr, suggestion=did_you_mean(node.attr, members)
        )
    return captured(frame, found, node, f"{ast.unparse(node.value)}.{node.attr}")


def _nearest_word(frame: Frame, name: str) -> str:
    """What of bpf may have been meant."""
    if name in function_names():
        asked = f"if exists(bpf.{name}):"
        return f"this kernel has no function {function_names()[name]}() for programs; ask first: `{asked}`"
    words = [*(word for word in vars(bpf) if word[0] != "_"), *helper_names()]
    words += [known.removeprefix("bpf_") for known in kernel_functions(frame.unit.btf)]
    plain = name.removeprefix("bpf_")
    if plain != name and plain in words:
        return f"what the kernel calls bpf_{plain}() is written bpf.{plain}()"
    return did_you_mean(plain, words) or "dir(bpf) lists the words; docs/language.md has them by subject"


def self_attribute(frame: Frame, node: ast.Attribute) -> Value:
    """``self.name``: a map, an option, a sub-program or a constant of the class."""
    declaration = frame.unit.declaration
    name = node.attr
    if name in declaration.maps:
        return Value(MapObject(name, declaration.maps[name]))
    if name in declaration.options:
        option = declaration.options[name]
        value = load(ir.GlobalAddress(name), option.kind, 1)
        path = f"self.{name}"
        return replace(value, path=path, bounds=frame.state.bounds.get(path) if isinstance(value.type, Int) else None)
    if name in declaration.functions:
        return Value(SubProgram(name, declaration.functions[name]))
    found = getattr(declaration.source, name, _MISSING)
    if isinstance(found, KernelConfig | KernelVariable | PerCpuVariable):
        return Value(Static(found))
    if isinstance(found, FunctionType) and not hasattr(found, SECTION) and not hasattr(ProgramClass, name):
        raise frame.error(
            rules.NotKernelSide, node, name=f"self.{name}",
            suggestion="mark it with @function to compile it, or call it outside",
        )  # fmt: skip
    if found is _MISSING or hasattr(ProgramClass, name) or isinstance(found, Map):
        known = [*declaration.maps, *declaration.options, *declaration.functions]
        raise frame.error(
            rules.NoAttribute, node, owner=declaration.name, name=name, label_text="no map, option or function",
            known=f"it has {', '.join(known)}", suggestion=did_you_mean(name, known),
        )  # fmt: skip
    return captured(frame, found, node, f"self.{name}")


def annotation(frame: Frame, node: ast.expr) -> Type:
    """The type that an annotation names."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        try:
            node = ast.copy_location(ast.parse(text, mode="eval").body, node)
        except SyntaxError:
            raise frame.error(rules.UnknownAnnotation, node, text=repr(text), suggestion="") from None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [node.left, node.right]
        rest = [side for side in sides if not (isinstance(side, ast.Constant) and side.value is None)]
        if len(rest) == 1:
            return Optional(annotation(frame, rest[0]))
    if isinstance(node, ast.Subscript) and _evaluated(frame, node.value) is tuple:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return Tuple(tuple(annotation(frame, part) for part in parts))
    found = _evaluated(frame, node)
    if found is None:
        return NONE
    if isinstance(found, type) and issubclass(found, Struct) and found is not Struct:
        return StructType(found)
    if isinstance(found, (TextKind, BytesKind)) and not found.size:
        return Text(None) if isinstance(found, TextKind) else Bytes(None)
    if is_kernel_type(found):
        return pointer_to(frame, found, node)
    kind = as_kind(found)
    if kind is not None:
        return of_kind(kind)
    suggestion = "use u64 or i64 for whole numbers" if found is int else "use a type from beespace.types or a Struct"
    if isinstance(node, ast.Name) and lookup(frame, node.id) is _MISSING:
        suggestion = import_of(node.id) or suggestion
    raise frame.error(rules.UnknownAnnotation, node, text=ast.unparse(node), suggestion=suggestion)


def kind_named(frame: Frame, node: ast.expr) -> Kind:
    """The kind that an expression names: ``u32``, ``Key``, ``text(16)``, ``array(u8, 4)``."""
    found: Any = object()
    if isinstance(node, ast.Call) and not node.keywords:
        maker = _evaluated(frame, node.func)
        if maker in (kinds.text, kinds.raw, kinds.array, kinds.stored):
            arguments = [_constant(frame, argument) for argument in node.args]
            try:
                found = maker(*arguments)
            except (TypeError, ValueError) as error:
                raise frame.error(
                    rules.UnknownAnnotation, node, text=ast.unparse(node), suggestion=str(error)
                ) from None
    else:
        found = _evaluated(frame, node)
    kind = as_kind(found)
    if kind is None or not kind_size(kind):
        raise frame.error(
            rules.UnknownAnnotation, node, text=ast.unparse(node),
            suggestion="use a type from beespace.types, text(n), raw(n), array(t, n) or a Struct",
        )  # fmt: skip
    return kind


def _constant(frame: Frame, node: ast.expr) -> Any:
    """An argument of text() and its like: a number, or another kind."""
    if isinstance(node, ast.Call):
        return kind_named(frame, node)
    return _evaluated(frame, node)


def constant_of(frame: Frame, node: ast.expr) -> Any:
    """The Python object that a dotted name stands for, if it is no local; some object of its own if not."""
    if isinstance(node, ast.Name) and (node.id in frame.locals or node.id in frame.scope.variables):
        return object()
    return _evaluated(frame, node) if isinstance(node, (ast.Name, ast.Attribute)) else object()


def _evaluated(frame: Frame, node: ast.expr) -> Any:
    """The object that a dotted name stands for."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        found = lookup(frame, node.id)
        return object() if found is _MISSING else found
    if isinstance(node, ast.Attribute):
        return getattr(_evaluated(frame, node.value), node.attr, object())
    return object()
