"""How ``bpf(2)`` and ``perf_event_open(2)`` lay out their arguments.  Written by ``tools/gen_syscall.py``.

Source: ``union bpf_attr``, ``enum bpf_cmd``, ``struct bpf_*_info`` and ``struct perf_event_attr`` in a kernel's BTF.
"""

from beespace.enumeration import IntEnum
from beespace.syscall.layout import Layout, Slot


class Command(IntEnum):
    """``enum bpf_cmd``."""

    MAP_CREATE = 0
    MAP_LOOKUP_ELEM = 1
    MAP_UPDATE_ELEM = 2
    MAP_DELETE_ELEM = 3
    MAP_GET_NEXT_KEY = 4
    PROG_LOAD = 5
    OBJ_PIN = 6
    OBJ_GET = 7
    PROG_ATTACH = 8
    PROG_DETACH = 9
    PROG_TEST_RUN = 10
    PROG_GET_NEXT_ID = 11
    MAP_GET_NEXT_ID = 12
    PROG_GET_FD_BY_ID = 13
    MAP_GET_FD_BY_ID = 14
    OBJ_GET_INFO_BY_FD = 15
    PROG_QUERY = 16
    RAW_TRACEPOINT_OPEN = 17
    BTF_LOAD = 18
    BTF_GET_FD_BY_ID = 19
    TASK_FD_QUERY = 20
    MAP_LOOKUP_AND_DELETE_ELEM = 21
    MAP_FREEZE = 22
    BTF_GET_NEXT_ID = 23
    MAP_LOOKUP_BATCH = 24
    MAP_LOOKUP_AND_DELETE_BATCH = 25
    MAP_UPDATE_BATCH = 26
    MAP_DELETE_BATCH = 27
    LINK_CREATE = 28
    LINK_UPDATE = 29
    LINK_GET_FD_BY_ID = 30
    LINK_GET_NEXT_ID = 31
    ENABLE_STATS = 32
    ITER_CREATE = 33
    LINK_DETACH = 34
    PROG_BIND_MAP = 35
    TOKEN_CREATE = 36
    PROG_STREAM_READ_BY_FD = 37
    PROG_ASSOC_STRUCT_OPS = 38


MAP_CREATE = Layout(
    "map_create",
    96,
    {
        "map_type": Slot(0, "I"),
        "key_size": Slot(4, "I"),
        "value_size": Slot(8, "I"),
        "max_entries": Slot(12, "I"),
        "map_flags": Slot(16, "I"),
        "inner_map_fd": Slot(20, "I"),
        "numa_node": Slot(24, "I"),
        "map_name": Slot(28, "16s"),
        "map_ifindex": Slot(44, "I"),
        "btf_fd": Slot(48, "I"),
        "btf_key_type_id": Slot(52, "I"),
        "btf_value_type_id": Slot(56, "I"),
        "btf_vmlinux_value_type_id": Slot(60, "I"),
        "map_extra": Slot(64, "Q"),
        "value_type_btf_obj_fd": Slot(72, "i"),
        "map_token_fd": Slot(76, "i"),
        "excl_prog_hash": Slot(80, "Q"),
        "excl_prog_hash_size": Slot(88, "I"),
    },
)
MAP_ELEMENT = Layout(
    "map_element",
    32,
    {
        "map_fd": Slot(0, "I"),
        "key": Slot(8, "Q"),
        "value": Slot(16, "Q"),
        "next_key": Slot(16, "Q"),
        "flags": Slot(24, "Q"),
    },
)
MAP_BATCH = Layout(
    "map_batch",
    56,
    {
        "in_batch": Slot(0, "Q"),
        "out_batch": Slot(8, "Q"),
        "keys": Slot(16, "Q"),
        "values": Slot(24, "Q"),
        "count": Slot(32, "I"),
        "map_fd": Slot(36, "I"),
        "elem_flags": Slot(40, "Q"),
        "flags": Slot(48, "Q"),
    },
)
PROG_LOAD = Layout(
    "prog_load",
    168,
    {
        "prog_type": Slot(0, "I"),
        "insn_cnt": Slot(4, "I"),
        "insns": Slot(8, "Q"),
        "license": Slot(16, "Q"),
        "log_level": Slot(24, "I"),
        "log_size": Slot(28, "I"),
        "log_buf": Slot(32, "Q"),
        "kern_version": Slot(40, "I"),
        "prog_flags": Slot(44, "I"),
        "prog_name": Slot(48, "16s"),
        "prog_ifindex": Slot(64, "I"),
        "expected_attach_type": Slot(68, "I"),
        "prog_btf_fd": Slot(72, "I"),
        "func_info_rec_size": Slot(76, "I"),
        "func_info": Slot(80, "Q"),
        "func_info_cnt": Slot(88, "I"),
        "line_info_rec_size": Slot(92, "I"),
        "line_info": Slot(96, "Q"),
        "line_info_cnt": Slot(104, "I"),
        "attach_btf_id": Slot(108, "I"),
        "attach_prog_fd": Slot(112, "I"),
        "attach_btf_obj_fd": Slot(112, "I"),
        "core_relo_cnt": Slot(116, "I"),
        "fd_array": Slot(120, "Q"),
        "core_relos": Slot(128, "Q"),
        "core_relo_rec_size": Slot(136, "I"),
        "log_true_size": Slot(140, "I"),
        "prog_token_fd": Slot(144, "i"),
        "fd_array_cnt": Slot(148, "I"),
        "signature": Slot(152, "Q"),
        "signature_size": Slot(160, "I"),
        "keyring_id": Slot(164, "i"),
    },
)
OBJECT = Layout(
    "object",
    24,
    {
        "pathname": Slot(0, "Q"),
        "bpf_fd": Slot(8, "I"),
        "file_flags": Slot(12, "I"),
        "path_fd": Slot(16, "i"),
    },
)
PROG_ATTACH = Layout(
    "prog_attach",
    32,
    {
        "target_fd": Slot(0, "I"),
        "target_ifindex": Slot(0, "I"),
        "attach_bpf_fd": Slot(4, "I"),
        "attach_type": Slot(8, "I"),
        "attach_flags": Slot(12, "I"),
        "replace_bpf_fd": Slot(16, "I"),
        "relative_fd": Slot(20, "I"),
        "relative_id": Slot(20, "I"),
        "expected_revision": Slot(24, "Q"),
    },
)
PROG_TEST_RUN = Layout(
    "prog_test_run",
    80,
    {
        "prog_fd": Slot(0, "I"),
        "retval": Slot(4, "I"),
        "data_size_in": Slot(8, "I"),
        "data_size_out": Slot(12, "I"),
        "data_in": Slot(16, "Q"),
        "data_out": Slot(24, "Q"),
        "repeat": Slot(32, "I"),
        "duration": Slot(36, "I"),
        "ctx_size_in": Slot(40, "I"),
        "ctx_size_out": Slot(44, "I"),
        "ctx_in": Slot(48, "Q"),
        "ctx_out": Slot(56, "Q"),
        "flags": Slot(64, "I"),
        "cpu": Slot(68, "I"),
        "batch_size": Slot(72, "I"),
    },
)
ID = Layout(
    "id",
    16,
    {
        "start_id": Slot(0, "I"),
        "prog_id": Slot(0, "I"),
        "map_id": Slot(0, "I"),
        "btf_id": Slot(0, "I"),
        "link_id": Slot(0, "I"),
        "next_id": Slot(4, "I"),
        "open_flags": Slot(8, "I"),
        "fd_by_id_token_fd": Slot(12, "i"),
    },
)
INFO = Layout(
    "info",
    16,
    {
        "bpf_fd": Slot(0, "I"),
        "info_len": Slot(4, "I"),
        "info": Slot(8, "Q"),
    },
)
PROG_QUERY = Layout(
    "prog_query",
    64,
    {
        "target_fd": Slot(0, "I"),
        "target_ifindex": Slot(0, "I"),
        "attach_type": Slot(4, "I"),
        "query_flags": Slot(8, "I"),
        "attach_flags": Slot(12, "I"),
        "prog_ids": Slot(16, "Q"),
        "prog_cnt": Slot(24, "I"),
        "count": Slot(24, "I"),
        "prog_attach_flags": Slot(32, "Q"),
        "link_ids": Slot(40, "Q"),
        "link_attach_flags": Slot(48, "Q"),
        "revision": Slot(56, "Q"),
    },
)
RAW_TRACEPOINT = Layout(
    "raw_tracepoint",
    24,
    {
        "name": Slot(0, "Q"),
        "prog_fd": Slot(8, "I"),
        "cookie": Slot(16, "Q"),
    },
)
BTF_LOAD = Layout(
    "btf_load",
    40,
    {
        "btf": Slot(0, "Q"),
        "btf_log_buf": Slot(8, "Q"),
        "btf_size": Slot(16, "I"),
        "btf_log_size": Slot(20, "I"),
        "btf_log_level": Slot(24, "I"),
        "btf_log_true_size": Slot(28, "I"),
        "btf_flags": Slot(32, "I"),
        "btf_token_fd": Slot(36, "i"),
    },
)
TASK_FD_QUERY = Layout(
    "task_fd_query",
    48,
    {
        "pid": Slot(0, "I"),
        "fd": Slot(4, "I"),
        "flags": Slot(8, "I"),
        "buf_len": Slot(12, "I"),
        "buf": Slot(16, "Q"),
        "prog_id": Slot(24, "I"),
        "fd_type": Slot(28, "I"),
        "probe_offset": Slot(32, "Q"),
        "probe_addr": Slot(40, "Q"),
    },
)
LINK_CREATE = Layout(
    "link_create",
    64,
    {
        "prog_fd": Slot(0, "I"),
        "map_fd": Slot(0, "I"),
        "target_fd": Slot(4, "I"),
        "target_ifindex": Slot(4, "I"),
        "attach_type": Slot(8, "I"),
        "flags": Slot(12, "I"),
        "target_btf_id": Slot(16, "I"),
        "iter_info": Slot(16, "Q"),
        "iter_info_len": Slot(24, "I"),
        "perf_event.bpf_cookie": Slot(16, "Q"),
        "kprobe_multi.flags": Slot(16, "I"),
        "kprobe_multi.cnt": Slot(20, "I"),
        "kprobe_multi.syms": Slot(24, "Q"),
        "kprobe_multi.addrs": Slot(32, "Q"),
        "kprobe_multi.cookies": Slot(40, "Q"),
        "tracing.target_btf_id": Slot(16, "I"),
        "tracing.cookie": Slot(24, "Q"),
        "netfilter.pf": Slot(16, "I"),
        "netfilter.hooknum": Slot(20, "I"),
        "netfilter.priority": Slot(24, "i"),
        "netfilter.flags": Slot(28, "I"),
        "tcx.relative_fd": Slot(16, "I"),
        "tcx.relative_id": Slot(16, "I"),
        "tcx.expected_revision": Slot(24, "Q"),
        "uprobe_multi.path": Slot(16, "Q"),
        "uprobe_multi.offsets": Slot(24, "Q"),
        "uprobe_multi.ref_ctr_offsets": Slot(32, "Q"),
        "uprobe_multi.cookies": Slot(40, "Q"),
        "uprobe_multi.cnt": Slot(48, "I"),
        "uprobe_multi.flags": Slot(52, "I"),
        "uprobe_multi.pid": Slot(56, "I"),
        "uprobe_multi.path_fd": Slot(60, "I"),
        "netkit.relative_fd": Slot(16, "I"),
        "netkit.relative_id": Slot(16, "I"),
        "netkit.expected_revision": Slot(24, "Q"),
        "cgroup.relative_fd": Slot(16, "I"),
        "cgroup.relative_id": Slot(16, "I"),
        "cgroup.expected_revision": Slot(24, "Q"),
        "tracing_multi.ids": Slot(16, "Q"),
        "tracing_multi.cookies": Slot(24, "Q"),
        "tracing_multi.cnt": Slot(32, "I"),
    },
)
LINK_UPDATE = Layout(
    "link_update",
    16,
    {
        "link_fd": Slot(0, "I"),
        "new_prog_fd": Slot(4, "I"),
        "new_map_fd": Slot(4, "I"),
        "flags": Slot(8, "I"),
        "old_prog_fd": Slot(12, "I"),
        "old_map_fd": Slot(12, "I"),
    },
)
LINK_DETACH = Layout(
    "link_detach",
    4,
    {
        "link_fd": Slot(0, "I"),
    },
)
ENABLE_STATS = Layout(
    "enable_stats",
    4,
    {
        "type": Slot(0, "I"),
    },
)
ITER_CREATE = Layout(
    "iter_create",
    8,
    {
        "link_fd": Slot(0, "I"),
        "flags": Slot(4, "I"),
    },
)
PROG_BIND_MAP = Layout(
    "prog_bind_map",
    12,
    {
        "prog_fd": Slot(0, "I"),
        "map_fd": Slot(4, "I"),
        "flags": Slot(8, "I"),
    },
)
TOKEN_CREATE = Layout(
    "token_create",
    8,
    {
        "flags": Slot(0, "I"),
        "bpffs_fd": Slot(4, "I"),
    },
)
PROG_STREAM_READ = Layout(
    "prog_stream_read",
    24,
    {
        "stream_buf": Slot(0, "Q"),
        "stream_buf_len": Slot(8, "I"),
        "stream_id": Slot(12, "I"),
        "prog_fd": Slot(16, "I"),
    },
)
PROG_ASSOC_STRUCT_OPS = Layout(
    "prog_assoc_struct_ops",
    12,
    {
        "map_fd": Slot(0, "I"),
        "prog_fd": Slot(4, "I"),
        "flags": Slot(8, "I"),
    },
)
BPF_PROG_INFO = Layout(
    "bpf_prog_info",
    232,
    {
        "type": Slot(0, "I"),
        "id": Slot(4, "I"),
        "tag": Slot(8, "8s"),
        "jited_prog_len": Slot(16, "I"),
        "xlated_prog_len": Slot(20, "I"),
        "jited_prog_insns": Slot(24, "Q"),
        "xlated_prog_insns": Slot(32, "Q"),
        "load_time": Slot(40, "Q"),
        "created_by_uid": Slot(48, "I"),
        "nr_map_ids": Slot(52, "I"),
        "map_ids": Slot(56, "Q"),
        "name": Slot(64, "16s"),
        "ifindex": Slot(80, "I"),
        "gpl_compatible": Slot(84, "I", 0, 1),
        "netns_dev": Slot(88, "Q"),
        "netns_ino": Slot(96, "Q"),
        "nr_jited_ksyms": Slot(104, "I"),
        "nr_jited_func_lens": Slot(108, "I"),
        "jited_ksyms": Slot(112, "Q"),
        "jited_func_lens": Slot(120, "Q"),
        "btf_id": Slot(128, "I"),
        "func_info_rec_size": Slot(132, "I"),
        "func_info": Slot(136, "Q"),
        "nr_func_info": Slot(144, "I"),
        "nr_line_info": Slot(148, "I"),
        "line_info": Slot(152, "Q"),
        "jited_line_info": Slot(160, "Q"),
        "nr_jited_line_info": Slot(168, "I"),
        "line_info_rec_size": Slot(172, "I"),
        "jited_line_info_rec_size": Slot(176, "I"),
        "nr_prog_tags": Slot(180, "I"),
        "prog_tags": Slot(184, "Q"),
        "run_time_ns": Slot(192, "Q"),
        "run_cnt": Slot(200, "Q"),
        "recursion_misses": Slot(208, "Q"),
        "verified_insns": Slot(216, "I"),
        "attach_btf_obj_id": Slot(220, "I"),
        "attach_btf_id": Slot(224, "I"),
    },
)
BPF_MAP_INFO = Layout(
    "bpf_map_info",
    104,
    {
        "type": Slot(0, "I"),
        "id": Slot(4, "I"),
        "key_size": Slot(8, "I"),
        "value_size": Slot(12, "I"),
        "max_entries": Slot(16, "I"),
        "map_flags": Slot(20, "I"),
        "name": Slot(24, "16s"),
        "ifindex": Slot(40, "I"),
        "btf_vmlinux_value_type_id": Slot(44, "I"),
        "netns_dev": Slot(48, "Q"),
        "netns_ino": Slot(56, "Q"),
        "btf_id": Slot(64, "I"),
        "btf_key_type_id": Slot(68, "I"),
        "btf_value_type_id": Slot(72, "I"),
        "btf_vmlinux_id": Slot(76, "I"),
        "map_extra": Slot(80, "Q"),
        "hash": Slot(88, "Q"),
        "hash_size": Slot(96, "I"),
    },
)
BPF_LINK_INFO = Layout(
    "bpf_link_info",
    64,
    {
        "type": Slot(0, "I"),
        "id": Slot(4, "I"),
        "prog_id": Slot(8, "I"),
        "raw_tracepoint.tp_name": Slot(16, "Q"),
        "raw_tracepoint.tp_name_len": Slot(24, "I"),
        "raw_tracepoint.cookie": Slot(32, "Q"),
        "tracing.attach_type": Slot(16, "I"),
        "tracing.target_obj_id": Slot(20, "I"),
        "tracing.target_btf_id": Slot(24, "I"),
        "tracing.cookie": Slot(32, "Q"),
        "cgroup.cgroup_id": Slot(16, "Q"),
        "cgroup.attach_type": Slot(24, "I"),
        "iter.target_name": Slot(16, "Q"),
        "iter.target_name_len": Slot(24, "I"),
        "iter.map.map_id": Slot(28, "I"),
        "iter.cgroup.cgroup_id": Slot(32, "Q"),
        "iter.cgroup.order": Slot(40, "I"),
        "iter.task.tid": Slot(32, "I"),
        "iter.task.pid": Slot(36, "I"),
        "netns.netns_ino": Slot(16, "I"),
        "netns.attach_type": Slot(20, "I"),
        "xdp.ifindex": Slot(16, "I"),
        "struct_ops.map_id": Slot(16, "I"),
        "netfilter.pf": Slot(16, "I"),
        "netfilter.hooknum": Slot(20, "I"),
        "netfilter.priority": Slot(24, "i"),
        "netfilter.flags": Slot(28, "I"),
        "kprobe_multi.addrs": Slot(16, "Q"),
        "kprobe_multi.count": Slot(24, "I"),
        "kprobe_multi.flags": Slot(28, "I"),
        "kprobe_multi.missed": Slot(32, "Q"),
        "kprobe_multi.cookies": Slot(40, "Q"),
        "uprobe_multi.path": Slot(16, "Q"),
        "uprobe_multi.offsets": Slot(24, "Q"),
        "uprobe_multi.ref_ctr_offsets": Slot(32, "Q"),
        "uprobe_multi.cookies": Slot(40, "Q"),
        "uprobe_multi.path_size": Slot(48, "I"),
        "uprobe_multi.count": Slot(52, "I"),
        "uprobe_multi.flags": Slot(56, "I"),
        "uprobe_multi.pid": Slot(60, "I"),
        "tracing_multi.attach_type": Slot(16, "I"),
        "tracing_multi.count": Slot(20, "I"),
        "tracing_multi.btf_obj_id": Slot(24, "I"),
        "tracing_multi.ids": Slot(32, "Q"),
        "tracing_multi.addrs": Slot(40, "Q"),
        "tracing_multi.cookies": Slot(48, "Q"),
        "perf_event.type": Slot(16, "I"),
        "perf_event.uprobe.file_name": Slot(24, "Q"),
        "perf_event.uprobe.name_len": Slot(32, "I"),
        "perf_event.uprobe.offset": Slot(36, "I"),
        "perf_event.uprobe.cookie": Slot(40, "Q"),
        "perf_event.uprobe.ref_ctr_offset": Slot(48, "Q"),
        "perf_event.kprobe.func_name": Slot(24, "Q"),
        "perf_event.kprobe.name_len": Slot(32, "I"),
        "perf_event.kprobe.offset": Slot(36, "I"),
        "perf_event.kprobe.addr": Slot(40, "Q"),
        "perf_event.kprobe.missed": Slot(48, "Q"),
        "perf_event.kprobe.cookie": Slot(56, "Q"),
        "perf_event.tracepoint.tp_name": Slot(24, "Q"),
        "perf_event.tracepoint.name_len": Slot(32, "I"),
        "perf_event.tracepoint.cookie": Slot(40, "Q"),
        "perf_event.event.config": Slot(24, "Q"),
        "perf_event.event.type": Slot(32, "I"),
        "perf_event.event.cookie": Slot(40, "Q"),
        "tcx.ifindex": Slot(16, "I"),
        "tcx.attach_type": Slot(20, "I"),
        "netkit.ifindex": Slot(16, "I"),
        "netkit.attach_type": Slot(20, "I"),
        "sockmap.map_id": Slot(16, "I"),
        "sockmap.attach_type": Slot(20, "I"),
    },
)
BPF_BTF_INFO = Layout(
    "bpf_btf_info",
    32,
    {
        "btf": Slot(0, "Q"),
        "btf_size": Slot(8, "I"),
        "id": Slot(12, "I"),
        "name": Slot(16, "Q"),
        "name_len": Slot(24, "I"),
        "kernel_btf": Slot(28, "I"),
    },
)
PERF_EVENT_ATTR = Layout(
    "perf_event_attr",
    144,
    {
        "type": Slot(0, "I"),
        "size": Slot(4, "I"),
        "config": Slot(8, "Q"),
        "sample_period": Slot(16, "Q"),
        "sample_freq": Slot(16, "Q"),
        "sample_type": Slot(24, "Q"),
        "read_format": Slot(32, "Q"),
        "disabled": Slot(40, "Q", 0, 1),
        "inherit": Slot(40, "Q", 1, 1),
        "pinned": Slot(40, "Q", 2, 1),
        "exclusive": Slot(40, "Q", 3, 1),
        "exclude_user": Slot(40, "Q", 4, 1),
        "exclude_kernel": Slot(40, "Q", 5, 1),
        "exclude_hv": Slot(40, "Q", 6, 1),
        "exclude_idle": Slot(40, "Q", 7, 1),
        "mmap": Slot(40, "Q", 8, 1),
        "comm": Slot(40, "Q", 9, 1),
        "freq": Slot(40, "Q", 10, 1),
        "inherit_stat": Slot(40, "Q", 11, 1),
        "enable_on_exec": Slot(40, "Q", 12, 1),
        "task": Slot(40, "Q", 13, 1),
        "watermark": Slot(40, "Q", 14, 1),
        "precise_ip": Slot(40, "Q", 15, 2),
        "mmap_data": Slot(40, "Q", 17, 1),
        "sample_id_all": Slot(40, "Q", 18, 1),
        "exclude_host": Slot(40, "Q", 19, 1),
        "exclude_guest": Slot(40, "Q", 20, 1),
        "exclude_callchain_kernel": Slot(40, "Q", 21, 1),
        "exclude_callchain_user": Slot(40, "Q", 22, 1),
        "mmap2": Slot(40, "Q", 23, 1),
        "comm_exec": Slot(40, "Q", 24, 1),
        "use_clockid": Slot(40, "Q", 25, 1),
        "context_switch": Slot(40, "Q", 26, 1),
        "write_backward": Slot(40, "Q", 27, 1),
        "namespaces": Slot(40, "Q", 28, 1),
        "ksymbol": Slot(40, "Q", 29, 1),
        "bpf_event": Slot(40, "Q", 30, 1),
        "aux_output": Slot(40, "Q", 31, 1),
        "cgroup": Slot(40, "Q", 32, 1),
        "text_poke": Slot(40, "Q", 33, 1),
        "build_id": Slot(40, "Q", 34, 1),
        "inherit_thread": Slot(40, "Q", 35, 1),
        "remove_on_exec": Slot(40, "Q", 36, 1),
        "sigtrap": Slot(40, "Q", 37, 1),
        "defer_callchain": Slot(40, "Q", 38, 1),
        "defer_output": Slot(40, "Q", 39, 1),
        "wakeup_events": Slot(48, "I"),
        "wakeup_watermark": Slot(48, "I"),
        "bp_type": Slot(52, "I"),
        "bp_addr": Slot(56, "Q"),
        "kprobe_func": Slot(56, "Q"),
        "uprobe_path": Slot(56, "Q"),
        "config1": Slot(56, "Q"),
        "bp_len": Slot(64, "Q"),
        "kprobe_addr": Slot(64, "Q"),
        "probe_offset": Slot(64, "Q"),
        "config2": Slot(64, "Q"),
        "branch_sample_type": Slot(72, "Q"),
        "sample_regs_user": Slot(80, "Q"),
        "sample_stack_user": Slot(88, "I"),
        "clockid": Slot(92, "i"),
        "sample_regs_intr": Slot(96, "Q"),
        "aux_watermark": Slot(104, "I"),
        "sample_max_stack": Slot(108, "H"),
        "aux_sample_size": Slot(112, "I"),
        "aux_action": Slot(116, "I"),
        "aux_start_paused": Slot(116, "I", 0, 1),
        "aux_pause": Slot(116, "I", 1, 1),
        "aux_resume": Slot(116, "I", 2, 1),
        "sig_data": Slot(120, "Q"),
        "config3": Slot(128, "Q"),
        "config4": Slot(136, "Q"),
    },
)

ATTRIBUTES = {
    Command.MAP_CREATE: MAP_CREATE,
    Command.MAP_LOOKUP_ELEM: MAP_ELEMENT,
    Command.MAP_UPDATE_ELEM: MAP_ELEMENT,
    Command.MAP_DELETE_ELEM: MAP_ELEMENT,
    Command.MAP_GET_NEXT_KEY: MAP_ELEMENT,
    Command.MAP_LOOKUP_AND_DELETE_ELEM: MAP_ELEMENT,
    Command.MAP_FREEZE: MAP_ELEMENT,
    Command.MAP_LOOKUP_BATCH: MAP_BATCH,
    Command.MAP_LOOKUP_AND_DELETE_BATCH: MAP_BATCH,
    Command.MAP_UPDATE_BATCH: MAP_BATCH,
    Command.MAP_DELETE_BATCH: MAP_BATCH,
    Command.PROG_LOAD: PROG_LOAD,
    Command.OBJ_PIN: OBJECT,
    Command.OBJ_GET: OBJECT,
    Command.PROG_ATTACH: PROG_ATTACH,
    Command.PROG_DETACH: PROG_ATTACH,
    Command.PROG_TEST_RUN: PROG_TEST_RUN,
    Command.PROG_GET_NEXT_ID: ID,
    Command.MAP_GET_NEXT_ID: ID,
    Command.BTF_GET_NEXT_ID: ID,
    Command.LINK_GET_NEXT_ID: ID,
    Command.PROG_GET_FD_BY_ID: ID,
    Command.MAP_GET_FD_BY_ID: ID,
    Command.BTF_GET_FD_BY_ID: ID,
    Command.LINK_GET_FD_BY_ID: ID,
    Command.OBJ_GET_INFO_BY_FD: INFO,
    Command.PROG_QUERY: PROG_QUERY,
    Command.RAW_TRACEPOINT_OPEN: RAW_TRACEPOINT,
    Command.BTF_LOAD: BTF_LOAD,
    Command.TASK_FD_QUERY: TASK_FD_QUERY,
    Command.LINK_CREATE: LINK_CREATE,
    Command.LINK_UPDATE: LINK_UPDATE,
    Command.LINK_DETACH: LINK_DETACH,
    Command.ENABLE_STATS: ENABLE_STATS,
    Command.ITER_CREATE: ITER_CREATE,
    Command.PROG_BIND_MAP: PROG_BIND_MAP,
    Command.TOKEN_CREATE: TOKEN_CREATE,
    Command.PROG_STREAM_READ_BY_FD: PROG_STREAM_READ,
    Command.PROG_ASSOC_STRUCT_OPS: PROG_ASSOC_STRUCT_OPS,
}
