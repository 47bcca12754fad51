"""Maps over a stand-in for the kernel: what older kernels answer, and what is done about it."""

from __future__ import annotations

import errno
from contextlib import ExitStack

import pytest

from beespace.errors import KernelError, NotPermitted, UsageError
from beespace.isa.constants import MapType
from beespace.kernel.create import create_map, create_maps
from beespace.kernel.maps import BPF_F_MMAPABLE
from beespace.kernel.object_types import ObjectTypes
from beespace.kernel.swapped import SwappedMap, is_swapped
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall import Descriptor, bpf, fake
from beespace.syscall.door import Attributes

Command = bpf.Command


class Table:
    """A hash map as a dict behind ``bpf(2)``; ``refuse`` maps commands to the errno they get."""

    def __init__(self, **refuse: int) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.refuse = refuse
        self.created: list[dict[str, object]] = []

    def kernel(self) -> fake.Fake:
        handlers = {
            Command.MAP_CREATE: self.create,
            Command.MAP_GET_NEXT_KEY: self.next_key,
            Command.MAP_LOOKUP_ELEM: self.lookup,
            Command.MAP_DELETE_ELEM: self.delete,
            Command.MAP_UPDATE_ELEM: self.update,
        }
        refused = {Command[name]: (lambda _, errno=number: -errno) for name, number in self.refuse.items()}
        return fake.Fake({**handlers, **refused})

    def create(self, attributes: Attributes) -> int:
        self.created.append(dict(attributes.fields))
        return fake.open_fd()

    def next_key(self, attributes: Attributes) -> int:
        keys = list(self.entries)
        before = attributes.fields.get("key")
        at = keys.index(bytes(before)) + 1 if before in keys else 0  # type: ignore[arg-type]
        if at >= len(keys):
            return -errno.ENOENT
        attributes.fields["next_key"][:] = keys[at]  # type: ignore[index]
        return 0

    def lookup(self, attributes: Attributes) -> int:
        value = self.entries.get(bytes(attributes.fields["key"]))  # type: ignore[arg-type]
        if value is None:
            return -errno.ENOENT
        attributes.fields["value"][:] = value  # type: ignore[index]
        return 0

    def delete(self, attributes: Attributes) -> int:
        return 0 if self.entries.pop(bytes(attributes.fields["key"]), None) is not None else -errno.ENOENT  # type: ignore[arg-type]

    def update(self, attributes: Attributes) -> int:
        self.entries[bytes(attributes.fields["key"])] = bytes(attributes.fields["value"])  # type: ignore[arg-type]
        return 0


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


@pytest.mark.parametrize("answer", [errno.EINVAL, errno.EOPNOTSUPP, 524])
def test_without_batches_the_map_is_walked(answer: int) -> None:
    table = Table(MAP_LOOKUP_BATCH=answer, MAP_LOOKUP_AND_DELETE_BATCH=answer)
    table.entries = {u32(number): u32(number * 10) for number in range(5)}
    kernel = table.kernel()
    with fake.installed(kernel), create_map(MapSpec("m", MapType.HASH, 4, 4, 10)) as made:
        assert dict(made.items()) == table.entries
        taken = made.take()
        assert taken.number == 5 and table.entries == {}
        assert bytes(taken.values) == b"".join(u32(number * 10) for number in range(5))
        asked = [request.command for request in kernel.requests]
        assert asked.count(Command.MAP_LOOKUP_BATCH) == 1, "asked once, then known"
        assert asked.count(Command.MAP_LOOKUP_AND_DELETE_BATCH) == 0


def test_a_walk_ends_though_programs_insert_all_the_time() -> None:
    table = Table(MAP_LOOKUP_AND_DELETE_BATCH=524)
    table.entries = {u32(0): u32(0)}
    original = table.delete

    def insert_another(attributes: Attributes) -> int:
        table.entries[u32(len(table.entries) + int.from_bytes(attributes.fields["key"], "little") + 1)] = u32(1)  # type: ignore[arg-type]
        return original(attributes)

    table.delete = insert_another  # type: ignore[method-assign]
    with fake.installed(table.kernel()), create_map(MapSpec("m", MapType.HASH, 4, 4, 10)) as made:
        assert made.take().number <= 10


def test_other_refusals_of_a_batch_are_errors() -> None:
    table = Table(MAP_LOOKUP_BATCH=errno.EFAULT)
    with (
        fake.installed(table.kernel()),
        create_map(MapSpec("m", MapType.HASH, 4, 4, 10)) as made,
        pytest.raises(KernelError) as refused,
    ):
        made.entries()
    assert refused.value.errno == errno.EFAULT


class Picky(Table):
    """Refuses maps with BTF, or with flag MMAPABLE, as older kernels do."""

    def __init__(self, *, refuses: str) -> None:
        super().__init__()
        self.refuses = refuses

    def create(self, attributes: Attributes) -> int:
        fields = attributes.fields
        flags = fields["map_flags"]
        assert isinstance(flags, int)
        refused = {"types": fields["btf_fd"], "mapping": flags & BPF_F_MMAPABLE}
        if refused[self.refuses]:
            return -errno.EINVAL
        return super().create(attributes)


@pytest.mark.parametrize(("refuses", "flags", "notes"), [("types", BPF_F_MMAPABLE, 0), ("mapping", 0, 1)])
def test_less_is_asked_of_a_kernel_that_refuses(refuses: str, flags: int, notes: int) -> None:
    kernel = Picky(refuses=refuses)
    said: list[str] = []
    spec = MapSpec("m", MapType.ARRAY, 4, 4, 1, BPF_F_MMAPABLE, value_type=3)
    with fake.installed(kernel.kernel()), Descriptor(fake.open_fd(), "types") as types:
        with create_map(spec, types=ObjectTypes(types), note=said.append) as made:
            assert made.spec.flags == flags
        (created,) = kernel.created
        assert created["map_flags"] == flags
        assert created["btf_value_type_id"] == 0
    assert len(said) == notes


def test_a_right_that_is_missing_is_said_at_once() -> None:
    kernel = Table(MAP_CREATE=errno.EPERM).kernel()
    with fake.installed(kernel), pytest.raises(NotPermitted):
        create_map(MapSpec("m", MapType.ARRAY, 4, 4, 1, BPF_F_MMAPABLE))


def test_which_maps_are_swapped() -> None:
    inner = MapSpec("i", MapType.LRU_HASH, 4, 4, 10)
    outer = MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
    assert is_swapped(outer)
    for other in (
        MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 2, inner=inner),
        MapSpec("o", MapType.HASH_OF_MAPS, 4, 4, 1, inner=inner),
        MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1),
        MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=MapSpec("i", MapType.ARRAY, 4, 4, 1)),
        MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner, contents=((u32(0), "i"),)),
    ):
        assert not is_swapped(other)


def test_a_failed_swap_leaves_the_slot_as_it_was() -> None:
    table = Table()
    inner = MapSpec("i", MapType.HASH, 4, 4, 10)
    outer = MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
    with fake.installed(table.kernel()), create_map(outer) as made:
        assert isinstance(made, SwappedMap)
        before = dict(table.entries)
        table.refuse["MAP_UPDATE_ELEM"] = errno.ENOMEM
        with fake.installed(table.kernel()), pytest.raises(KernelError):
            made.take()
        assert table.entries == before
        del table.refuse["MAP_UPDATE_ELEM"]
        with fake.installed(table.kernel()):
            made.take()
        asked = [created["map_type"] for created in table.created]
        assert asked == [MapType.HASH, MapType.HASH, MapType.ARRAY_OF_MAPS]


@pytest.mark.parametrize("kind", [MapType.RINGBUF, MapType.USER_RINGBUF])
def test_rings_are_rounded_up_to_pages_but_must_have_a_size(kind: MapType) -> None:
    table = Table()
    with fake.installed(table.kernel()):
        create_map(MapSpec("ring", kind, 0, 0, 5000)).close()
        with pytest.raises(UsageError, match="ring 'ring' has no size"):
            create_map(MapSpec("ring", kind, 0, 0, 0))
    assert [made["max_entries"] for made in table.created] == [8192]


def test_data_sections_are_named_as_libbpf_names_them() -> None:
    names = (".bss", ".data", ".rodata", ".kconfig", ".data.mine", ".rodata.of_a_long_name", "plain")
    spec = ObjectSpec("my_object-name", "GPL", {}, maps={n: MapSpec(n, MapType.ARRAY, 4, 8, 1) for n in names})
    table = Table()
    with fake.installed(table.kernel()), ExitStack() as undo:
        create_maps(spec, {}, ObjectTypes(None), undo, lambda _: None)
    made = [bytes(one["map_name"]).rstrip(b"\0").decode() for one in table.created]  # type: ignore[call-overload]
    assert made == [
        "my_objec.bss", "my_objec.data", "my_objec.rodata", "my_obje.kconfig", ".data.mine", ".rodata.of_a_lo", "plain",
    ]  # fmt: skip
