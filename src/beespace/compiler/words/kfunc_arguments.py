"""The arguments of a kernel function, by their types in BTF and by what their names say to the verifier."""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.btf import types as kernel_types
from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.expressions.texts import as_text
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.types import address
from beespace.compiler.maps.storage import SOCKETS
from beespace.compiler.memory import SLOT_ALIGN, located, store
from beespace.compiler.types import (
    BOOL,
    U32,
    U64,
    Context,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    MapObject,
    NoneType,
    Socket,
    Text,
    TextLiteral,
)
from beespace.compiler.values import Value, null, number
from beespace.compiler.words.arguments import Passed, constant_text, memory_kind
from beespace.record import dataclass
from beespace.schema import BytesKind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["Parameter", "is_filled_in", "is_size", "pass_parameter"]

_WRITABLE = (ir.Region.STACK, ir.Region.MAP_VALUE, ir.Region.RING)
_NOTHING = ir.Const(0, ir.PointerType(ir.Region.STACK))
_MARKED = ("__alloc", "__refcounted_kptr", "__irq_flag", "__iter")
_DYNPTR_SIZE = 16
_LONGEST = 256  # bytes of a text without a size
# Types whose values the language has by other means, by the beginning of their names.
_KEPT = {
    "bpf_iter_": "iterators: write a `for`", "bpf_list_": "lists of the kernel's",
    "bpf_rb_": "trees of the kernel's", "bpf_timer": "timers: value.timer.start()", "bpf_wq": "work queues",
    "bpf_res_spin_lock": "locks: `with value.lock:`", "bpf_task_work": "work of a task",
    "bpf_refcount": "counted memory",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the function that ``function`` (``bpf.name()``) stands for; ``following`` is the next one."""

    function: str
    name: str
    type: int
    following: tuple[kernel_types.Parameter, ...]

    @property
    def word(self) -> str:
        """Its name without what is said to the verifier."""
        return self.name.partition("__")[0]

    def marked(self, mark: str) -> bool:
        return self.name.endswith(f"__{mark}")


def is_size(name: str) -> bool:
    """Whether it is the size of the memory before it."""
    return name.endswith(("__sz", "__szk"))


def is_filled_in(name: str) -> bool:
    """Whether the verifier fills it in."""
    return name.endswith("__prog") or name in ("meta__ign", "aux__ign")


def pass_parameter(frame: Frame, parameter: Parameter, node: ast.expr | None) -> Passed:
    """The code for one parameter; ``node`` is missing for those that are left out."""
    btf = frame.unit.btf
    target = btf.type(btf.resolve(parameter.type))
    if node is None:
        zero = _NOTHING if isinstance(target, kernel.Pointer) else ir.Const(0, _number(target).code)
        return Passed((zero,))
    if isinstance(target, (kernel.Int, kernel.Enum)):
        return _pass_number(frame, parameter, target, node)
    if not isinstance(target, kernel.Pointer):
        raise _no_place(frame, parameter, node, btf.describe(parameter.type))
    if parameter.name.endswith(_MARKED):
        raise _no_place(frame, parameter, node, "memory that the kernel allocated or keeps for the program")
    value = frame.value(node, U64 if parameter.marked("ign") else None)
    sized = bool(parameter.following) and is_size(parameter.following[0].name)
    if isinstance(value.type, NoneType) and parameter.marked("nullable"):
        return Passed((null(ir.Region.KERNEL_TRUSTED), *((_size(frame, parameter, 0),) if sized else ())))
    pointed = btf.type(btf.resolve(target.type))
    if parameter.marked("map") or getattr(pointed, "name", "") == "bpf_map":
        return _pass_map(frame, parameter, value, node)
    if parameter.marked("str"):
        return _pass_constant(frame, parameter, value, node)
    present(frame, value, node)
    if parameter.marked("ign"):
        return _pass_address(frame, parameter, value, node)
    if isinstance(pointed, (kernel.Struct, kernel.Forward)) and not sized:
        if pointed.name in ("bpf_dynptr", "bpf_dynptr_kern"):
            return _pass_dynptr(frame, parameter, value, node)
        kept = next((what for start, what in _KEPT.items() if pointed.name.startswith(start)), None)
        if kept is not None and pointed.name not in ("bpf_iter_meta",):
            raise _no_place(frame, parameter, node, f"struct {pointed.name} ({kept})")
        if isinstance(value.type, Context):
            return Passed((value.expression,))
        if isinstance(value.type, (KernelPointer, KernelObject, Socket)):
            return _pass_object(frame, parameter, value, pointed.name, node)
    if isinstance(pointed, kernel.Void) and not sized and isinstance(value.type, Context):
        return Passed((value.expression,))  # `void *ctx` of functions that programs of several kinds call
    size = None if sized or isinstance(pointed, kernel.Void) else btf.size(target.type)
    return _pass_memory(frame, parameter, value, node, size, sized=sized)


def _pass_dynptr(frame: Frame, parameter: Parameter, value: Value, node: ast.expr) -> Passed:
    """Memory of a map behind a dynamic pointer, which knows its length (bpf_dynptr_from_mem(), Linux 5.19)."""
    kind = memory_kind(value.type)
    if kind is None or value.code is None or value.code.type != ir.PointerType(ir.Region.MAP_VALUE):
        raise frame.error(
            rules.NotMemory, node, word=parameter.function, argument=parameter.word, found=value.type,
            suggestion="it takes memory of a map: the value of a Global, or a struct, text or array that a map holds",
        )  # fmt: skip
    if parameter.marked("uninit"):
        raise _no_place(frame, parameter, node, "a dynamic pointer that it makes")
    before, pointer = frame.bind_address(value.expression)
    slot = frame.scope.fixed_slot("dynptr", _DYNPTR_SIZE)
    size = number(kind_size(kind), U32)
    making = call("dynptr_from_mem", ir.I64, pointer, size, number(0, U64), slot, span=frame.code_span(node))
    return Passed((slot,), (*before, ir.Evaluate(making)))


def _number(target: kernel.Type) -> Int:
    assert isinstance(target, (kernel.Int, kernel.Enum))
    return Int(8 * target.size, target.is_signed)


def _pass_number(frame: Frame, parameter: Parameter, target: kernel.Int | kernel.Enum, node: ast.expr) -> Passed:
    is_bool = isinstance(target, kernel.Int) and bool(target.encoding & kernel.IntEncoding.BOOL)
    type_ = BOOL if is_bool else _number(target)
    value = frame.value(node, type_)
    if parameter.marked("k") and not isinstance(value.type, Literal):
        raise frame.error(
            rules.NotConstant, node, what=f"{parameter.word} of {parameter.function}", suggestion="write a number"
        )
    before, code = frame.bind(fit(frame, value, type_, node, f"{parameter.word} of {parameter.function}"))
    return Passed((code,), before)


def _no_place(frame: Frame, parameter: Parameter, node: ast.expr, what: str) -> Failure:
    return frame.error(
        rules.OtherSpelling, node, word=parameter.function,
        suggestion=f"it takes {what} as {parameter.word}, which is not passed by name; see docs/language.md",
    )  # fmt: skip


def _pass_map(frame: Frame, parameter: Parameter, value: Value, node: ast.expr) -> Passed:
    if not isinstance(value.type, MapObject):
        raise frame.error(rules.WrongMap, node, word=parameter.function, expected="a map", found=value.type)
    return Passed((ir.MapAddress(value.type.name),))


def _pass_constant(frame: Frame, parameter: Parameter, value: Value, node: ast.expr) -> Passed:
    """A text in the object's read-only data."""
    if not isinstance(value.type, TextLiteral):
        raise frame.error(
            rules.NotConstant, node, what=f"{parameter.word} of {parameter.function}", suggestion="write the text out"
        )
    return Passed((constant_text(frame, value.type.value),))


def _pass_address(frame: Frame, parameter: Parameter, value: Value, node: ast.expr) -> Passed:
    """An address that the function reads with care; of a text of the author's, that of a copy with its end."""
    value = as_text(frame, value) if isinstance(value.type, KernelObject) else value
    if isinstance(value.type, (Text, TextLiteral)):
        known = len(value.type.value) if isinstance(value.type, TextLiteral) else value.type.size
        size = _LONGEST if known is None else known
        slot = frame.scope.slot(size + 1)
        place = f"{parameter.word} of {parameter.function}"
        zero = ir.Zero(slot, size + 1, 1)
        return Passed((slot,), (zero, *store(frame, slot, SLOT_ALIGN, TextKind(size), value, node, place)))
    if isinstance(value.type, KernelPointer):
        before, code = frame.bind(value.expression)
        return Passed((code,), before)
    before, code = frame.bind(fit(frame, value, U64, node, f"{parameter.word} of {parameter.function}"))
    return Passed((ir.Convert(code, ir.PointerType(ir.Region.KERNEL_UNTRUSTED)),), before)


def _pass_object(frame: Frame, parameter: Parameter, value: Value, struct: str, node: ast.expr) -> Passed:
    """A pointer to an object of the kernel's, or to one that begins with such an object."""
    type_ = value.type
    if not _is_one(frame, type_, struct.partition("___")[0]):
        raise frame.error(
            rules.WrongPointer, node, word=parameter.function, expected=f"a struct {struct} as {parameter.word}",
            found=type_,
        )  # fmt: skip
    if isinstance(type_, (KernelPointer, KernelObject)) and not type_.trusted:
        raise frame.error(
            rules.WrongPointer, node, word=parameter.function, expected=f"a trusted struct {struct}", found=type_,
            suggestion="pointers of a raw tracepoint, or read from memory, are not trusted by the kernel",
        )  # fmt: skip
    code = address(value) if isinstance(type_, KernelObject) else value.expression
    before, code = frame.bind(code)
    return Passed((code,), before)


def _is_one(frame: Frame, type_: object, struct: str) -> bool:
    """Whether a pointer of that type is one to ``struct``: so the verifier sees the first members of structs."""
    if isinstance(type_, Socket) or (isinstance(type_, KernelPointer) and type_.name in SOCKETS):
        return f"struct {struct}" in SOCKETS or getattr(type_, "name", "") == f"struct {struct}"
    assert isinstance(type_, (KernelPointer, KernelObject))
    if not type_.target:
        return True  # void *: the verifier knows better
    btf = frame.unit.btf
    current = btf.type(type_.target)
    while isinstance(current, kernel.Struct):
        if current.name.partition("___")[0] == struct:
            return True
        if not current.members:
            return False
        current = btf.type(btf.resolve(current.members[0].type))
    return False


def _pass_memory(
    frame: Frame, parameter: Parameter, value: Value, node: ast.expr, exact: int | None, *, sized: bool
) -> Passed:
    """The author's own memory, in place where the function may write to it."""
    kind = memory_kind(value.type)
    if kind is None and isinstance(value.type, TextLiteral):
        data = value.type.value if value.type.raw else value.type.value + b"\0"
        value, kind = Value(TextLiteral(data, raw=True)), BytesKind(len(data))
    if kind is None:
        raise frame.error(
            rules.NotMemory, node, word=parameter.function, argument=parameter.word, found=value.type,
            suggestion="pass a struct, a text, raw bytes or an array of the author's",
        )  # fmt: skip
    size = kind_size(kind)
    if exact is not None and size != exact:
        raise frame.error(
            rules.MemorySize, node, word=parameter.function, argument=parameter.word, expected=exact, found=size
        )
    region = value.code.type.region if value.code and isinstance(value.code.type, ir.PointerType) else None
    if region in _WRITABLE:
        before, pointer = frame.bind_address(value.expression)
    else:
        before, pointer = located(frame, value, kind, node, f"{parameter.word} of {parameter.function}")
    return Passed((pointer, _size(frame, parameter, size)) if sized else (pointer,), before)


def _size(frame: Frame, parameter: Parameter, size: int) -> ir.Expression:
    (following,) = parameter.following
    return number(size, _number(frame.unit.btf.type(frame.unit.btf.resolve(following.type))))
