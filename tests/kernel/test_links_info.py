"""What links of every kind say of themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator

import pytest

from beespace.errors import KernelError
from beespace.kernel import IteratorLink, LoadedObject, load
from beespace.kernel.links import Link, all_links, query
from beespace.kernel.links.info import IteratorInfo, LinkInfo, RawTracepointInfo, TracepointInfo
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
volatile __u64 hits = 0;
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } counts
    SEC(".maps");
SEC("raw_tp/task_rename") int raw(__u64 *ctx) { hits++; return 0; }
SEC("tp_btf/task_rename") int typed(__u64 *ctx) { hits++; return 0; }
SEC("tracepoint/task/task_rename") int plain(void *ctx) { hits++; return 0; }
SEC("iter/task") int tasks(void *ctx) { return 0; }
SEC("iter/bpf_map_elem") int elements(void *ctx) { return 0; }
"""


@pytest.fixture
def loaded(compile_c: Callable[..., ObjectSpec]) -> Iterator[LoadedObject]:
    with load(compile_c(SOURCE)) as opened:
        yield opened


def the_only(links: tuple[Link, ...]) -> LinkInfo:
    info = links[0].info
    assert info is not None
    return info


def test_raw_tracepoints(loaded: LoadedObject) -> None:
    info = the_only(loaded.attach("raw"))
    assert isinstance(info, RawTracepointInfo) and info.tp_name == "task_rename"
    assert info.prog_id == loaded.programs["raw"].info().id


def test_typed_tracepoints_are_raw_ones_to_the_kernel(loaded: LoadedObject) -> None:
    info = the_only(loaded.attach("typed"))
    assert isinstance(info, RawTracepointInfo) and info.tp_name == "task_rename"


def test_tracepoints(loaded: LoadedObject) -> None:
    info = loaded.attach("plain")[0].info
    if info is None or type(info) is LinkInfo:
        pytest.skip("this kernel does not say what a perf event link is attached to (Linux 6.6)")
    assert isinstance(info, TracepointInfo)
    assert (info.kind, info.tp_name) == (5, "task_rename")


def test_iterators(loaded: LoadedObject) -> None:
    info = the_only(loaded.attach("tasks"))
    assert isinstance(info, IteratorInfo)
    assert (info.target_name, info.map_id, info.tid, info.pid) == ("task", 0, 0, 0)
    (link,) = loaded.attach("elements", map=loaded.maps["counts"])
    assert isinstance(link, IteratorLink)
    info = link.info
    assert isinstance(info, IteratorInfo)
    assert (info.target_name, info.map_id, info.pid) == ("bpf_map_elem", loaded.maps["counts"].info.id, 0)


def test_one_process_of_an_iterator(loaded: LoadedObject) -> None:
    info = the_only(loaded.attach("tasks", pid=os.getpid()))
    assert isinstance(info, IteratorInfo)
    assert (info.pid, info.map_id, info.cgroup_id) in ((os.getpid(), 0, 0), (0, 0, 0))


def test_what_bpftool_says(loaded: LoadedObject) -> None:
    if shutil.which("bpftool") is None:
        pytest.skip("bpftool is not installed")
    links = [link for name in ("raw", "typed", "plain", "tasks") for link in loaded.attach(name)]
    mine = {the_only((link,)).id: the_only((link,)) for link in links if link.info is not None}
    told = json.loads(subprocess.run(["bpftool", "-j", "link", "show"], capture_output=True, check=True).stdout)
    theirs = {each["id"]: each["prog_id"] for each in told}
    assert {id: info.prog_id for id, info in mine.items()} == {id: theirs[id] for id in mine}
    with all_links() as there:
        walked = {each.id: each.info for each in there if each.id in mine}
    assert walked == mine


def test_links_that_cannot_be_forced_or_updated(loaded: LoadedObject) -> None:
    (link,) = loaded.attach("raw")
    with pytest.raises(KernelError, match="links of this kind keep their program"):
        link.update(loaded.programs["raw"])
    link.detach()
    assert link.closed


def test_what_there_is_of_a_kind_only() -> None:
    """Netfilter programs have no list at a place: they are found among all links."""
    assert all(each.link_id for each in query("netfilter").programs)
