"""Programs that count how often this process came by, with the cookie of each time: what tests of links attach."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

import pytest

from beespace.kernel import LoadedObject, load
from beespace.kernel.links import perf_link
from beespace.kernel.links.kernel_functions import has_function
from beespace.spec import ObjectSpec
from beespace.syscall import mounts

__all__ = ["COUNTING", "UNLINK", "cookies", "counting", "hits", "trace_events", "unlink", "unlink_function", "value"]

# Behind the includes of a source.
COUNTING = r"""
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
const volatile __u32 mine = 0;
const volatile _Bool with_cookies = 0;
volatile __u64 hits = 0;
volatile __u64 seen[16] = {};
static __attribute__((always_inline)) int hit(void *ctx)
{
    if (bpf_get_current_pid_tgid() >> 32 != mine)
        return 0;
    __u64 number = hits;
    __sync_fetch_and_add(&hits, 1);
    if (with_cookies)
        seen[number & 15] = bpf_get_attach_cookie(ctx);
    return 1;
}
"""
UNLINK = ("do_unlinkat", "filename_unlinkat")  # what unlink(2) calls: it has another name since Linux 7.0


def counting(spec: ObjectSpec, using: Callable[..., LoadedObject] = load, **variables: Any) -> LoadedObject:
    """The object, loaded to count this process; skips where programs are to read cookies and cannot."""
    if variables.get("with_cookies") and not perf_link.has_cookies():
        pytest.skip("programs cannot read cookies on this kernel (bpf_get_attach_cookie, Linux 5.15)")
    return using(spec, variables={"mine": os.getpid(), **variables})


def value(loaded: LoadedObject, name: str = "hits") -> int:
    """A variable that is a number."""
    found = loaded.variables[name].get()
    assert isinstance(found, int)
    return found


def hits(loaded: LoadedObject) -> int:
    """How often this process came by."""
    return value(loaded)


def cookies(loaded: LoadedObject) -> list[int]:
    """The cookies that the program read, of the first sixteen times."""
    variable = loaded.spec.variables["seen"]
    whole = loaded.maps[".bss"].raw.get(struct.pack("=I", 0))
    return list(struct.unpack_from("=16Q", whole, variable.offset))[: hits(loaded)]


def unlink(count: int) -> None:
    """So many calls of unlink(2), which find nothing."""
    for _ in range(count):
        with pytest.raises(FileNotFoundError):
            os.unlink("/nosuch")  # noqa: PTH108


def unlink_function() -> str:
    """The one that this kernel has."""
    return next(name for name in UNLINK if has_function(name))


def trace_events(file: str) -> list[str]:
    """Events that this process made in a file of tracefs."""
    with mounts.tracefs() as tracefs:
        lines = mounts.read_at(tracefs, file).decode().splitlines()
    return [line for line in lines if f"_{os.getpid()}_" in line and ":beespace/" in line]
