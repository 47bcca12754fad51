"""Maps: create, read, write, whole batches."""

from __future__ import annotations

import errno

from beespace.record import dataclass
from beespace.syscall import capabilities, door, memlock, refusal
from beespace.syscall._attributes import Command
from beespace.syscall.descriptor import Descriptor, Fd, number
from beespace.syscall.layout import Buffer, Value
from beespace.syscall.request import ask
from beespace.syscall.token import not_delegated, token_flag
from beespace.typed import Protocol

NAME_LIMIT = 15  # BPF_OBJ_NAME_LEN is 16 with the final zero


@dataclass(frozen=True, slots=True)
class Batch:
    """``count`` entries, packed: ``keys`` and ``values`` are stride by stride and may be longer than that.

    ``cursor`` goes into the next call; ``None``: that was the end of the map.
    """

    keys: bytearray
    values: bytearray
    count: int
    cursor: bytes | None


class ReadBatch(Protocol):
    """:func:`map_lookup_batch` or :func:`map_lookup_and_delete_batch`."""

    def __call__(
        self,
        fd: Fd,
        key_size: int,
        value_size: int,
        count: int,
        cursor: bytes | None = None,
        *,
        keys: bytearray | None = None,
        values: bytearray | None = None,
        elem_flags: int = 0,
    ) -> Batch:
        """Read one batch."""


def object_name(name: str) -> bytes:
    """``name`` as the kernel takes it: at most 15 of ``A-Za-z0-9_.``, anything else becomes ``_``."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in name)
    return kept[:NAME_LIMIT].encode()


def map_create(
    map_type: int,
    key_size: int,
    value_size: int,
    max_entries: int,
    *,
    name: str = "",
    map_flags: int = 0,
    inner_map_fd: Fd | None = None,
    numa_node: int = 0,
    map_ifindex: int = 0,
    btf_fd: Fd | None = None,
    btf_key_type_id: int = 0,
    btf_value_type_id: int = 0,
    btf_vmlinux_value_type_id: int = 0,
    value_type_btf_obj_fd: Fd | None = None,
    map_extra: int = 0,
    map_token_fd: Fd | None = None,
) -> Descriptor:
    """A new map of ``map_type`` (``enum bpf_map_type``); sizes in bytes, flags ``BPF_F_*`` (``BPF_MAP_CREATE``).

    Raises :class:`~beespace.errors.NotPermitted` and :class:`~beespace.errors.KernelError`.  Since Linux 3.18.
    """
    fields: dict[str, Value] = {
        "map_type": map_type,
        "key_size": key_size,
        "value_size": value_size,
        "max_entries": max_entries,
        "map_name": object_name(name),
        "map_flags": map_flags | token_flag(map_token_fd),
        "inner_map_fd": number(inner_map_fd),
        "numa_node": numa_node,
        "map_ifindex": map_ifindex,
        "btf_fd": number(btf_fd),
        "btf_key_type_id": btf_key_type_id,
        "btf_value_type_id": btf_value_type_id,
        "btf_vmlinux_value_type_id": btf_vmlinux_value_type_id,
        "value_type_btf_obj_fd": number(value_type_btf_obj_fd),
        "map_extra": map_extra,
        "map_token_fd": number(map_token_fd),
    }
    what = f"create map {name or '(unnamed)'!r}"
    result = memlock.retry(
        lambda: door.issue("bpf", (Command.MAP_CREATE, door.Attributes(Command.MAP_CREATE, fields))),
        lambda answer: answer == -errno.EPERM,
    )
    if result < 0:
        lacks = not_delegated(map_token_fd, Command.MAP_CREATE, map_type=map_type)
        needs = capabilities.for_map(map_type)
        raise refusal.error("BPF_MAP_CREATE", -result, what, needs=needs, not_delegated=lacks)
    return Descriptor(result, f"map {name}".rstrip())


def map_lookup(fd: Fd, key: Buffer, value_size: int, flags: int = 0) -> bytes | None:
    """The value of ``key``, ``value_size`` bytes; ``None`` if there is none (``BPF_MAP_LOOKUP_ELEM``).

    ``value_size`` of a per-CPU map is the value size rounded up to 8, times the possible CPUs.
    """
    value = bytearray(value_size)
    answer = ask(
        Command.MAP_LOOKUP_ELEM,
        "read a map entry",
        {"map_fd": number(fd), "key": key, "value": value, "flags": flags},
        expected=(errno.ENOENT,),
    )
    return None if answer.result < 0 else bytes(value)


def map_holds(fd: Fd, value: Buffer) -> bool:
    """Whether a map without keys, a Bloom filter, may hold ``value`` (``BPF_MAP_LOOKUP_ELEM``, 5.16)."""
    answer = ask(
        Command.MAP_LOOKUP_ELEM,
        "ask a Bloom filter",
        {"map_fd": number(fd), "value": bytearray(value)},
        expected=(errno.ENOENT,),
    )
    return answer.result >= 0


def map_lookup_and_delete(fd: Fd, key: Buffer, value_size: int, flags: int = 0) -> bytes | None:
    """Take ``key`` out of the map: its value, or ``None`` (``BPF_MAP_LOOKUP_AND_DELETE_ELEM``).

    Queues and stacks since Linux 4.20 (with an empty key), hash maps since 5.14.
    """
    value = bytearray(value_size)
    answer = ask(
        Command.MAP_LOOKUP_AND_DELETE_ELEM,
        "take a map entry",
        {"map_fd": number(fd), "key": key, "value": value, "flags": flags},
        expected=(errno.ENOENT,),
    )
    return None if answer.result < 0 else bytes(value)


def map_update(fd: Fd, key: Buffer, value: Buffer, flags: int = 0) -> None:
    """Write ``value`` under ``key``; ``flags`` are ``BPF_ANY``, ``BPF_NOEXIST``, ``BPF_EXIST``, ``BPF_F_LOCK``."""
    ask(
        Command.MAP_UPDATE_ELEM,
        "write a map entry",
        {"map_fd": number(fd), "key": key, "value": value, "flags": flags},
    )


def map_delete(fd: Fd, key: Buffer) -> bool:
    """Delete ``key``; ``False`` if it was not there (``BPF_MAP_DELETE_ELEM``)."""
    answer = ask(
        Command.MAP_DELETE_ELEM,
        "delete a map entry",
        {"map_fd": number(fd), "key": key},
        expected=(errno.ENOENT,),
    )
    return answer.result >= 0


def map_next_key(fd: Fd, key: Buffer | None, key_size: int) -> bytes | None:
    """The key after ``key`` (``None``: the first); ``None`` at the end (``BPF_MAP_GET_NEXT_KEY``).

    A hash map whose ``key`` was deleted meanwhile starts again from its first key.
    """
    following = bytearray(key_size)
    fields: dict[str, Value] = {"map_fd": number(fd), "next_key": following}
    if key is not None:
        fields["key"] = key
    answer = ask(Command.MAP_GET_NEXT_KEY, "walk a map", fields, expected=(errno.ENOENT,))
    return None if answer.result < 0 else bytes(following)


def map_lookup_batch(
    fd: Fd,
    key_size: int,
    value_size: int,
    count: int,
    cursor: bytes | None = None,
    *,
    keys: bytearray | None = None,
    values: bytearray | None = None,
    elem_flags: int = 0,
) -> Batch:
    """Read up to ``count`` entries from ``cursor`` on (``None``: from the start) in one call.

    ``keys`` and ``values`` are buffers to fill again instead of new ones (they grow if too small).
    Entries that change meanwhile may be seen twice or missed.  ``value_size`` as in
    :func:`map_lookup`.  Since Linux 5.6 (``BPF_MAP_LOOKUP_BATCH``).
    """
    return _read_batch(Command.MAP_LOOKUP_BATCH, fd, key_size, value_size, count, cursor, keys, values, elem_flags)


def map_lookup_and_delete_batch(
    fd: Fd,
    key_size: int,
    value_size: int,
    count: int,
    cursor: bytes | None = None,
    *,
    keys: bytearray | None = None,
    values: bytearray | None = None,
    elem_flags: int = 0,
) -> Batch:
    """Take up to ``count`` entries out of a hash map in one call; nothing that is written meanwhile is lost.

    As :func:`map_lookup_batch`.  Since Linux 5.6 (``BPF_MAP_LOOKUP_AND_DELETE_BATCH``).
    """
    command = Command.MAP_LOOKUP_AND_DELETE_BATCH
    return _read_batch(command, fd, key_size, value_size, count, cursor, keys, values, elem_flags)


def _read_batch(
    command: Command,
    fd: Fd,
    key_size: int,
    value_size: int,
    count: int,
    cursor: bytes | None,
    keys: bytearray | None,
    values: bytearray | None,
    elem_flags: int,
) -> Batch:
    keys = bytearray() if keys is None else keys
    values = bytearray() if values is None else values
    following = bytearray(max(key_size, 8))  # hash maps keep a bucket number here, arrays and tries a key
    while True:
        _grow(keys, count * key_size)
        _grow(values, count * value_size)
        fields: dict[str, Value] = {
            "map_fd": number(fd),
            "out_batch": following,
            "keys": keys,
            "values": values,
            "count": count,
            "elem_flags": elem_flags,
        }
        if cursor is not None:
            fields["in_batch"] = cursor
        answer = ask(
            command, "read a batch of map entries", fields, returns=("count",), expected=(errno.ENOENT, errno.ENOSPC)
        )
        if answer.result != -errno.ENOSPC:
            break
        count *= 2  # one hash bucket holds more entries than were asked for; nothing was taken yet
    return Batch(keys, values, answer.number("count"), None if answer.result < 0 else bytes(following))


def _grow(buffer: bytearray, size: int) -> None:
    if len(buffer) < size:
        buffer.extend(bytes(size - len(buffer)))


def map_update_batch(fd: Fd, keys: Buffer, values: Buffer, count: int, *, elem_flags: int = 0) -> int:
    """Write ``count`` entries; how many were written.  Since Linux 5.6 (``BPF_MAP_UPDATE_BATCH``)."""
    fields: dict[str, Value] = {
        "map_fd": number(fd),
        "keys": keys,
        "values": values,
        "count": count,
        "elem_flags": elem_flags,
    }
    return ask(Command.MAP_UPDATE_BATCH, "write a batch of map entries", fields, returns=("count",)).number("count")


def map_delete_batch(fd: Fd, keys: Buffer, count: int, *, elem_flags: int = 0) -> int:
    """Delete ``count`` keys; how many before the first that was not there (``BPF_MAP_DELETE_BATCH``, 5.6)."""
    fields: dict[str, Value] = {"map_fd": number(fd), "keys": keys, "count": count, "elem_flags": elem_flags}
    answer = ask(
        Command.MAP_DELETE_BATCH,
        "delete a batch of map entries",
        fields,
        returns=("count",),
        expected=(errno.ENOENT,),
    )
    return answer.number("count")


def map_freeze(fd: Fd) -> None:
    """Forbid user space to write the map ever again, so that the verifier knows its content (5.2)."""
    ask(Command.MAP_FREEZE, "freeze a map", {"map_fd": number(fd)})
