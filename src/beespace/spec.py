"""``ObjectSpec`` and its parts: a program before it runs, as pure data.

May import: ``hooks`` and rows below.  Invariant: frozen and deterministic; the same input gives
the same spec on every machine, and nothing here has been looked up on the running system.

The compiler, the ELF reader and (later) other front-ends make specs; the kernel loader, the ELF
writer and other back-ends take them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beespace.enumeration import Enum
from beespace.record import dataclass, field
from beespace.typed import Any, Literal


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


class SymbolKind(Enum):
    """What an instruction's placeholder stands for; the loader fills it in."""

    MAP = "map"  # ld_imm64 of a map's descriptor (BPF_PSEUDO_MAP_FD)
    MAP_VALUE = "map value"  # ld_imm64 of an address inside a single-entry map (BPF_PSEUDO_MAP_VALUE)
    CALL = "call"  # a call of a sub-program in this object (BPF_PSEUDO_CALL)
    FUNCTION = "function"  # ld_imm64 of a sub-program's address (BPF_PSEUDO_FUNC)
    KFUNC = "kfunc"  # a call of a kernel function (BPF_PSEUDO_KFUNC_CALL)
    KSYM = "ksym"  # ld_imm64 of a kernel variable's address (BPF_PSEUDO_BTF_ID)
    JUMP_TABLE = "jump table"  # ld_imm64 of a table of this function's own places (BPF_PSEUDO_MAP_VALUE)
    ADDRESS = "address"  # ld_imm64 of a kernel symbol's address, without a type (/proc/kallsyms)


@dataclass(frozen=True, slots=True)
class SymbolReloc:
    """Instruction ``index`` refers to ``symbol``; ``addend`` is a byte offset into a map's value."""

    index: int
    kind: SymbolKind
    symbol: str
    addend: int = 0
    weak: bool = False


@dataclass(frozen=True, slots=True)
class CoreReloc:
    """One CO-RE relocation record (``struct bpf_core_relo``, include/uapi/linux/bpf.h).

    ``type_id`` is in the object's own BTF; ``access`` is the index path, as ``0:5:1``; ``kind`` is
    ``enum bpf_core_relo_kind``.
    """

    index: int
    type_id: int
    access: str
    kind: int


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """The BTF FUNC type of the function that starts at instruction ``index``."""

    index: int
    type_id: int


@dataclass(frozen=True, slots=True)
class LineInfo:
    """The source of the instructions from ``index`` on."""

    index: int
    file: str
    text: str
    line: int
    column: int
    file_offset: int = 0  # offsets of file and text in the object's BTF strings, as the kernel wants them
    text_offset: int = 0


@dataclass(frozen=True, slots=True)
class JumpTable:
    """Places to jump to, as instruction indices in the function (``gotox``, Linux 6.19)."""

    name: str
    targets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """Code of one function: a program's entry or a sub-program.

    ``code`` is the instructions as the kernel takes them (8 bytes each, native byte order), with
    zero where a relocation will write.  Indices in relocations count instructions from the
    start of this function.
    """

    name: str
    code: bytes
    symbols: tuple[SymbolReloc, ...] = ()
    core: tuple[CoreReloc, ...] = ()
    functions: tuple[FunctionInfo, ...] = ()
    lines: tuple[LineInfo, ...] = ()
    jump_tables: tuple[JumpTable, ...] = ()

    @property
    def calls(self) -> tuple[str, ...]:
        """The functions of the same object that it calls, or takes the address of, in order."""
        kinds = (SymbolKind.CALL, SymbolKind.FUNCTION)
        return tuple(each.symbol for each in self.symbols if each.kind in kinds)


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """One program: its entry function, and where it attaches.

    ``section`` is the ELF section name, as libbpf spells it (``tp_btf/sched_process_exec``);
    program type, attach type and target follow from it (:func:`beespace.hooks.resolve`).  Without
    ``autoload`` (a section that began with ``?``) it is loaded only if somebody names it.
    """

    name: str
    section: str
    entry: FunctionSpec
    autoload: bool = True


class Pinning(Enum):
    """How a map is shared through bpffs (``LIBBPF_PIN_*``)."""

    NONE = 0
    BY_NAME = 1


@dataclass(frozen=True, slots=True)
class MapSpec:
    """One map.  Sizes in bytes; ``type`` is ``enum bpf_map_type``; ``flags`` are ``BPF_F_*``.

    ``key_type`` and ``value_type`` are ids in the object's BTF (0: none).  ``inner`` is the
    template of a map-in-map; ``contents`` are entries to write before any program is loaded,
    ``(key bytes, value bytes or map name)``.
    """

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    key_type: int = 0
    value_type: int = 0
    pinning: Pinning = Pinning.NONE
    inner: MapSpec | None = None
    contents: tuple[tuple[bytes, bytes | str], ...] = ()
    numa_node: int = 0
    map_extra: int = 0


@dataclass(frozen=True, slots=True)
class VariableSpec:
    """A global variable: ``size`` bytes at ``offset`` of the single value of map ``map``.

    Variables of ``.rodata`` can be set until the object is loaded; the verifier then knows them.
    """

    name: str
    map: str
    offset: int
    size: int
    type_id: int = 0


@dataclass(frozen=True, slots=True)
class KconfigSpec:
    """``extern ... __kconfig``: the loader writes what it finds at ``offset`` of map ``.kconfig``.

    An option ``CONFIG_...`` of the running kernel, ``LINUX_KERNEL_VERSION`` or a ``LINUX_HAS_...`` of
    libbpf.  One that is missing is 0 if it is ``weak`` and an error else.
    """

    name: str
    offset: int
    size: int
    type_id: int
    weak: bool = False


@dataclass(frozen=True, slots=True)
class StructOpsSpec:
    """A variable of ``.struct_ops``: an implementation of a kernel interface, such as ``struct tcp_congestion_ops``.

    ``type_id`` is the struct in the object's BTF, ``data`` its initial bytes, ``programs`` the program at
    each byte offset that holds a function.  ``link``: it is registered by a link (``.struct_ops.link``, Linux 6.4).
    """

    name: str
    type_id: int
    data: bytes
    programs: Mapping[int, str]
    link: bool = False
    optional: bool = False  # its section begins with "?": made only if somebody names it


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """Everything of one BPF object.

    ``data`` is the initial value of each data-section map (``.rodata``, ``.data``, ``.bss``), keyed by
    map name, and of an arena (``.addr_space.1``); those maps are in ``maps`` too.  ``btf`` is the raw
    ``.BTF`` section (empty: none), with DATASEC sizes and variable offsets already filled in.
    ``byteorder`` is that of code, data and types; only an object of the machine's own order can be loaded.
    """

    name: str
    license: str
    programs: Mapping[str, ProgramSpec]
    subprograms: Mapping[str, FunctionSpec] = field(default_factory=_empty)
    maps: Mapping[str, MapSpec] = field(default_factory=_empty)
    variables: Mapping[str, VariableSpec] = field(default_factory=_empty)
    data: Mapping[str, bytes] = field(default_factory=_empty)
    btf: bytes = b""
    kconfig: tuple[KconfigSpec, ...] = ()
    struct_ops: Mapping[str, StructOpsSpec] = field(default_factory=_empty)
    byteorder: Literal["little", "big"] = "little"

    def reached(self, function: FunctionSpec) -> list[FunctionSpec]:
        """``function`` and every function of the object that it calls, directly or not."""
        found = {function.name: function}
        waiting = [function]
        while waiting:
            for name in waiting.pop().calls:
                if name not in found and name in self.subprograms:
                    found[name] = self.subprograms[name]
                    waiting.append(found[name])
        return list(found.values())
