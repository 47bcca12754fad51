"""Maps that outlive their object: pinned by hand, shared by name, reused; and objects on kernels without rings."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapType
from beespace.kernel import load
from beespace.kernel.create import create_map, create_maps, fill_maps
from beespace.kernel.maps import container, open_id, open_pinned
from beespace.kernel.object_types import ObjectTypes
from beespace.record import replace
from beespace.spec import MapSpec, ObjectSpec, Pinning
from beespace.syscall import Descriptor, mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]


@pytest.fixture
def bpffs(no_leaks: None) -> Iterator[Descriptor]:
    """A bpf file system that nobody else sees."""
    with mounts.detached_mount("bpf") as root:
        yield root


def under(root: Descriptor) -> Path:
    return Path(f"/proc/self/fd/{root.fileno()}")


def pins(root: Descriptor) -> list[str]:
    """What is pinned there; kernels with CONFIG_BPF_PRELOAD put two iterators there themselves."""
    return sorted(path.name for path in under(root).iterdir() if path.suffix != ".debug")


SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct value { __u32 count; };
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __uint(pinning, LIBBPF_PIN_BY_NAME);
         __type(key, __u32); __type(value, struct value); } shared SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8);
         __type(key, __u32); __type(value, __u32); } own SEC(".maps");
SEC("tc") int count(struct __sk_buff *skb)
{
    __u32 zero = 0;
    struct value *value = bpf_map_lookup_elem(&shared, &zero);
    if (value)
        value->count++;
    bpf_map_update_elem(&own, &zero, &zero, 0);
    return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""


def test_a_pin_keeps_a_map(bpffs: Descriptor) -> None:
    with container(create_map(MapSpec("test", MapType.HASH, 4, 4, 8))) as table:
        table[1] = 2
        table.pin("one", directory=bpffs)
        table.pin(under(bpffs) / "two")
        with pytest.raises(KernelError, match="something is pinned there already"):
            table.pin("one", directory=bpffs)
        number = table.info.id
    with open_pinned("one", directory=bpffs) as again:
        assert (again.info.id, dict(again), again.name) == (number, {1: 2}, "test")
        again.unpin("one", directory=bpffs)
        with open_pinned(under(bpffs) / "two") as other:
            assert other[1] == 2
            other.unpin(under(bpffs) / "two")
    with pytest.raises(KernelError, match="nothing is pinned there"):
        open_pinned("one", directory=bpffs)


def test_only_maps_are_opened(bpffs: Descriptor, compile_c: Compile) -> None:
    from beespace.syscall import bpf

    with load(compile_c(SOURCE), pin_path=bpffs) as loaded:
        bpf.obj_pin(loaded.programs["count"], "program", directory=bpffs)
    with pytest.raises(UsageError, match="'program' is no map"):
        open_pinned("program", directory=bpffs)


def test_objects_share_a_map_by_its_name(bpffs: Descriptor, compile_c: Compile) -> None:
    spec = compile_c(SOURCE)
    with load(spec, pin_path=bpffs) as one, load(spec, pin_path=under(bpffs)) as two:
        assert one.maps["shared"].info.id == two.maps["shared"].info.id
        assert one.maps["own"].info.id != two.maps["own"].info.id
        one.maps["shared"][0] = {"count": 5}
        two.programs["count"].test_run(bytes(64))
        assert one.maps["shared"][0].count == 6
    with load(spec, pin_path=bpffs) as later:
        assert later.maps["shared"][0].count == 6
        assert later.maps["shared"].raw.reused and not later.maps["own"].raw.reused
    assert pins(bpffs) == ["shared"]


def test_what_is_pinned_must_fit(bpffs: Descriptor, compile_c: Compile) -> None:
    spec = compile_c(SOURCE)
    load(spec, pin_path=bpffs).close()
    for change, message in (
        ({"max_entries": {"shared": 9}}, "max_entries is 8 instead of 9"),
        ({"changed": {"value_size": 8, "value_type": 0}}, "value_size is 4 instead of 8"),
        ({"changed": {"type": MapType.LRU_HASH}}, "type is HASH instead of LRU_HASH"),
        ({"changed": {"flags": 1}}, "flags is 0x0 instead of 0x1"),
    ):
        changed = replace(spec, maps={**spec.maps, "shared": replace(spec.maps["shared"], **change.pop("changed", {}))})
        with pytest.raises(UsageError, match=f"what is pinned as shared .*: {message}"):
            load(changed, pin_path=bpffs, **change)


def test_a_load_that_fails_takes_its_pin_away(bpffs: Descriptor, compile_c: Compile) -> None:
    with pytest.raises(UsageError, match="has no map"):
        load(compile_c(SOURCE), pin_path=bpffs, maps={"none": 0})  # type: ignore[dict-item]
    broken = SOURCE.replace("value->count++", "*(volatile char *)((char *)value + 99) = 1")
    with pytest.raises(KernelError, match="refused program"):
        load(compile_c(broken), pin_path=bpffs)
    assert pins(bpffs) == []
    load(compile_c(SOURCE), pin_path=bpffs).close()
    with pytest.raises(KernelError, match="refused program"):
        load(compile_c(broken), pin_path=bpffs)
    assert pins(bpffs) == ["shared"]  # it is somebody else's


def test_without_a_bpf_file_system(tmp_path: Path, compile_c: Compile) -> None:
    (tmp_path / "pins").mkdir()
    with pytest.raises(NotSupported, match=r"is in no bpf file system.*\n.*mount -t bpf"):
        load(compile_c(SOURCE), pin_path=tmp_path / "pins")
    assert list((tmp_path / "pins").iterdir()) == []
    with pytest.raises(UsageError, match="cannot be shared under such a name"):
        load_maps([MapSpec("../x", MapType.ARRAY, 4, 4, 1, pinning=Pinning.BY_NAME)])


def load_maps(specs: list[MapSpec], **more: Any) -> dict[str, Any]:
    with ExitStack() as undo:
        spec = ObjectSpec("o", "GPL", {}, maps={each.name: each for each in specs})
        made = create_maps(spec, {}, ObjectTypes(None), undo, lambda _: None, **more)
        fill_maps(spec, made, {})
        undo.pop_all()
        return {name: container(each) for name, each in made.items()}


def test_a_given_map_takes_the_place_of_one(compile_c: Compile) -> None:
    spec = compile_c(SOURCE)
    own = container(create_map(MapSpec("mine", MapType.HASH, 4, 4, 99)))
    shared = container(create_map(MapSpec("mine too", MapType.HASH, 4, 4, 5)))
    with own, shared:
        with load(spec, maps={"own": own, "shared": shared.raw}) as loaded:
            loaded.programs["count"].test_run(bytes(64))
            assert loaded.maps["own"].info.id == own.info.id
            assert (loaded.maps["own"].spec.max_entries, loaded.maps["own"].name) == (99, "own")
            loaded.maps["shared"][7] = {"count": 1}
        assert dict(own) == {0: 0} and dict(shared) == {7: 1}  # still open
        wrong = container(create_map(MapSpec("wrong", MapType.ARRAY, 4, 8, 1)))
        with wrong, pytest.raises(UsageError, match="type is ARRAY instead of HASH, value_size is 8 instead of 4"):
            load(spec, maps={"own": wrong, "shared": shared})
        with (
            Descriptor(os.open("/dev/null", os.O_RDONLY), "nothing") as no_map,
            pytest.raises(UsageError, match="is no map"),
        ):
            load(spec, maps={"own": no_map, "shared": shared})


def test_a_reused_map_keeps_what_it_holds() -> None:
    filled = MapSpec("m", MapType.ARRAY, 4, 4, 2, contents=((bytes(4), b"\5\0\0\0"),))
    first = load_maps([filled])["m"]
    with first:
        assert list(first) == [5, 0]
        first[0] = 6
        first.freeze()
        with load_maps([filled], reuse={"m": first})["m"] as second:
            assert list(second) == [6, 0] and second.raw.frozen


def test_by_id_and_by_description() -> None:
    with container(create_map(MapSpec("test", MapType.QUEUE, 0, 4, 8))) as queue, open_id(queue.info.id) as again:
        queue.push(5)
        assert type(again) is type(queue) and again.pop() == 5
        assert repr(queue) == f"<Queue 'test', fd {queue.fileno()}>"
    with pytest.raises(KernelError):
        open_id(0x7FFF_FFFF)
