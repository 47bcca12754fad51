"""Results that have no register: several values, texts, addresses, structs by value, numbers that may be None.

Invariant: the caller passes memory for them, the function fills it and returns whether it gave a value; what is given
is a copy, and nothing else has a name for what was copied.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit, literal_type, present
from beespace.compiler.expressions.texts import as_text
from beespace.compiler.frame import Frame
from beespace.compiler.memory import SLOT_ALIGN, load
from beespace.compiler.owned import LENT, OBJECT
from beespace.compiler.structs import assign
from beespace.compiler.types import (
    BOOL,
    NONE,
    Address,
    Bool,
    Bytes,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    NoneType,
    Optional,
    Socket,
    StructType,
    Text,
    TextLiteral,
    Tuple,
    Type,
)
from beespace.compiler.values import Value, not_null, null, offset
from beespace.record import dataclass, replace
from beespace.schema import AddressKind, ArrayKind, BoolKind, BytesKind, IntKind, Kind, Struct, TextKind
from beespace.schema.kinds import kind_size

__all__ = [
    "RESULT", "Memory", "declared_in_memory", "give", "give_several", "item", "items_of", "returns_copy", "taken",
]  # fmt: skip

RESULT = ".result"  # a sub-program's parameter: where its result goes
_POINTER = ir.PointerType(ir.Region.STACK)
_WORD = 8
_LITERAL_SIZE = 16  # of a text whose first return is a shorter text that is written out
_GIVEN = ir.Return(ir.Const(1, ir.BOOL))
_Reference = StructType | KernelPointer | Socket


@dataclass(frozen=True, slots=True)
class Memory:
    """What the function's returns have settled so far; ``declared`` are the types of its annotation.

    ``types``: NONE of a reference that was None each time.  ``codes``: of numbers and references, ``None`` of what
    stands in the memory itself.
    """

    declared: tuple[Type | None, ...]
    several: bool
    types: tuple[Type, ...] = ()
    codes: tuple[ir.Type | None, ...] = ()

    @property
    def type(self) -> Type:
        return Tuple(self.types, self.codes) if self.several else self.types[0]

    @property
    def size(self) -> int:
        return sum(_room(type_, code) for type_, code in zip(self.types, self.codes, strict=True))

    @property
    def has_pointers(self) -> bool:
        """Whether it must stay on the stack: elsewhere the kernel forgets what they point to."""
        return any(isinstance(code, ir.PointerType) for code in self.codes)

    def optional(self) -> Optional:
        """The type if it may be None."""
        return Optional(self.type, None if self.several else _kind(self.types[0]))


def declared_in_memory(result: Type | None) -> bool:
    """Whether an annotation says that the result may travel in memory."""
    inner = result.inner if isinstance(result, Optional) else result
    if isinstance(inner, (Int, Bool)):
        return isinstance(result, Optional)
    return isinstance(inner, (Tuple, Text, Bytes, Address, StructType))


def returns_copy(frame: Frame, value: Value) -> bool:
    """Whether ``value`` is returned in memory: the function has done so before, or it has no register."""
    if frame.memory is not None or (frame.result is not None and isinstance(_inner(frame.result), Tuple)):
        return True
    if isinstance(value.type, Optional) and value.type.kind is not None:
        return frame.result is None or declared_in_memory(frame.result)
    if isinstance(value.type, (Int, Bool, Literal)):
        return isinstance(frame.result, Optional) and declared_in_memory(frame.result)
    if isinstance(value.type, StructType):
        return _is_own(frame, value)
    return isinstance(value.type, (Text, TextLiteral, Bytes, Address, Tuple, KernelObject))


def _is_own(frame: Frame, value: Value) -> bool:
    """Whether a struct is the function's own: made here, or in memory that no parameter can lead to."""
    assert isinstance(value.type, StructType)
    if value.recipe is not None:
        return True
    return value.expression.type == _POINTER and not any(_leads(kind, value.type.cls) for kind in frame.borrowed)


def _leads(kind: Kind, wanted: type[Struct]) -> bool:
    if isinstance(kind, ArrayKind):
        return _leads(kind.element, wanted)
    if not isinstance(kind, type):
        return False
    return kind is wanted or any(_leads(field.kind, wanted) for field in kind.layout.fields)


# --- in the function -----------------------------------------------------------------------------


def give(frame: Frame, value: Value, node: ast.expr) -> ir.Block:
    """``return value`` of one value."""
    if isinstance(value.type, Tuple):
        before, values = items_of(frame, value)
        return before + _given(frame, values, [node] * len(values), node)
    if not isinstance(value.type, Optional):
        return _given(frame, [value], [node], node, several=False)
    if value.type.kind is None:
        present(frame, value, node)
    assert value.type.kind is not None
    before, pointer = frame.bind(value.expression)
    inside = load(pointer, value.type.kind, value.align)
    giving = _given(frame, [inside], [node], node, several=False)
    nothing = ast.copy_location(ast.Return(ast.Constant(None)), node)
    frame.returns.append(nothing)
    return (*before, ir.If(not_null(pointer), giving, (ir.Return(),)))


def give_several(frame: Frame, node: ast.Tuple) -> ir.Block:
    """``return a, b``: each is evaluated before any is stored."""
    declared = _declared(frame, len(node.elts))
    values: list[Value] = []
    before: ir.Block = ()
    for at, element in enumerate(node.elts):
        wanted = declared[at] or (frame.memory.types[at] if frame.memory and at < len(frame.memory.types) else None)
        value = frame.value(element, wanted if isinstance(wanted, Int) else None)
        if value.code is not None:
            block, code = frame.bind_address(value.code)
            before, value = before + block, replace(value, code=code)
        elif value.recipe is not None:
            before, value = before + value.recipe.prepare, replace(value, recipe=replace(value.recipe, prepare=()))
        values.append(value)
    return before + _given(frame, values, node.elts, node)


def _declared(frame: Frame, count: int) -> tuple[Type | None, ...]:
    inner = frame.result.inner if isinstance(frame.result, Optional) else frame.result
    if isinstance(inner, Tuple):
        return inner.items
    return (None,) * count


def _given(
    frame: Frame, values: Sequence[Value], nodes: Sequence[ast.expr], node: ast.expr, *, several: bool = True
) -> ir.Block:
    """Fill the memory, and return."""
    memory = frame.memory
    if memory is None:
        declared = _declared(frame, len(values))
        if not several:
            inner = frame.result.inner if isinstance(frame.result, Optional) else frame.result
            declared = (None if isinstance(inner, Tuple) else inner,)
        memory = Memory(declared, several)
        if frame.result is not None and (isinstance(_inner(frame.result), Tuple) != several):
            raise _mismatch(frame, frame.result, _shown(values, several=several), node)
    if len(values) != len(memory.declared) or several != memory.several:
        raise _mismatch(frame, _so_far(frame, memory), _shown(values, several=several), node)
    first = not memory.types
    values = [_settled(frame, value, each) for value, each in zip(values, nodes, strict=True)]
    types, codes = list(memory.types), list(memory.codes)
    for at, (value, each) in enumerate(zip(values, nodes, strict=True)):
        if first:
            type_, code = _first(frame, memory.declared[at], value, each, several=several)
            types.append(type_)
            codes.append(code)
        else:
            types[at], codes[at] = _joined(frame, types[at], codes[at], value, each)
    frame.memory = memory = replace(memory, types=tuple(types), codes=tuple(codes))
    frame.result = frame.result or memory.type
    target: ir.Expression = ir.Local(RESULT, _POINTER)
    block: ir.Block = ()
    for type_, code, value, each in zip(types, codes, values, nodes, strict=True):
        block += _stored(frame, target, type_, code, value, each)
        target = offset(target, _room(type_, code))
    return (*block, _GIVEN)


def _settled(frame: Frame, value: Value, node: ast.expr) -> Value:
    """Kernel strings as texts; what may be None is a reference."""
    if isinstance(value.type, Optional) and value.type.kind is not None:
        present(frame, value, node)
    return as_text(frame, value) if isinstance(value.type, KernelObject) else value


def _first(
    frame: Frame, declared: Type | None, value: Value, node: ast.expr, *, several: bool
) -> tuple[Type, ir.Type | None]:
    """What the first return makes of one value."""
    type_: Type = literal_type(value.type) if isinstance(value.type, Literal) else value.type
    if isinstance(declared, (Int, Bool)):
        type_ = declared
    if isinstance(type_, Int):
        return type_, type_.code
    if isinstance(type_, Bool):
        return type_, ir.BOOL
    if isinstance(type_, TextLiteral):
        size = max(_LITERAL_SIZE, len(type_.value))
        type_ = Address() if isinstance(declared, Address) else Bytes(size) if type_.raw else Text(size)
    if isinstance(type_, (Text, Bytes)) and type_.size is None:
        raise frame.error(rules.TextUnsized, node, what="this text", name="name")
    if declared is not None and not _named(declared, type_):
        raise _mismatch(frame, declared, value.type, node)
    inner = _inner(type_)
    if isinstance(type_, StructType) and (value.recipe is not None or value.expression.type == _POINTER):
        if not _is_own(frame, value):
            raise frame.error(rules.StackEscapes, node, found=type_)
        return type_, None
    if isinstance(type_, (Text, Bytes, Address)):
        return type_, None
    if several and isinstance(type_, NoneType):
        return NONE, None
    if several and isinstance(inner, _Reference) and value.code is not None:
        if value.code.type in (OBJECT, LENT):
            raise frame.error(rules.ObjectEscapes, node)
        if value.code.type == _POINTER:
            raise frame.error(rules.StackEscapes, node, found=inner)
        return _wider(type_, declared), value.code.type
    raise frame.error(rules.ReturnMismatch, node, name=frame.source.node.name, found=value.type,
                      expected="numbers, bools, texts, structs, references into maps and kernel pointers")  # fmt: skip


def _named(declared: Type, found: Type) -> bool:
    """Whether an annotation says ``found``."""
    if isinstance(declared, (Text, Bytes)):
        return type(declared) is type(found)
    if isinstance(declared, Optional):
        return isinstance(found, NoneType) or _named(declared.inner, _inner(found))
    if isinstance(declared, KernelPointer) and isinstance(found, KernelPointer):
        return declared.target == found.target
    return declared == found


def _wider(type_: Type, declared: Type | None) -> Type:
    return type_ if isinstance(type_, Optional) or not isinstance(declared, Optional) else Optional(type_)


def _joined(
    frame: Frame, type_: Type, code: ir.Type | None, value: Value, node: ast.expr
) -> tuple[Type, ir.Type | None]:
    """What a later return makes of one value."""
    if isinstance(type_, (Int, Bool, Text, Bytes, Address)):
        return type_, code
    if isinstance(type_, StructType) and code is None:
        if not isinstance(value.type, StructType) or not _is_own(frame, value):
            raise _mismatch(frame, f"{type_} by value", value.type, node)
        return type_, code
    if isinstance(value.type, NoneType):
        return (type_ if isinstance(type_, Optional | NoneType) else Optional(type_)), code
    inner = _inner(value.type)
    known = value.code.type if value.code is not None else None
    if known == _POINTER or not isinstance(inner, _Reference):
        raise _mismatch(frame, type_, value.type, node)
    if isinstance(type_, NoneType):
        return Optional(inner), known
    if inner != _inner(type_) or known != code:
        raise _mismatch(frame, type_, value.type, node)
    return (value.type if isinstance(value.type, Optional) else type_), code


def _stored(
    frame: Frame, target: ir.Expression, type_: Type, code: ir.Type | None, value: Value, node: ast.expr
) -> ir.Block:
    if isinstance(type_, (Int, Bool)):
        present(frame, value, node)
        return (ir.Store(target, fit(frame, value, type_, node, "the result")),)
    if isinstance(type_, NoneType) or isinstance(value.type, NoneType):
        return (ir.Store(target, ir.Const(0, ir.U64)),)
    if code is not None:
        return (ir.Store(target, value.expression),)
    return assign(frame, target, SLOT_ALIGN, _kind(type_), value, node, "the result")


def _shown(values: Sequence[Value], *, several: bool) -> str:
    return f"{len(values)} values" if several else str(values[0].type)


def _so_far(frame: Frame, memory: Memory) -> str:
    return str(memory.type) if memory.types else str(frame.result)


def _mismatch(frame: Frame, expected: object, found: object, node: ast.expr) -> Exception:
    return frame.error(
        rules.ReturnMismatch, node, name=frame.source.node.name, expected=expected, found=found, suggestion=""
    )


# --- in its callers ------------------------------------------------------------------------------


def taken(frame: Frame, memory: Memory, result: Type, call: ir.Expression, slot: ir.StackSlot) -> Value:
    """What a call gives that filled ``slot``."""
    if not isinstance(result, Optional):
        inside = Value(result, slot, align=SLOT_ALIGN)
        inside = inside if memory.several else item(Value(memory_tuple(memory), slot), 0)
        return replace(inside, code=ir.Sequence((ir.Evaluate(call),), inside.expression))
    name = frame.scope.fresh()
    filled = ir.If(call, (ir.Assign(name, slot),))
    declared = ir.Declare(name, _POINTER, null(ir.Region.STACK))
    return Value(result, ir.Sequence((declared, filled), ir.Local(name, _POINTER)), align=SLOT_ALIGN)


def memory_tuple(memory: Memory) -> Tuple:
    return Tuple(memory.types, memory.codes)


def items_of(frame: Frame, value: Value) -> tuple[ir.Block, list[Value]]:
    """All values of a tuple, as they are now."""
    assert isinstance(value.type, Tuple)
    block, pointer = frame.bind_address(value.expression)
    values = []
    for at in range(len(value.type.items)):
        found = item(replace(value, code=pointer), at)
        if value.type.codes[at] is not None:
            before, code = frame.bind(found.expression)
            block, found = block + before, replace(found, code=code)
        values.append(found)
    return block, values


def item(value: Value, index: int) -> Value:
    """One value of a tuple."""
    assert isinstance(value.type, Tuple)
    types, codes = value.type.items, value.type.codes
    at = sum(_room(type_, code) for type_, code in zip(types[:index], codes[:index], strict=True))
    type_, code, pointer = types[index], codes[index], offset(value.expression, at)
    if isinstance(type_, NoneType):
        return Value(NONE)
    if isinstance(type_, (Int, Bool)):
        return replace(load(pointer, _kind(type_), SLOT_ALIGN), type=type_)
    return Value(type_, pointer if code is None else ir.Load(pointer, code), align=SLOT_ALIGN)


# --- both ----------------------------------------------------------------------------------------


def _inner(type_: Type) -> Type:
    return type_.inner if isinstance(type_, Optional) else type_


def _room(type_: Type, code: ir.Type | None) -> int:
    if code is not None or isinstance(type_, NoneType):
        return _WORD
    return -(-kind_size(_kind(type_)) // _WORD) * _WORD


def _kind(type_: Type) -> Kind:
    """How a value stands in memory."""
    if isinstance(type_, Int):
        return IntKind("", type_.bits, type_.signed)
    if isinstance(type_, Text):
        return TextKind(type_.size or 1)
    if isinstance(type_, Bytes):
        return BytesKind(type_.size or 1)
    if isinstance(type_, StructType):
        return type_.cls
    return BoolKind() if type_ == BOOL else AddressKind()
