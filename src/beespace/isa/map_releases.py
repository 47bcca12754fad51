"""The first kernel with each type of map (``enum bpf_map_type``).

From include/uapi/linux/bpf.h of the releases of the kernel: the first that lists it.
"""

from __future__ import annotations

from beespace.isa.constants import MapType

__all__ = ["FIRST_KERNEL"]

_M = MapType

FIRST_KERNEL: dict[int, str] = {
    _M.HASH: "3.19",
    _M.ARRAY: "3.19",
    _M.PROG_ARRAY: "4.2",
    _M.PERF_EVENT_ARRAY: "4.3",
    _M.PERCPU_HASH: "4.6",
    _M.PERCPU_ARRAY: "4.6",
    _M.STACK_TRACE: "4.6",
    _M.CGROUP_ARRAY: "4.8",
    _M.LRU_HASH: "4.10",
    _M.LRU_PERCPU_HASH: "4.10",
    _M.LPM_TRIE: "4.11",
    _M.ARRAY_OF_MAPS: "4.12",
    _M.HASH_OF_MAPS: "4.12",
    _M.DEVMAP: "4.14",
    _M.SOCKMAP: "4.14",
    _M.CPUMAP: "4.15",
    _M.XSKMAP: "4.18",
    _M.SOCKHASH: "4.18",
    _M.CGROUP_STORAGE: "4.19",
    _M.REUSEPORT_SOCKARRAY: "4.19",
    _M.PERCPU_CGROUP_STORAGE: "4.20",
    _M.QUEUE: "4.20",
    _M.STACK: "4.20",
    _M.SK_STORAGE: "5.2",
    _M.DEVMAP_HASH: "5.4",
    _M.STRUCT_OPS: "5.6",
    _M.RINGBUF: "5.8",
    _M.INODE_STORAGE: "5.10",
    _M.TASK_STORAGE: "5.11",
    _M.BLOOM_FILTER: "5.16",
    _M.USER_RINGBUF: "6.1",
    _M.CGRP_STORAGE: "6.2",
    _M.ARENA: "6.9",
    _M.INSN_ARRAY: "6.19",
    _M.RHASH: "7.3",
}
