"""Objects by id and by pin, and what the kernel says about them."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable, Iterator, Mapping

from beespace.errors import KernelError
from beespace.record import dataclass
from beespace.syscall import capabilities
from beespace.syscall._attributes import BPF_BTF_INFO, BPF_MAP_INFO, BPF_PROG_INFO, Command
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.door import address
from beespace.syscall.layout import Layout, Value
from beespace.syscall.request import ask


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """``struct bpf_prog_info``.  ``load_time_ns`` counts from boot; run statistics move only while they are enabled."""

    type: int
    id: int
    tag: str
    name: str
    created_by_uid: int
    gpl_compatible: bool
    load_time_ns: int
    map_ids: tuple[int, ...]
    btf_id: int
    xlated_prog_len: int
    jited_prog_len: int
    verified_insns: int
    run_time_ns: int
    run_cnt: int
    recursion_misses: int
    attach_btf_obj_id: int
    attach_btf_id: int
    func_info_rec_size: int
    nr_func_info: int
    line_info_rec_size: int
    nr_line_info: int


@dataclass(frozen=True, slots=True)
class MapInfo:
    """``struct bpf_map_info``; sizes in bytes."""

    type: int
    id: int
    name: str
    key_size: int
    value_size: int
    max_entries: int
    map_flags: int
    map_extra: int
    btf_id: int
    btf_key_type_id: int
    btf_value_type_id: int
    btf_vmlinux_value_type_id: int


@dataclass(frozen=True, slots=True)
class BtfInfo:
    """``struct bpf_btf_info``.  ``name`` is ``vmlinux`` or a module's when ``kernel_btf``."""

    id: int
    name: str
    size: int
    kernel_btf: bool


class Info:
    """One answer of ``BPF_OBJ_GET_INFO_BY_FD``: fields that the kernel does not know read 0."""

    def __init__(self, layout: Layout, fd: Fd, buffers: Mapping[str, bytearray], **sizes: int) -> None:
        self._layout = layout
        memory = bytearray(layout.size)
        keep: list[object] = []
        for name, size in sizes.items():
            layout.write(memory, name, size)
        for name, buffer in buffers.items():
            layout.write(memory, name, address(buffer, keep))
        request: dict[str, Value] = {"bpf_fd": number(fd), "info_len": layout.size, "info": memory}
        ask(Command.OBJ_GET_INFO_BY_FD, "ask about a BPF object", request)
        self._memory = memory

    def __getitem__(self, name: str) -> int:
        value = self._layout.read(self._memory, name)
        assert isinstance(value, int)
        return value

    def raw(self, name: str) -> bytes:
        value = self._layout.read(self._memory, name)
        assert isinstance(value, bytes)
        return value

    def text(self, name: str) -> str:
        return self.raw(name).split(b"\0", 1)[0].decode("utf-8", "replace")


def prog_info(fd: Fd) -> ProgramInfo:
    """What the kernel says about a program."""
    info = Info(BPF_PROG_INFO, fd, {})
    count = info["nr_map_ids"]
    ids = bytearray(4 * count)
    if count:
        info = Info(BPF_PROG_INFO, fd, {"map_ids": ids}, nr_map_ids=count)
    return ProgramInfo(
        type=info["type"],
        id=info["id"],
        tag=info.raw("tag").hex(),
        name=info.text("name"),
        created_by_uid=info["created_by_uid"],
        gpl_compatible=bool(info["gpl_compatible"]),
        load_time_ns=info["load_time"],
        map_ids=struct.unpack_from(f"={min(count, info['nr_map_ids'])}I", ids),
        btf_id=info["btf_id"],
        xlated_prog_len=info["xlated_prog_len"],
        jited_prog_len=info["jited_prog_len"],
        verified_insns=info["verified_insns"],
        run_time_ns=info["run_time_ns"],
        run_cnt=info["run_cnt"],
        recursion_misses=info["recursion_misses"],
        attach_btf_obj_id=info["attach_btf_obj_id"],
        attach_btf_id=info["attach_btf_id"],
        func_info_rec_size=info["func_info_rec_size"],
        nr_func_info=info["nr_func_info"],
        line_info_rec_size=info["line_info_rec_size"],
        nr_line_info=info["nr_line_info"],
    )


def prog_statistics(fd: Fd) -> tuple[int, int, int]:
    """A program's ``run_cnt``, ``run_time_ns`` and ``recursion_misses``: less to ask than :func:`prog_info`."""
    info = Info(BPF_PROG_INFO, fd, {})
    return info["run_cnt"], info["run_time_ns"], info["recursion_misses"]


def map_info(fd: Fd) -> MapInfo:
    """What the kernel says about a map."""
    info = Info(BPF_MAP_INFO, fd, {})
    return MapInfo(
        type=info["type"],
        id=info["id"],
        name=info.text("name"),
        key_size=info["key_size"],
        value_size=info["value_size"],
        max_entries=info["max_entries"],
        map_flags=info["map_flags"],
        map_extra=info["map_extra"],
        btf_id=info["btf_id"],
        btf_key_type_id=info["btf_key_type_id"],
        btf_value_type_id=info["btf_value_type_id"],
        btf_vmlinux_value_type_id=info["btf_vmlinux_value_type_id"],
    )


def btf_info(fd: Fd) -> BtfInfo:
    """What the kernel says about type information; its name since Linux 5.11 (``""`` before)."""
    name = bytearray(256)
    try:
        info = Info(BPF_BTF_INFO, fd, {"name": name}, name_len=len(name))
    except KernelError as error:
        if error.errno != errno.E2BIG:  # what a kernel says to a field that it does not know
            raise
        info = Info(BPF_BTF_INFO, fd, {})
    text = name.split(b"\0", 1)[0].decode("utf-8", "replace")
    return BtfInfo(info["id"], text, info["btf_size"], bool(info["kernel_btf"]))


def btf_data(fd: Fd) -> bytes:
    """The raw type information itself."""
    data = bytearray(btf_info(fd).size)
    if data:
        Info(BPF_BTF_INFO, fd, {"btf": data}, btf_size=len(data))
    return bytes(data)


_PLURAL = {
    Command.PROG_GET_NEXT_ID: "programs",
    Command.MAP_GET_NEXT_ID: "maps",
    Command.BTF_GET_NEXT_ID: "type information",
    Command.LINK_GET_NEXT_ID: "links",
}


def _next_id(command: Command, start: int) -> int | None:
    what = f"list the ids of {_PLURAL[command]}"
    answer = ask(
        command,
        what,
        {"start_id": start},
        returns=("next_id",),
        expected=(errno.ENOENT,),
        needs=(capabilities.SYS_ADMIN,),
    )
    return None if answer.result < 0 else answer.number("next_id")


def prog_get_next_id(start: int) -> int | None:
    """The smallest program id above ``start``; ``None`` if that was the last (4.13; ``CAP_SYS_ADMIN``)."""
    return _next_id(Command.PROG_GET_NEXT_ID, start)


def map_get_next_id(start: int) -> int | None:
    """As :func:`prog_get_next_id`, for maps."""
    return _next_id(Command.MAP_GET_NEXT_ID, start)


def btf_get_next_id(start: int) -> int | None:
    """As :func:`prog_get_next_id`, for type information (5.1)."""
    return _next_id(Command.BTF_GET_NEXT_ID, start)


def link_get_next_id(start: int) -> int | None:
    """As :func:`prog_get_next_id`, for links (5.8)."""
    return _next_id(Command.LINK_GET_NEXT_ID, start)


def ids(following: Callable[[int], int | None]) -> Iterator[int]:
    """Every id, in order: ``ids(prog_get_next_id)``."""
    current = following(0)
    while current is not None:
        yield current
        current = following(current)


def _by_id(command: Command, what: str, field: str, id: int, open_flags: int = 0) -> Descriptor:
    request: dict[str, Value] = {field: id, "open_flags": open_flags}
    return Descriptor(ask(command, f"open {what} {id}", request, needs=(capabilities.SYS_ADMIN,)).result, what)


def prog_get_fd_by_id(id: int) -> Descriptor:
    """Open a program by its id (4.13; ``CAP_SYS_ADMIN``)."""
    return _by_id(Command.PROG_GET_FD_BY_ID, "program", "prog_id", id)


def map_get_fd_by_id(id: int, open_flags: int = 0) -> Descriptor:
    """Open a map by its id; ``open_flags`` are ``BPF_F_RDONLY`` (8) and ``BPF_F_WRONLY`` (16)."""
    return _by_id(Command.MAP_GET_FD_BY_ID, "map", "map_id", id, open_flags)


def btf_get_fd_by_id(id: int) -> Descriptor:
    """Open type information by its id (4.18)."""
    return _by_id(Command.BTF_GET_FD_BY_ID, "BTF", "btf_id", id)


def link_get_fd_by_id(id: int) -> Descriptor:
    """Open a link by its id (5.8)."""
    return _by_id(Command.LINK_GET_FD_BY_ID, "link", "link_id", id)


def _path_below(directory: Fd | None, path: str | os.PathLike[str]) -> bytes:
    """``path``, through ``/proc`` if it is relative to a directory: ``BPF_F_PATH_FD`` needs Linux 6.5."""
    below = b"" if directory is None else b"/proc/self/fd/%d/" % number(directory)
    return below + os.fsencode(path) + b"\0"


def obj_pin(fd: Fd, path: str | os.PathLike[str], *, directory: Fd | None = None) -> None:
    """Name an object in a bpf file system, which keeps it alive.  ``path`` counts from ``directory``, if given."""
    fields: dict[str, Value] = {"pathname": _path_below(directory, path), "bpf_fd": number(fd)}
    ask(Command.OBJ_PIN, f"pin a BPF object at {os.fspath(path)!r}", fields)


def obj_get(path: str | os.PathLike[str], *, directory: Fd | None = None, file_flags: int = 0) -> Descriptor:
    """Open an object by its name in a bpf file system.  ``path`` counts from ``directory``, if given."""
    fields: dict[str, Value] = {"pathname": _path_below(directory, path), "file_flags": file_flags}
    answer = ask(Command.OBJ_GET, f"open the pinned BPF object {os.fspath(path)!r}", fields)
    return Descriptor(answer.result, "pinned object")
