"""A generated program in the kernel and in the machine: whether both take it, and whether both end alike."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

from verified import ARRAY, FEATURES, HASH, JUMPS, OUT, PER_CPU, QUEUE, STACK, TRIE, VALUE, Generated, generate

from beespace.btf import Btf, Kind
from beespace.btf.builder import BtfBuilder
from beespace.btf.types import Linkage
from beespace.errors import BeespaceError, KernelError, ProgramFault, VerifierError
from beespace.isa import Insn, InsnClass, MapType, ProgramType, encode
from beespace.isa.helpers import BY_NUMBER, HELPERS
from beespace.isa.opcodes import CALL, CALL_HELPER, LD_IMM64, Pseudo
from beespace.record import dataclass
from beespace.spec import MapSpec
from beespace.syscall import Descriptor, bpf
from beespace.syscall.process import possible_cpus
from beespace.vm import Code, Inputs, Machine, maps
from beespace.vm.errno import Refused

__all__ = ["MAPS", "PACKETS", "Both", "Ended", "features"]

_FUNCTIONS = 64
MAPS = {
    ARRAY: MapSpec("array", MapType.ARRAY, 4, 64, 4),
    VALUE: MapSpec("value", MapType.ARRAY, 4, 64, 1),
    OUT: MapSpec("out", MapType.ARRAY, 4, 256, 1),
    HASH: MapSpec("hash", MapType.HASH, 4, 8, 8),
    PER_CPU: MapSpec("per_cpu", MapType.PERCPU_ARRAY, 4, 8, 4),
    QUEUE: MapSpec("queue", MapType.QUEUE, 0, 8, 4),
    STACK: MapSpec("stack", MapType.STACK, 0, 8, 4),
    TRIE: MapSpec("trie", MapType.LPM_TRIE, 8, 8, 6, 1),
    JUMPS: MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 4),
}
#: A UDP packet, one that is as short as Linux takes, one of text, and one of ones.
PACKETS = (
    bytes.fromhex("020000000001020000000002080045000052000000004011000"
                  "00a0000010a0000020fa10035003e0000") + bytes(range(54)),
    bytes(14),
    b"\xff" * 6 + b"beespace" + bytes(range(100, 160)),
    bytes(12) + b"\x86\xdd" + b"\xff" * 130,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run leaves behind."""

    results: tuple[int, ...]
    packets: tuple[bytes, ...]
    maps: tuple[Any, ...]


def features() -> frozenset[str]:
    """What this kernel takes of :data:`~verified.FEATURES`, found by trying."""
    tried = {
        "atomics": [Insn(0x7A, 10, 0, -8, 1), Insn(0xB7, 1), Insn(0xDB, 10, 1, -8, 1)],
        "v4": [Insn(0xB7, 1), Insn(0xBF, 1, 1, 8)],
        "may_goto": [Insn(0xE5)],
        "acquire": [Insn(0x7A, 10, 0, -8, 1), Insn(0xDB, 1, 10, -8, 0x100)],
    }
    end = [Insn(0xB7, 0), Insn(0x95)]
    found = {name for name, code in tried.items() if _takes(ProgramType.SCHED_CLS, encode([*code, *end]))}
    btf = _types()
    for name in ("loop", "for_each", "calls_and_tails"):
        if _takes_callbacks(name, btf):
            found.add(name)
    if _long_results():
        found.add("long_results")
    assert found <= set(FEATURES)
    return frozenset(found)


def _takes(kind: int, code: bytes, **more: Any) -> bool:
    try:
        bpf.prog_load(kind, code, **more)[0].close()
    except KernelError:
        return False
    return True


def _long_results() -> bool:
    """Whether what changes a map gives 64 bits (Linux 6.4, d7ba4cc900bf): tried with an element that is not there."""
    with _made(MAPS[HASH]) as empty:
        code = [Insn(0x62, 10, 0, -4), Insn(LD_IMM64, 1, Pseudo.MAP_FD, 0, empty.fileno()), Insn(0), Insn(0xBF, 2, 10),
                Insn(0x07, 2, imm=-4), Insn(CALL, imm=HELPERS["map_delete_elem"].number), Insn(0x77, 0, imm=32),
                Insn(0x95)]  # fmt: skip
        with bpf.prog_load(ProgramType.SCHED_CLS, encode(code))[0] as program:
            return bpf.prog_test_run(program, data_in=PACKETS[0]).retval == 0xFFFF_FFFF


def _takes_callbacks(name: str, btf: bytes) -> bool:
    with ExitStack() as kept:
        array = kept.enter_context(_made(MAPS[ARRAY]))
        jumps = kept.enter_context(_made(MAPS[JUMPS]))
        first = {
            "loop": [Insn(0xB7, 1, imm=2), Insn(0)],
            "for_each": [Insn(LD_IMM64, 1, Pseudo.MAP_FD, 0, array.fileno()), Insn(0)],
            "calls_and_tails": [Insn(LD_IMM64, 2, Pseudo.MAP_FD, 0, jumps.fileno()), Insn(0)],
        }[name]
        if name == "loop":
            first = first[:1]
        if name == "calls_and_tails":
            code = [*first, Insn(0xB7, 3), Insn(0x85, imm=HELPERS["tail_call"].number), Insn(0x85, 0, 1, 0, 1),
                    Insn(0x95), Insn(0xB7, 0), Insn(0x95)]  # fmt: skip
            starts = (0, len(code) - 2)
        else:
            code = [*first, Insn(LD_IMM64, 2, Pseudo.FUNC), Insn(0), Insn(0xBF, 3, 10), Insn(0xB7, 4),
                    Insn(0x85, imm=HELPERS["loop" if name == "loop" else "for_each_map_elem"].number), Insn(0xB7, 0),
                    Insn(0x95), Insn(0xB7, 0), Insn(0x95)]  # fmt: skip
            at = len(first)
            code[at] = Insn(LD_IMM64, 2, Pseudo.FUNC, 0, len(code) - 2 - at - 1)
            starts = (0, len(code) - 2)
        try:
            described = kept.enter_context(bpf.btf_load(btf)[0])
        except KernelError:
            return False
        return _takes(ProgramType.SCHED_CLS, encode(code), prog_btf_fd=described, func_info=_func_info(starts))


def _types() -> bytes:
    """A function of five numbers, as often as a program has functions at most: the kernel asks who callbacks are."""
    types = BtfBuilder()
    number = types.int("long", 8, signed=True)
    arguments = tuple((f"a{index}", number) for index in range(5))
    for index in range(_FUNCTIONS):
        types.function(f"f{index}", types.prototype(number, arguments if index else arguments[:1]), Linkage.STATIC)
    return types.bytes()


def _func_info(starts: Sequence[int]) -> bytes:
    ids = list(Btf(_types()).ids(Kind.FUNC))
    return b"".join(struct.pack("=II", start, ids[index]) for index, start in enumerate(starts))


def _made(spec: MapSpec) -> Descriptor:
    return bpf.map_create(spec.type, spec.key_size, spec.value_size, spec.max_entries, map_flags=spec.flags)


class Both:
    """Maps of the kernel, and machines.  ``options`` are those of :class:`~beespace.vm.Machine`."""

    def __init__(self, available: frozenset[str], options: Sequence[dict[str, Any]] = ({},)) -> None:
        self.features, self.options = available, options
        self._kept = ExitStack()
        self._live = {number: self._kept.enter_context(_made(spec)) for number, spec in MAPS.items()}
        self._btf = self._kept.enter_context(bpf.btf_load(_types())[0])
        self._cpus = len(possible_cpus())
        self.accepted = self.refused = 0
        self.reasons: dict[str, int] = {}
        self.opcodes: set[tuple[int, int, int]] = set()
        self.helpers: set[str] = set()

    def __enter__(self) -> Both:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def differences(self, seed: int) -> Iterator[str]:
        """Of the program of that seed; one that the verifier does not take is counted and no case."""
        programs = [generate(seed, self.features)]
        if any(each.is_wide and each.src == Pseudo.MAP_FD and each.imm == JUMPS for each in programs[0].insns):
            for index in range(1, 3):
                other = generate(seed + (index << 48), self.features, tail=True)
                if other.xdp == programs[0].xdp:
                    programs.append(other)
        try:
            theirs = self._in_kernel(programs)
        except KernelError as error:
            if error.call != "BPF_PROG_LOAD":
                raise
            self.refused += 1
            log = error.log if isinstance(error, VerifierError) else ""  # some refusals are without a word
            lines = [line for line in log.splitlines() if line and not line.startswith("processed")]
            reason = lines[-1] if lines else str(error)
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
            return
        self.accepted += 1
        self._note(programs)
        for options in self.options:
            way = f"seed {seed}{' as native code' if options else ''}"
            try:
                ours = self._in_machine(programs, options)
            except ProgramFault as error:
                yield f"{way}: the machine refuses: {error}"
                continue
            except BeespaceError as error:
                yield f"{way}: {type(error).__name__}: {error}"
                continue
            for name in ("results", "packets", "maps"):
                mine, right = getattr(ours, name), getattr(theirs, name)
                if mine != right:
                    yield f"{way}: {name}: the machine has\n  {mine}\nthe kernel\n  {right}"

    def _note(self, programs: Sequence[Generated]) -> None:
        """Which instructions there were: arithmetic by its offset, too, atomics and byte orders by their number."""
        for insn in (insn for each in programs for insn in each.insns):
            says = insn.is_atomic or insn.opcode in (0xD4, 0xDC, 0xD7)
            off = insn.off if insn.opcode & 7 in (InsnClass.ALU, InsnClass.ALU64) else 0
            self.opcodes.add((insn.opcode, off, insn.imm if says else insn.src if insn.is_wide else 0))
            if insn.opcode == CALL and insn.src == CALL_HELPER:
                self.helpers.add(BY_NUMBER[insn.imm].name)

    # -- the kernel ----------------------------------------------------------------------------------------------

    def _in_kernel(self, programs: Sequence[Generated]) -> Ended:
        self._clear()
        with ExitStack() as loaded:
            live = [loaded.enter_context(self._load(each)) for each in programs]
            for index, each in enumerate(live[1:]):
                bpf.map_update(self._live[JUMPS], index.to_bytes(4, "little"), each.fileno().to_bytes(4, "little"))
            runs = [bpf.prog_test_run(live[0], data_in=packet) for packet in PACKETS]
            for index in range(len(live) - 1):
                with suppress(KernelError):
                    bpf.map_delete(self._live[JUMPS], index.to_bytes(4, "little"))
        found = tuple(self._content(number) for number in MAPS if number != JUMPS)
        return Ended(tuple(run.retval for run in runs), tuple(bytes(run.data) for run in runs), found)

    def _load(self, program: Generated) -> Descriptor:
        code = _numbered(program.insns, {number: each.fileno() for number, each in self._live.items()})
        kind = ProgramType.XDP if program.xdp else ProgramType.SCHED_CLS
        functions: dict[str, Any] = {}
        if any(each.is_wide and each.src == Pseudo.FUNC for each in code):
            functions = {"prog_btf_fd": self._btf, "func_info": _func_info(program.functions)}
        return bpf.prog_load(kind, encode(code), **functions)[0]

    def _clear(self) -> None:
        for number in (ARRAY, VALUE, OUT, PER_CPU):
            spec = MAPS[number]
            size = spec.value_size * (self._cpus if number == PER_CPU else 1)
            for index in range(spec.max_entries):
                bpf.map_update(self._live[number], index.to_bytes(4, "little"), bytes(size))
        for number in (HASH, TRIE):
            while (key := bpf.map_next_key(self._live[number], None, MAPS[number].key_size)) is not None:
                bpf.map_delete(self._live[number], key)
        for number in (QUEUE, STACK):
            while bpf.map_lookup_and_delete(self._live[number], b"", 8) is not None:
                pass

    def _content(self, number: int) -> Any:
        spec, live = MAPS[number], self._live[number]
        if number in (QUEUE, STACK):
            taken = []
            while (value := bpf.map_lookup_and_delete(live, b"", spec.value_size)) is not None:
                taken.append(bytes(value))
            return taken
        found: dict[bytes, bytes] = {}
        size = spec.value_size * (self._cpus if number == PER_CPU else 1)
        key = bpf.map_next_key(live, None, spec.key_size)
        while key is not None:
            found[bytes(key)] = bytes(bpf.map_lookup(live, key, size) or b"")
            key = bpf.map_next_key(live, key, spec.key_size)
        return found

    # -- the machine ---------------------------------------------------------------------------------------------

    def _in_machine(self, programs: Sequence[Generated], options: dict[str, Any]) -> Ended:
        machine = Machine(inputs=Inputs(cpus=self._cpus), **options)
        ours = {number: maps.make(spec, self._cpus) for number, spec in MAPS.items()}
        numbers = {number: machine.add_map(each) for number, each in ours.items()}
        codes = [Code(f"p{index}", tuple(_numbered(each.insns, numbers))) for index, each in enumerate(programs)]
        jumps = ours[JUMPS]
        assert isinstance(jumps, maps.ProgramArray)
        for index, code in enumerate(codes[1:]):
            jumps.put(index, code)
        kind = ProgramType.XDP if programs[0].xdp else ProgramType.SCHED_CLS
        runs = [machine.run_on_packet(codes[0], kind, packet) for packet in PACKETS]
        found = tuple(_held(each) for number, each in ours.items() if number != JUMPS)
        return Ended(tuple(run.result & 0xFFFFFFFF for run in runs), tuple(run.packet for run in runs), found)


def _held(map: maps.Map) -> Any:
    if isinstance(map, maps.Queue):
        taken = []
        with suppress(Refused):
            while True:
                taken.append(map.take(b""))
        return taken
    return {key: map.read(key) for key in map.keys()}  # noqa: SIM118  # no dict


def _numbered(insns: Sequence[Insn], numbers: dict[int, int]) -> list[Insn]:
    of_maps = (Pseudo.MAP_FD, Pseudo.MAP_VALUE)
    return [
        Insn(each.opcode, each.dst, each.src, each.off, numbers[each.imm])
        if each.is_wide and each.src in of_maps
        else each
        for each in insns
    ]
