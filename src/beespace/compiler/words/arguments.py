"""The arguments of a helper, one rule for each kind that the verifier takes.

Invariant: whatever an argument needs is computed before the call, in the order in which the author wrote it; memory
that a helper fills holds, after the call, what its type says (a text is zero behind its end).
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.types import address
from beespace.compiler.maps.storage import SOCKETS
from beespace.compiler.memory import SLOT_ALIGN, located
from beespace.compiler.types import (
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Array,
    Bytes,
    Context,
    Int,
    KernelObject,
    KernelPointer,
    MapObject,
    NoneType,
    Socket,
    StructType,
    Text,
    TextLiteral,
    of_kind,
)
from beespace.compiler.types import Address as AddressType
from beespace.compiler.values import Value, null, number
from beespace.isa.signatures import Argument
from beespace.lang import Global, Map
from beespace.record import dataclass
from beespace.schema import AddressKind, BytesKind, IntKind, Kind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["NUMBERS", "Passed", "Taken", "constant_text", "memory_kind", "pass_argument"]

# C types of numbers; those in network order are host numbers to the author, as fields of that order are.
NUMBERS = {
    "u8": U8, "u16": U16, "u32": U32, "u64": U64, "s32": I32, "s64": I64, "int": I32, "long": I64, "size_t": U64,
    "unsigned int": U32, "unsigned long": U64, "__be16": U16, "__be32": U32, "__wsum": U32,
}  # fmt: skip
_NETWORK_ORDER = ("__be16", "__be32")
_WRITABLE = (ir.Region.STACK, ir.Region.MAP_VALUE, ir.Region.RING)
_STACK = ir.PointerType(ir.Region.STACK)
# Helpers that leave nothing behind the end of a text.
_TEXT_READERS = ("probe_read_str", "probe_read_kernel_str", "probe_read_user_str")


@dataclass(frozen=True, slots=True)
class Passed:
    """An argument: statements before the call, its code (two for memory and its size), statements after the call."""

    codes: tuple[ir.Expression, ...]
    before: ir.Block = ()
    after: ir.Block = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """Which argument of which word it is, and the map that came before it."""

    word: str
    argument: Argument
    map: Map | None = None
    size_type: str = "u32"

    @property
    def kind(self) -> str:
        return self.argument.kind.partition(":")[0].rstrip("?!")

    @property
    def optional(self) -> bool:
        return "?" in self.argument.kind

    @property
    def written(self) -> bool:
        return ":out" in self.argument.kind or ":both" in self.argument.kind

    @property
    def exact(self) -> int | None:
        """How many bytes it must have, if the kernel says."""
        last = self.argument.kind.rstrip("?!").rpartition(":")[2]
        return int(last) if last.isdigit() else None


Rule: TypeAlias = Callable[[Frame, Taken, ast.expr], Passed]
PointerRule: TypeAlias = Callable[[Frame, Taken, Value, ast.expr], Passed]


def pass_argument(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    """The code for one argument; ``taken.argument.kind`` says by which rule."""
    return _RULES[taken.kind](frame, taken, node)


def _number(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    type_ = NUMBERS[taken.argument.type]
    code = fit(frame, frame.value(node, type_), type_, node, f"{taken.argument.name} of {taken.word}")
    if taken.argument.type in _NETWORK_ORDER:
        code = ir.ByteSwap(code)
    before, code = frame.bind(code)
    return Passed((code,), before)


def _address(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    """A number or a pointer of the kernel."""
    value = present(frame, frame.value(node, U64), node)
    if isinstance(value.type, KernelPointer):
        code: ir.Expression = ir.Convert(value.expression, ir.U64)
    elif isinstance(value.type, KernelObject):
        code = ir.Convert(address(value), ir.U64)
    else:
        code = fit(frame, value, U64, node, f"{taken.argument.name} of {taken.word}")
    before, code = frame.bind(code)
    return Passed((code,), before)


def _wrong(frame: Frame, taken: Taken, value: Value, node: ast.expr, expected: str, suggestion: str = "") -> Failure:
    return frame.error(
        rules.WrongPointer, node, word=taken.word, expected=f"{expected} as {taken.argument.name}", found=value.type,
        suggestion=suggestion,
    )  # fmt: skip


def _context(frame: Frame, taken: Taken, value: Value, node: ast.expr) -> Passed:
    if taken.optional and isinstance(value.type, NoneType):
        return Passed((null(ir.Region.CONTEXT),))
    if not isinstance(present(frame, value, node).type, Context):
        suggestion = "pass ctx, or bpf.ctx() where the parameters are the event's own"
        raise _wrong(frame, taken, value, node, "the program's context", suggestion)
    return Passed((value.expression,))


def _object(frame: Frame, taken: Taken, value: Value, node: ast.expr) -> Passed:
    if taken.optional and isinstance(value.type, NoneType):
        return Passed((null(ir.Region.KERNEL_TRUSTED),))
    type_ = present(frame, value, node).type
    wanted = taken.argument.type.removeprefix("const ").removesuffix("*").strip()
    if isinstance(type_, (KernelPointer, KernelObject)) and wanted in (type_.name, "void"):
        if not type_.trusted:
            suggestion = "pointers of a raw tracepoint, or read from memory, are not trusted by the kernel"
            raise _wrong(frame, taken, value, node, f"a trusted {wanted}", suggestion)
        code = address(value) if isinstance(type_, KernelObject) else value.expression
        before, code = frame.bind(code)
        return Passed((code,), before)
    raise _wrong(frame, taken, value, node, wanted)


def _socket(frame: Frame, taken: Taken, value: Value, node: ast.expr) -> Passed:
    if taken.optional and isinstance(value.type, NoneType):
        return Passed((null(ir.Region.SOCKET),))
    type_ = present(frame, value, node).type
    of_kernel = isinstance(type_, KernelPointer) and type_.trusted and type_.name in SOCKETS
    if isinstance(type_, Socket) or of_kernel or (isinstance(type_, Context) and type_.name == "bpf_sock"):
        before, code = ((), value.expression) if isinstance(type_, Context) else frame.bind(value.expression)
        return Passed((code,), before)
    suggestion = "take ctx.sk, and check it for None" if isinstance(type_, Context) else ""
    raise _wrong(frame, taken, value, node, "a socket", suggestion)


def _pointer(*choices: tuple[type | tuple[type, ...], PointerRule]) -> Rule:
    """By the type of what is passed; the last rule says what is wrong."""

    def rule(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
        value = frame.value(node)
        chosen = next(then for types, then in choices if isinstance(value.type, types) or then is choices[-1][1])
        return chosen(frame, taken, value, node)

    return rule


def _text(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    """A text in the object's read-only data."""
    value = frame.value(node)
    if not isinstance(value.type, TextLiteral):
        raise frame.error(
            rules.NotConstant, node, what=f"{taken.argument.name} of {taken.word}", suggestion="write the text out"
        )
    return Passed((constant_text(frame, value.type.value),))


def constant_text(frame: Frame, text: bytes) -> ir.Expression:
    """The address of a text with its zero byte, which no program can change."""
    data = text + b"\0"
    constants = frame.unit.constants
    return ir.GlobalAddress(constants.setdefault((BytesKind(len(data)), data), f"beespace_text_{len(constants)}"))


# --- maps ----------------------------------------------------------------------------------------


def _map(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    value = frame.value(node)
    if not isinstance(value.type, MapObject) or isinstance(value.type.map, Global):
        raise frame.error(rules.WrongMap, node, word=taken.word, expected="a map", found=value.type)
    return Passed((ir.MapAddress(value.type.name),))


def _key(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    kind = taken.map.key if taken.map is not None else None
    if kind is None:
        raise frame.error(rules.WrongMap, node, word=taken.word, expected="a map with keys", found="one without")
    before, pointer = located(frame, frame.value(node, of_kind(kind)), kind, node, "the key")
    return Passed((pointer,), before)


def _value(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    kind = taken.map.value_kind if taken.map is not None else None
    if kind is None:
        raise frame.error(rules.WrongMap, node, word=taken.word, expected="a map with values", found="one without")
    value = frame.value(node, of_kind(kind))
    if taken.optional and isinstance(value.type, NoneType):
        return Passed((null(ir.Region.MAP_VALUE),))
    if taken.written:
        return _filled(frame, taken, value, node, kind_size(kind), sized=False)
    before, pointer = located(frame, value, kind, node, "the value")
    return Passed((pointer,), before)


# --- memory --------------------------------------------------------------------------------------


def _memory(frame: Frame, taken: Taken, node: ast.expr) -> Passed:
    """Memory, with its size where the kernel asks for one."""
    value = frame.value(node)
    sized = taken.exact is None
    empty = value.type == TextLiteral(b"", raw=True)
    if taken.optional and (empty or isinstance(value.type, NoneType)):
        return Passed((null(ir.Region.STACK), *((_size(taken, 0),) if sized else ())))
    present(frame, value, node)
    if empty:
        raise frame.error(
            rules.NotMemory, node, word=taken.word, argument=taken.argument.name, found="no bytes at all",
            suggestion="pass at least one byte",
        )  # fmt: skip
    if taken.written:
        return _filled(frame, taken, value, node, taken.exact, sized=sized)
    value, kind = _read_kind(frame, taken, value, node)
    size = kind_size(kind)
    if taken.exact is not None and size < taken.exact:
        raise _wrong_size(frame, taken, node, taken.exact, size)
    if taken.word == "bpf.csum_diff()" and size % 4:
        raise _wrong_size(frame, taken, node, "a multiple of 4", size)  # -EINVAL in net/core/filter.c
    before, pointer = located(frame, value, kind, node, f"{taken.argument.name} of {taken.word}")
    return Passed((pointer, _size(taken, size)) if sized else (pointer,), before)


def _size(taken: Taken, size: int) -> ir.Expression:
    return number(size, NUMBERS[taken.size_type])


def _wrong_size(frame: Frame, taken: Taken, node: ast.expr, expected: int | str, found: int) -> Failure:
    return frame.error(
        rules.MemorySize, node, word=taken.word, argument=taken.argument.name, expected=expected, found=found
    )


def _read_kind(frame: Frame, taken: Taken, value: Value, node: ast.expr) -> tuple[Value, Kind]:
    """What is read, and as which kind; a text that is written out comes with its zero byte."""
    type_ = value.type
    if isinstance(type_, TextLiteral):
        data = type_.value if type_.raw else type_.value + b"\0"
        return Value(TextLiteral(data, raw=True)), BytesKind(len(data))
    if isinstance(type_, Int):
        return value, IntKind(str(type_), type_.bits, type_.signed)
    kind = memory_kind(type_)
    if kind is None:
        suggestion = "pass a struct, a text, raw bytes, an array, or a number of known size, as u32(1)"
        raise frame.error(
            rules.NotMemory, node, word=taken.word, argument=taken.argument.name, found=type_, suggestion=suggestion
        )
    return value, kind


def memory_kind(type_: object) -> Kind | None:
    """The kind of memory that holds a value of that type; ``None`` for what has no size, or is no memory."""
    if isinstance(type_, StructType):
        return type_.cls
    if isinstance(type_, Text) and type_.size is not None:
        return TextKind(type_.size)
    if isinstance(type_, Bytes) and type_.size is not None:
        return BytesKind(type_.size)
    if isinstance(type_, AddressType):
        return AddressKind()
    return type_.kind if isinstance(type_, Array) else None


def _filled(frame: Frame, taken: Taken, value: Value, node: ast.expr, exact: int | None, *, sized: bool) -> Passed:
    """Memory of the author's that the helper writes to."""
    kind = memory_kind(value.type)
    code_type = value.code.type if value.code is not None else None
    writable = isinstance(code_type, ir.PointerType) and code_type.region in _WRITABLE
    if kind is None or not writable:
        suggestion = "make a local first, as `header = Header()`, `name = text(64)` or `data = raw(64)`, and pass that"
        raise frame.error(
            rules.NotMemory, node, word=taken.word, argument=taken.argument.name, suggestion=suggestion,
            found="a number" if isinstance(value.type, Int) else value.type,
        )  # fmt: skip
    size = kind_size(kind)
    if exact is not None and size != exact:
        raise _wrong_size(frame, taken, node, exact, size)
    before, pointer = frame.bind_address(value.expression)
    after: ir.Block = ()
    if isinstance(value.type, Text):
        target = pointer
        if taken.word.removeprefix("bpf.").removesuffix("()") in _TEXT_READERS:
            before += (ir.Zero(target, size, value.align),)
        else:
            # Whatever the helper leaves behind the text's end stays in a temporary.
            pointer = frame.scope.slot(size)
            before += (ir.Zero(pointer, size, SLOT_ALIGN),)
            reading = call("probe_read_kernel_str", ir.I64, target, number(size, U64), pointer)
            after = (ir.Zero(target, size, value.align), ir.Evaluate(reading))
    return Passed((pointer, _size(taken, size)) if sized else (pointer,), before, after)


_RULES: dict[str, Rule] = {
    "number": _number,
    "address": _address,
    "ctx": _pointer((object, _context)),
    "object": _pointer((object, _object)),
    "socket": _pointer((object, _socket)),
    "ctx|socket": _pointer((Context, _context), (object, _socket)),
    "ctx|object": _pointer(((KernelPointer, KernelObject), _object), (object, _context)),
    "ctx|socket|object": _pointer((Context, _context), (KernelPointer, _object), (object, _socket)),
    "map": _map,
    "key": _key,
    "value": _value,
    "memory": _memory,
    "text": _text,
}
