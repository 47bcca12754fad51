"""How arguments become bytes, and which numbers the calls have."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.syscall import Descriptor, bpf, door, fake
from beespace.syscall._attributes import ATTRIBUTES, BPF_PROG_INFO, Command
from beespace.syscall.descriptor import number
from beespace.syscall.layout import Layout, Slot, Value

HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", door.NUMBERS)
def test_numbers_are_those_of_the_uapi_headers(machine: str) -> None:
    header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"{header} is not installed (linux-libc-dev)")
    known = dict(re.findall(r"#define __NR3?2?6?4?_?(\w+)\s+(\d+)", header.read_text()))
    assert {name: int(known[name]) for name in door.NUMBERS[machine]} == dict(door.NUMBERS[machine])


def test_both_machines_have_the_same_calls() -> None:
    assert door.NUMBERS["x86_64"].keys() == door.NUMBERS["aarch64"].keys()


def test_every_command_has_a_layout() -> None:
    assert set(ATTRIBUTES) == set(Command)


def test_attributes_end_after_the_last_field_that_is_not_zero() -> None:
    fields: dict[str, Value] = {
        "map_type": 1,
        "key_size": 4,
        "value_size": 8,
        "max_entries": 16,
        "map_extra": 0,
        "map_name": b"",
    }
    memory, used = door.Attributes(Command.MAP_CREATE, fields).encode([])
    assert used == 16
    assert memory[:16] == bytes.fromhex("01000000 04000000 08000000 10000000")
    assert not any(memory[16:])


def test_attributes_cover_what_the_kernel_writes() -> None:
    _, used = door.Attributes(Command.PROG_TEST_RUN, {"prog_fd": 3}, ("retval", "duration")).encode([])
    assert used == ATTRIBUTES[Command.PROG_TEST_RUN].end("duration") == 40


def test_pointers_are_addresses_of_the_buffers() -> None:
    key, value = b"\1\2\3\4", bytearray(b"abcdefgh")
    keep: list[object] = []
    attributes = door.Attributes(Command.MAP_UPDATE_ELEM, {"map_fd": 5, "key": key, "value": value})
    memory, _ = attributes.encode(keep)
    layout = ATTRIBUTES[Command.MAP_UPDATE_ELEM]
    for name, content in (("key", key), ("value", bytes(value))):
        where = layout.read(memory, name)
        assert isinstance(where, int)
        assert ctypes.string_at(where, len(content)) == content


def test_the_kernel_can_write_into_a_writable_view() -> None:
    memory = bytearray(16)
    keep: list[object] = []
    ctypes.memset(door.address(memoryview(memory)[4:8], keep), 0xAA, 4)
    assert memory == bytes(4) + b"\xaa" * 4 + bytes(8)
    assert door.address(b"", keep) == 0


def test_an_unknown_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    door._numbers.cache_clear()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "n", "6.1", "v", "riscv64")))
    with pytest.raises(Exception, match="riscv64"):
        bpf.map_freeze(0)
    monkeypatch.undo()
    door._numbers.cache_clear()


@given(value=st.integers(0, 1), others=st.integers(0, 2**32 - 1))
def test_bit_fields_leave_their_neighbours_alone(value: int, others: int) -> None:
    memory = bytearray(BPF_PROG_INFO.size)
    offset = BPF_PROG_INFO.fields["gpl_compatible"].offset
    memory[offset : offset + 4] = others.to_bytes(4, "little")
    BPF_PROG_INFO.write(memory, "gpl_compatible", value)
    assert BPF_PROG_INFO.read(memory, "gpl_compatible") == value
    assert int.from_bytes(memory[offset : offset + 4], "little") == others & ~1 | value


@given(
    width=st.integers(1, 12),
    shift=st.integers(0, 20),
    value=st.integers(0, 2**12 - 1),
    word=st.integers(0, 2**32 - 1),
)
def test_bit_fields_of_any_width(width: int, shift: int, value: int, word: int) -> None:
    layout = Layout("bits", 4, {"word": Slot(0, "I"), "bits": Slot(0, "I", shift, width)})
    memory = bytearray(word.to_bytes(4, "little"))
    layout.write(memory, "bits", value)
    mask = (1 << width) - 1
    assert layout.read(memory, "bits") == value & mask
    assert layout.read(memory, "word") == word & ~(mask << shift) | (value & mask) << shift


def test_a_signal_does_not_end_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(-1, errno.EINTR), (-1, errno.EINTR), (7, 0)])
    last = 0

    class Libc:
        def syscall(self, *words: int) -> int:
            nonlocal last
            result, last = next(answers)
            return result

    monkeypatch.setattr(door, "_libc", Libc())
    monkeypatch.setattr(ctypes, "get_errno", lambda: last)
    assert door.issue("membarrier", (0, 0, 0)) == 7


def test_a_descriptor_is_owned() -> None:
    descriptor = Descriptor(fake.open_fd(), "map x")
    fd = descriptor.fileno()
    assert not os.get_inheritable(fd)
    assert repr(descriptor) == f"<map x, fd {fd}>"
    with descriptor.duplicate() as second:
        assert second.fileno() != fd and not os.get_inheritable(second.fileno())
    descriptor.close()
    descriptor.close()
    assert descriptor.closed
    with pytest.raises(ValueError, match="this map x is closed"):
        descriptor.fileno()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_a_descriptor_can_be_given_away() -> None:
    descriptor = Descriptor(fake.open_fd())
    fd = descriptor.detach()
    assert descriptor.closed
    os.close(fd)


def test_a_forgotten_descriptor_warns_and_is_closed() -> None:
    fd = fake.open_fd()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Descriptor(fd, "map forgotten")
    assert [str(w.message) for w in caught] == [f"<map forgotten, fd {fd}> was never closed"]
    with pytest.raises(OSError):
        os.fstat(fd)


def test_numbers_and_objects_are_descriptors() -> None:
    assert number(7) == 7
    assert number(None) == 0
    assert number(None, -1) == -1
    with open(os.devnull) as file:  # noqa: PTH123 - a file object is the point
        assert number(file) == file.fileno()


def test_the_fake_refuses_fields_that_do_not_exist() -> None:
    attributes = door.Attributes(Command.MAP_FREEZE, {"map_fd": 1, "nonsense": 2})
    with fake.installed(fake.Fake({})), pytest.raises(AssertionError, match="nonsense"):
        door.issue("bpf", (Command.MAP_FREEZE, attributes))
    assert door.issue is door._issue


def test_commands_have_no_bit_fields() -> None:
    # Attributes.encode writes whole words.
    assert [name for layout in ATTRIBUTES.values() for name, slot in layout.fields.items() if slot.width] == []
