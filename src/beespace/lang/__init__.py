"""The words that a probe author writes: programs, hooks, maps, kernel functions, packet headers.

May import: ``schema``, ``spec``, ``hooks``, ``errors``.  Invariant: importing a probe has no effect
on the system and needs neither LLVM nor Linux; everything here is a declaration until a
:class:`Program` is started by the driver that the package's root names.
"""

from beespace.lang import bpf, packet
from beespace.lang.attach import (
    btf_tracepoint,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    function,
    iterator,
    raw_tracepoint,
    sockops,
    tracepoint,
)
from beespace.lang.maps import (
    Array,
    Counter,
    Global,
    Hash,
    Interval,
    LruHash,
    LruPerCpuHash,
    Map,
    PerCpuArray,
    PerCpuHash,
    Ring,
    SocketStorage,
    TaskStorage,
)
from beespace.lang.program import Declaration, Driver, Program, RawMap, Running, install_driver
from beespace.schema import Event, Struct

__all__ = [
    "Array",
    "Counter",
    "Declaration",
    "Driver",
    "Event",
    "Global",
    "Hash",
    "Interval",
    "LruHash",
    "LruPerCpuHash",
    "Map",
    "PerCpuArray",
    "PerCpuHash",
    "Program",
    "RawMap",
    "Ring",
    "Running",
    "SocketStorage",
    "Struct",
    "TaskStorage",
    "bpf",
    "btf_tracepoint",
    "cgroup_skb",
    "cgroup_sock",
    "cgroup_sock_addr",
    "function",
    "install_driver",
    "iterator",
    "packet",
    "raw_tracepoint",
    "sockops",
    "tracepoint",
]
