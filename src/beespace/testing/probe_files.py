"""Files with probes as tests: each probe compiles and loads into the machine, and each of its programs runs once.

The context is made up: fields and arguments are zero, and so is what pointers of the kernel lead to; a program of the
network gets a packet.  That a program does something sensible is for real tests; this says whether it runs at all.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from beespace.errors import BeespaceError, ProgramFault, RelocationError, UsageError
from beespace.hooks import Context, resolve
from beespace.lang import Program
from beespace.session.files import programs_of
from beespace.session.simulated import build
from beespace.session.simulated_types import simulated_types
from beespace.testing.failures import sections
from beespace.testing.fakes import task
from beespace.testing.places import machine_of

__all__ = ["ProbeFile", "collector_of"]

_NULL = 1 << 16  # where null pointers and their fields are
# A UDP packet of IPv4, from 10.0.0.1:5000 to 10.0.0.2:53, from its Ethernet header on.
PACKET = bytes.fromhex(
    "02000000000202000000000108004500003c000040004011267f0a0000010a000002138800350028000a" + 32 * "00"
)
_LACKS = "which this machine does not have"  # helper functions
_REFUSED = "the machine does not have"  # what was looked for when the object was loaded


def collector_of(file: Path, parent: pytest.Collector) -> ProbeFile | None:
    """The probes of a file; ``None`` if it defines none, which is seen without importing it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return None  # whoever imports it says so
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    if not any(_last_name(base) == "Program" for each in classes for base in each.bases):
        return None
    found: ProbeFile = ProbeFile.from_parent(parent, path=file)
    return found


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


class ProbeFile(pytest.File):
    """One file; its tests are ``NAME::compiles`` and ``NAME::METHOD`` for each probe and method."""

    module: ModuleType | None = None

    def collect(self) -> Iterable[pytest.Item]:
        with self.named():
            found = programs_of(self.path)
            self.module = sys.modules[self.path.stem]
        for name, program in found.items():
            if not program.declaration().functions:
                continue  # a base of others
            yield Compiles.from_parent(self, name=f"{name}::compiles", program=program)
            for method in _methods(program):
                yield RunsOnce.from_parent(self, name=f"{name}::{method}", program=program, method=method)

    @contextmanager
    def named(self) -> Iterator[None]:
        """The module has the file's name meanwhile; another, even of the standard library, may have it, too."""
        name = self.path.stem
        before = sys.modules.get(name)
        if self.module is not None:
            sys.modules[name] = self.module
        try:
            yield
        finally:
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before


class _Item(pytest.Item):
    def __init__(self, *, program: type[Program], method: str = "", **known: object) -> None:
        super().__init__(**known)  # type: ignore[arg-type]
        self.program, self.method = program, method
        self._probe: Program | None = None

    def runtest(self) -> None:
        file = self.parent
        assert isinstance(file, ProbeFile)
        with file.named():
            self.check()

    def check(self) -> None:
        raise NotImplementedError

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        if not isinstance(excinfo.value, BeespaceError):
            return str(super().repr_failure(excinfo))
        said = [str(excinfo.value)]
        for heading, text in sections(excinfo.value, [] if self._probe is None else [self._probe]):
            said += ["", f"{heading}:", text]
        return "\n".join(said)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, _line(self.program, self.method), self.name


class Compiles(_Item):
    """The probe compiles, and the machine takes it."""

    def check(self) -> None:
        build(self.program, simulated_types())
        _simulated(self.program).close()


class RunsOnce(_Item):
    """A method runs to its end."""

    def check(self) -> None:
        self._probe = probe = _simulated(self.program)
        try:
            run = probe.program(self.method)
        except BeespaceError as error:
            pytest.skip(error.message)
        machine_of(probe).memory.zeros = _NULL
        section = probe.declaration().programs[probe.declaration().variants(self.method)[0]].section
        context: object = b""
        packet = b""
        match resolve(section).hook.context:
            case Context.STRUCT:
                packet, context = PACKET, {}
            case Context.TRACEPOINT:
                context = {}
            case Context.REPLACED:
                pytest.skip("it stands in place of a function of another program: nothing is known of its arguments")
            case _:
                context = bytes(512)  # arguments and registers
        try:
            run.test_run(packet, context)
        except RelocationError as error:
            pytest.skip(error.message)
        except ProgramFault as fault:
            if _LACKS in fault.reason:
                pytest.skip(f"{fault.program} {fault.reason}")
            raise


def _simulated(program: type[Program]) -> Program:
    """The probe in a machine; the test is skipped for what no machine has."""
    try:
        return program().simulate(task=task(real_parent=task(1)))
    except (RelocationError, UsageError) as error:
        if _REFUSED not in error.message:
            raise
        pytest.skip(error.message)


def _methods(program: type[Program]) -> list[str]:
    """The methods that run when something happens; those of an interface of the kernel are called by it alone."""
    declaration = program.declaration()
    programs = declaration.programs.values()
    return list(dict.fromkeys(each.method for each in programs if not each.section.startswith("struct_ops")))


def _line(program: type[Program], method: str) -> int:
    function = program.declaration().functions.get(method)
    return function.__code__.co_firstlineno - 1 if function is not None else 0
