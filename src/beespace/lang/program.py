"""``Program``: the class that is object file, skeleton and tool at once.

Class attributes are seen by both sides: annotated integers with a default are options (read-only
to the kernel, keyword arguments outside), maps are maps.  Methods with a hook decorator run in
the kernel, plain methods run in user space.

The class knows nothing of compilers and kernels.  What starts it is a :class:`Driver`, which the
package's root names; tests may install another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, SupportsBytes

from beespace.errors import UsageError
from beespace.hooks import resolve
from beespace.lang.attach import OPTIONAL, SECTION, TAIL_CALL, VARIANTS, Variant
from beespace.lang.log import Log, RawLog
from beespace.lang.maps import Map, RawMap
from beespace.lang.members import members
from beespace.lang.options import Option, check
from beespace.record import dataclass, replace
from beespace.schema import Struct
from beespace.schema.codec import pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

    from beespace.spec import ObjectSpec

__all__ = [
    "Attached",
    "Declaration",
    "Driver",
    "Interface",
    "Option",
    "Program",
    "RawMap",
    "Running",
    "install_driver",
]


@dataclass(frozen=True, slots=True)
class Attached:
    """One program of the object: the ``method`` that it is compiled from, its section, where it attaches by itself.

    ``context`` is the hook whose context a replaced function gets.
    """

    method: str
    section: str
    where: Mapping[str, Any]
    context: str = ""


@dataclass(frozen=True, slots=True)
class Interface:
    """What a program implements: the kernel's ``struct`` of that name, and the data that it sets in it."""

    struct: str
    data: Mapping[str, int | str | bytes]


@dataclass(frozen=True, slots=True)
class Declaration:
    """A program class taken apart; what the compiler reads.

    ``functions`` holds the kernel-side methods by name, ``sections`` the ELF section of each
    (``""``: sub-program), ``optional`` those that a kernel without their hook may leave
    out, each with what is different then (or ``""``).  ``programs`` are those of the object, by name: one for each
    method with a hook, more where it has alternatives.  ``jumped_to`` are the methods that
    nothing attaches (``@tail_call``).
    """

    name: str
    doc: str
    license: str
    options: Mapping[str, Option]
    maps: Mapping[str, Map]
    functions: Mapping[str, FunctionType]
    sections: Mapping[str, str]
    optional: Mapping[str, str]
    source: type[Program]
    programs: Mapping[str, Attached]
    interface: Interface | None = None
    jumped_to: frozenset[str] = frozenset()

    def variants(self, method: str) -> tuple[str, ...]:
        """The programs that a method is compiled to, the first choice first."""
        return tuple(name for name, program in self.programs.items() if program.method == method)


class Running(Protocol):
    """A started program: its maps by name, its iterators, and its end.

    ``notes`` say, in sentences, what this kernel could not do as asked.
    """

    notes: tuple[str, ...]

    @property
    def log(self) -> RawLog | None:
        """The log of a program that has messages."""

    def map(self, name: str) -> RawMap:
        """The live map of that name."""

    def iterate(self, name: str, where: Mapping[str, object]) -> bytes:
        """Run the iterator ``name`` over what ``where`` says; what it wrote."""

    def attach(self, method: str, where: Mapping[str, object]) -> tuple[Any, ...]:
        """Attach one method; the links."""

    @property
    def links(self) -> tuple[Any, ...]:
        """What is attached."""

    def explain(self) -> str:
        """What was decided for this kernel, a line each."""

    def program(self, method: str) -> Any:
        """The loaded program of that method."""

    def close(self) -> None:
        """Detach and free everything; calling it again does nothing."""


class Driver(Protocol):
    """What can turn a program class into something that runs."""

    def spec(self, program: type[Program]) -> ObjectSpec:
        """Compile ``program`` (or take the cached object)."""

    def build(self, program: type[Program]) -> bytes:
        """The object file of ``program``, as libbpf loads it."""

    def load(self, program: Program, where: Mapping[str, object]) -> Running:
        """Compile, relocate and load ``program``; ``where`` has what must be known for that (``freplace``)."""

    def start(self, program: Program, where: Mapping[str, object]) -> Running:
        """The same, and attach it; ``where`` has fields of :class:`beespace.kernel.links.Where`."""

    def simulate(self, program: Program, inputs: Mapping[str, object]) -> Running:
        """Compile ``program`` and put it into a machine of our own; ``inputs`` has fields of its inputs."""


_driver: Callable[[], Driver] | None = None


def install_driver(make: Callable[[], Driver] | None) -> None:
    """Say who starts programs; ``make`` is called at each use.  None: whom the package's root names."""
    global _driver
    _driver = make


def _installed() -> Driver:
    if _driver is not None:
        return _driver()
    driver: Driver = import_module("beespace").default_driver()  # the root knows what the language must not
    return driver


class Program:
    """A probe.  Subclass it; use an instance as a context manager to run it.

    Keyword arguments set the options that the class declares; :class:`UsageError` names one that
    it does not have or a value that does not fit.
    """

    license: ClassVar[str] = "GPL"

    def __init__(self, **options: Any) -> None:
        declared = self.declaration()
        self._running: Running | None = None
        self._log: Log | None = None
        self.options: dict[str, Any] = {}
        for name, value in options.items():
            if name not in declared.options:
                known = ", ".join(sorted(declared.options)) or "none"
                raise UsageError(f"{declared.name} has no option {name!r}", help=f"its options: {known}")
            self.options[name] = check(declared.name, name, declared.options[name].kind, value)
        for name, option in declared.options.items():
            setattr(self, name, self.options.get(name, option.default))
        for name, declared_map in declared.maps.items():
            setattr(self, name, declared_map.bound(name))

    @classmethod
    def declaration(cls) -> Declaration:
        """Options, maps and kernel-side methods of this class, bases first."""
        found = members(cls, Program)
        functions = found.functions
        _check_names(cls, (*found.options, *found.maps, *functions))
        _check_spelling(cls, (*found.options, *found.maps))
        return Declaration(
            cls.__name__,
            (cls.__doc__ or "").strip(),
            cls.license,
            found.options,
            found.maps,
            functions,
            {name: getattr(function, SECTION) for name, function in functions.items()},
            {name: getattr(function, OPTIONAL) for name, function in functions.items() if hasattr(function, OPTIONAL)},
            cls,
            _programs({name: getattr(function, VARIANTS, ()) for name, function in functions.items()}),
            jumped_to=frozenset(name for name, function in functions.items() if hasattr(function, TAIL_CALL)),
        )

    @classmethod
    def spec(cls) -> ObjectSpec:
        """The compiled program as pure data."""
        return _installed().spec(cls)

    @classmethod
    def build(cls, path: str | Path) -> Path:
        """Write the object file; libbpf, cilium/ebpf, aya and ``beespace.open`` load it."""
        from pathlib import Path

        target = Path(path)
        target.write_bytes(_installed().build(cls))
        return target

    def start(self, **where: Any) -> Self:
        """Compile (or take the cached object), relocate, load and attach.

        ``where`` says what the decorators did not: ``cgroup`` (a cgroup v2 directory; None: the root), ``interface``,
        ``netns``, ``pid``, ``binary``, ``program``, ... (the fields of :class:`beespace.kernel.links.Where`).  Each
        method gets what its hook has a use for; a keyword that no hook has a use for is a :class:`UsageError`.
        Iterators, ``syscall`` programs and socket filters are not attached, but used: :meth:`iterate`,
        :meth:`test_run`, :meth:`attach`.
        """
        return self._begin(_installed().start, where)

    def load(self, **where: Any) -> Self:
        """The same, attaching nothing: :meth:`attach` does single methods, :meth:`test_run` runs them by hand."""
        return self._begin(_installed().load, where)

    def simulate(self, **inputs: Any) -> Self:
        """The same in a machine in this process, without kernel and root; nothing is attached: :meth:`test_run`.

        ``inputs`` is what differs from run to run on a real machine, as ``time=5``, ``pid=7``, ``comm="nginx"``
        (:class:`beespace.vm.Inputs`), ``task={...}`` the task that runs, and ``btf=`` a file with the kernel's types to
        compile with (none: the running kernel's; where it tells none, those that come with the package).  With the
        same inputs, packets and contexts the results are the same everywhere.  ``jit=True`` runs programs as native
        code, faster and with the same results, where LLVM is installed;
        ``debug=`` is a :class:`beespace.testing.Debugger`.  Maps and events are read as always; who waits
        for events gets those that are there.  docs/testing.md says what the machine has.
        """
        return self._begin(_installed().simulate, inputs)

    def _begin(self, begin: Callable[[Program, Mapping[str, object]], Running], where: Mapping[str, object]) -> Self:
        if self._running is not None:
            raise UsageError(f"{type(self).__name__} is running already", help="make another instance")
        self._running = begin(self, _told(where))
        for name, declared_map in self.live_maps():
            declared_map.attach_backend(self._running.map(name))
        return self

    def attach(self, method: str, **where: Any) -> tuple[Any, ...]:
        """Attach one method of a running program; the links, which the program owns.

        ``where`` has the keywords that its hook takes, as ``interface="eth0"``.
        """
        return self._live().attach(method, _told(where))

    @property
    def links(self) -> tuple[Any, ...]:
        """Everything that is attached now (:class:`beespace.kernel.links.Link`)."""
        return self._live().links

    def explain(self) -> str:
        """What was decided for this kernel, a line each: alternatives, ways to attach, what could not be done."""
        return self._live().explain()

    def program(self, method: str) -> Any:
        """The loaded program of a method (:class:`beespace.kernel.LoadedProgram`): ``listing``, ``pin``, ..."""
        return self._live().program(method)

    def test_run(
        self, method: str, packet: bytes | SupportsBytes = b"", *, context: Any = b"", repeat: int = 1, **how: Any
    ) -> Any:
        """Run a method by hand (``BPF_PROG_TEST_RUN``): its result, the packet and context afterwards, the mean time.

        ``packet`` begins with its Ethernet header; what is not bytes, as a packet of scapy, is asked for them.
        ``context`` is bytes, fields by name, or, for ``syscall`` methods, the struct that they take, which the
        result's ``context`` is afterwards; see :meth:`beespace.kernel.KernelProgram.test_run`, which takes ``how``.
        """
        run = self._live().program(method).test_run
        if not isinstance(packet, bytes | bytearray | memoryview) and isinstance(packet, SupportsBytes):
            packet = bytes(packet)
        if isinstance(context, Struct):
            done = run(packet, pack(type(context), context), repeat, **how)
            return replace(done, context=unpack(type(context), done.ctx))
        return run(packet, context, repeat, **how)

    def _live(self) -> Running:
        if self._running is None:
            raise UsageError(f"{type(self).__name__} is not running", help="use it as a context manager")
        return self._running

    def close(self) -> None:
        """Detach and free everything; maps can not be read afterwards."""
        if self._running is not None:
            for _, declared_map in self.live_maps():
                declared_map.detach_backend()
            self._running.close()
            self._running = self._log = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What this kernel could not do as asked, in sentences; empty while nothing runs."""
        return self._running.notes if self._running is not None else ()

    @property
    def log(self) -> Log:
        """What the kernel side says with ``bpf.log(f"...")``, and failing asserts; while the program runs."""
        if self._log is None:
            self._log = Log(self._live().log)
        return self._log

    def iterate(self, name: str, **where: Any) -> bytes:
        """Run the ``@iterator`` method ``name`` once over all its objects; the bytes that it wrote.

        ``where`` narrows it: ``pid`` or ``tid`` for tasks (Linux 6.1), ``cgroup`` and ``order`` for cgroups.
        """
        return self._live().iterate(name, _told(where))

    def live_maps(self) -> Iterator[tuple[str, Map]]:
        """This instance's maps, by name."""
        for name in self.declaration().maps:
            yield name, getattr(self, name)

    def __enter__(self) -> Self:
        return self if self._running is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _told(where: Mapping[str, Any]) -> dict[str, Any]:
    """The keywords that say something: None is as good as left out."""
    return {name: value for name, value in where.items() if value is not None}


def _check_names(cls: type[Program], names: Iterable[str]) -> None:
    """A map, option or kernel-side method cannot have the name of something that every program has."""
    for name in names:
        if hasattr(Program, name) or name in ("options", "_running"):
            raise UsageError(
                f"{cls.__name__} has a map, option or kernel-side method {name!r}, which every program has already",
                help="give it another name",
            )


def _check_spelling(cls: type[Program], names: Iterable[str]) -> None:
    """Maps and variables are symbols of the object, and the kernel takes plain letters in names only."""
    for name in names:
        if not name.isascii():
            raise UsageError(
                f"{cls.__name__} has a map or option {name!r}; the kernel takes names of ASCII letters, digits and _",
                help="give it another name",
            )


def _programs(variants: Mapping[str, tuple[Variant, ...]]) -> dict[str, Attached]:
    """The programs of the object; an alternative is named by its method and its hook: ``on_read__kprobe``."""
    programs: dict[str, Attached] = {}
    for method, each in variants.items():
        for number, variant in enumerate(each):
            hook = resolve(variant.section).hook.name.replace(".", "_").replace("/", "_")
            name = f"{method}__{hook}" if number else method
            programs[f"{name}_{number}" if name in programs else name] = Attached(
                method, variant.section, variant.where, variant.context
            )
    return programs
