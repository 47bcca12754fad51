"""Checks that a module of IR means something; what it accepts, the back half can translate.

Invariant: a complaint is a bug of the front half, hence an InternalError that names function and
node.  What users can get wrong is refused earlier, with a diagnostic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from beespace.compiler import ir
from beespace.compiler.ir.verify_function import check_function
from beespace.compiler.ir.walk import walk
from beespace.errors import InternalError
from beespace.schema.kinds import kind_size

__all__ = ["verify"]


def verify(module: ir.Module) -> None:
    """Raise InternalError at the first thing in ``module`` that is not well-formed."""
    names = [
        item.name for items in (module.functions, module.maps, module.globals, module.struct_ops) for item in items
    ]
    for name, count in Counter(names).items():
        if count > 1:
            raise InternalError(f"module {module.name!r} defines {name!r} {count} times")
    for definition in module.maps:
        _check_map(definition)
    for variable in module.globals:
        _check_global(variable)
    for implementation in module.struct_ops:
        _check_implementation(module, implementation)
    for function in module.functions:
        check_function(module, function)
    calls = {function.name: tuple(_calls(function)) for function in module.functions}
    _check_calls_end(
        {name: {call.function for call in found if isinstance(call, ir.Call)} for name, found in calls.items()}
    )
    _check_kernel_functions([call for found in calls.values() for call in found if not isinstance(call, ir.Call)])


def _check_map(definition: ir.MapDefinition) -> None:
    what = f"map {definition.name!r}"
    if definition.key is not None and definition.key_size:
        raise InternalError(f"{what} has both a key kind and a key size")
    if definition.value is not None and definition.value_size:
        raise InternalError(f"{what} has both a value kind and a value size")
    if min(definition.max_entries, definition.flags, definition.key_size, definition.value_size) < 0:
        raise InternalError(f"{what} has a negative size")
    if definition.inner is not None:
        if definition.inner.inner is not None:
            raise InternalError(f"{what} nests maps more than once, which no kernel takes")
        _check_map(definition.inner)


def _check_global(variable: ir.GlobalDefinition) -> None:
    size = 0 if variable.section in (ir.Section.KCONFIG, ir.Section.KSYMS) else kind_size(variable.kind)
    if len(variable.initial) != size:
        raise InternalError(f"variable {variable.name!r} starts with {len(variable.initial)} bytes, not {size}")
    if variable.section is ir.Section.BSS and any(variable.initial):
        raise InternalError(f"variable {variable.name!r} is in .bss but does not start as zero")


def _check_implementation(module: ir.Module, implementation: ir.StructOpsDefinition) -> None:
    programs = {function.name for function in module.functions if function.section is not None}
    for member in implementation.members:
        if (member.kind is None) != isinstance(member.value, str) or (
            isinstance(member.value, str) and member.value not in programs
        ):
            raise InternalError(f"{implementation.name}.{member.name} is neither data nor a program of the module")


def _calls(function: ir.Function) -> Iterator[ir.Call | ir.KernelFunction | ir.KernelFunctionExists]:
    for node in walk(function.body):
        if isinstance(node, (ir.Call, ir.KernelFunction, ir.KernelFunctionExists)):
            yield node


def _check_calls_end(calls: dict[str, set[str]]) -> None:
    """No function reaches itself: the machine has no recursion."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise InternalError(f"functions call each other in a circle: {' -> '.join((*path, name))}")
        if name not in done:
            for callee in sorted(calls[name]):
                visit(callee, (*path, name))
            done.add(name)

    for name in calls:
        visit(name, ())


def _check_kernel_functions(calls: Iterable[ir.KernelFunction | ir.KernelFunctionExists]) -> None:
    """One prototype for each kernel function; where it may be missing, every call says so."""
    known: dict[str, ir.KernelFunction | ir.KernelFunctionExists] = {}
    for node in calls:
        other = known.setdefault(node.name, node)
        if other.prototype != node.prototype:
            raise InternalError(f"kernel function {node.name!r} has two prototypes")
        if _is_weak(other) != _is_weak(node):
            raise InternalError(f"kernel function {node.name!r} is called both as weak and as certainly there")


def _is_weak(node: ir.KernelFunction | ir.KernelFunctionExists) -> bool:
    return node.weak if isinstance(node, ir.KernelFunction) else True
