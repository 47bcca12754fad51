"""The decisive line of real refusals, in the words of this kernel (two styles of log: before and since Linux 7.3)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from beespace.errors import NotSupported, VerifierError
from beespace.kernel import load
from beespace.spec import ObjectSpec

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 4);
    __type(key, __u32);
    __type(value, __u64);
} values SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
} ring SEC(".maps");

SEC("tc") int nullable(struct __sk_buff *skb)
{
    __u32 key = skb->mark;
    __u64 *value = bpf_map_lookup_elem(&values, &key);
    return *value;  // may be NULL
}

SEC("tc") int outside(struct __sk_buff *skb)
{
    __u32 key = 0;
    char *value = bpf_map_lookup_elem(&values, &key);
    return value ? value[skb->mark] : 0;  // behind its end
}

SEC("tc") int unreleased(struct __sk_buff *skb)
{
    void *record = bpf_ringbuf_reserve(&ring, 8, 0);
    return record ? 1 : 0;  // neither submitted nor discarded
}

SEC("tc") int packet(struct __sk_buff *skb)
{
    char *data = (void *)(long)skb->data;
    return data[10];  // without a look at data_end
}

SEC("tc") int scalar(struct __sk_buff *skb)
{
    return *(volatile int *)(long)skb->mark;  // a number is no pointer
}

SEC("tc") int context(struct __sk_buff *skb)
{
    skb->len = 5;  // may not be written
    return 0;
}

SEC("cgroup_skb/egress") int verdict(struct __sk_buff *skb)
{
    return skb->mark;  // not 0 or 1
}

SEC("socket") int helper(struct __sk_buff *skb)
{
    return bpf_skb_change_head(skb, 1, 0);  // not for socket filters
}
"""


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("nullable", "return *value;", "R0 invalid mem access 'map_value_or_null'|may be NULL"),
        ("outside", "return value ?", "unbounded memory access|outside of the allowed|outside bounds"),
        ("unreleased", "", "Unreleased reference|Unreleased resource"),
        ("packet", "return data[10];", "invalid access to packet|Access outside bounds"),
        ("scalar", "return *(volatile int *)", "invalid mem access '(inv|scalar)'|not a pointer to memory"),
        ("context", "skb->len = 5;", "invalid bpf_context access"),
        ("verdict", "", "At program exit the register R0 has"),
    ],
)
def test_what_was_wrong_and_where(name: str, source: str, reason: str, compile_c: Callable[[str], ObjectSpec]) -> None:
    with pytest.raises(VerifierError) as caught:
        load(compile_c(SOURCE), programs=[name])
    error = caught.value
    assert error.program == name
    assert re.search(reason, error.reason), error.reason
    assert "\n" not in error.reason and not error.reason.startswith("processed")
    assert error.source is not None and "probe.c:" in error.source and source in error.source
    assert f"the kernel refused program {name!r} at " in str(error)
    assert "processed" in error.log and len(error.log) > len(error.reason)


def test_a_helper_of_other_programs(compile_c: Callable[[str], ObjectSpec]) -> None:
    with pytest.raises(NotSupported, match=r"bpf_skb_change_head\(\) in program 'helper', at .*probe.c:\d+"):
        load(compile_c(SOURCE), programs=["helper"])
