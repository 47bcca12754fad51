"""The driver that :class:`beespace.Program` classes run on: this kernel.

Where an object comes from, in this order: compiled with the package (shipped probes), the cache, the
compiler.  A hit in the first two needs no LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from beespace.elf import read
from beespace.errors import UsageError, VerifierError
from beespace.importing import import_quickly
from beespace.kernel import load, vmlinux_btf
from beespace.kernel.kernel_types import KernelTypes
from beespace.lang import Declaration, Program
from beespace.session.attaching import absence_notes, absent_hooks, replaced
from beespace.session.instances import changed_sizes, packed_options
from beespace.session.running import RunningProgram
from beespace.spec import ObjectSpec
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.btf import Btf
    from beespace.compiler import Compiled
    from beespace.session.simulated import SimulatedProgram

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

    def load(self, program: Program, where: Mapping[str, object]) -> RunningProgram:
        """Load ``program`` with its options; attach nothing."""
        declaration = program.declaration()
        if not any(declaration.sections.values()):
            raise UsageError(
                f"{declaration.name} has no method with a hook decorator, so nothing of it runs in the kernel",
                help='decorate one, as in @tracepoint("sched:sched_process_exec")',
            )
        spec = self.spec(type(program))
        absent = absent_hooks(declaration)
        groups = [
            [name for name in names if name in spec.programs]
            for method in declaration.sections
            if len(names := declaration.variants(method)) > 1
        ]
        alternatives = {name for group in groups for name in group}
        try:
            loaded = load(
                spec,
                variables=packed_options(program, declaration),
                max_entries=changed_sizes(program, spec),
                programs=[
                    *(
                        name
                        for name, each in declaration.programs.items()
                        if each.method not in absent and name not in alternatives and name in spec.programs
                    ),
                    *spec.struct_ops,
                ],
                either=groups,
                targets=replaced(declaration, where),
            )
        except VerifierError as error:
            from beespace.session.refusals import explained  # reads sources: only who is refused needs it

            raise explained(error, declaration) from None
        return RunningProgram(loaded, declaration, absence_notes(declaration, absent))

    def start(self, program: Program, where: Mapping[str, object]) -> RunningProgram:
        """The same, then attach all that attaches by itself (iterators are called, syscall programs run by hand)."""
        running = self.load(program, where)
        try:
            running.attach_all(where)
            return running
        except BaseException:
            running.close()
            raise

    def simulate(self, program: Program, inputs: Mapping[str, object]) -> SimulatedProgram:
        """Put ``program`` into a machine of our own."""
        from beespace.session.simulated import build, simulate  # who runs in a kernel needs no machine
        from beespace.session.simulated_types import simulated_types

        types = simulated_types(inputs.get("btf"))  # type: ignore[arg-type]  # checked by who looks at it
        said = {name: value for name, value in inputs.items() if name != "btf"}
        marks = "variables" if said.get("debug") is not None else ""
        return simulate(program, build(type(program), types, marks), said, types)


def shipped_object(program: type[Program]) -> bytes | None:
    """The object that stands in the package for a shipped probe, or None for any other program."""
    if not program.__module__.startswith(SHIPPED):
        return None
    name = program.__module__.removeprefix(SHIPPED).partition(".")[0]
    from importlib.resources import files

    resource = files("beespace.probes") / "objects" / f"{name}.bpf.o"
    return resource.read_bytes() if resource.is_file() else None


def compile_here(
    declaration: Declaration,
    types: Callable[[], Btf] = vmlinux_btf,
    modules: Mapping[str, Btf] | None = None,
    marks: str = "",
) -> bytes:
    """Compile against the running kernel's types, or others.  Needs LLVM: imported when nothing else has the object."""
    from beespace.compiler.llvm.process import start

    process = start()  # LLVM loads while the rest of the compiler does
    try:
        compiler = import_quickly("beespace.compiler.program")
        near = KernelTypes().modules if modules is None else modules
        made: Compiled = compiler.compile_program(declaration, types, modules=near, process=process, marks=marks)
        return made.object
    finally:
        if process is not None:
            process.close()


driver = KernelDriver()
