"""Decorators: the sections that they name, what they refuse, alternatives, and that every hook has one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beespace.errors import UsageError
from beespace.hooks import HOOKS, resolve
from beespace.hooks.registers import ARM64, X86_64
from beespace.hooks.results import result_range, written_range
from beespace.hooks.syscalls import SYSCALLS
from beespace.lang import Counter, Program, attach, verdicts
from beespace.lang.attach import DECORATORS, SECTION, VARIANTS

SECTIONS = [
    (attach.tracepoint("sched:sched_switch"), "tracepoint/sched/sched_switch", {}),
    (attach.tracepoint("sched:sched_switch", sleepable=True), "tracepoint.s/sched/sched_switch", {}),
    (attach.raw_tracepoint("sys_enter"), "raw_tp/sys_enter", {}),
    (attach.raw_tracepoint("nbd_send_request", writable=True), "raw_tp.w/nbd_send_request", {}),
    (attach.btf_tracepoint("sched_switch"), "tp_btf/sched_switch", {}),
    (attach.kprobe("vfs_read", offset=16), "kprobe/vfs_read+0x10", {}),
    (attach.kretprobe("vfs_read"), "kretprobe/vfs_read", {}),
    (attach.kprobe_multi("vfs_*"), "kprobe.multi/vfs_*", {}),
    (attach.kretprobe_multi("vfs_*"), "kretprobe.multi/vfs_*", {}),
    (attach.kprobe_session("vfs_*"), "kprobe.session/vfs_*", {}),
    (attach.ksyscall("openat"), "ksyscall/openat", {}),
    (attach.kretsyscall("openat"), "kretsyscall/openat", {}),
    (attach.uprobe("libc:malloc"), "uprobe/libc:malloc", {}),
    (attach.uprobe("malloc", binary="/lib/x.so", offset=4), "uprobe//lib/x.so:malloc", {"offset": 4}),
    (attach.uprobe("malloc", pid=3, sleepable=True), "uprobe.s", {"symbol": "malloc", "pid": 3}),
    (attach.uretprobe("libc:malloc"), "uretprobe/libc:malloc", {}),
    (attach.uprobe_multi("m*"), "uprobe.multi", {"symbols": "m*"}),
    (attach.uretprobe_multi("libc:m*"), "uretprobe.multi/libc:m*", {}),
    (attach.uprobe_session("m*"), "uprobe.session", {"symbols": "m*"}),
    (attach.usdt("libc:setjmp", binary="/x"), "usdt//x:libc:setjmp", {}),
    (attach.usdt("libc:setjmp"), "usdt", {"usdt": "libc:setjmp"}),
    (attach.usdt("libc.so.6:libc:setjmp"), "usdt/libc.so.6:libc:setjmp", {}),
    (attach.fentry("vfs_read", sleepable=True), "fentry.s/vfs_read", {}),
    (attach.fexit("vfs_read"), "fexit/vfs_read", {}),
    (attach.fmod_ret("vfs_read"), "fmod_ret/vfs_read", {}),
    (attach.fsession("vfs_read"), "fsession/vfs_read", {}),
    (attach.freplace("judge", context="xdp"), "freplace/judge", {}),
    (attach.lsm("file_open", sleepable=True), "lsm.s/file_open", {}),
    (attach.lsm_cgroup("socket_create"), "lsm_cgroup/socket_create", {}),
    (attach.iterator("bpf_map_elem", map="counts"), "iter/bpf_map_elem", {"map": "counts"}),
    (attach.perf_event("cycles", period=100), "perf_event", {"event": "cycles", "period": 100}),
    (attach.syscall(), "syscall", {}),
    (attach.xdp(), "xdp", {}),
    (attach.xdp(interface="eth0", fragments=True, mode="native"), "xdp.frags", {"interface": "eth0", "mode": "native"}),
    (attach.xdp(map="cpumap"), "xdp/cpumap", {}),
    (attach.tc("egress", interface=2), "tc", {"direction": "egress", "interface": 2}),
    (attach.netkit("peer"), "netkit/peer", {}),
    (attach.socket_filter(), "socket", {}),
    (attach.flow_dissector(netns="a"), "flow_dissector", {"netns": "a"}),
    (attach.netfilter("local_in", priority=0), "netfilter", {"netfilter_hook": "local_in", "priority": 0}),
    (attach.lwt_in("1.0.0.0/8"), "lwt_in", {"route": "1.0.0.0/8"}),
    (attach.lwt_out(), "lwt_out", {}),
    (attach.lwt_xmit(), "lwt_xmit", {}),
    (attach.lwt_seg6local(), "lwt_seg6local", {}),
    (attach.sockops(), "sockops", {}),
    (attach.sk_msg(map="sockets"), "sk_msg", {"map": "sockets"}),
    (attach.sk_skb("stream_parser"), "sk_skb/stream_parser", {}),
    (attach.sk_lookup(), "sk_lookup", {}),
    (attach.sk_reuseport(migrate=True), "sk_reuseport/migrate", {}),
    (attach.cgroup_skb("egress"), "cgroup_skb/egress", {}),
    (attach.cgroup_sock("create"), "cgroup/sock_create", {}),
    (attach.cgroup_sock_addr("connect_unix"), "cgroup/connect_unix", {}),
    (attach.cgroup_sockopt("get"), "cgroup/getsockopt", {}),
    (attach.cgroup_sysctl(), "cgroup/sysctl", {}),
    (attach.cgroup_device(), "cgroup/dev", {}),
]


@pytest.mark.parametrize(("decorator", "section", "where"), SECTIONS, ids=[each[1] for each in SECTIONS])
def test_sections(decorator: Any, section: str, where: dict[str, Any]) -> None:
    def method(self: Any, ctx: Any) -> None: ...

    assert decorator(method) is method
    assert getattr(method, SECTION) == section
    (variant,) = getattr(method, VARIANTS)
    assert (variant.section, dict(variant.where)) == (section, where)
    assert resolve(section).section == section


def test_every_decorator_is_tried() -> None:
    used = {each[1].partition("/")[0] for each in SECTIONS}
    assert len(DECORATORS) == len(set(DECORATORS)) <= len(SECTIONS)
    # What has no decorator: other names of hooks that have one, classes of interfaces, infrared receivers.
    others = {"tcx", "classifier", "action", "sk_skb", "struct_ops", "lirc_mode2", "cgroup"}
    others |= {"fentry.multi", "fexit.multi", "fsession.multi"}
    known = {hook.section.partition("/")[0].removesuffix(".s") for hook in HOOKS}
    assert known - {name.removesuffix(".s") for name in used} - others == set()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: attach.tracepoint("sched_switch"),
        lambda: attach.kprobe(""),
        lambda: attach.tc("sideways"),
        lambda: attach.xdp(map="tree"),
        lambda: attach.usdt("setjmp"),
        lambda: attach.cgroup_sock("opened"),
        lambda: attach.netkit("middle"),
        lambda: attach.uprobe(""),
        lambda: attach.freplace("judge", context="no such hook"),
        lambda: attach.xdp("cpumap"),
        lambda: attach.lwt_seg6local("fc00::/64"),
    ],
)
def test_what_decorators_refuse(wrong: Callable[[], object]) -> None:
    with pytest.raises((TypeError, KeyError)):
        wrong()


class Several(Program):
    hits = Counter()

    @attach.fentry("vfs_read").otherwise(attach.kprobe("vfs_read")).otherwise(attach.kprobe("ksys_read"))
    def on_read(self, ctx):
        self.hits += 1

    @attach.xdp
    def on_packet(self, ctx):
        self.hits += 1

    @attach.function
    def helper(self):
        self.hits += 1


def test_programs_of_a_class() -> None:
    declaration = Several.declaration()
    assert declaration.variants("on_read") == ("on_read", "on_read__kprobe", "on_read__kprobe_2")
    assert [declaration.programs[name].section for name in declaration.variants("on_read")] == [
        "fentry/vfs_read", "kprobe/vfs_read", "kprobe/ksys_read",
    ]  # fmt: skip
    assert declaration.variants("on_packet") == ("on_packet",)
    assert declaration.variants("helper") == ()
    assert declaration.sections["helper"] == ""


def test_names_that_every_program_has() -> None:
    class Wrong(Program):
        links = Counter()

    with pytest.raises(UsageError, match="'links', which every program has already"):
        Wrong.declaration()


def test_what_is_done_only_while_it_runs() -> None:
    probe = Several()
    for action in (probe.explain, lambda: probe.links, lambda: probe.attach("on_packet"), lambda: probe.program("x")):
        with pytest.raises(UsageError, match="Several is not running"):
            action()
    assert probe.notes == ()


def test_verdicts_are_those_of_the_kernel() -> None:
    assert (verdicts.XDP_DROP, verdicts.XDP_REDIRECT) == (1, 4)
    assert (verdicts.TC_ACT_OK, verdicts.TC_ACT_SHOT, verdicts.TC_ACT_REDIRECT) == (0, 2, 7)
    assert (verdicts.TCX_NEXT, verdicts.TCX_DROP) == (-1, 2)
    assert (verdicts.BPF_OK, verdicts.BPF_LWT_REROUTE, verdicts.NF_ACCEPT, verdicts.SK_PASS) == (0, 128, 1, 1)
    for name in verdicts.__all__:
        assert getattr(verdicts, name) is not None


def test_ranges_of_results() -> None:
    def of(section: str) -> tuple[Any, Any]:
        hook = resolve(section).hook
        return result_range(hook), written_range(hook)

    assert of("xdp") == (None, (0, 4))
    assert of("lsm/file_open") == (None, (-4095, 0))
    assert of("sk_skb/stream_parser") == (None, None)
    assert of("cgroup/recvmsg4") == ((1, 1), (1, 1))
    assert of("cgroup/bind6")[0] == (0, 3)
    assert of("kprobe/vfs_read") == (None, None)


def test_registers_and_system_calls() -> None:
    assert (X86_64.arguments[0], X86_64.result, X86_64.instruction) == (112, 80, 128)
    assert X86_64.syscall_arguments[3] != X86_64.arguments[3]
    assert (ARM64.arguments[7], ARM64.result, ARM64.instruction) == (56, 0, 256)
    assert SYSCALLS["openat"] == (("dfd", "i32"), ("filename", "address"), ("flags", "i32"), ("mode", "u16"))
    assert all(len(arguments) <= 6 for arguments in SYSCALLS.values())
