"""A verified module of IR becomes the text of an LLVM module.

Invariant: pure and deterministic; imports no LLVM.  The text holds everything, so the process that
runs LLVM needs nothing of ours.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.llvm import effects, statements
from beespace.compiler.llvm.core import Core, accesses_of
from beespace.compiler.llvm.debug import Debug
from beespace.compiler.llvm.maps import event_lines, global_line, map_line
from beespace.compiler.llvm.metadata import Metadata, quoted
from beespace.compiler.llvm.struct_ops import struct_ops_line
from beespace.compiler.llvm.writer import FunctionWriter, Unit, symbol

__all__ = ["emit"]

_HEAD = (
    'target datalayout = "e-m:e-p:64:64-i64:64-i128:128-n32:64-S128"',
    'target triple = "bpfel"',
)
# no-builtins: or loops become calls of memset() and memcpy(), which nothing provides.
# noinline: a sub-program stays one, with its own stack frame.
_ATTRIBUTES = (
    'attributes #0 = { noinline nounwind "no-builtins" }',
    'attributes #1 = { "btf_ama" }',
    'attributes #2 = { alwaysinline nounwind "no-builtins" }',
    'attributes #9 = { "btf_type_id" }',  # effects have the numbers between
)


def emit(module: ir.Module) -> str:
    """The LLVM assembly of ``module``, which :func:`beespace.compiler.ir.verify.verify` has accepted."""
    metadata = Metadata()
    debug = Debug(metadata, module)
    core = Core(debug, accesses_of(node for function in module.functions for node in walk(function.body)))
    unit = Unit(debug, core)
    maps = [map_line(debug, definition) for definition in module.maps]
    variables = [global_line(debug, variable) for variable in module.globals]
    kept = [symbol(function.name) for function in module.functions if _may_lose_its_result(function)]
    events = event_lines(debug, module.events, kept)
    interfaces = [struct_ops_line(debug, core, definition) for definition in module.struct_ops]
    functions = [line for function in module.functions for line in ("", *_function(unit, function))]
    license_ = quoted(module.license.encode() + b"\0")
    license_line = (
        f'@_license = dso_local global [{len(module.license.encode()) + 1} x i8] c{license_}, section "license"'
    )
    debug.finish()
    return "\n".join([
        f"source_filename = {quoted(module.name)}",
        *_HEAD, "", *maps, *variables, *interfaces, license_line, *events, *core.lines(),
        *functions, "", *sorted(unit.used), *unit.kernel_functions.values(), *_ATTRIBUTES, *effects.ATTRIBUTES,
        "", *metadata.lines(), "",
    ])  # fmt: skip


def _may_lose_its_result(function: ir.Function) -> bool:
    own = function.section is None and not function.exported and not function.inlined
    return own and function.result != ir.VOID


def _function(unit: Unit, function: ir.Function) -> list[str]:
    writer = FunctionWriter(unit, function)
    statements.run_block(writer, function.body)
    if writer.open:
        # The end of a void function, or a place that the verifier of the IR knows is never reached.
        result = function.result
        zero = "" if isinstance(result, ir.VoidType) else "null" if isinstance(result, ir.PointerType) else "0"
        writer.leave("false" if isinstance(result, ir.BoolType) else zero)
    return writer.lines()
