"""What does not belong to one type: batches, rings, mapped memory, types, the JIT."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator

from beespace.btf import BtfBuilder
from beespace.errors import NotSupported
from beespace.isa import MapType, ProgramType
from beespace.isa.constants import MapFlag
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.map_types import make_overwritable_ring, socket_storage
from beespace.kernel.features.program_types import smallest
from beespace.kernel.vmlinux import vmlinux_btf
from beespace.syscall import bpf
from beespace.syscall.memory import map_memory, map_ring

_PAGE = resource.getpagesize()


def machine_feature(name: str) -> Feature:
    """One of :data:`MACHINE`; ``KeyError`` for any other name."""
    return attempt("machine", name, MACHINE[name])


def machine_features() -> Iterator[Feature]:
    """All of :data:`MACHINE`."""
    for name in MACHINE:
        yield machine_feature(name)


def _bpf() -> None:
    bpf.map_create(MapType.ARRAY, 4, 4, 1, name="feature").close()


def _kernel_types() -> None:
    vmlinux_btf()


def _own_types() -> None:
    builder = BtfBuilder()
    builder.int("int", 4, signed=True)
    bpf.btf_load(builder.bytes())[0].close()


def _batches() -> None:
    with bpf.map_create(MapType.HASH, 4, 4, 4, name="feature") as table:
        bpf.map_update(table, bytes(4), bytes(4))
        if bpf.map_lookup_batch(table, 4, 4, 4).count != 1:
            raise NotSupported("batches: one entry came back as another number of them")
        bpf.map_lookup_and_delete_batch(table, 4, 4, 4)


def _ring_buffer() -> None:
    with bpf.map_create(MapType.RINGBUF, 0, 0, _PAGE, name="feature") as ring:
        map_ring(ring, _PAGE).close()


def _mapped_arrays() -> None:
    with bpf.map_create(MapType.ARRAY, 4, 8, 1, map_flags=MapFlag.MMAPABLE, name="feature") as table:
        map_memory(table, 8, writable=True).close()


def _storage_clone() -> None:
    socket_storage(MapFlag.CLONE)


def _statistics() -> None:
    bpf.enable_stats().close()


def _jit() -> None:
    with smallest(ProgramType.SOCKET_FILTER) as program:
        if not bpf.prog_info(program).jited_prog_len:
            raise NotSupported("the JIT now: programs are interpreted (net.core.bpf_jit_enable = 0)")


MACHINE: dict[str, Callable[[], None]] = {
    "bpf system call": _bpf,
    "kernel types (BTF)": _kernel_types,
    "types of programs (BTF)": _own_types,
    "batch operations": _batches,
    "ring buffer": _ring_buffer,
    "overwritable ring buffer": make_overwritable_ring,
    "mapped arrays": _mapped_arrays,
    "socket storage": socket_storage,
    "socket storage clone": _storage_clone,
    "run statistics": _statistics,
    "jit": _jit,
}
