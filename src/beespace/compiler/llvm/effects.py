"""What LLVM may know of a helper: which memory of the program it touches, and that it keeps no pointer.

Invariant: a helper that is not in the table may do anything.  Those in it touch no memory of the program's but what
their arguments point to (and the kernel's own, so that no call is left out, doubled or moved past another).  So a
key is written once for a look and an update, and what was read from a packet is not read again behind them.

An update writes values of maps, to which a program may have pointers: it touches all memory, but only reads its
arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beespace.record import dataclass

__all__ = ["ATTRIBUTES", "Effect", "effect_of"]


@dataclass(frozen=True, slots=True)
class Effect:
    """The attribute group of a call, and what is said of each pointer that it is given."""

    group: str = ""
    pointers: str = ""


_OWN = "inaccessiblemem: readwrite"
_READS = "readonly captures(none)"
#: Attribute groups, as lines of a module.
ATTRIBUTES = (
    f"attributes #3 = {{ nounwind willreturn memory({_OWN}) }}",
    f"attributes #4 = {{ nounwind willreturn memory(argmem: read, {_OWN}) }}",
    f"attributes #5 = {{ nounwind willreturn memory(argmem: write, {_OWN}) }}",
)
_TELLS, _LOOKS, _FILLS = Effect(" #3"), Effect(" #4", _READS), Effect(" #5", "captures(none)")
_CHANGES = Effect("", _READS)

# kernel/bpf/helpers.c: what tells the time, who runs, a random number; lookups; updates; what fills its first argument.
_EFFECTS: Mapping[int, Effect] = MappingProxyType({
    1: _LOOKS,  # bpf_map_lookup_elem()
    2: _CHANGES,  # bpf_map_update_elem()
    3: _CHANGES,  # bpf_map_delete_elem()
    5: _TELLS,  # bpf_ktime_get_ns()
    7: _TELLS,  # bpf_get_prandom_u32()
    8: _TELLS,  # bpf_get_smp_processor_id()
    14: _TELLS,  # bpf_get_current_pid_tgid()
    15: _TELLS,  # bpf_get_current_uid_gid()
    16: _FILLS,  # bpf_get_current_comm()
    35: _TELLS,  # bpf_get_current_task()
    42: _TELLS,  # bpf_get_numa_node_id()
    80: _TELLS,  # bpf_get_current_cgroup_id()
    118: _TELLS,  # bpf_jiffies64()
    125: _TELLS,  # bpf_ktime_get_boot_ns()
    131: _TELLS,  # bpf_ringbuf_reserve()
    158: _TELLS,  # bpf_get_current_task_btf()
    160: _TELLS,  # bpf_ktime_get_coarse_ns()
    208: _TELLS,  # bpf_ktime_get_tai_ns()
})  # fmt: skip


def effect_of(number: int) -> Effect:
    """What is known of helper ``number``."""
    return _EFFECTS.get(number, Effect())
