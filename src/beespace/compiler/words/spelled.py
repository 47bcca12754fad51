"""What to write instead of a helper that has a place in the language, and which maps a helper takes."""

from __future__ import annotations

__all__ = ["MAP_TYPES", "SPELLED"]

_STORAGE = "declare `{0} = {1}(Value)`, and use `self.{0}.get({2})`, `.get_or_create({2})` and `.delete({2})`"
_TASKS = _STORAGE.format("owners", "TaskStorage", "task")
_SOCKETS = _STORAGE.format("owners", "SocketStorage", "socket")
_INODES = _STORAGE.format("owners", "InodeStorage", "inode")
_CGROUPS = _STORAGE.format("owners", "CgroupStorage", "cgroup")
_RING = "use `self.ring.emit(Event(...))`"
_QUEUE = "use the methods of the map: `.push(value)`, `.pop()`, `.peek()`"
_LOCK = "use `with value.lock:`, which gives the lock back wherever the block is left"
_TIMER = "declare a field `timer: Timer`, and use `value.timer.start(self.callback, nanoseconds)`"
_DYNPTR = "use bpf.load_bytes() and bpf.packet_bytes(); functions that take one get memory of a map: self.buffer.value"
_PER_CPU = "use a PerCpuArray or a PerCpuHash for memory of your own; variables of the kernel are not reached by name"
_READ = "use bpf.user(address, type) for memory of the process, and bpf.read(address, type) for memory of the kernel"

SPELLED = {
    "map_lookup_elem": "use `self.m.get(key)` or `self.m[key]`",
    "map_update_elem": "use `self.m[key] = value`",
    "map_delete_elem": "use `del self.m[key]` or `self.m.pop(key)`",
    "map_push_elem": _QUEUE,
    "map_pop_elem": _QUEUE,
    "map_peek_elem": _QUEUE,
    "tail_call": 'declare `calls = ProgramArray(8, {0: "on_a"})`, and use `self.calls.jump(ctx, index)`',
    "for_each_map_elem": "write `for key, value in self.m.items():`",
    "loop": "write `for i in range(n):`",
    "user_ringbuf_drain": "use the methods of a UserRing",
    "ringbuf_reserve": _RING,
    "ringbuf_submit": _RING,
    "ringbuf_discard": _RING,
    "ringbuf_output": _RING,
    "ringbuf_reserve_dynptr": _RING,
    "ringbuf_submit_dynptr": _RING,
    "ringbuf_discard_dynptr": _RING,
    "spin_lock": _LOCK,
    "spin_unlock": _LOCK,
    "timer_init": _TIMER,
    "timer_set_callback": _TIMER,
    "timer_start": _TIMER,
    "timer_cancel": _TIMER,
    "kptr_xchg": "declare a field of the kind Kptr, and exchange it by its methods",
    "dynptr_from_mem": _DYNPTR,
    "dynptr_read": _DYNPTR,
    "dynptr_write": _DYNPTR,
    "dynptr_data": _DYNPTR,
    "per_cpu_ptr": _PER_CPU,
    "this_cpu_ptr": _PER_CPU,
    "task_storage_get": _TASKS,
    "task_storage_delete": _TASKS,
    "sk_storage_get": _SOCKETS,
    "sk_storage_delete": _SOCKETS,
    "inode_storage_get": _INODES,
    "inode_storage_delete": _INODES,
    "cgrp_storage_get": _CGROUPS,
    "cgrp_storage_delete": _CGROUPS,
    "sk_release": "sockets that a lookup gave are given back at the end of `with bpf.sk_lookup_tcp(...) as socket:`",
    "trace_printk": 'write print(f"...")',
    "trace_vprintk": 'write print(f"...")',
    "strncmp": 'compare with ==, or use text.startswith("...")',
    "probe_read": _READ,
    "probe_read_str": _READ,
    "snprintf_btf": "send the fields that matter in an event; bpf_snprintf_btf() cannot be written yet",
    "seq_printf_btf": "send the fields that matter in an event; bpf_seq_printf_btf() cannot be written yet",
}

_STACKS, _PERF, _CGROUP = {7: "StackTraces"}, {4: "PerfEvents"}, {8: "CgroupArray"}
_SOCK_MAP, _SOCK_HASH = {15: "SockMap"}, {18: "SockHash"}

# By helper: numbers of map types, and what the language calls them (check_map_func_compatibility in the verifier).
MAP_TYPES: dict[str, dict[int, str]] = {
    "get_stackid": _STACKS,
    "perf_event_read": _PERF,
    "perf_event_read_value": _PERF,
    "perf_event_output": _PERF,
    "skb_output": _PERF,
    "xdp_output": _PERF,
    "skb_under_cgroup": _CGROUP,
    "current_task_under_cgroup": _CGROUP,
    "redirect_map": {14: "DevMap", 25: "DevHash", 16: "CpuMap", 17: "XskMap"},
    "sk_redirect_map": _SOCK_MAP,
    "msg_redirect_map": _SOCK_MAP,
    "sock_map_update": _SOCK_MAP,
    "sk_redirect_hash": _SOCK_HASH,
    "msg_redirect_hash": _SOCK_HASH,
    "sock_hash_update": _SOCK_HASH,
    "sk_select_reuseport": {20: "ReuseportArray", **_SOCK_MAP, **_SOCK_HASH},
    "ringbuf_query": {27: "Ring"},
    "map_lookup_percpu_elem": {5: "PerCpuHash", 6: "PerCpuArray", 10: "LruPerCpuHash"},
}
