"""One CPU's value of a map by the system call: flags of Linux 7.0, in the kernel and in the machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from beespace.errors import KernelError, NotSupported
from beespace.isa import MapType
from beespace.spec import MapSpec
from beespace.syscall import bpf
from beespace.vm import maps
from beespace.vm.errno import Errno, Refused

pytestmark = pytest.mark.kernel

CPU, ALL = 8, 16  # BPF_F_CPU, BPF_F_ALL_CPUS
NOEXIST, EXIST = 1, 2
KEYS = [number.to_bytes(4, "little") for number in range(3)]
FLAGS = (0, NOEXIST, EXIST, CPU, CPU | 1 << 32, CPU | 99 << 32, CPU | ALL, ALL, ALL | 1 << 32, 1 << 32, CPU | EXIST)


def possible_cpus() -> int:
    return int(Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition("-")[2]) + 1


@pytest.mark.parametrize("type", [MapType.PERCPU_ARRAY, MapType.PERCPU_HASH, MapType.ARRAY, MapType.HASH], ids=str)
@pytest.mark.parametrize("size", [8, 12])
def test_both_answer_the_same(type: MapType, size: int) -> None:
    cpus = possible_cpus()
    ours = maps.make(MapSpec("ours", type, 4, size, 2), cpus)
    many = (size + 7) // 8 * 8 * cpus if ours.per_cpu else size
    with bpf.map_create(type, 4, size, 2) as theirs:
        if ours.per_cpu:
            try:
                bpf.map_update(theirs, KEYS[0], bytes(range(size)), ALL)
            except KernelError as error:
                raise NotSupported("a value for one CPU", since="7.0") from error
            ours.write(KEYS[0], bytes(range(size)), ALL)
        for flags in FLAGS:
            for key in KEYS:
                length = size if flags & (CPU | ALL) else many
                value = os.urandom(length)
                if length == many != size:  # what stands between values is nobody's
                    value = b"".join(
                        (value[at:][:size]).ljust(many // cpus, b"\0") for at in range(0, many, many // cpus)
                    )
                told = answer(bpf.map_update, theirs, key, value, flags)
                assert answer(ours.write, key, value, flags) == told, f"write {key!r} {flags:#x}"
                told = answer(bpf.map_lookup, theirs, key, many)
                told = -Errno.ENOENT if told is None else told
                assert answer(ours.read, key) == told, f"read {key!r} after {flags:#x}"


def answer(do: Callable[..., bytes | None], *arguments: object) -> bytes | int | None:
    """What it gives; of an error its number."""
    try:
        return do(*arguments)
    except (KernelError, Refused) as error:
        return -(error.errno or 0)
