"""A program class in beespace's own machine: no kernel, no root, the same every time.

:class:`SimulatedProgram` stands where :class:`~beespace.session.running.RunningProgram` stands for the kernel, and its
maps speak the same bytes to the declarations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, cast

from beespace.btf import Btf
from beespace.elf import read
from beespace.errors import CompileError, KernelError, UsageError
from beespace.hooks import Context, resolve
from beespace.kernel.contexts import Fields, decode_context, encode_context
from beespace.kernel.kernel_program import Run
from beespace.kernel.swapped import is_swapped
from beespace.lang import Declaration, Program
from beespace.lang.log import RawLog
from beespace.session import cache
from beespace.session.driver import compile_here, shipped_object
from beespace.session.fakes import Fakes
from beespace.session.instances import changed_sizes, packed_options
from beespace.session.live_map import Losses
from beespace.session.marked import measuring
from beespace.session.native import native
from beespace.session.running import LOG_MAP, LOSS_MAP, MESSAGES
from beespace.session.simulated_interval import SimulatedInterval
from beespace.session.simulated_types import SimulatedTypes
from beespace.spec import VariableSpec
from beespace.vm import Inputs, Loaded, Machine, Outcome, load
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps import Map, PerfEventArray, Ring

_FAKED = (Context.TRACEPOINT, Context.ARGUMENTS, Context.RAW_ARGUMENTS, Context.REGISTERS, Context.ITERATOR)
_NOT_ARGUMENTS = ("self", "ctx", "result")  # of a method

__all__ = ["Listener", "SimulatedMap", "SimulatedMethod", "SimulatedProgram", "build", "simulate"]


class Listener(Protocol):
    """Who hears the marks of simulated programs: :class:`beespace.testing.Debugger`."""

    def listen(self, program: Program, machine: Machine) -> None:
        """From now on."""


def build(program: type[Program], types: SimulatedTypes, marks: str = "") -> bytes:
    """The program's object, compiled for these types or found where it was kept, with ``marks`` for who listens.

    :class:`~beespace.errors.CompileError` says whose types they were, if they do not have what it mentions.
    """
    found = shipped_object(program) if marks != "variables" else None
    if found is not None:
        return found
    declaration = program.declaration()
    if not marks and measuring() is not None:
        marks = "lines"
    marked = _marked(declaration, marks) if marks else ""
    name = cache.key(declaration, types.key() + marked)
    data = cache.load(name)
    if data is None:
        try:
            data = compile_here(declaration, lambda: types.btf, types.modules, marks)
        except CompileError as error:
            raise types.explained(error) from None
        cache.store(name, data)
    return data


def _marked(declaration: Declaration, marks: str) -> str:
    """A text for objects with marks, which name the author's files."""
    return f"marked {marks} " + " ".join(sorted({each.__code__.co_filename for each in declaration.functions.values()}))


def simulate(program: Program, data: bytes, said: Mapping[str, object], types: SimulatedTypes) -> SimulatedProgram:
    """Put a compiled program into a machine.

    ``said`` has fields of :class:`~beespace.vm.Inputs`, as ``task`` those of the ``struct task_struct`` that runs, and
    as ``jit`` whether programs are run as native code, as ``debug`` a :class:`Listener`, for which they have marks.
    """
    declaration = program.declaration()
    task, jit, debug = said.get("task"), said.get("jit"), said.get("debug")
    said = _of_task(task) | {name: value for name, value in said.items() if name not in ("task", "jit", "debug")}
    try:
        inputs = Inputs(**said)  # type: ignore[arg-type]  # checked by who looks at them
    except TypeError:
        known = ", ".join(name for name in Inputs.__annotations__ if not name.startswith("_"))
        unknown = next(name for name in said if name not in Inputs.__annotations__)
        raise UsageError(f"a simulation has no input {unknown!r}", help=f"its inputs: {known}") from None
    spec = read(data, declaration.name)
    needs_types = any(f.core for f in (*(p.entry for p in spec.programs.values()), *spec.subprograms.values()))
    loaded = load(
        spec,
        types=types.btf if needs_types else None,
        inputs=inputs,
        variables=packed_options(program, declaration),
        max_entries=changed_sizes(program, spec),
        jit=native() if jit and measuring() is None and debug is None else None,  # marks are heard in the interpreter
    )
    if isinstance(task, Mapping):
        fields = {"pid": inputs.pid, "tgid": inputs.tgid, "comm": inputs.comm, **task}
        loaded.machine.task = Fakes(loaded.machine.memory, types.btf).object("task_struct", fields)
    measured = measuring()
    if measured is not None:
        for each in declaration.functions.values():
            measured.known(each.__code__.co_filename)
        measured.listen(loaded.machine)
    if debug is not None:
        cast(Listener, debug).listen(program, loaded.machine)
    return SimulatedProgram(loaded, declaration, types)


def _of_task(task: object) -> dict[str, object]:
    """What a task says of the inputs: the same, unless they are given, too."""
    return {name: task[name] for name in ("pid", "tgid", "comm") if name in task} if isinstance(task, Mapping) else {}


class SimulatedProgram:
    """A program in a machine, with its maps by their names in the class."""

    links: tuple[Any, ...] = ()
    notes: tuple[str, ...] = ()

    def __init__(self, loaded: Loaded, declaration: Declaration, types: SimulatedTypes) -> None:
        self.loaded = loaded
        self._declaration, self._types = declaration, types
        lost = loaded.maps.get(LOSS_MAP)
        losses = Losses(None if lost is None else SimulatedMap(lost, Losses(None), 0))  # type: ignore[arg-type]
        self._adapters: dict[str, SimulatedMap | SimulatedInterval | SimulatedVariable] = {}
        for index, name in enumerate(declaration.maps):
            if name in loaded.maps and is_swapped(loaded.maps[name].spec):
                self._adapters[name] = SimulatedInterval(loaded.maps[name], losses, index)
            elif name in loaded.maps:
                self._adapters[name] = SimulatedMap(loaded.maps[name], losses, index, loaded.maps)
            elif name in loaded.spec.variables:
                self._adapters[name] = SimulatedVariable(loaded, loaded.spec.variables[name])
        self.log: RawLog | None = None
        if LOG_MAP in loaded.maps and MESSAGES in loaded.spec.variables:
            table = SimulatedVariable(loaded, loaded.spec.variables[MESSAGES]).get(bytes(4))
            self.log = SimulatedLog(SimulatedMap(loaded.maps[LOG_MAP], losses, len(declaration.maps)), table)

    def map(self, name: str) -> Any:
        """The adapter of the map of that name; :class:`UsageError` if the machine has none of its type."""
        if name not in self._adapters:
            why = f"map {name!r} is of a type that the machine does not have"
            raise UsageError(why, help="docs/testing.md says which it has")
        return self._adapters[name]

    def program(self, method: str) -> SimulatedMethod:
        """The program of a method; of several for different kernels, the first choice."""
        for name in (*self._declaration.variants(method), method):
            if name in self.loaded.spec.programs:
                function = self._declaration.functions[method]
                names = function.__code__.co_varnames[: function.__code__.co_argcount]
                own = tuple(each for each in names if each not in _NOT_ARGUMENTS)
                return SimulatedMethod(self.loaded, name, self._types, own)
        known = ", ".join(self._declaration.programs) or "none"
        raise UsageError(f"{self._declaration.name} has no program {method!r}", help=f"its programs: {known}")

    def attach(self, method: str, where: Mapping[str, object]) -> tuple[Any, ...]:
        """There is nothing to attach to."""
        raise UsageError("a simulated program is not attached", help=f"run it: probe.test_run({method!r}, ...)")

    def iterate(self, name: str, where: Mapping[str, object]) -> bytes:
        """There is nothing to iterate over."""
        raise UsageError("a simulation has no kernel objects to iterate over")

    def explain(self) -> str:
        """Nothing was decided."""
        return ""

    def close(self) -> None:
        """The machine goes with its last user."""


class SimulatedMethod:
    """One program in its machine."""

    def __init__(self, loaded: Loaded, name: str, types: SimulatedTypes, names: tuple[str, ...] = ()) -> None:
        self.name = name
        self._loaded, self._types, self._names = loaded, types, names

    @property
    def machine(self) -> Machine:
        """Where it runs: its ``inputs`` can be set between runs, its ``timers`` advanced."""
        return self._loaded.machine

    def test_run(self, data_in: bytes = b"", ctx_in: Fields = b"", repeat: int = 1) -> Run:
        """As :meth:`beespace.kernel.KernelProgram.test_run`; no time is measured.

        ``ctx_in`` may be the fields of a tracepoint's record, too, or the arguments of a hook that has some, by name:
        see :mod:`beespace.session.fakes`.
        """
        attachment = resolve(self._loaded.spec.programs[self.name].section)
        hook = attachment.hook
        typed = not isinstance(ctx_in, bytes | bytearray | memoryview)
        own = Btf(self._loaded.spec.btf) if typed and self._loaded.spec.btf else None
        if hook.context in _FAKED and not isinstance(ctx_in, bytes | bytearray | memoryview):
            context = Fakes(self.machine.memory, self._types.btf).context(attachment, ctx_in, self._names)
        else:
            kernel = self._types.btf if typed else None
            context = bytes(encode_context(hook, ctx_in, len(data_in), own, self.name, kernel))
        for _ in range(max(repeat, 1)):
            outcome = self._run(data_in, context)
        fields = None
        if typed and hook.context.value in ("struct", "caller"):
            fields = decode_context(hook, outcome.context, own, self.name, self._types.btf)
        return Run(outcome.result & 0xFFFFFFFF, outcome.packet, outcome.context, 0, fields)

    def _run(self, packet: bytes, context: bytes) -> Outcome:
        """Once; whoever measures is told when it is over."""
        measured, ended = measuring(), False
        try:
            outcome = self._loaded.run(self.name, packet, context)
            ended = True
        finally:
            if measured is not None:
                measured.ended(fault=not ended)
        return outcome


class SimulatedVariable:
    """A global variable, read and written like the single entry of an array."""

    def __init__(self, loaded: Loaded, spec: VariableSpec) -> None:
        self._map, self._spec = loaded.maps[spec.map], spec

    def get(self, key: bytes) -> bytes:
        """The variable's bytes; ``key`` is always zero."""
        return self._map.read(bytes(4))[self._spec.offset :][: self._spec.size]

    def update(self, key: bytes, value: bytes) -> None:
        """Write the variable."""
        whole = bytearray(self._map.read(bytes(4)))
        whole[self._spec.offset : self._spec.offset + self._spec.size] = value
        self._map.write(bytes(4), bytes(whole))


class SimulatedMap:
    """The bytes of one map, and how much was lost on the way into it."""

    def __init__(self, map: Map, losses: Losses, index: int, others: Mapping[str, Map] = MappingProxyType({})) -> None:
        self._map, self._losses, self._index, self._others = map, losses, index, others

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UsageError(f"map {self._map.spec.name!r}: a simulation has no {name!r} of such maps")

    def _error(self, what: str, refused: Refused) -> KernelError:
        return KernelError(f"cannot {what} map {self._map.spec.name!r}", call="the machine", errno=refused.errno)

    def get(self, key: bytes, flags: int = 0) -> bytes | None:
        """A value, or those of all CPUs."""
        try:
            return self._map.read(key, flags)
        except Refused as refused:
            if refused.errno is Errno.ENOENT:
                return None
            raise self._error("read", refused) from None

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Write a value; one for all CPUs is written to each."""
        whole = flags >> 3 == 0  # else for one CPU, or the same for each
        if self._map.per_cpu and whole and len(value) == self._map.spec.value_size != self._map.padded * self._map.cpus:
            value = value.ljust(self._map.padded, b"\0") * self._map.cpus
        try:
            self._map.write(key, value, flags)
        except Refused as refused:
            raise self._error("write", refused) from None

    def put(self, key: bytes, value: bytes, flags: int) -> bool:
        """Write an entry with ``BPF_NOEXIST`` or ``BPF_EXIST``; False if these forbid it."""
        try:
            self.update(key, value, flags)
        except KernelError as error:
            if error.errno not in (Errno.EEXIST, Errno.ENOENT):
                raise
            return False
        return True

    def delete(self, key: bytes) -> bool:
        """Remove an entry; whether there was one."""
        try:
            self._map.remove(key)
        except Refused as refused:
            if refused.errno is Errno.ENOENT:
                return False
            raise self._error("delete from", refused) from None
        return True

    def pop(self, key: bytes) -> bytes | None:
        """Take an entry."""
        try:
            return self._map.take(key)
        except Refused as refused:
            if refused.errno is Errno.ENOENT:
                return None
            raise self._error("take from", refused) from None

    def keys(self) -> Iterator[bytes]:
        """All keys."""
        return iter(self._map.keys())

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries."""
        return ((key, self._map.read(key)) for key in self._map.keys())  # noqa: SIM118  # no dict

    def companion(self, suffix: str) -> SimulatedMap:
        """The map of that name beside this one."""
        return SimulatedMap(self._others[f"{self._map.spec.name}_{suffix}"], self._losses, self._index)

    def symbols(self, stack: Sequence[int], pid: int | None = None) -> list[str]:
        """A stack's addresses: nothing has names here."""
        return [f"{address:#x}" for address in stack]

    def holds(self, value: bytes) -> bool:
        """Whether a Bloom filter holds a value."""
        try:
            self._map.peek(value)
        except Refused:
            return False
        return True

    def lost(self) -> int:
        """Insertions that found the map full, since the start."""
        return self._losses.of(self._index)

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """The events that are there; nothing comes while somebody waits."""
        if isinstance(self._map, Ring):
            yield from self._map.records()
        elif isinstance(self._map, PerfEventArray):
            yield from (data for _, data in self._map.records())

    async def async_records(self) -> AsyncIterator[bytes]:
        """The same."""
        for record in self.records(None):
            yield record


class SimulatedLog:
    """The log of a program."""

    def __init__(self, ring: SimulatedMap, table: bytes) -> None:
        self._ring, self.table = ring, table

    def fileno(self) -> int:
        """There is nothing to wait for."""
        raise UsageError("a simulated log has no descriptor")

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """The messages that are there."""
        return self._ring.records(timeout)

    def lost(self) -> int:
        """Messages that found the ring full."""
        return self._ring.lost()
