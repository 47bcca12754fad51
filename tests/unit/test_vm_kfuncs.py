"""Functions of the kernel, and the helpers and maps that go with them, as the kernel's source says."""

from __future__ import annotations

import struct

import pytest

from beespace.errors import RelocationError
from beespace.isa import Insn, MapType, encode
from beespace.isa.helpers import HELPERS
from beespace.record import replace
from beespace.spec import FunctionSpec, LineInfo, MapSpec, ObjectSpec, ProgramSpec, SymbolKind, SymbolReloc
from beespace.vm import Code, Inputs, Machine, Rights, Run, load, maps
from beespace.vm.kfuncs import KFUNCS, NUMBERS
from beespace.vm.memory import Violation
from beespace.vm.packet import Packet

ERRORS = {"EINVAL": -22, "E2BIG": -7, "EFAULT": -14, "ENOENT": -2, "ERANGE": -34, "EBUSY": -16, "ENOSPC": -28}
EXIT = Insn(0x95)


class Bench:
    """A machine and a run outside of any program; functions by their names, bytes are put into memory."""

    def __init__(self, packet: Packet | None = None) -> None:
        self.machine = Machine(inputs=Inputs(cpus=3, pid=7))
        self.run = Run(self.machine, packet)

    def put(self, data: bytes) -> int:
        return self.machine.memory.add("test data", bytearray(data), Rights.BOTH).base

    def read(self, address: int, size: int) -> bytes:
        return self.machine.memory.read(address, size)

    def call(self, name: str, *arguments: int | bytes) -> int:
        taken = [self.put(each) if isinstance(each, bytes) else each & (1 << 64) - 1 for each in arguments]
        if f"bpf_{name}" in NUMBERS:
            result = self.run.call_kfunc(NUMBERS[f"bpf_{name}"], taken)
        else:
            result = self.run.call_helper(HELPERS[name].number, taken)
        return 0 if result is None else result - (1 << 64) if result >> 63 else result

    def map(self, kind: MapType, key: int, value: int, entries: int, **more: int) -> tuple[int, maps.Map]:
        made = maps.make(MapSpec("m", kind, key, value, entries, **more), 3)
        return self.machine.map_handle(self.machine.add_map(made)), made

    def function(self, *insns: Insn) -> int:
        return self.machine.function(Code("function", insns), 0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def numbers(bench: Bench, start: int, end: int) -> list[int]:
    it = bench.put(bytes(8))
    assert bench.call("iter_num_new", it, start, end) == 0
    found = []
    while place := bench.call("iter_num_next", it):
        found.append(struct.unpack("<i", bench.read(place, 4))[0])
    assert bench.call("iter_num_next", it) == 0
    bench.call("iter_num_destroy", it)
    return found


def test_numbers(bench: Bench) -> None:
    assert numbers(bench, -2, 3) == [-2, -1, 0, 1, 2]
    assert numbers(bench, 5, 5) == []
    assert numbers(bench, (1 << 31) - 3, (1 << 31) - 1) == [(1 << 31) - 3, (1 << 31) - 2]
    it = bench.put(bytes(8))
    assert bench.call("iter_num_new", it, 3, 2) == ERRORS["EINVAL"]
    assert bench.call("iter_num_next", it) == 0
    assert bench.call("iter_num_new", it, 0, (8 << 20) + 1) == ERRORS["E2BIG"]


def test_bits(bench: Bench) -> None:
    for data in (bytes.fromhex("0500000000000080"), bytes(8), b"\xff" * 8, bytes(9) + b"\x01" + bytes(13) + b"\x80"):
        it, found = bench.put(bytes(16)), []
        assert bench.call("iter_bits_new", it, data, len(data) // 8) == 0
        while place := bench.call("iter_bits_next", it):
            found.append(struct.unpack("<i", bench.read(place, 4))[0])
        whole = int.from_bytes(data, "little")
        assert found == [bit for bit in range(8 * len(data)) if whole >> bit & 1]
        bench.call("iter_bits_destroy", it)
    assert bench.call("iter_bits_new", it, 0, 1) == ERRORS["EINVAL"]
    assert bench.call("iter_bits_new", it, bytes(8), 0) == ERRORS["EINVAL"]
    assert bench.call("iter_bits_new", it, bytes(8), 512) == ERRORS["E2BIG"]
    assert bench.call("iter_bits_new", it, bytes(8), 2) == ERRORS["EFAULT"]


def test_dynptrs(bench: Bench) -> None:
    data, held = bench.put(b"0123456789abcdef"), bench.put(bytes(16))
    assert bench.call("dynptr_from_mem", data, 16, 1, held) == ERRORS["EINVAL"]
    assert bench.call("dynptr_is_null", held) == 1
    assert bench.call("dynptr_from_mem", data, 1 << 24, 0, held) == ERRORS["E2BIG"]
    assert bench.call("dynptr_from_mem", data, 16, 0, held) == 0
    target = bench.put(bytes(8))
    assert bench.call("dynptr_read", target, 4, held, 12, 0) == 0
    assert bench.read(target, 4) == b"cdef"
    assert bench.call("dynptr_read", target, 4, held, 13, 0) == ERRORS["E2BIG"]
    assert bench.call("dynptr_write", held, 1, b"xyz", 3, 0) == 0
    assert bench.read(data, 5) == b"0xyz4"
    assert bench.call("dynptr_data", held, 4, 8) == data + 4
    assert bench.call("dynptr_data", held, 9, 8) == 0
    other = bench.put(bytes(16))
    assert bench.call("dynptr_clone", held, other) == 0
    assert bench.call("dynptr_adjust", other, 2, 6) == 0
    assert bench.call("dynptr_adjust", other, 3, 2) == ERRORS["EINVAL"]
    assert bench.call("dynptr_adjust", other, 3, 5) == ERRORS["ERANGE"]
    assert bench.call("dynptr_size", other) == 4
    assert bench.call("dynptr_slice", other, 1, 0, 2) == data + 3
    assert bench.call("dynptr_memset", other, 0, 2, 0x41) == 0
    assert bench.call("dynptr_copy", held, 8, other, 0, 4) == 0
    assert bench.read(data, 16) == b"0xAA4567AA45cdef".replace(b"4567", b"4567")


def test_forged_dynptrs_reach_nothing_more(bench: Bench) -> None:
    forged = bench.put(struct.pack("<QII", 12345, 8 | 1 << 28, 0))
    with pytest.raises(Violation):
        bench.call("dynptr_read", bytes(8), 8, forged, 0, 0)
    with pytest.raises(Violation):
        bench.call("dynptr_write", forged, 0, bytes(8), 8, 0)


def test_dynptrs_of_packets() -> None:
    packet = Packet(b"0123456789abcdefghij")
    bench = Bench(packet)
    held, buffer = bench.put(bytes(16)), bench.put(bytes(8))
    packet.show(bench.machine.memory, Rights.READ)
    assert bench.call("dynptr_from_skb", 1 << 40, 0, held) == 0
    assert bench.call("dynptr_is_rdonly", held) == 1
    assert bench.call("dynptr_slice_rdwr", held, 0, buffer, 4) == 0
    place = bench.call("dynptr_slice", held, 4, buffer, 4)
    assert bench.read(place, 4) == b"4567" and place != buffer
    packet.hide(bench.machine.memory)  # as for socket filters: it is copied
    assert bench.call("dynptr_slice", held, 4, buffer, 4) == buffer
    assert bench.read(buffer, 4) == b"4567"
    assert bench.call("dynptr_slice", held, 4, 0, 4) == 0


def test_records_through_dynptrs(bench: Bench) -> None:
    handle, ring = bench.map(MapType.RINGBUF, 0, 0, 4096)
    held = bench.put(bytes(16))
    for word, seen in (("submit", [b"abc\0"]), ("discard", [])):
        assert bench.call("ringbuf_reserve_dynptr", handle, 4, 0, held) == 0
        assert bench.call("dynptr_write", held, 0, b"abc", 3, 0) == 0
        bench.call(f"ringbuf_{word}_dynptr", held, 0)
        assert isinstance(ring, maps.Ring) and ring.records() == seen
    assert bench.call("ringbuf_reserve_dynptr", handle, 5000, 0, held) == ERRORS["EINVAL"]
    bench.call("ringbuf_submit_dynptr", held, 0)  # of nothing


def test_records_of_user_space(bench: Bench) -> None:
    handle, ring = bench.map(MapType.USER_RINGBUF, 0, 0, 4096)
    assert isinstance(ring, maps.UserRing)
    for record in (b"one", b"two", b"three"):
        ring.put(record)
    # The callback adds the record's size to the caller's number, and ends when that is more than 5.
    callback = bench.function(
        Insn(0x61, 3, 1, 8), Insn(0x57, 3, imm=0xFFFFFF), Insn(0x79, 4, 2), Insn(0x0F, 4, 3), Insn(0x7B, 2, 4),
        Insn(0xB7, 0), Insn(0xB5, 4, 0, 1, 5), Insn(0xB7, 0, imm=1), EXIT,
    )  # fmt: skip
    total = bench.put(bytes(8))
    assert bench.call("user_ringbuf_drain", handle, callback, total, 0) == 2
    assert bench.read(total, 1) == b"\x06"
    assert bench.call("user_ringbuf_drain", handle, callback, total, 0) == 1
    assert bench.call("user_ringbuf_drain", handle, callback, total, 4) == ERRORS["EINVAL"]


def test_sets_of_cpus(bench: Bench) -> None:
    one, other, third = (bench.call("cpumask_create") for _ in range(3))
    assert bench.call("cpumask_empty", one) == 1
    bench.call("cpumask_set_cpu", 1, one)
    bench.call("cpumask_set_cpu", 9, one)  # there is no such CPU
    assert (bench.call("cpumask_weight", one), bench.call("cpumask_first", one)) == (1, 1)
    assert bench.call("cpumask_test_and_set_cpu", 2, one) == 0
    assert bench.call("cpumask_test_and_clear_cpu", 1, one) == 1
    bench.call("cpumask_setall", other)
    assert bench.call("cpumask_full", other) == 1
    assert (bench.call("cpumask_subset", one, other), bench.call("cpumask_subset", other, one)) == (1, 0)
    assert bench.call("cpumask_and", third, one, other) == 1
    assert bench.call("cpumask_equal", third, one) == 1
    bench.call("cpumask_xor", third, one, other)
    assert bench.call("cpumask_first", third) == 0 and bench.call("cpumask_first_zero", third) == 2
    assert bench.call("cpumask_intersects", third, one) == 0
    assert bench.call("cpumask_first_and", third, one) == 3  # as many as there are: none
    bench.call("cpumask_acquire", one)
    bench.call("cpumask_release", one)
    bench.call("cpumask_release", one)
    bench.machine._sweep()
    with pytest.raises(Violation):
        bench.read(one, 8)


def test_texts(bench: Bench) -> None:
    expected = {
        ("strcmp", b"abc\0", b"abd\0"): -1, ("strcmp", b"abc\0", b"abc\0"): 0, ("strcmp", b"b\0", b"abc\0"): 1,
        ("strcasecmp", b"aBc\0", b"AbC\0"): 0, ("strlen", b"abc\0"): 3, ("strnlen", b"abcdef", 4): 4,
        ("strchr", b"abcb\0", 98): 1, ("strchr", b"abc\0", 120): ERRORS["ENOENT"], ("strchr", b"abc\0", 0): 3,
        ("strrchr", b"abcb\0", 98): 3, ("strchrnul", b"abc\0", 120): 3, ("strnchr", b"abc\0", 2, 99): ERRORS["ENOENT"],
        ("strspn", b"aabc\0", b"ab\0"): 3, ("strcspn", b"aabc\0", b"cx\0"): 3, ("strstr", b"abcbc\0", b"bc\0"): 1,
        ("strstr", b"abc\0", b"\0"): 0, ("strnstr", b"abcd\0", b"cd\0", 3): ERRORS["ENOENT"],
        ("strlen", 12345): ERRORS["EFAULT"],
    }  # fmt: skip
    for (name, *arguments), result in expected.items():
        assert (name, arguments, bench.call(name, *arguments)) == (name, arguments, result)
    target = bench.put(b"\xff" * 8)
    assert bench.call("copy_from_user_str", target, 8, b"abc\0def", 1) == 4
    assert bench.read(target, 8) == b"abc" + bytes(5)
    assert bench.call("copy_from_user_str", target, 3, b"abc\0", 0) == 3
    assert bench.read(target, 4) == b"ab\0\0"


def test_checksums() -> None:
    """Against the sum of RFC 1071, over the header of its own example and of a real packet."""
    header = bytearray.fromhex("45000073000040004011b861c0a80001c0a800c7")

    def correct(data: bytes) -> bool:
        total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return total == 0xFFFF

    assert correct(header)
    for size, place in ((2, 8), (4, 12), (0, 12)):
        bench, new = Bench(Packet(bytes(header))), bytes.fromhex("0a4d0107")[: size or 4]
        assert bench.run.packet is not None
        old = bytes(header[place : place + (size or 4)])
        first, second = (int.from_bytes(each, "little") for each in (old, new))
        if size == 0:  # by how the sum changes
            first, second = 0, bench.call("csum_diff", old, 4, new, 4, 0)
        assert bench.call("l3_csum_replace", 1, 10, first, second, size) == 0
        bench.run.packet.write(bench.run.packet.data + place, new)
        assert correct(bench.run.packet.content)
    assert bench.call("l3_csum_replace", 1, 11, 0, 0, 2) == ERRORS["EFAULT"]
    assert bench.call("l3_csum_replace", 1, 10, 0, 0, 3) == ERRORS["EINVAL"]
    assert bench.call("csum_diff", bytes(4), 3, 0, 0, 0) == ERRORS["EINVAL"]
    assert bench.call("csum_diff", 0, 0, 0, 0, 77) == 77


def test_places_to_send_to(bench: Bench) -> None:
    handle, devices = bench.map(MapType.DEVMAP, 4, 4, 4)
    devices.write(bytes(4), b"\x07\0\0\0")
    bench.run.kind = 6  # XDP
    assert bench.call("redirect_map", handle, 0, 0) == 4
    assert bench.call("redirect_map", handle, 1, 2) == 2
    assert bench.call("redirect_map", handle, 0, 1 << 10) == 0
    assert bench.call("redirect", 3, 0) == 4
    bench.run.kind = 3  # tc
    assert (bench.call("redirect", 3, 1), bench.call("redirect", 3, 2)) == (7, 2)
    handle, _ = bench.map(MapType.XSKMAP, 4, 4, 4)
    assert bench.call("map_lookup_elem", handle, bytes(4)) == 0


def test_arenas(bench: Bench) -> None:
    handle, _ = bench.map(MapType.ARENA, 0, 0, 4, map_extra=(1 << 44) + (1 << 32) - 4 * 4096)
    first = bench.call("arena_alloc_pages", handle, 0, 2, -1, 0)
    assert first == (1 << 44) + (1 << 32) - 4 * 4096
    assert bench.call("arena_alloc_pages", handle, 0, 3, -1, 0) == 0
    assert bench.call("arena_alloc_pages", handle, first + 4096, 1, -1, 0) == 0
    assert bench.call("arena_alloc_pages", handle, first + 3 * 4096, 1, -1, 0) == first + 3 * 4096
    place = bench.machine.arena_pointer(first + 4095, 1)
    assert bench.machine.arena_pointer(place, 1 << 16) == first + 4095
    assert bench.machine.arena_pointer(0, 1) == bench.machine.arena_pointer(0, 1 << 16) == 0
    bench.machine.memory.store(place, 8, 0x0102030405060708)  # on both pages
    bench.call("arena_free_pages", handle, first, 1)
    assert bench.read(place, 8) == b"\0" + bytes.fromhex("07060504030201")
    bench.machine.memory.store(place, 8, 0x1111111111111111)
    assert bench.read(place, 2) == b"\0\x11"
    gone = bench.machine.arena_pointer(first + 2 * 4096, 1)
    bench.machine.memory.store(gone, 8, 7)
    assert bench.machine.memory.load(gone, 8) == 0  # nobody took that page
    with pytest.raises(Violation):
        bench.machine.memory.load(place + (1 << 20), 8)


def test_exceptions() -> None:
    throw = [Insn(0xB7, 1, imm=5), Insn(0x85, 0, 2, 0, NUMBERS["bpf_throw"]), Insn(0xB7, 0), EXIT]
    assert Machine().run(Code("p", tuple(throw))).result == 5
    in_function = [Insn(0x85, 0, 1, 0, 2), Insn(0xB7, 0, imm=9), EXIT, *throw]
    assert Machine().run(Code("p", tuple(in_function))).result == 5
    callback = [Insn(0xBF, 0, 1), Insn(0x07, 0, imm=100), EXIT]
    code = Code("p", (*in_function, *callback), exception=len(in_function))
    assert Machine().run(code).result == 105


def test_tail_calls_in_functions_count_for_all() -> None:
    """A program that calls itself so, twice: 33 times in all, not in each."""
    machine = Machine()
    array = maps.make(MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 1), 1)
    number = machine.add_map(array)
    counts = maps.make(MapSpec("counts", MapType.ARRAY, 4, 8, 1), 1)
    counter = machine.add_map(counts)
    code = Code("p", (
        Insn(0xBF, 6, 1), Insn(0x18, 2, 2, 0, counter), Insn(0), Insn(0xB7, 3, imm=1), Insn(0xDB, 2, 3),
        Insn(0x85, 0, 1, 0, 4), Insn(0xBF, 1, 6), Insn(0x85, 0, 1, 0, 2), Insn(0xB7, 0), EXIT,
        Insn(0x18, 2, 1, 0, number), Insn(0), Insn(0xB7, 3), Insn(0x85, imm=12), Insn(0xB7, 0), EXIT,
    ))  # fmt: skip
    assert isinstance(array, maps.ProgramArray)
    array.put(0, code)
    machine.run(code, 0)
    assert counts.read(bytes(4)) == (34).to_bytes(8, "little")


# -- what the machine does not have --------------------------------------------------------------------------------


def spec(code: list[Insn], symbols: tuple[SymbolReloc, ...] = (), **more: MapSpec) -> ObjectSpec:
    lines = (LineInfo(0, "a.c", "    it = something();", 7, 5),)
    entry = FunctionSpec("look", encode(code), symbols=symbols, lines=lines)
    fine = FunctionSpec("fine", encode([Insn(0xB7, 0, imm=3), EXIT]))
    return ObjectSpec(
        "a", "GPL", {"look": ProgramSpec("look", "tc", entry), "fine": ProgramSpec("fine", "tc", fine)}, maps=more
    )


def test_what_is_missing_is_said_at_load() -> None:
    call = [Insn(0x85, imm=HELPERS["skb_adjust_room"].number), EXIT]
    kfunc = [Insn(0x85, 0, 2), EXIT]
    load_map = [Insn(0x18, 1, 1), Insn(0), EXIT]
    of_type = MapSpec("st", MapType.INSN_ARRAY, 4, 16, 1)
    for code, symbols, more, words in (
        (call, (), {}, "calls bpf_skb_adjust_room()"),
        (kfunc, (SymbolReloc(0, SymbolKind.KFUNC, "bpf_ct_release"),), {}, "calls the kernel's bpf_ct_release()"),
        (load_map, (SymbolReloc(0, SymbolKind.MAP, "st"),), {"st": of_type}, "uses map 'st' of type INSN_ARRAY"),
        (load_map, (SymbolReloc(0, SymbolKind.KSYM, "runqueues"),), {}, "needs the kernel's 'runqueues'"),
    ):  # fmt: skip
        made = spec(code, symbols, **more)
        loaded = load(made)
        assert words in str(loaded.refused["look"])
        assert "instruction 0, a.c:7: it = something();" in str(loaded.refused["look"])
        assert loaded.run("fine", bytes(64)).result == 3
        with pytest.raises(RelocationError, match="which the machine does not have"):
            loaded.run("look", bytes(64))
        alone = replace(made, programs={"look": made.programs["look"]})
        with pytest.raises(RelocationError, match="which the machine does not have"):
            load(alone)


def test_what_may_be_missing_is_absent() -> None:
    weak = SymbolReloc(0, SymbolKind.KSYM, "bpf_ct_release", weak=True)
    known = SymbolReloc(0, SymbolKind.KSYM, "bpf_iter_num_new", weak=True)
    code = [Insn(0x18, 0, 3), Insn(0), EXIT]
    assert load(spec(code, (weak,))).run("look", bytes(64)).result == 0
    assert load(spec(code, (known,))).run("look", bytes(64)).result == 1
    call = [Insn(0x85, 0, 2), EXIT]
    loaded = load(spec(call, (SymbolReloc(0, SymbolKind.KFUNC, "bpf_ct_release", weak=True),)))
    with pytest.raises(Exception, match="calls a kernel function which this machine does not have"):
        loaded.run("look", bytes(64))


def test_names_are_the_kernels() -> None:
    assert all(name.startswith("bpf_") for name, _ in KFUNCS)
    assert len(NUMBERS) == len(KFUNCS)
