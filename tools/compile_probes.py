"""Compile the shipped probes into ``src/beespace/probes/objects``.

usage: compile_probes.py [--check | --types]

The probes are compiled against ``kernel.btf``, a small BTF with just the kernel types that they
mention; it stands beside the objects, so the same source gives the same bytes on every machine, with
or without Linux.  ``--check`` fails if an object is not what its source compiles to.  ``--types``
makes ``kernel.btf`` again from the running kernel, after a probe has begun to read another field.
"""

from __future__ import annotations

import sys
from pathlib import Path

from beespace.btf import Btf, subset
from beespace.compiler import compile_program
from beespace.lang import Program
from beespace.probes.cgroups import Cgroups
from beespace.probes.dns import Dns
from beespace.probes.drops import Drops
from beespace.probes.execs import Execs
from beespace.probes.flows import Flows
from beespace.probes.packets import Packets
from beespace.probes.uplinks import Uplinks

OBJECTS = Path(__file__).parent.parent / "src" / "beespace" / "probes" / "objects"
TYPES = OBJECTS / "kernel.btf"
PROBES: dict[str, type[Program]] = {
    "cgroups": Cgroups,
    "dns": Dns,
    "drops": Drops,
    "execs": Execs,
    "flows": Flows,
    "packets": Packets,
    "uplinks": Uplinks,
}

# Kernel types that the probes mention, and of each the members (None: all of them).
MENTIONED: dict[str, set[str] | None] = {
    "__sk_buff": None,
    "bpf_sock": None,
    "bpf_tcp_sock": None,
    "bpf_sock_addr": None,
    "bpf_iter__task_file": None,
    "task_struct": {
        "tgid", "comm", "mm", "group_leader", "real_parent", "start_boottime", "signal", "exit_code", "cgroups", "cred",
    },
    "mm_struct": {"arg_start", "arg_end"},
    "signal_struct": {"live"},
    "cred": {"uid"},
    "css_set": {"dfl_cgrp"},
    "cgroup": {"kn", "root", "level"},
    "cgroup_root": {"hierarchy_id"},
    "kernfs_node": {"id"},
    "linux_binprm": {"filename"},
    "file": {"f_inode"},
    "socket": {"sk"},
    "sock": {"__sk_common", "sk_protocol", "sk_err", "sk_ack_backlog", "sk_max_ack_backlog"},
    "sock_common": {
        "skc_family", "skc_state", "skc_num", "skc_dport", "skc_net", "skc_daddr", "skc_rcv_saddr", "skc_v6_daddr",
        "skc_v6_rcv_saddr", "skc_cookie",
    },
    "tcp_sock": {"inet_conn", "mdev_us"},
    "inet_connection_sock": {"icsk_inet"},
    "inet_sock": {"sk", "inet_sport"},
    "net": {"net_cookie"},
    "__traceiter_cgroup_mkdir": None,
    "__traceiter_cgroup_rmdir": None,
    "__traceiter_cgroup_release": None,
    "sk_buff": {"protocol", "network_header", "head", "data", "end", "len", "skb_iif", "dev", "sk"},
    "bpf_nf_ctx": None,
    "skb_shared_info": {"gso_segs"},
    "net_device": {"nd_net", "ifindex"},
    "__traceiter_kfree_skb": None,
    "__traceiter_sched_process_exec": None,
    "__traceiter_sched_process_exit": None,
    "__traceiter_sock_send_length": None,
    "__traceiter_sock_recv_length": None,
    "__traceiter_inet_sock_set_state": None,
}  # fmt: skip


def main(arguments: list[str]) -> int:
    if arguments == ["--types"]:
        OBJECTS.mkdir(exist_ok=True)
        vmlinux = Btf(Path("/sys/kernel/btf/vmlinux").read_bytes())
        TYPES.write_bytes(subset(vmlinux, MENTIONED))
        print(f"{TYPES.name}: {TYPES.stat().st_size} bytes")
        return 0
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = []
    for name, program in PROBES.items():
        data = compile_program(program.declaration(), Btf(TYPES.read_bytes())).object
        path = OBJECTS / f"{name}.bpf.o"
        if path.is_file() and path.read_bytes() == data:
            continue
        stale.append(name)
        if not arguments:
            path.write_bytes(data)
            print(f"{path.name}: {len(data)} bytes")
    if arguments and stale:
        print(f"older than their source: {', '.join(stale)}\n  help: make objects", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
