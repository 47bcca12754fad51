"""Functions: programs with their context or arguments, sub-programs with their calls.

Invariant: a sub-program is compiled once, at its first call, and every call agrees with that one;
its result is known before the call that asked for it goes on.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from beespace import hooks
from beespace.compiler import interfaces, ir, marks, rules
from beespace.compiler.contexts.fields import context_of, has_result, parameter_names, positional, result
from beespace.compiler.contexts.replaced import enter_replacement
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.expressions.texts import as_text, write_constant
from beespace.compiler.frame import CompiledFunction, Frame, Unit
from beespace.compiler.ir.walk import rewrite
from beespace.compiler.memory import SLOT_ALIGN, store
from beespace.compiler.names import annotation, captured, constant_of
from beespace.compiler.owned import ended
from beespace.compiler.parameters import PACKED, REGISTERS, packed, parameters_of, split, unpacked, written
from beespace.compiler.results import RESULT, Memory, declared_in_memory, taken
from beespace.compiler.scope import Variable
from beespace.compiler.source import FunctionSource
from beespace.compiler.statements.assignments import assign_local, with_type
from beespace.compiler.statements.failing import FAILED, propagate
from beespace.compiler.structs import materialise
from beespace.compiler.syntax import nodes
from beespace.compiler.types import (
    VOID,
    Address,
    Array,
    Bool,
    Bytes,
    Context,
    Int,
    KernelObject,
    KernelPointer,
    NoneType,
    Optional,
    Poison,
    Socket,
    StructType,
    SubProgram,
    Text,
    TextLiteral,
    Type,
    Void,
)
from beespace.compiler.values import Recipe, Value, null, place_of, sequence
from beespace.lang.contexts import HookContext
from beespace.record import replace
from beespace.schema import AddressKind, BytesKind, Kind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["call_subprogram", "compile_callback", "compile_program"]

_LITERAL_SIZE = 16  # of a text parameter whose first call passes a shorter text that is written out
_CONTEXT = ir.PointerType(ir.Region.CONTEXT)
_MEMORY = ir.PointerType(ir.Region.STACK)  # read and written directly, and nobody else's
# Contexts that are one thing: they are one parameter, whatever it is called.
_WHOLE = (hooks.Context.STRUCT, hooks.Context.TRACEPOINT, hooks.Context.CALLER)


def _assigned(node: ast.FunctionDef) -> frozenset[str]:
    """Names that the function binds, as Python's scoping sees them (nested functions are refused anyway)."""
    bound: dict[int, str] = {}
    own: set[int] = set()  # names of generators, which are theirs alone
    for found in nodes(node):
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store):
            bound[id(found)] = found.id
        elif isinstance(found, ast.comprehension):
            own.update(map(id, nodes(found.target)))
        elif isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and found is not node:
            bound[id(found)] = found.name
    return frozenset(name for place, name in bound.items() if place not in own)


def _new_frame(unit: Unit, source: FunctionSource, attachment: hooks.Attachment | None) -> Frame:
    return Frame(unit, source, attachment, locals=_assigned(source.node))


def _enter(frame: Frame, name: str, value: Value) -> ir.Block:
    """Make a parameter a local; one that the function assigns to gets storage of its own."""
    code = value.expression
    type_ = value.type.inner if isinstance(value.type, Optional) else value.type
    frame.state.assign(name, value.type, value.bounds)
    if isinstance(type_, (Text, Bytes, Address)):
        if name in frame.locals:
            target = ast.copy_location(ast.Name(name, ast.Store()), frame.source.node)
            return assign_local(frame, target, value, target)
        # Its memory belongs to the caller.
        frame.scope.add(Variable(name, name, type_, code.type, parameter=True))
        return ()
    if name not in frame.locals and isinstance(code, ir.Local) and code.name == name:
        frame.scope.add(Variable(name, name, type_, code.type, parameter=True))
        return ()
    code_name = frame.scope.fresh(name) if name in frame.parameter_names else name
    frame.scope.add(Variable(name, code_name, type_, code.type))
    return (ir.Assign(code_name, code),)


# --- programs ------------------------------------------------------------------------------------


def compile_program(unit: Unit, name: str, source: FunctionSource, attachment: hooks.Attachment) -> None:
    """Compile a method with a hook; what is wrong with it is added to the unit's diagnostics."""
    frame = _new_frame(unit, source, attachment)
    context = attachment.hook.context_type if attachment.hook.context is hooks.Context.STRUCT else None
    parameters: tuple[ir.Parameter, ...] = (ir.Parameter("ctx", _CONTEXT, context),)
    try:
        if attachment.hook.context is hooks.Context.REPLACED:
            plain = parameters_of(frame)
            frame.parameter_names = frozenset(parameter.arg for parameter in plain)
            entry: ir.Block = ()
            parameters = enter_replacement(frame, plain, unit.declaration.programs[name].context)
        else:
            entry = _enter_program(frame, attachment)
    except Failure as failure:
        unit.diagnostics.add(failure)
        return
    body = marks.begin(frame) + entry + frame.block(source.node.body)
    code = ir.I32 if frame.result is None else interfaces.code_of(frame.result)
    if frame.state.reachable:
        if interfaces.is_number(frame.result):
            node = source.node
            unit.diagnostics.add(frame.error(rules.MissingReturn, node.body[-1], name=node.name, result=frame.result))
        body += (ir.Return(ir.Const(frame.verdict, code)),)
    _finish(frame, name, parameters, code, body, attachment.section)


def _enter_program(frame: Frame, attachment: hooks.Attachment) -> ir.Block:
    node = frame.source.node
    plain = parameters_of(frame)
    frame.parameter_names = frozenset({"ctx"})
    place = node.decorator_list[0] if node.decorator_list else node
    context = Value(context_of(frame, attachment, place), ir.Local("ctx", _CONTEXT))
    if interfaces.is_method(attachment):
        frame.result = interfaces.method_result(frame, attachment.target, node)
    whole = len(plain) == 1 and (plain[0].arg == "ctx" or attachment.hook.context in _WHOLE)
    if not whole and len(plain) > 1 and plain[0].arg == "ctx" and not _is_argument(frame, context, plain[1]):
        _bind_context(frame, context, plain[0])
        plain = plain[1:]
    if not whole:
        return _enter_arguments(frame, context, plain, place)
    if attachment.hook.context is hooks.Context.CALLER and plain[0].annotation is not None:
        declared = annotation(frame, plain[0].annotation)
        if isinstance(declared, StructType):  # memory of whoever runs the program
            return _enter(frame, plain[0].arg, Value(declared, ir.Convert(context.expression, _MEMORY)))
    _bind_context(frame, context, plain[0])
    return ()


def _bind_context(frame: Frame, context: Value, parameter: ast.arg) -> None:
    _check_context(frame, context, parameter)
    frame.scope.add(Variable(parameter.arg, "ctx", context.type, _CONTEXT, parameter=True))
    frame.state.assign(parameter.arg, context.type)


def _is_argument(frame: Frame, context: Value, parameter: ast.arg) -> bool:
    """Whether what the hook hands in begins with something that is called ``ctx``."""
    assert isinstance(context.type, Context)
    return "ctx" in (parameter_names(frame, context.type, parameter) or ())[:1]


def _check_context(frame: Frame, context: Value, parameter: ast.arg) -> None:
    """``ctx: XdpContext``: of another hook's class editors would show the wrong fields."""
    named = constant_of(frame, parameter.annotation) if parameter.annotation is not None else None
    if not isinstance(named, type) or not issubclass(named, HookContext):
        return
    assert isinstance(context.type, Context) and parameter.annotation is not None
    if named.struct != context.type.name:
        raise frame.error(
            rules.TypeMismatch, parameter.annotation, place=f"{parameter.arg} of this hook", expected=context.type,
            found=f"{named.__name__}, of struct {named.struct}",
        )  # fmt: skip


def _enter_arguments(frame: Frame, context: Value, plain: list[ast.arg], place: ast.AST) -> ir.Block:
    """``(self, task, old_pid)``: what the hook hands in, by position; ``result`` at the end is what was returned."""
    type_ = context.type
    assert isinstance(type_, Context)
    known = parameter_names(frame, type_, plain[1] if len(plain) > 1 else place)
    last = plain[-1] if plain and plain[-1].arg == "result" and has_result(type_) else None
    arguments = plain if last is None else plain[:-1]
    if known is not None and len(arguments) > len(known):
        raise frame.error(
            rules.TooManyArguments, arguments[len(known)], event=type_.name or type_.hook, count=len(known),
            known=", ".join(name or "?" for name in known) or "none",
        )  # fmt: skip
    used = {found.id for found in nodes(frame.source.node) if isinstance(found, ast.Name)}
    block: ir.Block = ()
    for index, parameter in enumerate(plain):
        if parameter.arg not in used:
            continue
        declared = annotation(frame, parameter.annotation) if parameter.annotation is not None else None
        if parameter is last:
            value = result(frame, context, declared, parameter)
        else:
            value = positional(frame, context, index, declared, parameter)
        if declared is not None:
            value = with_type(frame, value, declared, parameter, parameter.arg)
        block += _enter(frame, parameter.arg, value)
    return block


# --- sub-programs --------------------------------------------------------------------------------


def call_subprogram(frame: Frame, callee: SubProgram, node: ast.Call) -> Value:
    """``self.name(...)``, or ``name(...)`` of a function of a module."""
    unit = frame.unit
    source = unit.sources.function(callee.function)
    probe = Frame(unit, source, None, free=callee.free)
    if unit.declaration.sections.get(callee.name):
        raise frame.error(
            rules.NotCallable, node, found=f"the program {callee.name}",
            suggestion="move what both need into a method marked with @function",
        )  # fmt: skip
    parameters = parameters_of(probe)
    order = written(frame, callee.name, source, parameters, node)
    declared = [annotation(probe, p.annotation) if p.annotation else None for p in parameters]
    places: dict[int, tuple[Value, ast.expr]] = {}
    before: ir.Block = ()
    earlier = unit.subprograms.get(callee.name)
    for number, written_argument, default in order:
        parameter, type_, argument = parameters[number], declared[number], written_argument or node
        value = frame.value(argument, type_) if written_argument else captured(probe, default, parameter, parameter.arg)
        if isinstance(value.type, TextLiteral) and earlier is not None and not earlier.failed:
            value = _written_out(value, value.type, earlier.parameters[number].type)
        value = _passable(frame, value, parameter.arg, type_, argument)
        if [each for each, *_ in order] != sorted(each for each, *_ in order) and value.code is not None:
            block, code = frame.bind(value.code)
            before, value = before + block, replace(value, code=code)
        places[number] = value, argument
    passed = [places[number] for number in range(len(parameters))]
    compiled = unit.subprograms.get(callee.name)  # an argument may have been its first call
    _check_typed(frame, compiled, parameters, passed)
    variant = _variant(compiled, [value for value, _ in passed])
    if variant:
        compiled = unit.subprograms.get(callee.name + variant)
    if compiled is None:
        compiled = _compile(frame, callee, source, parameters, [value for value, _ in passed], node, variant)
    codes = tuple(
        _agreeing(frame, callee.name, parameter.arg, value, expected, argument)
        for parameter, (value, argument), expected in zip(parameters, passed, compiled.parameters, strict=False)
    )
    if compiled.failed:
        raise Failure(None)
    result = compiled.result
    type_code = result.code.type if result.code is not None else ir.VOID
    block, registers = packed(frame, codes, compiled.moved)
    memory = compiled.memory
    if memory is not None:
        slot = frame.scope.fixed_slot("result", memory.size) if memory.has_pointers else frame.scope.slot(memory.size)
        registers = [*registers, slot]
    call = ir.Call(compiled.name, tuple(registers), type_code, span=frame.code_span(node))
    code = propagate(frame, call) if compiled.raises else call
    if memory is not None:
        found = taken(frame, memory, result.type, code, slot)
        return replace(found, code=sequence(before + block, found.expression))
    if not before + block:
        return replace(result, code=code)
    if code.type == ir.VOID:
        return replace(result, code=ir.Sequence((*before, *block, ir.Evaluate(code)), ir.Const(0, ir.U64)))
    return replace(result, code=sequence(before + block, code))


_LETTERS = {ir.Region.KERNEL_TRUSTED: "t", ir.Region.KERNEL_UNTRUSTED: "u", ir.Region.USER: "p"}


def _variant(compiled: CompiledFunction | None, passed: list[Value]) -> str:
    """What to add to the name where kernel pointers are read in another way than in the first call: ``__tu``."""
    if compiled is None or compiled.failed or len(compiled.parameters) != len(passed):
        return ""
    known, letters = _regions(list(compiled.parameters)), _regions(passed)
    same = all(ours == theirs or "_" in (ours, theirs) for ours, theirs in zip(known, letters, strict=True))
    return "" if same else f"__{letters}"


def _regions(values: list[Value]) -> str:
    """A letter for each value, how its memory is read; ``_`` for anything but kernel pointers."""
    letters = ""
    for value in values:
        inner = value.type.inner if isinstance(value.type, Optional) else value.type
        pointer = value.code.type if isinstance(inner, KernelPointer) and value.code is not None else None
        letters += _LETTERS.get(pointer.region, "_") if isinstance(pointer, ir.PointerType) else "_"
    return letters


def _check_typed(
    frame: Frame, compiled: CompiledFunction | None, parameters: list[ast.arg], passed: list[tuple[Value, ast.expr]]
) -> None:
    """None says nothing of where the parameter points, so that the first call must pass something."""
    for parameter, (value, argument) in zip(parameters, passed, strict=True):
        if compiled is None and isinstance(value.type, NoneType):
            raise frame.error(rules.ParameterUntyped, argument, name=parameter.arg, found=value.type)


def _passable(frame: Frame, value: Value, name: str, declared: Type | None, node: ast.expr) -> Value:
    """An argument as it is passed: a number, a bool, or an address."""
    if declared is not None:
        value = with_type(frame, value, declared, node, name)
    type_ = value.type
    if isinstance(type_, Poison):
        raise Failure(None)
    if isinstance(type_, (Int, Bool, KernelPointer, Socket, Context, Array, KernelObject)):
        if isinstance(type_, KernelObject):
            text = as_text(frame, value)
            return _copied(frame, text, declared, name, node) if text.recipe is not None else value
        return value
    if isinstance(type_, NoneType):
        return value
    if isinstance(type_, StructType):
        return materialise(frame, value, type_.cls, node)
    if isinstance(type_, (Text, Bytes, Address, TextLiteral)):
        return _copied(frame, value, declared, name, node)
    if isinstance(type_, Optional) and type_.kind is None:
        return value
    if isinstance(type_, Optional):
        raise frame.error(rules.MayBeNone, node, what=ast.unparse(node), found=type_)
    raise frame.error(rules.ParameterUntyped, node, name=name, found=type_)


def _written_out(value: Value, literal: TextLiteral, wanted: Type) -> Value:
    """A text that is written out, as long as the texts of earlier calls."""
    if not isinstance(wanted, Text) or wanted.size is None or literal.raw or len(literal.value) > wanted.size:
        return value
    data = literal.value.ljust(wanted.size, b"\0")
    return Value(wanted, recipe=Recipe(lambda target, size, align: write_constant(target, data, align)))


def _copied(frame: Frame, value: Value, declared: Type | None, name: str, node: ast.expr) -> Value:
    """A text or address in a temporary: the callee sees the value of now, as Python's would."""
    type_ = value.type
    if isinstance(declared, (Text, Bytes)) and declared.size is not None:
        type_ = declared
    if isinstance(type_, TextLiteral):
        if isinstance(declared, Address):
            type_ = declared
        else:
            size = max(_LITERAL_SIZE, len(type_.value))
            type_ = Bytes(len(type_.value)) if type_.raw else Text(size)
    kind: Kind = AddressKind()
    if isinstance(type_, (Text, Bytes)):
        if type_.size is None:
            raise frame.error(rules.TextUnsized, node, what="this text", name=name)
        kind = TextKind(type_.size) if isinstance(type_, Text) else BytesKind(type_.size)
    slot = frame.scope.slot(kind_size(kind))
    block = store(frame, slot, SLOT_ALIGN, kind, value, node, name)
    return Value(type_, ir.Sequence(block, slot), align=SLOT_ALIGN)


def _agreeing(frame: Frame, function: str, name: str, value: Value, expected: Value, node: ast.expr) -> ir.Expression:
    """The code of an argument, which must be of the type that the function was compiled for."""
    wanted, found = expected.type, value.type
    if isinstance(wanted, (Int, Bool)) and isinstance(found, (Int, Bool)):
        return fit(frame, value, wanted, node, name)
    if isinstance(found, NoneType) and isinstance(wanted, Optional):
        return ir.Const(0, expected.expression.type)
    if isinstance(wanted, Text) and isinstance(found, Text) and (found.size or 0) < (wanted.size or 0):
        return _copied(frame, value, wanted, name, node).expression
    same = wanted == found or (isinstance(wanted, Optional) and wanted.inner == found)
    if not same:
        suggestion = f"check {ast.unparse(node)} for None first" if isinstance(found, Optional) else ""
        raise frame.error(
            rules.CallDisagrees, node, function=function, name=name, expected=wanted, found=found,
            suggestion=suggestion,
        )  # fmt: skip
    if value.expression.type != expected.expression.type:
        raise frame.error(
            rules.CallDisagrees, node, function=function, name=name,
            expected=f"a {wanted} {place_of(expected.expression)}", found=f"one {place_of(value.expression)}",
            suggestion="make two functions, one for each",
        )  # fmt: skip
    return value.expression


def _compile(
    caller: Frame, callee: SubProgram, source: FunctionSource, parameters: list[ast.arg], passed: list[Value],
    node: ast.expr, variant: str,
) -> CompiledFunction:  # fmt: skip
    """Compile a sub-program for the arguments of its first call, or of the first that reads memory in another way."""
    unit = caller.unit
    if callee.name in unit.calling:
        chain = " calls ".join([*unit.calling[unit.calling.index(callee.name) :], callee.name])
        raise caller.error(rules.Recursion, node, name=callee.name, chain=chain)
    unit.calling.append(callee.name)
    mark = unit.diagnostics.mark()
    try:
        frame = _new_frame(unit, source, None)
        frame.free = callee.free
        frame.parameter_names = frozenset(parameter.arg for parameter in parameters)
        if source.node.returns is not None:
            returned = annotation(frame, source.node.returns)
            frame.result = VOID if isinstance(returned, NoneType) else returned
        frame.borrowed = tuple(filter(None, (_borrowed(value) for value in passed)))
        room_for_result = _may_use_memory(frame, source.node)
        moved = split(frame, parameters, passed, taken=_may_raise(source.node) + room_for_result)
        frame.parameter_names -= {parameters[at].arg for at in moved}
        incoming: list[Value] = []
        entry: ir.Block = ()
        for at, (parameter, value) in enumerate(zip(parameters, passed, strict=True)):
            type_ = value.expression.type
            local = unpacked(type_, moved.index(at)) if at in moved else ir.Local(parameter.arg, type_)
            incoming.append(Value(value.type, local, align=value.align))
            entry += _enter(frame, parameter.arg, incoming[-1])
        body = marks.begin(frame) + entry + frame.block(source.node.body)
        if unit.diagnostics.mark() > mark:
            raise Failure(None)
        result = _result(frame)
        code = tuple(
            ir.Parameter(parameter.arg, value.expression.type)
            for at, (parameter, value) in enumerate(zip(parameters, incoming, strict=True))
            if at not in moved
        )
        result_code = result.code.type if result.code is not None else ir.VOID
        if moved:
            code += (ir.Parameter(PACKED, ir.PointerType(ir.Region.STACK)),)
        if frame.memory is not None:
            if len(code) + frame.raises == REGISTERS:
                raise frame.error(
                    rules.ParameterShape, parameters[-1], problem="there is no register left for its result",
                    suggestion=f"annotate what it returns: `-> {frame.memory.type}`",
                )  # fmt: skip
            code += (ir.Parameter(RESULT, ir.PointerType(ir.Region.STACK)),)
        if frame.raises:
            code += (ir.Parameter(FAILED, ir.PointerType(ir.Region.STACK)),)
        name = callee.name + variant + unit.suffix
        _finish(frame, name, code, result_code, body, None)
        compiled = CompiledFunction(
            name, tuple(incoming), result, raises=frame.raises, moved=moved, memory=frame.memory
        )
    except Failure as failure:
        unit.diagnostics.add(failure)
        compiled = CompiledFunction(callee.name, tuple(passed), Value(VOID), failed=True)
    finally:
        unit.calling.pop()
    if unit.diagnostics.mark() > mark:
        compiled = replace(compiled, failed=True)
    unit.subprograms[callee.name + variant] = compiled
    return compiled


def _may_raise(node: ast.FunctionDef) -> bool:
    """Whether the function, or one that it calls, may end the program: a register is kept for saying so."""
    return any(isinstance(found, ast.Assert | ast.While | ast.Call) for found in nodes(node))


def _may_use_memory(frame: Frame, node: ast.FunctionDef) -> bool:
    """Whether a register is kept for the address of memory for the result."""
    tuples = any(isinstance(found, ast.Return) and isinstance(found.value, ast.Tuple) for found in ast.walk(node))
    return tuples or declared_in_memory(frame.result)


def _borrowed(value: Value) -> Kind | None:
    """What a parameter refers to on the stack of a caller."""
    inner = value.type.inner if isinstance(value.type, Optional) else value.type
    if value.expression.type != _MEMORY or not isinstance(inner, StructType | Array):
        return None
    return inner.cls if isinstance(inner, StructType) else inner.kind


def _result(frame: Frame) -> Value:
    """What a call gives, once every return has been seen."""
    node = frame.source.node
    type_ = frame.result if frame.result is not None else VOID
    if isinstance(type_, Void):
        return Value(VOID)
    inner = type_.inner if isinstance(type_, Optional) else type_
    missing = frame.returns[0] if frame.returns else None
    if frame.memory is not None:
        return _memory_result(frame, frame.memory, missing)
    if isinstance(inner, (Int, Bool)):
        if missing is not None:
            raise frame.error(
                rules.ReturnMismatch, missing, name=node.name, expected=inner, found="nothing",
                suggestion=f"return a {inner} here too",
            )  # fmt: skip
        code: ir.Type = inner.code if isinstance(inner, Int) else ir.BOOL
    else:
        if frame.result_code is None:
            raise frame.error(
                rules.ReturnMismatch, node, name=node.name, expected=type_, found="only None",
                suggestion="leave the annotation out",
            )  # fmt: skip
        code = frame.result_code
        if missing is not None and not isinstance(type_, Optional):
            type_ = Optional(type_)
    if frame.state.reachable:
        raise frame.error(rules.MissingReturn, node.body[-1], name=node.name, result=type_)
    placeholder = null(code.region) if isinstance(code, ir.PointerType) else ir.Const(0, code)
    return Value(type_, placeholder)


def _memory_result(frame: Frame, memory: Memory, missing: ast.Return | None) -> Value:
    """The same of what travels in memory: the register says whether there is anything."""
    node = frame.source.node
    if frame.state.reachable:
        raise frame.error(rules.MissingReturn, node.body[-1], name=node.name, result=memory.type)
    optional = missing is not None or isinstance(frame.result, Optional)
    if optional and node.returns is not None and not isinstance(frame.result, Optional):
        assert missing is not None
        raise frame.error(
            rules.ReturnMismatch, missing, name=node.name, expected=frame.result, found="None",
            suggestion=f"annotate it: `-> {ast.unparse(node.returns)} | None`",
        )  # fmt: skip
    return Value(memory.optional() if optional else memory.type, ir.Const(0, ir.BOOL))


def compile_callback(
    frame: Frame, callee: SubProgram, given: Sequence[tuple[str, Value]], what: str, node: ast.expr
) -> CompiledFunction:
    """A sub-program as the kernel calls it, with ``given``; it may be the one that is being compiled."""
    unit = frame.unit
    source = unit.sources.function(callee.function)
    probe = Frame(unit, source, None, free=callee.free)
    parameters = parameters_of(probe)
    words = " and ".join(f"{name} ({value.type})" for name, value in given)
    shape = {"name": callee.name, "what": what, "given": words}
    if len(parameters) != len(given):
        names = ", ".join(name.removeprefix("the ") for name, _ in given)
        raise frame.error(
            rules.CallbackShape, node, problem=f"it takes {len(parameters)} parameters besides self",
            suggestion=f"write def {callee.name}(self, {names})", **shape,
        )  # fmt: skip
    for parameter, (name, value) in zip(parameters, given, strict=True):
        declared = annotation(probe, parameter.annotation) if parameter.annotation is not None else value.type
        if declared != value.type:
            raise frame.error(
                rules.CallbackShape, node, problem=f"its {parameter.arg} is {declared}, and {name} is {value.type}",
                suggestion=f"write {parameter.arg}: {value.type}", **shape,
            )  # fmt: skip
    if callee.name in unit.calling:
        raise frame.error(
            rules.CallbackShape, node, problem="it is the callback for another map",
            suggestion="make a method for each", **shape,
        )  # fmt: skip
    compiled = unit.subprograms.get(callee.name)
    if compiled is None:
        compiled = _compile(frame, callee, source, parameters, [value for _, value in given], node, "")
    for parameter, (_, value), expected in zip(parameters, given, compiled.parameters, strict=False):
        if (expected.type, expected.expression.type) != (value.type, value.expression.type):
            raise frame.error(
                rules.CallbackShape, node, problem=f"its {parameter.arg} was another {expected.type} before",
                suggestion="make a method for each", **shape,
            )  # fmt: skip
    if compiled.failed:
        raise Failure(None)
    return compiled


# --- both ----------------------------------------------------------------------------------------


def _finish(
    frame: Frame, name: str, parameters: tuple[ir.Parameter, ...], result: ir.Type, body: ir.Block, section: str | None
) -> None:
    """Put the function together."""
    body = (*frame.scope.declarations(), *ended(frame, body))
    if section is None and result != ir.VOID:
        body = rewrite(body, lambda node: _with_value(node, result))
    if frame.scope.settled:
        types = {v.code_name: v.code_type for v in frame.scope.variables.values() if v.code_name in frame.scope.settled}
        body = rewrite(body, lambda node: _settled(node, types))
    frame.unit.functions[name] = ir.Function(
        name, parameters, result, body, section, tuple(frame.scope.slots.values()), frame.verdict,
        frame.code_span(frame.source.node),
    )  # fmt: skip


def _with_value(node: ir.Statement, result: ir.Type) -> ir.Statement:
    """A return without a value, in a function that has one: None, or an end that is never reached."""
    if isinstance(node, ir.Return) and node.value is None:
        return replace(node, value=ir.Const(0, result))
    return node


def _settled(node: ir.Statement, types: dict[str, ir.Type | None]) -> ir.Statement:
    """None assigned before it was known what the local would point into."""
    if isinstance(node, ir.Assign) and node.name in types and isinstance(node.value, ir.Const):
        type_ = types[node.name]
        assert type_ is not None
        return replace(node, value=ir.Const(0, type_))
    return node
