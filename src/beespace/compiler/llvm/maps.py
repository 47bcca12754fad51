"""Maps and variables as an object file has them.

Invariant: the dialect is libbpf's: a map is a variable in ``.maps`` whose *type* says everything (numbers
are array lengths, types are pointers); its value is zeros.  Variables keep their initial bytes, and
LLVM must not believe them: options are set before the load, so they are ``externally_initialized``.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.llvm.debug import Debug
from beespace.compiler.llvm.metadata import quoted
from beespace.schema import Struct
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["event_lines", "global_line", "map_line"]

_PIN_BY_NAME = 1  # LIBBPF_PIN_BY_NAME
_POINTER = 8


def map_line(debug: Debug, definition: ir.MapDefinition) -> str:
    """The global that defines a map."""
    members = _members(debug, definition)
    if definition.programs:
        return _program_array(debug, definition, members)
    type = _definition(debug, members)
    size = len(members) * _POINTER
    return (
        f"@{definition.name} = dso_local global [{size} x i8] zeroinitializer, "
        f'section ".maps", align {_POINTER}, !dbg {debug.variable(definition.name, type)}'
    )


def _program_array(debug: Debug, definition: ir.MapDefinition, members: list[tuple[str, str]]) -> str:
    """The same with programs in its last member, ``values``."""
    program = debug.prototype([debug.integer(32, True), debug.pointer()])
    type = _definition(debug, [*members, ("values", debug.array(debug.pointer(program), 0, 0))])
    functions = dict(definition.programs)
    places = [f"ptr @{functions[index]}" if index in functions else "ptr null" for index in range(max(functions) + 1)]
    header = f"[{len(members) * _POINTER} x i8]"
    return (
        f"@{definition.name} = dso_local global {{ {header}, [{len(places)} x ptr] }} "
        f"{{ {header} zeroinitializer, [{len(places)} x ptr] [{', '.join(places)}] }}, "
        f'section ".maps", align {_POINTER}, !dbg {debug.variable(definition.name, type)}'
    )


def _number(debug: Debug, value: int) -> str:
    """``int (*name)[value]``, the way a number is written as a type."""
    return debug.pointer(debug.array(debug.integer(32, True), value, value * 4))


def _members(debug: Debug, definition: ir.MapDefinition) -> list[tuple[str, str]]:
    members = [("type", _number(debug, definition.type))]
    if definition.key is not None:
        members.append(("key", debug.pointer(debug.kind(definition.key))))
    elif definition.key_size:
        members.append(("key_size", _number(debug, definition.key_size)))
    if definition.value is not None:
        members.append(("value", debug.pointer(debug.kind(definition.value))))
    elif definition.value_size:
        members.append(("value_size", _number(debug, definition.value_size)))
    if definition.max_entries:
        members.append(("max_entries", _number(debug, definition.max_entries)))
    if definition.flags:
        members.append(("map_flags", _number(debug, definition.flags)))
    if definition.extra:
        members.append(("map_extra", _number(debug, definition.extra)))
    if definition.pinned:
        members.append(("pinning", _number(debug, _PIN_BY_NAME)))
    if definition.inner is not None:
        inner = _definition(debug, _members(debug, definition.inner))
        members.append(("values", debug.array(debug.pointer(inner), 0, 0)))
    return members


def _definition(debug: Debug, members: list[tuple[str, str]]) -> str:
    nodes = [
        debug.member(name, type, offset=number * _POINTER, size=0 if name == "values" else _POINTER)
        for number, (name, type) in enumerate(members)
    ]
    size = _POINTER * sum(name != "values" for name, _ in members)
    return debug.composite("", nodes, size)


def global_line(debug: Debug, variable: ir.GlobalDefinition) -> str:
    """The global that holds an option or a variable, or stands for one of the kernel's."""
    if variable.section in (ir.Section.KCONFIG, ir.Section.KSYMS):
        size = kind_size(variable.kind)
        # An option that is not set is zero; a variable that is not there must not be taken for one that is.
        linkage = "extern_weak" if variable.section is ir.Section.KCONFIG else "external"
        return (
            f'@{variable.name} = {linkage} global [{size} x i8], section "{variable.section.value}", '
            f"align {kind_align(variable.kind)}, !dbg {debug.extern(variable.name, _extern_type(debug, variable))}"
        )
    size = len(variable.initial)
    value = "zeroinitializer"
    if any(variable.initial):
        value = 'c"' + "".join(f"\\{byte:02X}" for byte in variable.initial) + '"'
    storage = "externally_initialized constant" if variable.section is ir.Section.RODATA else "global"
    if variable.section is ir.Section.ARENA:
        storage = "addrspace(1) global"
    return (
        f'@{variable.name} = dso_local {storage} [{size} x i8] {value}, section "{variable.section.value}", '
        f"align {kind_align(variable.kind)}, !dbg {debug.variable(variable.name, debug.kind(variable.kind))}"
    )


def _extern_type(debug: Debug, variable: ir.GlobalDefinition) -> str:
    if variable.typeless:
        return debug.constant_void()
    return debug.composite(variable.struct, [], 0) if variable.struct else debug.kind(variable.kind)


def event_lines(debug: Debug, events: tuple[type[Struct], ...], kept: list[str]) -> list[str]:
    """Globals that keep the types of events in the BTF, which nothing else in the object names; and ``kept`` functions.

    The globals have no bytes and no symbol; they stand in the license section because it always exists.  A
    function that is not kept may lose its result: where every call is known to give a constant, LLVM leaves
    in r0 whatever was there, and the verifier refuses to hand a pointer to the stack to the caller.
    """
    names = [f"@{quoted(f'event.{event.__name__}.{number}')}" for number, event in enumerate(events)]
    lines = [
        f'{name} = private global [0 x i8] zeroinitializer, section "license", '
        f"!dbg {debug.variable(event.__name__, debug.kind(event))}"
        for name, event in zip(names, events, strict=True)
    ]
    names += kept
    if not names:
        return []
    used = ", ".join(f"ptr {name}" for name in names)
    return [*lines, f'@llvm.compiler.used = appending global [{len(names)} x ptr] [{used}], section "llvm.metadata"']
