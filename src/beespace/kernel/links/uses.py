"""Programs that are not attached: how each kind of them is used, in words."""

from __future__ import annotations

from beespace.hooks import Hook

__all__ = ["use_of"]

_MAP_ENTRY = "write it into an entry of a {} map: the second half of the value is program.fileno()"
_USES = {
    "xdp/devmap": _MAP_ENTRY.format("device"),
    "xdp/cpumap": _MAP_ENTRY.format("CPU"),
    "action": "pin it, and give the pin to a filter: tc filter add dev DEV ... action bpf object-pinned PATH",
    "lwt_seg6local": "pin it, and give the pin to a route: ip -6 route add SID encap seg6local action End.BPF "
    "endpoint pinned PATH dev DEV",
    "sk_skb": "say in its section what it is: SEC('sk_skb/stream_parser') or SEC('sk_skb/stream_verdict')",
    "syscall": "run it: program.test_run(ctx_in=...)",
    "struct_ops": "its interface is registered as a whole, not program by program",
}
_OTHERS = "pass program.fileno() on to who uses it, or run it with program.test_run()"


def use_of(hook: Hook) -> str:
    """What to do with a program of ``hook`` instead of attaching it."""
    return _USES.get(hook.section.replace("xdp.frags", "xdp"), _OTHERS)
