"""A program class as a whole: its methods, maps, options and events become one module of IR."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType

from beespace.btf import Btf
from beespace.compiler import interfaces, ir, passes, rules
from beespace.compiler.alternatives import is_absent, report_absent
from beespace.compiler.contexts.usdt import FUNCTION as USDT_FUNCTION
from beespace.compiler.contexts.usdt import MAPS as USDT_MAPS
from beespace.compiler.depth import READING, WRITING, room
from beespace.compiler.diagnostics import Diagnostic, Diagnostics, Span
from beespace.compiler.frame import CompiledFunction, Frame, Unit
from beespace.compiler.functions import compile_program as compile_function
from beespace.compiler.grammar import PythonGrammar
from beespace.compiler.kernel.functions import with_weak_calls
from beespace.compiler.kernel.modules import types_for
from beespace.compiler.llvm.process import Process
from beespace.compiler.lost import lost_index, lost_map
from beespace.compiler.maps import define
from beespace.compiler.maps.arena import variables as arena_variables
from beespace.compiler.passes.fold import fold
from beespace.compiler.permitted import check_followed, check_permitted
from beespace.compiler.requirements import Requirement, requirements_of
from beespace.compiler.source import FunctionSource, SourceFile, Sources
from beespace.compiler.stack import KERNEL_STACK, Spill
from beespace.compiler.statements.holding import check_holders
from beespace.compiler.statements.logs import log_map, message_table
from beespace.errors import CompileError, UsageError
from beespace.hooks import resolve
from beespace.lang import Declaration, Events, Global
from beespace.record import dataclass, replace
from beespace.schema import Struct
from beespace.schema.codec import pack

__all__ = ["Compiled", "Report", "compile_program", "lower"]

_NO_MODULES: Mapping[str, Btf] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Report:
    """What came out: programs with their sections, and the loss counters.

    ``lost`` is the key of each map in the per-CPU array ``beespace_lost`` (see :mod:`beespace.compiler.lost`);
    a map is in it whether or not anything of it can be lost.  ``stack`` is the deepest chain of frames
    of each program in bytes, ``spills`` what of functions' memory did not fit the stack.  ``requirements`` are what
    the programs need of a kernel, the newest first.
    """

    programs: Mapping[str, str]
    lost: Mapping[str, int]
    stack: Mapping[str, int]
    spills: tuple[Spill, ...] = ()
    requirements: tuple[Requirement, ...] = ()

    @property
    def spilled(self) -> tuple[str, ...]:
        """The functions whose memory did not fit the stack."""
        return tuple(sorted({spill.function for spill in self.spills}))


@dataclass(frozen=True, slots=True)
class Compiled:
    """An ELF object as libbpf loads it, the report on it, and what it was made of.

    ``module`` is the IR after its passes, ``llvm`` the LLVM assembly.
    """

    object: bytes
    report: Report
    module: ir.Module
    llvm: str


def compile_program(
    declaration: Declaration, btf: Btf | Callable[[], Btf], *, modules: Mapping[str, Btf] = _NO_MODULES,
    portable: bool = True, process: Process | None = None, marks: str = "",
) -> Compiled:  # fmt: skip
    """Compile a program class against the kernel types in ``btf``, or those that it gives when it is called.

    ``modules`` are the types of the kernel's modules by name, each with ``btf`` as its base: they are looked into for
    what is hooked and the kernel itself does not have.

    Unless it is ``portable`` the object is for a kernel with these very types: offsets are constants in it.
    ``process`` is one that runs LLVM, started before.  With ``marks`` ("lines", or "variables", too) every line that
    runs says so, to a machine that listens (:mod:`beespace.compiler.marks`); no kernel takes such an object.

    Raises :class:`CompileError` with every mistake found in the source, :class:`BeespaceError` if llvmlite is not
    installed, :class:`InternalError` for a bug of ours.
    """
    from beespace.compiler.worker import StackOverflow, Worker

    with Worker(process=process) as worker:  # LLVM loads while the types and the program are read
        types = btf() if callable(btf) else btf
        module = lower(declaration, types, modules, marks)
        with room(WRITING):
            try:
                build = worker.build(module if portable else passes.run(module, (partial(fold, types),)))
            except StackOverflow as error:
                raise _too_much_at_once(declaration, error.function, error.needed) from error
    report = Report(
        {name: each.section for name, each in declaration.programs.items()},
        {name: lost_index(declaration, name) for name in declaration.maps},
        build.stack,
        build.spills,
        requirements_of(build.module),
    )
    return Compiled(build.object, report, build.module, build.text)


def lower(declaration: Declaration, btf: Btf, modules: Mapping[str, Btf] = _NO_MODULES, marks: str = "") -> ir.Module:
    """Python to checked, typed IR; raises :class:`CompileError` with every mistake found.

    Who translates it (:meth:`Worker.build`) verifies it first.
    """
    with room(READING):
        unit, module = _lowered(declaration, btf, modules, marks)
    with room(WRITING):
        check_followed(unit, module)
    unit.diagnostics.raise_any()
    return module


def _lowered(declaration: Declaration, btf: Btf, modules: Mapping[str, Btf], marks: str) -> tuple[Unit, ir.Module]:
    unit = Unit(declaration, btf, Sources(), Diagnostics(), PythonGrammar(), marks=marks)
    subprograms = unit.subprograms
    others: dict[str, CompiledFunction] = {}
    absent: dict[str, tuple[Diagnostic, ...]] = {}
    if not declaration.functions:
        raise UsageError(
            f"{declaration.name} has no kernel-side method",
            help='decorate one, as in @tracepoint("sched:sched_process_exec")',
        )
    attachments = {name: resolve(each.section) for name, each in declaration.programs.items()}
    types = types_for(attachments, btf, modules)
    for name, each in declaration.programs.items():
        # An alternative has sub-programs of its own: its arguments are of other types.
        unit.suffix = "" if name == each.method else name.removeprefix(each.method)
        unit.subprograms = {} if unit.suffix else subprograms
        mark = unit.diagnostics.mark()
        attachment, unit.btf = attachments[name], types[name]
        compile_function(unit, name, unit.sources.function(declaration.functions[each.method]), attachment)
        if len(declaration.variants(each.method)) > 1 and is_absent(unit, attachment, mark):
            absent[name] = unit.diagnostics.since(mark)
            unit.diagnostics.forget(mark)
            unit.functions.pop(name, None)
        others |= unit.subprograms
    unit.subprograms, unit.btf = others | subprograms, btf
    report_absent(unit, absent)
    _check_all_called(unit)
    compiled = {name: each for name, each in declaration.programs.items() if name not in absent}
    check_holders(unit, {name: resolve(each.section) for name, each in compiled.items()})
    implementation = interfaces.definition(unit)
    unit.diagnostics.raise_any()
    check_permitted(unit, {name: each.section for name, each in compiled.items()})
    unit.diagnostics.raise_any()
    module = _module(unit)
    if implementation is not None:
        module = replace(module, struct_ops=(implementation,))
    return unit, module


def _check_all_called(unit: Unit) -> None:
    """A sub-program that nothing calls has no types, so that nothing could be said about it."""
    for name, section in unit.declaration.sections.items():
        if section or name in unit.subprograms or unit.diagnostics:
            continue
        source = unit.sources.function(unit.declaration.functions[name])
        unit.diagnostics.add(Frame(unit, source, None).error(rules.UncalledFunction, _name_of(source), name=name))


def _name_of(source: FunctionSource) -> ast.expr:
    """The name behind ``def``."""
    place = ast.copy_location(ast.Name(source.node.name), source.node)
    place.end_lineno, place.col_offset = source.node.lineno, source.node.col_offset + len("def ")
    place.end_col_offset = place.col_offset + len(source.node.name)
    return place


def _too_much_at_once(declaration: Declaration, function: str, needed: int | None) -> CompileError:
    """``function`` of the object, or the body of a loop in it, does not fit the stack."""
    owners = [name for name in declaration.functions if function == name or function.startswith(f"{name}__")]
    source = Sources().function(declaration.functions[max(owners, key=len)])
    span = Span.of(source.file, _name_of(source))
    bytes = f"more than {KERNEL_STACK}" if needed is None else str(needed)
    return CompileError((rules.StackTooSmall(span, source.node.name, bytes, KERNEL_STACK),))


def _module(unit: Unit) -> ir.Module:
    declaration = unit.declaration
    maps = [made for name, map in declaration.maps.items() for made in define(name, map)]
    if USDT_FUNCTION in unit.functions:
        maps.extend(USDT_MAPS)
    if unit.losing:
        maps.append(lost_map(declaration, logs=bool(unit.messages)))
    if unit.messages:
        maps.append(log_map())
    events: list[type[Struct]] = []
    for map in declaration.maps.values():
        if isinstance(map, Events) and map.event not in events:
            events.append(map.event)
    files = unit.sources.files()
    # Sub-programs first, in the order in which they were finished: each is there before its callers.
    order = sorted(unit.functions.values(), key=lambda function: function.section is not None)
    return ir.Module(
        declaration.name,
        with_weak_calls(tuple(order)),
        tuple(maps),
        (*_variables(declaration), *_constants(unit), *unit.externs.values()),
        tuple(ir.Source(file.name, file.text) for file in _unique(files)),
        tuple(events),
        declaration.license,
        notes=tuple(dict.fromkeys(f"{at.file}:{at.line}: {why}; what asks is left out" for at, why in unit.left_out)),
    )


def _unique(files: tuple[SourceFile, ...]) -> list[SourceFile]:
    return list({file.name: file for file in reversed(files)}.values())[::-1]


def _variables(declaration: Declaration) -> Iterator[ir.GlobalDefinition]:
    """Options, which are constant once the program is loaded, and globals."""
    for name, option in declaration.options.items():
        initial = pack(option.kind, option.default)
        yield ir.GlobalDefinition(name, option.kind, ir.Section.RODATA, initial)
    for name, map in declaration.maps.items():
        if isinstance(map, Global) and map.value_kind is not None:
            # 0 is the initial value of everything that was given none, structs included.
            zero = isinstance(map.initial, int) and map.initial == 0
            initial = bytes(map.value_size) if zero else pack(map.value_kind, map.initial)
            section = ir.Section.DATA if any(initial) else ir.Section.BSS
            yield ir.GlobalDefinition(name, map.value_kind, section, initial)
        yield from arena_variables(name, map)


def _constants(unit: Unit) -> Iterator[ir.GlobalDefinition]:
    """Tuples of the author's that an index of the kernel side looks into."""
    for (kind, data), name in unit.constants.items():
        yield ir.GlobalDefinition(name, kind, ir.Section.RODATA, data)
    if unit.messages:
        yield message_table(unit)
