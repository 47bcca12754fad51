"""What a build came to: programs with their stack and helpers, maps with their memory, and what to know about both.

Pure: reads what the compiler made; nothing here depends on the machine, but for memory that is there once a CPU,
which is given for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from beespace.compiler.passes.followed import NO_HELPER
from beespace.compiler.program import Compiled
from beespace.compiler.requirements import Requirement, minimum
from beespace.compiler.stack import SCRATCH, Spill, chains_of
from beespace.elf import read
from beespace.hooks import resolve
from beespace.isa import InsnClass, MapType, decode
from beespace.isa.helpers import BY_NUMBER
from beespace.isa.opcodes import CALL_HELPER, JumpOp
from beespace.record import dataclass
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, SymbolKind

__all__ = ["BuildReport", "FunctionReport", "MapReport", "report_of"]

_PER_CPU = {
    MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH, MapType.PERCPU_CGROUP_STORAGE,
    MapType.PERF_EVENT_ARRAY,
}  # fmt: skip
_PAGE = 4096
_RINGS = {MapType.RINGBUF, MapType.USER_RINGBUF}
_PAGE = 4096
_LIMIT = 512  # bytes of stack of a chain of calls


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """A program or (``section`` is ``""``) a sub-program.

    ``chain`` is the deepest chain of calls from it, with each frame in bytes; ``helpers`` are those that it and all
    that it calls use, each with the first kernel that has it; ``since`` is the first kernel with the hook.
    """

    name: str
    section: str
    instructions: int
    chain: tuple[tuple[str, int], ...]
    helpers: tuple[tuple[str, str], ...]
    kfuncs: tuple[str, ...]
    since: str

    @property
    def stack(self) -> int:
        """Bytes of the whole chain."""
        return sum(frame for _, frame in self.chain)


@dataclass(frozen=True, slots=True)
class MapReport:
    """A map; ``bytes`` is what its entries take when it is full (``per_cpu``: on each CPU), no headers counted."""

    name: str
    type: str
    key_size: int
    value_size: int
    max_entries: int
    bytes: int
    per_cpu: bool


@dataclass(frozen=True, slots=True)
class BuildReport:
    """The whole; ``notes`` say in sentences what the compiler did that its author may want to know.

    ``kernel`` is the first release that has all that the programs need; ``needs`` lists it, the newest first.
    """

    name: str
    license: str
    size: int
    programs: tuple[FunctionReport, ...]
    functions: tuple[FunctionReport, ...]
    maps: tuple[MapReport, ...]
    notes: tuple[str, ...]
    kernel: str = ""
    needs: tuple[Requirement, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {
            "name": self.name, "license": self.license, "bytes": self.size,
            "programs": [_function_json(each) for each in self.programs],
            "functions": [_function_json(each) for each in self.functions],
            "maps": [{name: getattr(each, name) for name in MapReport.__match_args__} for each in self.maps],
            "notes": list(self.notes), "kernel": self.kernel,
            "needs": [{"since": n.since, "what": n.what, "programs": list(n.programs)} for n in self.needs],
        }  # fmt: skip

    def as_text(self) -> str:
        """As a person reads it."""
        return "\n".join(_text(self)) + "\n"


def report_of(compiled: Compiled) -> BuildReport:
    """The report on one object."""
    spec = read(compiled.object, compiled.module.name)
    chains = chains_of(spec)
    programs = [
        _function(spec, name, program.section, program.entry, chains[name]) for name, program in spec.programs.items()
    ]
    functions = [_function(spec, name, "", each, ()) for name, each in spec.subprograms.items()]
    maps = tuple(_map(each) for name, each in spec.maps.items() if name not in spec.data or _is_arena(each))
    return BuildReport(
        spec.name, spec.license, len(compiled.object), tuple(programs), tuple(functions), maps,
        (*compiled.module.notes, *_notes(programs, compiled.report.spills)),
        minimum(compiled.report.requirements), compiled.report.requirements,
    )  # fmt: skip


# --- parts -----------------------------------------------------------------------------------------------------


def _function(
    spec: ObjectSpec, name: str, section: str, function: FunctionSpec, chain: tuple[tuple[str, int], ...]
) -> FunctionReport:
    reached = spec.reached(function)
    numbers = sorted({number for each in reached for number in _helpers(each.code)} - {NO_HELPER})
    known = ((f"bpf_{BY_NUMBER[n].name}", BY_NUMBER[n].since) if n in BY_NUMBER else (f"#{n}", "") for n in numbers)
    kfuncs = sorted({each.symbol for one in reached for each in one.symbols if each.kind is SymbolKind.KFUNC})
    since = resolve(section).hook.since if section else ""
    return FunctionReport(name, section, len(function.code) // 8, chain, tuple(known), tuple(kfuncs), since)


def _helpers(code: bytes) -> Iterator[int]:
    for insn in decode(code):
        if insn.insn_class is InsnClass.JMP and insn.operation == JumpOp.CALL and insn.src == CALL_HELPER:
            yield insn.imm


def _map(spec: MapSpec) -> MapReport:
    table = spec.inner or spec
    type_ = MapType(spec.type)
    if type_ in _RINGS:
        taken = spec.max_entries
    elif _is_arena(spec):
        taken = spec.max_entries * _PAGE
    else:
        taken = table.max_entries * (_round(table.key_size) + _round(table.value_size))
    return MapReport(
        spec.name, type_.name.lower(), spec.key_size, spec.value_size, spec.max_entries, taken, type_ in _PER_CPU
    )


def _is_arena(spec: MapSpec) -> bool:
    return spec.type == MapType.ARENA


def _round(size: int) -> int:
    return -(-size // 8) * 8


def _notes(programs: Iterable[FunctionReport], spills: Iterable[Spill]) -> Iterator[str]:
    for spill in spills:
        why = f"needs more memory than the {_LIMIT} bytes of stack: {spill.size} bytes of it stand"
        if not spill.room:
            why = (
                f"has {spill.size} bytes that the body of a called loop or a computed index reaches, and that older "
                "kernels would judge wrongly on the stack: they stand"
            )
        yield (
            f"{spill.function}() {why} in the per-CPU map {SCRATCH!r} (it returns its fallback, counted, if that is in "
            "use on the CPU already)"
        )
    for program in programs:
        if program.stack > _LIMIT * 3 // 4:
            yield f"{program.name} uses {program.stack} of {_LIMIT} bytes of stack"


# --- words -----------------------------------------------------------------------------------------------------


def _function_json(each: FunctionReport) -> dict[str, Any]:
    return {
        "name": each.name, "section": each.section, "instructions": each.instructions, "stack": each.stack,
        "chain": [{"function": name, "bytes": frame} for name, frame in each.chain],
        "helpers": [{"name": name, "since": since} for name, since in each.helpers], "kfuncs": list(each.kfuncs),
        "since": each.since,
    }  # fmt: skip


def _text(report: BuildReport) -> Iterator[str]:
    yield f"{report.name}: {report.size:,} bytes, license {report.license}"
    newest = [each.what for each in report.needs if each.since == report.kernel]
    if newest:
        yield f"needs Linux {report.kernel}: {', '.join(newest)}"
    for each in report.programs:
        yield ""
        yield f"program {each.name}  ({each.section}, Linux {each.since})"
        yield f"  instructions  {each.instructions}"
        yield f"  stack         {each.stack} of {_LIMIT} bytes: {', '.join(f'{n} {size}' for n, size in each.chain)}"
        if each.helpers:
            yield f"  helpers       {', '.join(f'{name} ({since})' for name, since in each.helpers)}"
        if each.kfuncs:
            yield f"  kfuncs        {', '.join(each.kfuncs)}"
    if report.functions:
        yield ""
        yield "functions"
        yield from (f"  {each.name}: {each.instructions} instructions" for each in report.functions)
    if report.maps:
        yield ""
        yield "maps"
        width = max(len(each.name) for each in report.maps)
        for table in report.maps:
            once = " a CPU" if table.per_cpu else ""
            yield (
                f"  {table.name:<{width}}  {table.type:<16} {table.key_size:>4} -> {table.value_size:<6} bytes  "
                f"{table.max_entries:>9,} entries  {_bytes(table.bytes)}{once}"
            )
    if report.notes:
        yield ""
        yield from (f"note: {note}" for note in report.notes)


def _bytes(count: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"
