"""What a module of IR defines: functions, maps, variables, sources.

Invariant: as in :mod:`beespace.compiler.ir`, which re-exports every name here.
"""

from __future__ import annotations

from enum import Enum

from beespace.compiler.ir.statements import Block
from beespace.compiler.ir.types import CoreKind, Parameter, Span, Type
from beespace.record import dataclass
from beespace.schema import Kind, Struct

#: The slot that holds a value for a moment, to be loaded again at once; each function may have one of its own.
PASSING = "passing"


@dataclass(frozen=True, slots=True)
class Slot:
    """``size`` bytes of memory of one call, aligned to ``align`` (1, 2, 4, 8).

    It stands on the 512-byte stack, or, when that is full, in a per-CPU map that the compiler adds.  ``fixed``:
    helpers or kernel functions take it on the stack alone (dynptrs, iterators, what callbacks get).  ``off_stack``: it
    stands in that map in any case.
    """

    name: str
    size: int
    align: int = 8
    fixed: bool = False
    off_stack: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A program (``section`` as in :mod:`beespace.hooks`) or, without a section, a sub-program.

    A program's ``result`` is i32.  Every path returns; a void function ends by itself.
    ``fallback`` is what it returns when it cannot run at all (its scratch memory is in
    use on this CPU, which is counted): for a program, its hook's verdict.  A sub-program that is ``exported`` is
    global: the verifier checks it once, by the types of its parameters, and another object can replace it.  One that is
    ``inlined`` becomes part of its callers.
    """

    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    body: Block
    section: str | None = None
    slots: tuple[Slot, ...] = ()
    fallback: int = 0
    span: Span | None = None
    exported: bool = False
    inlined: bool = False


@dataclass(frozen=True, slots=True)
class MapDefinition:
    """One map, with what :class:`beespace.spec.MapSpec` needs.

    ``type`` is ``enum bpf_map_type``, ``flags`` are ``BPF_F_*``.  ``key`` and ``value`` are kinds (their BTF makes
    ``bpftool map dump`` readable) or ``None``: without key and value (rings), or of plain sizes
    ``key_size`` and ``value_size``.  ``inner`` is the template of a map-in-map, whose value is then 4 bytes.
    ``programs`` are functions that a program array begins with, by index; ``extra`` is ``map_extra``.
    """

    name: str
    type: int
    key: Kind | None = None
    value: Kind | None = None
    max_entries: int = 0
    flags: int = 0
    key_size: int = 0
    value_size: int = 0
    inner: MapDefinition | None = None
    pinned: bool = False
    programs: tuple[tuple[int, str], ...] = ()
    extra: int = 0
    span: Span | None = None


class Section(Enum):
    """Where a variable lives."""

    RODATA = ".rodata"  # options: set before the load, then constant; the verifier prunes by them
    DATA = ".data"
    BSS = ".bss"  # starts as zero
    ARENA = ".addr_space.1"  # in the module's one arena
    KCONFIG = ".kconfig"  # an option of the kernel; its bytes are the loader's
    KSYMS = ".ksyms"  # a variable of the kernel


@dataclass(frozen=True, slots=True)
class GlobalDefinition:
    """A variable of ``kind`` that starts as ``initial`` (exactly its size; zero for ``.bss``).

    Those of the kernel have no bytes here.  ``struct`` is the kernel struct that one of ``.ksyms`` is; ``typeless``:
    only its address is asked for.
    """

    name: str
    kind: Kind
    section: Section
    initial: bytes
    struct: str = ""
    typeless: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class InterfaceMember:
    """A member of an interface that is set: ``value`` is bytes of ``kind``, or (no kind) the name of a program."""

    name: str
    kind: CoreKind | None
    value: bytes | str


@dataclass(frozen=True, slots=True)
class StructOpsDefinition:
    """A variable ``name`` that implements the kernel's ``struct interface``; members that are not named stay null."""

    name: str
    interface: str
    members: tuple[InterfaceMember, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A source file as messages name it, with its text (which may be of a notebook cell)."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Module:
    """One BPF object.

    ``sources`` has every file that a span names; the first is the module's own.  ``events`` are
    the structs that reach user space through rings; their layout is kept in the object's BTF.  ``notes``
    say in sentences what the author may want to know, and are no part of the object.
    """

    name: str
    functions: tuple[Function, ...]
    maps: tuple[MapDefinition, ...] = ()
    globals: tuple[GlobalDefinition, ...] = ()
    sources: tuple[Source, ...] = ()
    events: tuple[type[Struct], ...] = ()
    license: str = "GPL"
    struct_ops: tuple[StructOpsDefinition, ...] = ()
    notes: tuple[str, ...] = ()
