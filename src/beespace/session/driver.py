"""The driver that :class:`beespace.Program` classes run on: this kernel.

Where an object comes from, in this order: compiled with the package (shipped probes), the cache, the
compiler.  A hit in the first two needs no LLVM.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from beespace.elf import read
from beespace.errors import UsageError
from beespace.hooks import resolve
from beespace.kernel import LoadedObject, load, vmlinux_btf
from beespace.kernel.links import accepted
from beespace.lang import Declaration, Program
from beespace.session.running import RunningProgram
from beespace.spec import MapSpec, ObjectSpec

SHIPPED = "beespace.probes."


class KernelDriver:
    """Compiles, relocates, loads and attaches programs on the running kernel."""

    def spec(self, program: type[Program]) -> ObjectSpec:
        """The program as pure data."""
        return read(self.build(program), program.__name__)

    def build(self, program: type[Program]) -> bytes:
        """The program's object file."""
        declaration = program.declaration()
        shipped = shipped_object(program)
        if shipped is not None:
            return shipped
        from beespace.session import cache  # hashes: not needed for what comes with the package

        name = cache.key(declaration)
        data = cache.load(name)
        if data is None:
            data = compile_here(declaration)
            cache.store(name, data)
        return data

    def start(self, program: Program, cgroup: Path | None = None) -> RunningProgram:
        """Load ``program`` with its options and attach all that attaches by itself (iterators are called)."""
        declaration = program.declaration()
        if not any(declaration.sections.values()):
            raise UsageError(
                f"{declaration.name} has no method with a hook decorator, so nothing of it runs in the kernel",
                help='decorate one, as in @tracepoint("sched:sched_process_exec")',
            )
        spec = self.spec(type(program))
        sizes = {
            name: live.max_entries
            for name, live in program.live_maps()
            if name in spec.maps and live.max_entries != _room(spec.maps[name])
        }
        absent = _absent(declaration)
        loaded = load(
            spec,
            variables=dict(program.options),
            max_entries=sizes,
            programs=[name for name, section in declaration.sections.items() if section and name not in absent],
        )
        try:
            attach(loaded, declaration, cgroup)
            return RunningProgram(loaded, declaration, _notes(declaration, absent))
        except BaseException:
            loaded.close()
            raise


def shipped_object(program: type[Program]) -> bytes | None:
    """The object that stands in the package for a shipped probe, or None for any other program."""
    if not program.__module__.startswith(SHIPPED):
        return None
    name = program.__module__.removeprefix(SHIPPED).partition(".")[0]
    from importlib.resources import files

    resource = files("beespace.probes") / "objects" / f"{name}.bpf.o"
    return resource.read_bytes() if resource.is_file() else None


def compile_here(declaration: Declaration) -> bytes:
    """Compile against the running kernel's types."""
    from beespace.compiler import compile_program  # needs LLVM: imported when nothing else has the object

    return compile_program(declaration, vmlinux_btf).object


def _room(spec: MapSpec) -> int:
    """Entries of a map, or of the tables in it."""
    return (spec.inner or spec).max_entries


def _absent(declaration: Declaration) -> dict[str, str]:
    """The optional programs whose tracepoint this kernel does not have, and which that is."""
    missing: dict[str, str] = {}
    for name in sorted(declaration.optional):
        target = resolve(declaration.sections[name]).target
        try:
            vmlinux_btf().find(f"btf_trace_{target}")
        except KeyError:
            missing[name] = target
    return missing


def _notes(declaration: Declaration, absent: Mapping[str, str]) -> tuple[str, ...]:
    """What is absent, a sentence for each difference that it makes."""
    notes: list[str] = []
    for effect in dict.fromkeys(declaration.optional[name] for name in absent):
        names = [name for name in absent if declaration.optional[name] == effect]
        without = f"{declaration.name} runs without {' and '.join(names)}"
        cause = f"this kernel has no tracepoint {' or '.join(absent[name] for name in names)}"
        notes.append(f"{without}: {cause}" + (f"; {effect}" if effect else ""))
    return tuple(notes)


def attach(loaded: LoadedObject, declaration: Declaration, cgroup: Path | None) -> None:
    """Attach every program but iterators; those are run by who needs them."""
    for name, section in declaration.sections.items():
        if name not in loaded.programs or section.startswith("iter"):
            continue
        takes_cgroup = "cgroup" in accepted(loaded.programs[name]) and cgroup is not None
        loaded.attach(name, **({"cgroup": cgroup} if takes_cgroup else {}))


driver = KernelDriver()
