"""Containers over a stand-in for the kernel: what older kernels refuse, what is asked of the kernel, what is not."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from beespace.errors import FormatError, KernelError, NotPermitted, UsageError
from beespace.isa.constants import MapType
from beespace.kernel.create import create_map, create_maps
from beespace.kernel.maps import CLASSES, LiveMaps, Map, container
from beespace.kernel.maps.cgroup_storage import AttachedCgroup
from beespace.kernel.maps.coding import PerCpu, Unsigned
from beespace.kernel.maps.words import load, store
from beespace.kernel.object_types import ObjectTypes
from beespace.record import replace
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall import Descriptor, bpf, fake
from beespace.syscall.door import Attributes

Command = bpf.Command
PERF_EVENT_ARRAY, RINGBUF = MapType.PERF_EVENT_ARRAY, MapType.RINGBUF


class Kernel:
    """Maps as dicts behind ``bpf(2)``; ``refuse`` maps commands to the errno they get."""

    def __init__(self, **refuse: int) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.refuse = refuse
        self.created: list[dict[str, Any]] = []
        self.fake = fake.Fake(dict.fromkeys(Command, self.answer))

    def answer(self, attributes: Attributes) -> int:
        if attributes.command.name in self.refuse:
            return -self.refuse[attributes.command.name]
        handler = getattr(self, attributes.command.name.lower(), None)
        return -errno.EINVAL if handler is None else handler(attributes.fields)

    def asked(self, command: Command) -> list[dict[str, Any]]:
        return [dict(request.fields) for request in self.fake.requests if request.command == command]

    def map_create(self, fields: dict[str, Any]) -> int:
        self.created.append(dict(fields))
        return fake.open_fd()

    def map_update_elem(self, fields: dict[str, Any]) -> int:
        key = bytes(fields["key"])
        if fields["flags"] & 3 == 1 and key in self.entries:
            return -errno.EEXIST
        if fields["flags"] & 3 == 2 and key not in self.entries:
            return -errno.ENOENT
        self.entries[key] = bytes(fields["value"])
        return 0

    def map_lookup_elem(self, fields: dict[str, Any]) -> int:
        value = self.entries.get(bytes(fields.get("key", b"")))
        if value is None:
            return -errno.ENOENT
        fields["value"][:] = value
        return 0

    def map_delete_elem(self, fields: dict[str, Any]) -> int:
        return 0 if self.entries.pop(bytes(fields["key"]), None) is not None else -errno.ENOENT

    def map_get_next_key(self, fields: dict[str, Any]) -> int:
        keys = list(self.entries)
        at = keys.index(bytes(fields["key"])) + 1 if bytes(fields.get("key", b"")) in keys else 0
        if at >= len(keys):
            return -errno.ENOENT
        fields["next_key"][:] = keys[at]
        return 0


@contextmanager
def made(kernel: Kernel, kind: MapType, entries: int = 10, **more: Any) -> Iterator[Any]:
    spec = MapSpec("m", kind, more.pop("key", 4), more.pop("value", 4), entries, **more)
    with fake.installed(kernel.fake), container(create_map(spec)) as typed:
        yield typed


def test_a_kernel_without_batches_gets_one_entry_after_the_other() -> None:
    kernel = Kernel(MAP_UPDATE_BATCH=524, MAP_DELETE_BATCH=524, MAP_LOOKUP_BATCH=524)
    with made(kernel, MapType.HASH) as table:
        table.update({1: 10, 2: 20})
        assert dict(table) == {1: 10, 2: 20}
        assert table.remove([1, 5]) == 1
        table.clear()
        assert len(table) == 0


def test_a_batch_that_finds_the_map_full() -> None:
    kernel = Kernel(MAP_UPDATE_BATCH=errno.E2BIG)
    with made(kernel, MapType.HASH) as table, pytest.raises(KernelError, match="max_entries is 10"):
        table.update({1: 10, 2: 20})


def test_other_refusals_of_a_batch_are_errors() -> None:
    kernel = Kernel(MAP_UPDATE_BATCH=errno.EFAULT, MAP_DELETE_BATCH=errno.EFAULT)
    with made(kernel, MapType.HASH) as table:
        for write in (lambda: table.update({1: 1, 2: 2}), lambda: table.remove([1, 2])):
            with pytest.raises(KernelError) as refused:
                write()
            assert refused.value.errno == errno.EFAULT


def test_a_kernel_that_cannot_pop_is_asked_once() -> None:
    kernel = Kernel(MAP_LOOKUP_AND_DELETE_ELEM=524)
    with made(kernel, MapType.HASH) as table:
        table.put(1, 5)
        table.put(2, 6)
        assert (table.pop(1), table.pop(2), table.pop(2, None)) == (5, 6, None)
    assert len(kernel.asked(Command.MAP_LOOKUP_AND_DELETE_ELEM)) == 1


def test_flags_of_updates() -> None:
    kernel = Kernel()
    with made(kernel, MapType.HASH) as table:
        table.put(1, 1, locked=True)
        table.add(1, 1, locked=True)
        table.replace(1, 2)
        table.get(1, locked=True)
    assert [fields["flags"] for fields in kernel.asked(Command.MAP_UPDATE_ELEM)] == [4, 5, 2]
    assert [fields["flags"] for fields in kernel.asked(Command.MAP_LOOKUP_ELEM)] == [4]


def test_a_program_that_is_faster_than_setdefault() -> None:
    kernel = Kernel()
    first = kernel.map_update_elem

    def beaten(fields: dict[str, Any]) -> int:
        kernel.entries.setdefault(bytes(fields["key"]), (77).to_bytes(4, "little"))
        return first(fields)

    kernel.map_update_elem = beaten  # type: ignore[method-assign]
    with made(kernel, MapType.HASH) as table:
        assert table.setdefault(1, 5) == 77


def test_nothing_of_a_wrong_size_reaches_the_kernel() -> None:
    kernel = Kernel()
    with made(kernel, MapType.HASH) as table:
        for keys, values, number in ((b"1234", b"1234", 2), (bytes(8), bytes(4), 2)):
            with pytest.raises(UsageError, match=r"2 (keys|values) of map 'm' are 8 bytes, not 4"):
                table.raw.update_batch(keys, values, number)
        with pytest.raises(UsageError, match="2 keys"):
            table.raw.delete_batch(b"1234", 2)
    assert not kernel.asked(Command.MAP_UPDATE_BATCH) and not kernel.asked(Command.MAP_DELETE_BATCH)


def test_values_of_cpus() -> None:
    coding = PerCpu(Unsigned(4, "a value"), 3)
    assert coding.encode([1, 2, 3]) == b"".join(bytes([each, *bytes(7)]) for each in (1, 2, 3))
    assert coding.decode(b"xx" + coding.encode((4, 5, 6)), 2) == (4, 5, 6)
    for wrong in (5, [1, 2], "abc", b"abc"):
        with pytest.raises(UsageError, match="a sequence of 3 values"):
            coding.encode(wrong)


@pytest.mark.parametrize(
    ("at", "data"), [(0, b"12345678"), (4, b"1234"), (3, b"1234"), (2, b"12"), (1, b"1"), (5, b"123")]
)
def test_words_of_shared_memory(at: int, data: bytes) -> None:
    memory = memoryview(bytearray(16))
    store(memory, at, data)
    assert load(memory, at, len(data)) == data == bytes(memory[at : at + len(data)])
    assert sum(map(bool, memory)) == len(data)


def test_keys_of_attached_cgroups() -> None:
    kernel = Kernel()
    with made(kernel, MapType.CGROUP_STORAGE, 0, key=16) as storage:
        kernel.entries[storage.key.encode((5, 1))] = bytes(4)
        storage[AttachedCgroup(5, 1)] = 9
        assert dict(storage) == {(5, 1): 9}
        with pytest.raises(KeyError):
            storage[5, 2] = 1


def test_the_maps_of_an_object_are_made_when_asked_for() -> None:
    kernel = Kernel()
    with fake.installed(kernel.fake), create_map(MapSpec("m", MapType.HASH, 4, 4, 1)) as raw:
        maps = LiveMaps({"m": raw})
        assert (list(maps), len(maps), "m" in maps, "n" in maps, maps._made) == (["m"], 1, True, False, {})
        assert maps["m"] is maps["m"] and maps["m"].raw is raw is maps.raw["m"]
        assert maps.get("n") is None
        with pytest.raises(KeyError, match="its maps: m"):
            maps["n"]


def test_every_container_can_be_made_and_shown() -> None:
    kernel = Kernel()
    with fake.installed(kernel.fake):
        for kind, (name, _) in CLASSES.items():
            with Map(Descriptor(fake.open_fd()), MapSpec("m", kind, 4, 4, 1)) as raw:
                typed = container(raw)
                assert type(typed).__name__ == name and repr(typed).startswith(f"<{name} 'm', fd ")
                assert typed.name == "m" and typed.fileno() == raw.fileno()


# -- making ------------------------------------------------------------------------------------------------------


class Older(Kernel):
    """Refuses what ``refuses`` says of the fields of BPF_MAP_CREATE."""

    def __init__(self, refuses: Any) -> None:
        super().__init__()
        self.refuses = refuses

    def map_create(self, fields: dict[str, Any]) -> int:
        return -errno.EINVAL if self.refuses(fields) else super().map_create(fields)


def test_a_kernel_without_rings_makes_an_array_of_events() -> None:
    kernel = Older(lambda fields: fields["map_type"] == RINGBUF)
    said: list[str] = []
    with fake.installed(kernel.fake), create_map(MapSpec("events", RINGBUF, 0, 0, 5000), note=said.append) as live:
        assert live.spec.type == PERF_EVENT_ARRAY and (live.spec.key_size, live.spec.value_size) == (4, 4)
    assert said == ["map 'events': this kernel has no ring buffers (Linux 5.8); it is a perf event array instead"]


def test_a_kernel_that_wants_no_dots_in_names() -> None:
    kernel = Older(lambda fields: b"." in fields["map_name"])
    with fake.installed(kernel.fake), create_map(MapSpec(".rodata.x", MapType.ARRAY, 4, 4, 1)):
        assert kernel.created[0]["map_name"] == b"_rodata_x"


@pytest.mark.parametrize(("kind", "typed"), [(MapType.HASH, True), (MapType.QUEUE, False), (MapType.DEVMAP, False)])
def test_types_go_where_the_kernel_takes_them(kind: MapType, typed: bool) -> None:
    kernel = Kernel()
    spec = MapSpec("m", kind, 4, 4, 1, key_type=1, value_type=2)
    with fake.installed(kernel.fake), Descriptor(fake.open_fd()) as types:
        with create_map(spec, types=ObjectTypes(types)) as live:
            assert (live.spec.key_type, live.spec.value_type) == (1, 2), "for who reads it, they stay"
        (created,) = kernel.created
    assert (created["btf_fd"] != 0, created["btf_key_type_id"], created["btf_value_type_id"]) == (
        (True, 1, 2) if typed else (False, 0, 0)
    )


def test_a_token_goes_to_every_map() -> None:
    kernel = Kernel()
    inner = MapSpec("inner", MapType.ARRAY, 4, 4, 1)
    outer = MapSpec("outer", MapType.HASH_OF_MAPS, 4, 4, 1, inner=inner)
    with fake.installed(kernel.fake), Descriptor(fake.open_fd()) as token, create_map(outer, token=token):
        assert [created["map_token_fd"] for created in kernel.created] == [token.fileno()] * 2
        assert all(created["map_flags"] & 1 << 16 for created in kernel.created)


@pytest.mark.parametrize("kind", [MapType.RINGBUF, MapType.USER_RINGBUF])
@pytest.mark.parametrize(("asked", "given"), [(1, 4096), (4096, 4096), (5000, 8192), (3 << 20, 4 << 20)])
def test_rings_have_a_power_of_two_of_pages(kind: MapType, asked: int, given: int) -> None:
    kernel = Kernel()
    with fake.installed(kernel.fake), create_map(MapSpec("r", kind, 0, 0, asked)):
        assert kernel.created[0]["max_entries"] == given


def test_what_was_made_before_an_error_is_closed() -> None:
    spec = ObjectSpec("o", "GPL", {}, maps={name: MapSpec(name, MapType.HASH, 4, 4, 1) for name in ("a", "b")})
    kernel = Older(lambda fields: fields["map_name"] == b"b")
    with fake.installed(kernel.fake), pytest.raises(KernelError, match="create map 'b'"), ExitStack() as undo:
        create_maps(spec, {}, ObjectTypes(None), undo, lambda _: None)
    # The second was to find out whether the kernel makes such maps at all; a leak would be a warning, so an error.
    assert [each["map_name"] for each in kernel.created] == [b"a", b"feature"]


def test_names_that_no_map_has() -> None:
    spec = ObjectSpec("o", "GPL", {}, maps={"a": MapSpec("a", MapType.HASH, 4, 4, 1)})
    for more, what in (({"max_entries": {"b": 1}}, "max_entries"), ({"max_entries": {}, "reuse": {"b": 0}}, "maps")):
        with ExitStack() as undo, pytest.raises(UsageError, match=rf"has no map 'b' \({what}\)"):
            create_maps(spec, types=ObjectTypes(None), undo=undo, note=lambda _: None, **more)  # type: ignore[arg-type]


def test_a_map_of_maps_without_a_template() -> None:
    with pytest.raises(FormatError, match="nothing says of what kind"):
        create_map(MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1))


def test_a_missing_right_is_said_at_once() -> None:
    kernel = Kernel(MAP_CREATE=errno.EPERM)
    spec = replace(MapSpec("r", RINGBUF, 0, 0, 4096), value_type=1)
    with fake.installed(kernel.fake), Descriptor(fake.open_fd()) as types, pytest.raises(NotPermitted):
        create_map(spec, types=ObjectTypes(types))
    assert len(kernel.asked(Command.MAP_CREATE)) <= 2  # memory limits of old kernels are EPERM, too
