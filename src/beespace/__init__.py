"""beespace: eBPF in Python, from the first line of a probe to a picture of the whole cluster.

The names here are the public interface (``api.txt`` holds their snapshot).  Importing this
package loads the language only; what starts a program is imported at the first start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beespace.errors import (
    BeespaceError,
    CompileError,
    FormatError,
    KernelError,
    NotPermitted,
    NotSupported,
    VerifierError,
)
from beespace.lang import (
    Array,
    Counter,
    Event,
    Global,
    Hash,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    Program,
    Ring,
    SocketStorage,
    Struct,
    bpf,
    btf_tracepoint,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    function,
    install_driver,
    iterator,
    raw_tracepoint,
    sockops,
    tracepoint,
)

if TYPE_CHECKING:
    from beespace.session import open

__all__ = [
    "Program", "tracepoint", "raw_tracepoint", "btf_tracepoint", "iterator", "cgroup_skb", "cgroup_sock",
    "cgroup_sock_addr", "sockops", "function", "bpf",
    "Struct", "Event", "Counter", "Global", "Hash", "LruHash", "PerCpuHash", "Array", "PerCpuArray", "Ring",
    "SocketStorage",
    "open",
    "BeespaceError", "CompileError", "FormatError", "KernelError", "NotPermitted", "NotSupported", "VerifierError",
]  # fmt: skip

__version__ = "0.1.0"

# The composition root: the only place that ties the language to what runs it.
install_driver(lambda: import_module("beespace.session").driver)


def __getattr__(name: str) -> Any:
    if name == "open":
        return import_module("beespace.session").open
    raise AttributeError(f"module 'beespace' has no attribute {name!r}")
