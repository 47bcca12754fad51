"""Tables whose entries get memory when they are made: where tracing programs cannot have them, all get it at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from beespace.isa.constants import MapFlag
from beespace.kernel import allocation, load
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]

PROGRAMS = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
#define TABLE(NAME) struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 100); \
    __uint(map_flags, BPF_F_NO_PREALLOC); __type(key, int); __type(value, int); } NAME SEC(".maps");
TABLE(of_samples)
TABLE(of_a_function)
TABLE(of_packets)
static __noinline int count(void) { int key = 0; return bpf_map_update_elem(&of_a_function, &key, &key, 0); }
SEC("perf_event") int on_sample(void *ctx) { int key = 0; bpf_map_update_elem(&of_samples, &key, &key, 0); return 0; }
SEC("tp/sched/sched_process_exec") int on_exec(void *ctx) { return count(); }
SEC("xdp") int on_packet(void *ctx) { int key = 0; bpf_map_update_elem(&of_packets, &key, &key, 0); return 2; }
"""
NAMES = ["on_sample", "on_exec", "on_packet"]


def test_perf_event_programs_load_with_any_table(compile_c: Compile) -> None:
    """Linux 5.10 refuses this object as it is."""
    with load(compile_c(PROGRAMS)) as loaded:
        assert list(loaded.programs) == NAMES
        late = [name for name in loaded.maps if loaded.maps[name].info.map_flags & MapFlag.NO_PREALLOC]
        changed = {"of_samples", "of_a_function"} - set(late)
        assert len(loaded.notes) == len(changed) in (0, 2)
        assert all(any(name in note for note in loaded.notes) for name in changed)
        assert "of_packets" in late


def test_only_what_tracing_programs_use_is_changed(compile_c: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocation, "_allocates_anywhere", lambda: False)
    spec = compile_c(PROGRAMS)
    for programs, expected in (
        (NAMES, ("of_samples", "of_a_function")),
        (["on_exec", "on_packet"], ("of_a_function",)),
        (["on_packet"], ()),
    ):
        fitted, changed = allocation.preallocated(spec, programs)
        assert changed == expected
        early = [name for name, each in fitted.maps.items() if not each.flags & MapFlag.NO_PREALLOC]
        assert early == list(expected)
    with load(spec) as loaded:
        assert [note.split("'")[1] for note in loaded.notes] == ["of_samples", "of_a_function"]
