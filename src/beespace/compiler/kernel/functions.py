"""Functions of the kernel that programs may call (kfuncs), as the kernel's type information has them.

Kernels from about 6.10 on tag such functions (``bpf_kfunc``); before, what is called so in a list of their names that
newer kernels gave is taken for one, and the kernel says no to what is not.
"""

from __future__ import annotations

from typing import Any

from beespace.btf import Btf, Kind
from beespace.btf.types import DeclTag
from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.lang.bpf_kfuncs import KFUNCS
from beespace.record import replace

__all__ = ["ACQUIRES", "KernelFunctionName", "kernel_function", "kernel_functions", "with_weak_calls"]

_TAG = "bpf_kfunc"
# What gives a reference, and what takes it back (KF_ACQUIRE and KF_RELEASE of the kernel's sets of such functions).
ACQUIRES = {
    "bpf_task_acquire": "bpf_task_release", "bpf_task_from_pid": "bpf_task_release",
    "bpf_task_from_vpid": "bpf_task_release", "bpf_cgroup_acquire": "bpf_cgroup_release",
    "bpf_cgroup_ancestor": "bpf_cgroup_release", "bpf_cgroup_from_id": "bpf_cgroup_release",
    "bpf_task_get_cgroup1": "bpf_cgroup_release", "scx_bpf_task_cgroup": "bpf_cgroup_release",
    "bpf_cpumask_create": "bpf_cpumask_release", "bpf_cpumask_acquire": "bpf_cpumask_release",
    "bpf_get_task_exe_file": "bpf_put_file", "bpf_lookup_user_key": "bpf_key_put",
    "bpf_lookup_system_key": "bpf_key_put", "bpf_skb_ct_lookup": "bpf_ct_release",
    "bpf_xdp_ct_lookup": "bpf_ct_release", "bpf_crypto_ctx_create": "bpf_crypto_ctx_release",
    "bpf_crypto_ctx_acquire": "bpf_crypto_ctx_release", "bpf_xdp_get_xfrm_state": "bpf_xdp_xfrm_state_release",
    "bpf_get_mem_cgroup": "bpf_put_mem_cgroup", "bpf_get_root_mem_cgroup": "bpf_put_mem_cgroup",
    "scx_bpf_get_possible_cpumask": "scx_bpf_put_cpumask", "scx_bpf_get_online_cpumask": "scx_bpf_put_cpumask",
    "scx_bpf_get_idle_cpumask": "scx_bpf_put_idle_cpumask",
    "scx_bpf_get_idle_smtmask": "scx_bpf_put_idle_cpumask",
    "scx_bpf_get_idle_cpumask_node": "scx_bpf_put_idle_cpumask",
    "scx_bpf_get_idle_smtmask_node": "scx_bpf_put_idle_cpumask",
    "bpf_ksock_create": "bpf_ksock_release", "bpf_ksock_acquire": "bpf_ksock_release",
}  # fmt: skip


class KernelFunctionName:
    """``bpf.NAME`` where that is a function of the kernel; ``name`` is the kernel's."""

    def __init__(self, name: str) -> None:
        self.name = name


def kernel_functions(btf: Btf) -> frozenset[str]:
    """Every function that programs may call, by the kernel's names."""
    tags = (btf.type(number) for number in btf.find_all(_TAG, Kind.DECL_TAG))
    listed = frozenset(btf.name(tag.type) for tag in tags if isinstance(tag, DeclTag))
    return listed or frozenset(name for name in KFUNCS if btf.find_all(name, Kind.FUNC))


def kernel_function(btf: Btf, word: str) -> str | None:
    """The function that ``bpf.word`` names: ``bpf_word`` or ``word`` itself; ``None`` if there is neither."""
    known = kernel_functions(btf)
    return next((name for name in (f"bpf_{word}", word) if name in known and not word.startswith("bpf_")), None)


def with_weak_calls(functions: tuple[ir.Function, ...]) -> tuple[ir.Function, ...]:
    """The same where a function that some code asks about may be missing, and with it what gives its result back."""
    nodes = (node for one in functions for node in walk(one.body))
    asked = {node.name for node in nodes if isinstance(node, ir.KernelFunctionExists)}
    weak = asked | {ACQUIRES[name] for name in asked if name in ACQUIRES}

    def change(node: Any) -> Any:
        return replace(node, weak=True) if isinstance(node, ir.KernelFunction) and node.name in weak else node

    return tuple(rewrite(one, change) for one in functions) if weak else functions
