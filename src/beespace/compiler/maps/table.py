"""Which operations each map class has in the kernel, and what compiles them: one table.

A new map type is a class in :mod:`beespace.lang.maps`, a row here, and a file beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beespace.compiler import ir
from beespace.compiler.maps import (
    arena,
    array,
    bloom_filter,
    cgroup_array,
    hash,
    histogram,
    interval,
    lpm_trie,
    of_maps,
    perf_events,
    program_array,
    queue,
    redirect,
    ring,
    sockets,
    stack_traces,
    storage,
    top_k,
    user_ring,
    variables,
)
from beespace.compiler.maps.lookups import index_key, value_key
from beespace.compiler.maps.operations import Key, Operations
from beespace.lang import (
    Arena,
    Array,
    ArrayOfMaps,
    BloomFilter,
    CgroupArray,
    CgroupStorage,
    Counter,
    CpuMap,
    DevMap,
    Global,
    Hash,
    HashOfMaps,
    Histogram,
    InodeStorage,
    Interval,
    LpmTrie,
    LruHash,
    LruPerCpuHash,
    Map,
    PerCpuArray,
    PerCpuHash,
    PerfCounters,
    PerfEvents,
    ProgramArray,
    Queue,
    ReuseportArray,
    Ring,
    SocketStorage,
    SockHash,
    SockMap,
    Stack,
    StackTraces,
    TaskStorage,
    TopK,
    UserRing,
    XskMap,
)
from beespace.record import replace

__all__ = ["OPERATIONS", "operations"]

_HASH = Operations(
    words={
        "get": hash.get,
        "get_or_create": hash.get_or_create,
        "setdefault": hash.setdefault,
        "insert": hash.insert,
        "replace": hash.replace_value,
        "pop": hash.pop,
        "delete": hash.delete,
    },
    read=hash.unreadable,
    write=hash.write,
    add=hash.add,
    remove=hash.remove,
    contains=hash.contains,
    key=value_key,
    walked=True,
    operators="self.{0}[key] += n, self.{0}[key] = value, key in self.{0}, del self.{0}[key], `for` over .items()",
)
_ARRAY = Operations(
    words={"get": hash.get},
    read=array.read,
    write=array.write,
    add=array.add,
    length=lambda map: map.max_entries,
    key=index_key,
    walked=True,
    operators="self.{0}[i], self.{0}[i] = value, self.{0}[i] += n, `for` over .items()",
)
_PER_CPU_HASH = replace(_HASH, words={**_HASH.words, "get": hash.get_of_cpu})
_PER_CPU_ARRAY = replace(_ARRAY, words={**_ARRAY.words, "get": hash.get_of_cpu})
_QUEUE = Operations(words={"push": queue.push, "pop": queue.pop, "peek": queue.peek})
_REDIRECT = Operations(words={"redirect": redirect.redirect})
_DEVICES = Operations(words={"redirect": redirect.redirect, "broadcast": redirect.broadcast})
_SOCKETS = Operations(
    words={"add": sockets.add, "get": sockets.get, "redirect": sockets.redirect, "assign": sockets.assign},
    write=sockets.write,
    remove=sockets.remove,
    operators="self.{0}[key] = socket, del self.{0}[key]",
)


def _of_maps(key: Key) -> Operations:
    def define_of_maps(name: str, map: Map) -> ir.MapDefinition:
        assert isinstance(map, HashOfMaps)
        inner = operations(map.inner).define(f"{name}_inner", map.inner)
        assert isinstance(inner, ir.MapDefinition)
        return of_maps.define(name, map, inner)

    return Operations(words={"get": of_maps.get}, key=key, define=define_of_maps)


_STORAGE = Operations(words={"get": storage.get, "get_or_create": storage.get_or_create, "delete": storage.delete})

OPERATIONS: Mapping[type[Map], Operations] = MappingProxyType({
    Hash: _HASH,
    LruHash: _HASH,
    PerCpuHash: _PER_CPU_HASH,
    LruPerCpuHash: _PER_CPU_HASH,
    Array: _ARRAY,
    PerCpuArray: _PER_CPU_ARRAY,
    LpmTrie: Operations(
        words={"get": lpm_trie.get, "insert": lpm_trie.insert, "delete": lpm_trie.delete},
        read=hash.unreadable,
        write=hash.write,
        remove=hash.remove,
        contains=hash.contains,
        key=lpm_trie.key,
        operators="key in self.{0}, self.{0}[key] = value, del self.{0}[key]",
    ),
    ProgramArray: Operations(words={"jump": program_array.jump}, define=program_array.define),
    StackTraces: Operations(words={"id": stack_traces.id}),
    Histogram: Operations(
        words={"add": histogram.add}, read=histogram.entry, operators="self.{0}[key].add()", define=histogram.define
    ),
    histogram.HistogramEntry: Operations(words={"add": histogram.add_to_entry}),
    Interval: Operations(
        words={"get": interval.get, "get_or_create": interval.get_or_create}, key=value_key, define=interval.define
    ),
    Counter: Operations(count=variables.count, operators="self.{0} += n"),
    Global: Operations(attributes={"value": variables.value}, operators="self.{0}.value", define=variables.undefined),
    Ring: Operations(words={"emit": ring.emit, "reserve": ring.reserve}, define=ring.define),
    UserRing: Operations(words={"drain": user_ring.drain, "records": user_ring.records}, define=ring.define),
    Arena: Operations(
        words={"new": arena.new, "allocate": arena.allocate, "free": arena.free},
        attributes={"value": arena.value},
        operators="self.{0}.value",
        define=arena.define,
    ),
    SocketStorage: _STORAGE,
    TaskStorage: _STORAGE,
    InodeStorage: _STORAGE,
    CgroupStorage: _STORAGE,
    Queue: _QUEUE,
    Stack: _QUEUE,
    PerfEvents: Operations(words={"emit": perf_events.emit}, define=perf_events.define),
    PerfCounters: Operations(words={"read": perf_events.read}, define=perf_events.define),
    BloomFilter: Operations(
        words={"add": bloom_filter.add}, contains=bloom_filter.contains, operators="value in self.{0}",
        define=bloom_filter.define,
    ),
    HashOfMaps: _of_maps(value_key),
    ArrayOfMaps: _of_maps(index_key),
    CgroupArray: Operations(words={"current_in": cgroup_array.current_in, "packet_in": cgroup_array.packet_in}),
    DevMap: _DEVICES,
    CpuMap: _REDIRECT,
    XskMap: _REDIRECT,
    SockMap: replace(_SOCKETS, key=index_key),
    SockHash: replace(_SOCKETS, key=value_key),
    ReuseportArray: Operations(words={"select": sockets.select}, key=index_key),
    TopK: Operations(add=top_k.add, key=value_key, operators="self.{0}[key] += n", define=top_k.define),
})  # fmt: skip


def operations(map: Map) -> Operations:
    """The row of the map's class, or of the nearest class that it is made from; without one, an empty row."""
    return next((OPERATIONS[cls] for cls in type(map).__mro__ if cls in OPERATIONS), Operations())
