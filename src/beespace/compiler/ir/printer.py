"""IR as text, for goldens, messages and people.

Invariant: every node has its text here; equal modules print equally, and spans do not show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from beespace.compiler import ir
from beespace.schema.kinds import kind_name

__all__ = ["access_text", "expression_text", "module_text", "node_text", "statement_lines", "type_text"]

_STATEMENTS = (
    ir.Declare, ir.Assign, ir.Store, ir.AtomicAdd, ir.Copy, ir.Zero,
    ir.If, ir.Loop, ir.Each, ir.Guard, ir.Break, ir.Continue, ir.Return, ir.Evaluate,
)  # fmt: skip


def node_text(node: ir.Expression | ir.Statement) -> str:
    """An expression, or the first line of a statement."""
    return next(statement_lines(node)) if isinstance(node, _STATEMENTS) else expression_text(node)


def type_text(type: ir.Type) -> str:
    """``u32``, ``bool``, ``*packet``, ``void``."""
    match type:
        case ir.IntType():
            return f"{'i' if type.signed else 'u'}{type.bits}"
        case ir.BoolType():
            return "bool"
        case ir.PointerType():
            return f"*{type.region.value}"
        case ir.VoidType():
            return "void"
        case _:
            assert_never(type)


def access_text(access: ir.CoreAccess) -> str:
    """``task_struct.comm[3]``."""
    steps = (f"[{step.index}]" if isinstance(step, ir.CoreElement) else f".{step.name}" for step in access.steps)
    return access.root + "".join(steps)


def expression_text(node: ir.Expression) -> str:
    """One expression on one line."""
    text = expression_text
    match node:
        case ir.Const():
            if isinstance(node.type, ir.PointerType):
                return "null"
            if isinstance(node.type, ir.BoolType):
                return "true" if node.value else "false"
            return f"{node.value}:{type_text(node.type)}"
        case ir.Local():
            return node.name
        case ir.Binary() | ir.Compare():
            return f"({text(node.left)} {node.op.value} {text(node.right)})"
        case ir.Not():
            return f"not {text(node.operand)}"
        case ir.And():
            return f"({text(node.left)} and {text(node.right)})"
        case ir.Or():
            return f"({text(node.left)} or {text(node.right)})"
        case ir.Select():
            return f"({text(node.then)} if {text(node.condition)} else {text(node.otherwise)})"
        case ir.Sequence():
            return "{ " + "; ".join(line.strip() for line in _block(node.body, 0)) + f"; {text(node.value)} }}"
        case ir.Convert():
            return f"{type_text(node.type)}({text(node.operand)})"
        case ir.ByteSwap():
            return f"swap({text(node.operand)})"
        case ir.Load():
            marks = ("!" if node.volatile else "") + (f"@{node.align}" if node.align is not None else "")
            return f"{type_text(node.type)}{marks}[{text(node.pointer)}]"
        case ir.Offset():
            return f"({text(node.pointer)} + {node.bytes if isinstance(node.bytes, int) else text(node.bytes)} bytes)"
        case ir.ContextField():
            return f"{text(node.pointer)}->{node.offset}"
        case ir.KernelField():
            return f"{text(node.pointer)}->{access_text(node.access)}"
        case ir.KernelBitfield():
            return f"{type_text(node.type)}[{text(node.pointer)}->{access_text(node.access)}]"
        case ir.CoreInfo():
            return f"{node.question.name.lower()}({access_text(node.access)})"
        case ir.CoreEnumValue():
            return f"{node.name}.{node.enumerator}{' exists' * node.exists}"
        case ir.LocalTypeId():
            return f"type_id({kind_name(node.kind)})"
        case ir.StackSlot():
            return f"&{node.name}"
        case ir.MapAddress():
            return f"map {node.name}"
        case ir.GlobalAddress():
            return f"global {node.name}"
        case ir.ArenaAddress():
            return f"arena {node.name}"
        case ir.FunctionAddress():
            return f"function {node.name}"
        case ir.Helper():
            return f"{type_text(node.type)} {node.name}#{node.number}({', '.join(map(text, node.arguments))})"
        case ir.Call():
            return f"{type_text(node.type)} {node.function}({', '.join(map(text, node.arguments))})"
        case ir.KernelFunction():
            name = f"kernel {node.name}{'?' * node.weak}"
            return f"{type_text(node.type)} {name}({', '.join(map(text, node.arguments))})"
        case ir.KernelFunctionExists():
            return f"exists(kernel {node.name})"
        case ir.Atomic():
            place = f"atomic {type_text(node.type)}[{text(node.pointer)}]"
            condition = "" if node.expected is None else f" if {text(node.expected)}"
            operator = "=" if node.op is ir.AtomicOp.COMPARE_EXCHANGE else node.op.value
            return f"({place} {operator} {text(node.value)}{condition})"
        case _:
            assert_never(node)


def statement_lines(node: ir.Statement, depth: int = 0) -> Iterator[str]:
    """One statement, on as many lines as it has parts, indented by ``depth`` steps."""
    text = expression_text
    pad = "    " * depth
    match node:
        case ir.Declare():
            value = "" if node.value is None else f" = {text(node.value)}"
            yield f"{pad}{node.name}: {type_text(node.type)}{value}"
        case ir.Assign():
            yield f"{pad}{node.name} = {text(node.value)}"
        case ir.Store():
            align = f"@{node.align}" if node.align is not None else ""
            marks = ("!" if node.volatile else "") + align
            yield f"{pad}{type_text(node.value.type)}{marks}[{text(node.pointer)}] = {text(node.value)}"
        case ir.AtomicAdd():
            yield f"{pad}atomic {type_text(node.value.type)}[{text(node.pointer)}] += {text(node.value)}"
        case ir.Copy():
            yield f"{pad}copy {node.size} bytes @{node.align} {text(node.target)} <- {text(node.source)}"
        case ir.Zero():
            yield f"{pad}zero {node.size} bytes @{node.align} {text(node.pointer)}"
        case ir.If():
            yield f"{pad}if {text(node.condition)}:"
            yield from _block(node.then, depth + 1)
            if node.otherwise:
                yield f"{pad}else:"
                yield from _block(node.otherwise, depth + 1)
        case ir.Loop():
            limit = "" if node.limit is None else f" at most {node.limit}"
            yield f"{pad}loop{limit}{'' if node.index is None else f' counting {node.index}'}:"
            yield from _block(node.body, depth + 1)
        case ir.Each():
            result = "" if node.result is None else f"{node.result} = "
            given = ", ".join(f"{item.name}: {type_text(item.type)}" for item in node.parameters)
            before, after = (", ".join(map(text, items)) for items in (node.before, node.after))
            yield f"{pad}{result}each ({given}) of {node.name}#{node.number}({before}; {after}):"
            yield from _block(node.body, depth + 1)
        case ir.Guard():
            yield f"{pad}guard:"
            yield from _block(node.body, depth + 1)
            for word, block in (("exit", node.exit), ("early", node.early)):
                if block is not None:
                    yield f"{pad}{word}:"
                    yield from _block(block, depth + 1)
        case ir.Break():
            yield f"{pad}break"
        case ir.Continue():
            yield f"{pad}continue"
        case ir.Return():
            yield f"{pad}return" if node.value is None else f"{pad}return {text(node.value)}"
        case ir.Evaluate():
            yield f"{pad}{text(node.value)}"
        case _:
            assert_never(node)


def _block(body: ir.Block, depth: int) -> Iterator[str]:
    for node in body:
        yield from statement_lines(node, depth)
    if not body:
        yield "    " * depth + "pass"


def _map_line(definition: ir.MapDefinition) -> str:
    key = f"{definition.key_size} bytes" if definition.key is None else kind_name(definition.key)
    value = f"{definition.value_size} bytes" if definition.value is None else kind_name(definition.value)
    inner = "" if definition.inner is None else f" of ({_map_line(definition.inner)})"
    pinned = " pinned" if definition.pinned else ""
    return (
        f"map {definition.name}: type {definition.type}, {key} -> {value}, "
        f"{definition.max_entries} entries, flags {definition.flags:#x}{pinned}{inner}"
    )


def module_text(module: ir.Module) -> str:
    """The whole module."""
    lines = [f"module {module.name}, license {module.license}"]
    lines += [_map_line(definition) for definition in module.maps]
    lines += [
        f"global {variable.name}: {variable.struct or kind_name(variable.kind)} in {variable.section.value}"
        f" = {variable.initial.hex()}"
        for variable in module.globals
    ]
    lines += [f"event {event.__name__}" for event in module.events]
    for implementation in module.struct_ops:
        lines.append(f"implementation {implementation.name} of struct {implementation.interface}:")
        for member in implementation.members:
            value = member.value.hex() if isinstance(member.value, bytes) else f"program {member.value}"
            lines.append(f"    {member.name} = {value}")
    for function in module.functions:
        parameters = ", ".join(f"{parameter.name}: {type_text(parameter.type)}" for parameter in function.parameters)
        section = "" if function.section is None else f" section {function.section!r} else {function.fallback}"
        what = "exported " * function.exported + "inlined " * function.inlined + "function"
        lines += ["", f"{what} {function.name}({parameters}) -> {type_text(function.result)}{section}:"]
        lines += [
            f"    slot {slot.name}: {slot.size} bytes @{slot.align}"
            + " fixed" * slot.fixed
            + " off stack" * slot.off_stack
            for slot in function.slots
        ]
        lines += _block(function.body, 1)
    return "\n".join(lines) + "\n"
