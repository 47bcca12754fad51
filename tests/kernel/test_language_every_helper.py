"""Every helper that is called by its name compiles, and the kernel takes the call: one program for each hook.

Arguments are made up from the kinds in the table of signatures.  A helper that this kernel does not give to the hook is
left out, which the kernel itself says (``kernel.features``).
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.compiler.words.spelled import MAP_TYPES, SPELLED
from beespace.isa import ProgramType
from beespace.isa.signatures import SIGNATURES, Argument, Signature
from beespace.kernel.features import helper, program_type
from beespace.lang import Program
from beespace.lang.bpf_helpers import parameters

pytestmark = pytest.mark.kernel

# Program type and attach type, the decorator, how the context is had.
HOOKS = {
    "socket_filter": (1, 0, "@socket_filter", "ctx"),
    "kprobe": (2, 0, '@kprobe("do_exit")', "ctx"),
    "tc": (3, 46, '@tc("ingress")', "ctx"),
    "tracepoint": (5, 0, '@tracepoint("sched:sched_process_exec")', "ctx"),
    "xdp": (6, 37, "@xdp", "ctx"),
    "perf_event": (7, 41, "@perf_event()", "ctx"),
    "cgroup_skb": (8, 1, '@cgroup_skb("egress")', "ctx"),
    "cgroup_sock": (9, 2, '@cgroup_sock("create")', "ctx"),
    "lwt_in": (10, 0, '@lwt_in("")', "ctx"),
    "lwt_xmit": (12, 0, '@lwt_xmit("")', "ctx"),
    "sockops": (13, 3, "@sockops", "ctx"),
    "sk_skb": (14, 5, '@sk_skb("verdict")', "ctx"),
    "cgroup_device": (15, 6, "@cgroup_device", "ctx"),
    "sk_msg": (16, 7, "@sk_msg", "ctx"),
    "raw_tracepoint": (17, 0, '@raw_tracepoint("sched_process_exit")', "bpf.ctx()"),
    "cgroup_sock_addr": (18, 10, '@cgroup_sock_addr("connect4")', "ctx"),
    "lwt_seg6local": (19, 0, "@lwt_seg6local", "ctx"),
    "sk_reuseport": (21, 39, "@sk_reuseport", "ctx"),
    "flow_dissector": (22, 17, "@flow_dissector", "ctx"),
    "cgroup_sysctl": (23, 18, "@cgroup_sysctl", "ctx"),
    "cgroup_sockopt": (25, 22, '@cgroup_sockopt("set")', "ctx"),
    "btf_tracepoint": (26, 23, '@btf_tracepoint("sched_process_exit")', "bpf.ctx()"),
    "sk_lookup": (30, 36, "@sk_lookup", "ctx"),
    "syscall": (31, 0, "@syscall", "ctx"),
}
MAPS = {
    1: "Hash(key=u32, value=u64)", 4: "PerfEvents(Something)", 5: "PerCpuHash(key=u32, value=u64)", 7: "StackTraces()",
    8: "CgroupArray(4)", 14: "DevMap(4)", 15: "SockMap(4)", 18: "SockHash(u32)", 20: "ReuseportArray(4)",
    27: "Ring(Something)",
}  # fmt: skip
# Dangerous, locked down, or with rules of their own that made-up arguments do not meet.
LEFT_OUT = {
    "probe_write_user",
    "get_local_storage",
    "override_return",
    "copy_from_user_task",
    "sys_close",
    "msg_push_data",
}
# Where the context itself stands for its socket.
WITH_SOCKETS = ("tc", "cgroup_skb", "socket_filter", "sockops", "cgroup_sock_addr", "sk_skb")
SIZES = (4, 8, 20, 40, 64)


def argument(each: Argument, hook: str, context: str, number: int) -> str | None:
    """Something of the right kind; ``None`` if the hook has nothing of it."""
    kind, _, rest = each.kind.rstrip("?!").partition(":")
    size = rest.rpartition(":")[2]
    match kind:
        case "ctx" | "ctx|socket":
            return context if kind == "ctx" or hook in WITH_SOCKETS else None
        case "number":
            return {"size": "2", "level": "0"}.get(each.name, "0")
        case "address":
            return "4096"
        case "memory":
            return f"memory{size}" if size.isdigit() else "memory64"
        case "map":
            # Programs that may sleep take few types of maps.
            return f"self.map{number}" if number == 1 or hook != "syscall" else None
        case "key":
            return "u32(1)"
        case "object" if "task_struct" in each.type:
            return "bpf.task()"
        case "socket" if hook in ("tc", "cgroup_skb"):
            return "socket"
        case _:
            return None


def calls(hook: str, *, here: bool = True) -> Iterator[tuple[str, str]]:
    """Each call with the name of its helper; ``here``: of those that this kernel gives to the hook."""
    type_, attach, _, context = HOOKS[hook]
    for name, signature in SIGNATURES.items():
        if name in SPELLED or name in LEFT_OUT or signature.sleeps or not signature.at(type_, attach):
            continue
        made = [argument(each, hook, context, map_type(signature)) for each in parameters(signature)]
        if None not in made and (not here or helper(type_, name).available):
            yield name, f"bpf.{name}({', '.join(map(str, made))})"


def map_type(signature: Signature) -> int:
    return next(iter(MAP_TYPES.get(signature.name, {1: ""})))


def program(hook: str, made: list[tuple[str, str]]) -> type[Program]:
    """A program that makes the calls."""
    types = sorted({map_type(SIGNATURES[name]) for name, call in made if "self.map" in call} | {1})
    lines = ["class Something(Event):", "    value: u64"]
    for size in SIZES:
        lines += [f"class Memory{size}(Struct):", f"    data: Raw = raw({size})"]
    lines += ["class Everything(Program):", *(f"    map{number} = {MAPS[number]}" for number in types)]
    lines += [f"    {HOOKS[hook][2]}", "    def on_event(self, ctx):"]
    lines += [f"        memory{size} = Memory{size}()" for size in SIZES]
    if hook in ("tc", "cgroup_skb"):
        lines += ["        socket = bpf.full_socket(ctx)", "        if socket is None:", "            return"]
    for name, call in made:
        held = name in ("sk_lookup_tcp", "sk_lookup_udp", "skc_lookup_tcp")
        lines += [f"        with {call} as found_{name}:", "            pass"] if held else [f"        {call}"]
    text = "\n".join(lines) + "\n"
    file = f"<every helper in {hook}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {**vars(kinds), **{name: getattr(lang, name) for name in lang.__all__}, "__name__": __name__}
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    made_class: type[Program] = scope["Everything"]
    return made_class


@pytest.mark.parametrize("hook", HOOKS)
def test_the_kernel_takes_every_call(hook: str, no_leaks: None) -> None:
    if not program_type(HOOKS[hook][0]).available:
        pytest.skip(f"no {ProgramType(HOOKS[hook][0]).name.lower()} programs on this kernel")
    made = list(calls(hook))
    assert len(made) >= 5
    with program(hook, made)().load():
        pass


def test_most_helpers_are_called() -> None:
    """So that a change of the table cannot leave them out silently."""
    called = {name for hook in HOOKS for name, _ in calls(hook, here=False)}
    by_name = {name for name, found in SIGNATURES.items() if name not in SPELLED and not found.sleeps}
    assert len(called) >= 0.6 * len(by_name)
