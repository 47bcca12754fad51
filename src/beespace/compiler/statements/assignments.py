"""Assigning to locals: storage by type, and what is known afterwards.

Invariant: as in Python, numbers, texts and addresses are copied values and structs are references;
where a reference could not stay one (a struct that a loop builds anew), the code is refused.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.numbers import fit, literal_type, not_a_value, present
from beespace.compiler.expressions.texts import as_bytes, as_text, copied
from beespace.compiler.frame import Frame
from beespace.compiler.memory import SLOT_ALIGN, load, store
from beespace.compiler.owned import OBJECT, take
from beespace.compiler.scope import Variable
from beespace.compiler.structs import assign, materialise
from beespace.compiler.types import (
    NONE,
    Address,
    Array,
    Bool,
    Bytes,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    Manager,
    MapObject,
    MapWord,
    NoneType,
    Optional,
    Poison,
    Program,
    Resource,
    Socket,
    Static,
    StructType,
    SubProgram,
    Text,
    TextLiteral,
    Tuple,
    Type,
    Void,
)
from beespace.compiler.values import Bounds, Value, not_null, null, place_of
from beespace.record import replace
from beespace.schema import AddressKind, BytesKind, IntKind, Kind, TextKind
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["assign_local", "with_type"]

_STACK = ir.PointerType(ir.Region.STACK)


def with_type(frame: Frame, value: Value, declared: Type, node: ast.AST, name: str) -> Value:
    """``value`` as an annotation says it is."""
    if isinstance(value.type, Poison):
        raise Failure(None)
    if not isinstance(declared, Optional):
        present(frame, value, node)
    if isinstance(declared, (Int, Bool)):
        bounds = value.range if isinstance(value.type, (Int, Literal)) else None
        return Value(declared, fit(frame, value, declared, node, name), bounds)
    found = value.type
    if _answers(declared, found):
        return replace(value, type=_viewed(declared, found))
    raise frame.error(rules.TypeMismatch, node, place=name, expected=declared, found=found)


def _viewed(declared: Type, found: Type) -> Type:
    """A pointer to a kernel struct of which the author declares the fields."""
    if isinstance(declared, Optional) and isinstance(found, Optional):
        return replace(found, inner=_viewed(declared.inner, found.inner))
    wanted = declared.inner if isinstance(declared, Optional) else declared
    if isinstance(wanted, KernelPointer) and isinstance(found, KernelPointer) and wanted.view is not None:
        return replace(wanted, trusted=found.trusted)
    return found


def _answers(declared: Type, found: Type) -> bool:
    """Whether something found to be ``found`` can be called ``declared``."""
    if isinstance(declared, (Text, Bytes)) and declared.size is None:
        return isinstance(found, (type(declared), TextLiteral, KernelObject, KernelPointer))
    if isinstance(declared, KernelPointer):
        return isinstance(found, KernelPointer) and found.target == declared.target
    if isinstance(declared, Optional) and isinstance(declared.inner, KernelPointer):
        inner = found.inner if isinstance(found, Optional) else found
        return inner == NONE or _answers(declared.inner, inner)
    if isinstance(declared, Optional):
        inner = found.inner if isinstance(found, Optional) else found
        return inner in (declared.inner, NONE)
    if isinstance(declared, Tuple) and isinstance(found, Tuple):
        pairs = zip(declared.items, found.items, strict=False)
        return len(declared.items) == len(found.items) and all(_answers(each, other) for each, other in pairs)
    if isinstance(declared, Address) and isinstance(found, (TextLiteral, KernelObject)):
        return True
    return found == declared


def assign_local(frame: Frame, target: ast.Name, value: Value, node: ast.expr) -> ir.Block:
    """``name = value``."""
    type_ = value.type
    if isinstance(type_, Poison):
        raise Failure(None)
    if isinstance(type_, (Resource, Manager)):
        raise not_a_value(frame, type_, node)
    if isinstance(type_, Void):
        raise frame.error(rules.TypeMismatch, node, place=target.id, expected="a value", found="a call that gives none")
    if isinstance(type_, MapWord) or (isinstance(type_, MapObject) and not _is_inner(value)):
        raise frame.error(rules.MapNotAValue, node, map=type_, suggestion="name it where it is used: self.map")
    if isinstance(type_, (Static, SubProgram, Program)) or _is_context(value):
        raise frame.error(rules.NotSupported, node, what=f"a second name for {type_}", suggestion="use its own name")
    variable = frame.scope.variables.get(target.id)
    if isinstance(type_, NoneType):
        return _assign_none(frame, target.id, variable, node)
    value = _sized(frame, value, variable)
    if variable is not None and variable.box is not None:
        return _assign_boxed(frame, target.id, variable, value, node)
    if isinstance(value.type, (Int, Literal, Bool)):
        return _assign_number(frame, target.id, variable, value, node)
    if isinstance(value.type, Optional) and value.type.kind is not None:
        if variable is not None and variable.code_type is not None:
            raise _cannot_become(frame, variable, value.type, node)
        kind = _native(value.type.kind)
        slot = frame.scope.own_slot(target.id, kind_size(kind))
        code_name = variable.code_name if variable is not None else _code_name(frame, target.id)
        if variable is not None:
            frame.scope.settled.add(code_name)  # it has been None so far
        variable = frame.scope.add(Variable(target.id, code_name, value.type.inner, _STACK, slot.name, box=kind))
        return _assign_boxed(frame, target.id, variable, value, node)
    into_address = variable is not None and isinstance(variable.type, Address) and isinstance(value.type, KernelObject)
    if into_address or isinstance(value.type, (Text, Bytes, Address, TextLiteral)):
        return _assign_bytes(frame, target.id, variable, value, node)
    return _assign_reference(frame, target.id, variable, value, node)


def _is_inner(value: Value) -> bool:
    """A map that a lookup gave, and not one by its name."""
    return value.code is not None and value.code.type == ir.PointerType(ir.Region.MAP)


def _is_context(value: Value) -> bool:
    return value.code is not None and value.code.type == ir.PointerType(ir.Region.CONTEXT)


def _code_name(frame: Frame, name: str) -> str:
    taken = name in frame.parameter_names or name in frame.scope.retired
    return frame.scope.fresh(name) if taken else name


def _native(kind: Kind) -> Kind:
    return replace(kind, big_endian=False) if isinstance(kind, IntKind) else kind


def _sized(frame: Frame, value: Value, variable: Variable | None) -> Value:
    """Kernel strings as texts or bytes."""
    if isinstance(value.type, KernelObject):
        wants_bytes = variable is not None and isinstance(variable.type, Bytes)
        text = as_bytes(frame, value) if wants_bytes else as_text(frame, value)
        return text if isinstance(text.type, Bytes) or _is_char(frame, value.type) else value
    if variable is not None and isinstance(variable.type, Text):
        return as_text(frame, value)
    return value


def _is_char(frame: Frame, type_: KernelObject) -> bool:
    return type_.name.startswith(("char[", "const char["))


def _cannot_become(frame: Frame, variable: Variable, found: Type, node: ast.AST) -> Exception:
    suggestion = "use another name"
    if isinstance(variable.type, NoneType) and isinstance(found, (Int, Bool, Literal)):
        suggestion = f"begin with a number that stands for None, as `{variable.name}: u64 = 0`"
    elif isinstance(found, Optional) and isinstance(variable.type, Int):
        suggestion = "use another name, or give a number for None: `... or 0`"
    elif _trusts_more(variable.type, found.inner if isinstance(found, Optional) else found):
        struct = str(variable.type).removeprefix("struct ").removesuffix("*").strip()
        suggestion = (
            f"the kernel does not vouch for this one: begin with bpf.cast(u64(...), {struct}), which is read with care"
        )
    elif isinstance(variable.type, Int) and isinstance(found, Int):
        suggestion = f"convert it ({variable.type}(...)), or give {variable.name} a wider type where it starts"
    return frame.error(
        rules.VariableType, node, name=variable.name, declared=variable.type, found=found, suggestion=suggestion
    )


def _assign_none(frame: Frame, name: str, variable: Variable | None, node: ast.AST) -> ir.Block:
    if variable is None:
        variable = frame.scope.add(Variable(name, _code_name(frame, name), NONE, None))
    elif variable.slot is not None or (
        variable.code_type is not None and not isinstance(variable.code_type, ir.PointerType)
    ):
        raise _cannot_become(frame, variable, NONE, node)
    frame.state.assign(name, NONE)
    # What it points into may be found later; the function's end puts it right.
    return (ir.Assign(variable.code_name, ir.Const(0, variable.code_type or ir.PointerType(ir.Region.MAP_VALUE))),)


def _assign_number(frame: Frame, name: str, variable: Variable | None, value: Value, node: ast.AST) -> ir.Block:
    if variable is None:
        type_ = literal_type(value.type) if isinstance(value.type, Literal) else value.type
        assert isinstance(type_, (Int, Bool))
        code_type: ir.Type = type_.code if isinstance(type_, Int) else ir.BOOL
        variable = frame.scope.add(Variable(name, _code_name(frame, name), type_, code_type))
    elif not _holds(variable.type, value):
        raise _cannot_become(frame, variable, value.type, node)
    code = fit(frame, value, variable.type, node, name)
    bounds = value.range if isinstance(value.type, (Int, Literal)) else None
    if bounds is not None and isinstance(variable.type, Int):
        whole = Bounds(variable.type.minimum, variable.type.maximum)
        bounds = None if bounds == whole else bounds
    frame.state.assign(name, variable.type, bounds)
    return (ir.Assign(variable.code_name, code),)


def _holds(declared: Type, value: Value) -> bool:
    """Whether a local of type ``declared`` takes the number; of a literal only its value tells."""
    if isinstance(declared, Bool) or isinstance(value.type, Bool):
        return declared == value.type
    if not isinstance(declared, Int) or not isinstance(value.type, Int) or value.literal:
        return isinstance(declared, Int)
    return value.type.signed == declared.signed and value.type.bits <= declared.bits


def _assign_boxed(frame: Frame, name: str, variable: Variable, value: Value, node: ast.AST) -> ir.Block:
    """A number or text that may be None: a copy in a slot, and its address or null in a register."""
    assert variable.box is not None and variable.slot is not None
    slot = ir.StackSlot(variable.slot)
    align = kind_align(variable.box)
    if not isinstance(value.type, Optional):
        block = assign(frame, slot, SLOT_ALIGN, variable.box, value, node, name)
        bounds = value.range if isinstance(value.type, (Int, Literal)) else None
        frame.state.assign(name, variable.type, bounds)
        return (*block, ir.Assign(variable.code_name, slot))
    if value.type.inner != variable.type or value.type.kind is None:
        raise _cannot_become(frame, variable, value.type, node)
    before, pointer = frame.bind(value.expression)
    inside = load(pointer, value.type.kind, align)
    copying = store(frame, slot, SLOT_ALIGN, variable.box, inside, node, name)
    frame.state.assign(name, Optional(variable.type, variable.box))
    return (
        *before,
        ir.If(
            not_null(pointer),
            (*copying, ir.Assign(variable.code_name, slot)),
            (ir.Assign(variable.code_name, null(ir.Region.STACK)),),
        ),
    )


def _assign_bytes(frame: Frame, name: str, variable: Variable | None, value: Value, node: ast.AST) -> ir.Block:
    """Texts, raw bytes and addresses: copied into the local's own memory."""
    type_: Type = value.type
    if isinstance(type_, TextLiteral):
        length = max(1, len(type_.value))
        type_ = Bytes(length) if type_.raw else Text(length)
    if variable is None:
        if isinstance(type_, (Text, Bytes)) and type_.size is None:
            raise frame.error(rules.TextUnsized, node, what="this text", name=name)
        size = type_.size if isinstance(type_, (Text, Bytes)) else 16
        assert size is not None
        slot = frame.scope.own_slot(name, size)
        variable = frame.scope.add(Variable(name, _code_name(frame, name), type_, None, slot=slot.name))
    elif not (isinstance(variable.type, Address) and isinstance(value.type, (TextLiteral, KernelObject))) and (
        variable.slot is None or type(variable.type) is not type(type_)
    ):
        raise _cannot_become(frame, variable, type_, node)
    assert variable.slot is not None
    kind: Kind = AddressKind()
    if isinstance(variable.type, Text):
        kind = TextKind(variable.type.size or 1)
    elif isinstance(variable.type, Bytes):
        kind = BytesKind(variable.type.size or 1)
    block = assign(frame, ir.StackSlot(variable.slot), SLOT_ALIGN, kind, value, node, name)
    frame.state.assign(name, variable.type)
    return block


def _assign_reference(frame: Frame, name: str, variable: Variable | None, value: Value, node: ast.expr) -> ir.Block:
    """Structs, arrays, kernel pointers and sockets: another name for the same thing."""
    inner = value.type.inner if isinstance(value.type, Optional) else value.type
    if not isinstance(inner, (StructType, Array, Tuple, KernelPointer, KernelObject, Socket, MapObject)):
        raise frame.error(rules.NotSupported, node, what=f"a local that is {inner}", suggestion="")
    if value.code is not None and value.code.type == OBJECT:
        return take(frame, name, variable, value, node)
    block: ir.Block = ()
    if variable is not None and variable.code_type is not None and _trusts_more(inner, variable.type):
        # What the kernel does not vouch for is read with care; so is, under the same name, what it vouches for.
        value = replace(value, type=_distrusted(value.type), code=ir.Convert(value.expression, variable.code_type))
        inner = variable.type
    if value.recipe is not None and isinstance(inner, (StructType, Array)):
        block, value = _built(frame, inner, value, node)
    elif frame.loops and value.expression.type == _STACK and not isinstance(node, ast.Call):
        raise frame.error(rules.AliasInLoop, node, name=name)
    if value.expression.type == _STACK:
        frame.keep_slots = True
    code_type = value.expression.type
    if variable is None:
        variable = frame.scope.add(Variable(name, _code_name(frame, name), inner, code_type))
    elif variable.code_type is None and variable.slot is None:
        variable = frame.scope.settle(name, code_type, inner)
    elif variable.type != inner:
        raise _cannot_become(frame, variable, value.type, node)
    elif variable.code_type != code_type:
        assert variable.code_type is not None
        before = ir.Local(variable.code_name, variable.code_type)
        raise frame.error(
            rules.VariableType, node, name=name, declared=f"a {inner} {place_of(before)}",
            found=f"one {place_of(value.expression)}", suggestion="use another name",
        )  # fmt: skip
    frame.state.assign(name, value.type)
    return (*block, ir.Assign(variable.code_name, value.expression))


def _trusts_more(found: Type, held: Type) -> bool:
    """Whether both point to the same struct, and the kernel vouches for the first alone."""
    return isinstance(found, KernelPointer) and found.trusted and replace(found, trusted=False) == held


def _distrusted(type_: Type) -> Type:
    if isinstance(type_, Optional):
        return replace(type_, inner=_distrusted(type_.inner))
    assert isinstance(type_, KernelPointer)
    return replace(type_, trusted=False)


def _built(frame: Frame, type_: StructType | Array, value: Value, node: ast.AST) -> tuple[ir.Block, Value]:
    """A new struct in memory of its own; in a loop its old self may be among the arguments."""
    kind: Kind = type_.cls if isinstance(type_, StructType) else type_.kind
    built = materialise(frame, value, kind, node)
    if not (frame.loops and value.recipe is not None and value.recipe.reads):
        return (), built
    size = kind_size(kind)
    before, source = frame.bind_address(built.expression)
    slot = frame.scope.slot(size)
    return (*before, *copied(slot, size, SLOT_ALIGN, source, size, SLOT_ALIGN)), Value(type_, slot, align=SLOT_ALIGN)
