"""Maps of the machine and of the kernel, side by side: whatever is done to both, both answer the same.

Rules do what the system call does, and what programs do: those run the same code in the kernel and in the machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from beespace.errors import KernelError, NotSupported
from beespace.isa import Insn, MapType, ProgramType, encode
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import LD_IMM64, Pseudo
from beespace.spec import MapSpec
from beespace.syscall import bpf
from beespace.syscall.process import possible_cpus
from beespace.vm import Code, Inputs, Machine, maps
from beespace.vm.errno import Refused

pytestmark = pytest.mark.kernel

ENTRIES = 3
VALUE = 8
CPUS = len(possible_cpus())
#: The control map's value: flags, key, value, then what came of it: r0, and the value that was found.
FLAGS, KEY, CONTENT, RESULT, FOUND, SIZE = 0, 8, 24, 32, 40, 48
CPU_FLAGS = (8, 16)  # BPF_F_CPU, BPF_F_ALL_CPUS
NONSENSE = 3  # BPF_NOEXIST and BPF_EXIST: refused by all, but for values of each CPU by kernels before 7.0 only
STORE = Insn(0x7B, 6, 0, RESULT)
END = (Insn(0xB7, 0), Insn(0x95))


def operation(name: str) -> list[Insn]:
    """A program that calls the helper on map 1 with what stands in the value of map 2."""
    key, value, flags = ([Insn(0xBF, 2, 6), Insn(0x07, 2, imm=KEY)], [Insn(0xBF, 3, 6), Insn(0x07, 3, imm=CONTENT)],
                         [Insn(0x79, 4, 6, FLAGS)])  # fmt: skip
    only_value = [Insn(0xBF, 2, 6), Insn(0x07, 2, imm=CONTENT)]
    arguments = {
        "map_lookup_elem": key,
        "map_update_elem": [*key, *value, *flags],
        "map_delete_elem": key,
        "map_push_elem": [*only_value, Insn(0x79, 3, 6, FLAGS)],
        "map_pop_elem": only_value,
        "map_peek_elem": only_value,
    }[name]
    code = [
        Insn(LD_IMM64, 6, Pseudo.MAP_VALUE, imm=2), Insn(0), Insn(LD_IMM64, 1, Pseudo.MAP_FD, imm=1), Insn(0),
        *arguments, Insn(0x85, imm=HELPERS[name].number),
    ]  # fmt: skip
    if name == "map_lookup_elem":  # the value, and then one more in it, which user space must see
        code += [Insn(0x15, 0, 0, 5), Insn(0x79, 1, 0), Insn(0x7B, 6, 1, FOUND), Insn(0x07, 1, imm=1),
                 Insn(0x7B, 0, 1), Insn(0xB7, 0, imm=1)]  # fmt: skip
    return [*code, STORE, *END]


def with_maps(code: list[Insn], first: int, second: int) -> list[Insn]:
    numbers = {1: first, 2: second}
    return [
        Insn(each.opcode, each.dst, each.src, each.off, numbers[each.imm]) if each.is_wide else each for each in code
    ]


def answer(call: Callable[..., Any], *arguments: Any) -> Any:
    """What came of it; of a refusal its number."""
    try:
        return call(*arguments)
    except KernelError as error:
        return -error.errno
    except Refused as refused:
        return -refused.errno


class Both(RuleBasedStateMachine):
    """One map of ``TYPE``, twice."""

    TYPE = MapType.HASH
    KEY_SIZE = 4
    FLAGS = 0
    KEYS = st.integers(0, ENTRIES + 1).map(lambda number: number.to_bytes(4, "little"))
    VALUES = st.sampled_from([1, 7, (1 << 64) - 3]).map(lambda number: number.to_bytes(8, "little"))
    OPERATIONS: tuple[str, ...] = ("map_lookup_elem", "map_update_elem", "map_delete_elem")

    def __init__(self) -> None:
        super().__init__()
        self.kept = ExitStack()

    @initialize()
    def make(self) -> None:
        kept = self.kept
        self.theirs = kept.enter_context(
            bpf.map_create(self.TYPE, self.KEY_SIZE, VALUE, ENTRIES, map_flags=self.FLAGS)
        )  # fmt: skip
        self.control = kept.enter_context(bpf.map_create(MapType.ARRAY, 4, SIZE, 1))
        self.machine = Machine(inputs=Inputs(cpus=CPUS))
        self.ours = maps.make(MapSpec("ours", self.TYPE, self.KEY_SIZE, VALUE, ENTRIES, self.FLAGS), CPUS)
        self.our_control = maps.make(MapSpec("control", MapType.ARRAY, 4, SIZE, 1), CPUS)
        numbers = self.machine.add_map(self.ours), self.machine.add_map(self.our_control)
        self.programs = {}
        for name in self.OPERATIONS:
            code = operation(name)
            theirs = encode(with_maps(code, self.theirs.fileno(), self.control.fileno()))
            loaded = kept.enter_context(bpf.prog_load(ProgramType.SOCKET_FILTER, theirs)[0])
            self.programs[name] = loaded, Code(name, tuple(with_maps(code, *numbers)))

    def teardown(self) -> None:
        self.kept.close()

    @property
    def room(self) -> int:
        """Of a value, for user space."""
        return VALUE * CPUS if self.ours.per_cpu else VALUE

    @rule(key=st.data(), value=st.data(), flags=st.sampled_from([0] * 12 + [1, 2, 3, 4, *CPU_FLAGS, 1 << 40]))
    def write(self, key: Any, value: Any, flags: int) -> None:
        if self.ours.per_cpu and (flags in CPU_FLAGS or flags == NONSENSE):
            return  # of one value, which only newer kernels take (test_vm_cpu_flags.py), and nonsense with it
        where, content = key.draw(self.KEYS), value.draw(self.VALUES)
        whole = b"".join((int.from_bytes(content, "little") + cpu & (1 << 64) - 1).to_bytes(8, "little")
                         for cpu in range(self.room // VALUE))  # fmt: skip
        theirs = answer(bpf.map_update, self.theirs, where, whole, flags)
        assert answer(self.ours.write, where, whole, flags) == theirs

    @rule(key=st.data(), flags=st.sampled_from([0] * 6 + [4, 1]))
    def read(self, key: Any, flags: int) -> None:
        where = key.draw(self.KEYS)
        theirs = answer(bpf.map_lookup, self.theirs, where, self.room, flags)
        ours = answer(self.ours.read, where, flags)
        assert (None if ours == -2 else ours) == theirs

    @rule(key=st.data())
    def remove(self, key: Any) -> None:
        where = key.draw(self.KEYS)
        theirs = answer(bpf.map_delete, self.theirs, where)
        ours = answer(self.ours.remove, where)
        assert {None: True, -2: False}.get(ours, ours) == theirs

    @rule()
    def walk(self) -> None:
        theirs: list[bytes] = []
        key = answer(bpf.map_next_key, self.theirs, None, self.KEY_SIZE)
        while isinstance(key, bytes):
            theirs.append(key)
            key = bpf.map_next_key(self.theirs, key, self.KEY_SIZE)
        ours = answer(self.ours.keys)
        assert (sorted(ours) if self.unordered else ours) == (sorted(theirs) if self.unordered else theirs)

    unordered = False

    @rule(data=st.data(), flags=st.sampled_from([0] * 12 + [1, 2, 3, 4, 1 << 40]))
    def program(self, data: Any, flags: int) -> None:
        name = data.draw(st.sampled_from(self.OPERATIONS))
        control = struct.pack("<Q16s8sqQ", flags, data.draw(self.KEYS), data.draw(self.VALUES), 99, 0)
        loaded, code = self.programs[name]
        bpf.map_update(self.control, bytes(4), control)
        bpf.prog_test_run(loaded, data_in=bytes(64))
        self.our_control.write(bytes(4), control)
        self.machine.run(code, 0)
        theirs = bpf.map_lookup(self.control, bytes(4), SIZE)
        ours = self.our_control.read(bytes(4))
        assert (name, results(ours)) == (name, results(theirs or b""))
        for each in () if self.KEY_SIZE == 0 else self.ours.keys():
            assert self.ours.read(each) == bpf.map_lookup(self.theirs, each, self.room)


def results(control: bytes) -> tuple[Any, ...]:
    """What a program leaves; of the operation's result 32 bits, as many as it had before Linux 6.4 (d7ba4cc900bf)."""
    flags, key, value, result, more = struct.unpack("<Q16s8sqQ", control)
    return flags, key, value, result & (1 << 32) - 1, more


class HashMap(Both):
    unordered = True


class NotPreallocated(HashMap):
    FLAGS = 1


class PerCpuHashMap(HashMap):
    TYPE = MapType.PERCPU_HASH


class ArrayMap(Both):
    TYPE = MapType.ARRAY


class PerCpuArrayMap(Both):
    TYPE = MapType.PERCPU_ARRAY


class TrieMap(Both):
    TYPE = MapType.LPM_TRIE
    KEY_SIZE = 6
    FLAGS = 1
    KEYS = st.tuples(
        st.integers(0, 17), st.sampled_from([b"\0\0", b"\x80\0", b"\x80\x01", b"\xc0\0", b"\xff\xff"])
    ).map(lambda pair: pair[0].to_bytes(4, "little") + pair[1])


class WithoutKeys(Both):
    KEY_SIZE = 0
    KEYS = st.just(b"")
    OPERATIONS = ("map_push_elem", "map_pop_elem", "map_peek_elem")

    @rule()
    def take(self) -> None:
        theirs = answer(bpf.map_lookup_and_delete, self.theirs, b"", VALUE)
        ours = answer(self.ours.take, b"")
        assert (None if ours == -2 else ours) == theirs

    @rule()
    def walk(self) -> None:
        with pytest.raises(Refused) as refused:
            self.ours.keys()
        with pytest.raises(KernelError) as error:
            bpf.map_next_key(self.theirs, None, 4)
        assert refused.value.errno == error.value.errno


class QueueMap(WithoutKeys):
    TYPE = MapType.QUEUE


class StackMap(WithoutKeys):
    TYPE = MapType.STACK


ALL = (HashMap, NotPreallocated, PerCpuHashMap, ArrayMap, PerCpuArrayMap, TrieMap, QueueMap, StackMap)


def replaces_in_a_full_trie() -> bool:
    with bpf.map_create(MapType.LPM_TRIE, 8, 8, 1, map_flags=1) as trie:
        bpf.map_update(trie, bytes(8), bytes(8))
        try:
            bpf.map_update(trie, bytes(8), bytes(8))
        except KernelError:
            return False
    return True


@pytest.mark.parametrize("kind", ALL, ids=[kind.__name__ for kind in ALL])
@pytest.mark.usefixtures("first_cpu")
def test_both_answer_the_same(kind: type[Both]) -> None:
    if kind is TrieMap and not replaces_in_a_full_trie():
        raise NotSupported("updates of a full trie", since="6.13")
    # What fails is not made smaller: that takes minutes.
    how = settings(max_examples=15, stateful_step_count=40, deadline=None, derandomize=True, phases=[Phase.generate],
                   suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip
    run_state_machine_as_test(kind, settings=how)


@pytest.mark.usefixtures("first_cpu")
def test_a_difference_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle can fail: a hash map of the machine that has room for one more."""
    monkeypatch.setattr(maps.Hash, "_make_room", lambda self: None)
    with pytest.raises(AssertionError):
        test_both_answer_the_same(HashMap)
