"""beespace: eBPF in Python, from the first line of a probe to a picture of the whole cluster.

The names here are the public interface (``api.txt`` holds their snapshot).  Importing this
package loads next to nothing: the language comes with the first of its names, and what starts a program at the
first start.  So who only loads compiled objects does not pay for the language.
"""

from __future__ import annotations

from beespace.errors import (
    BeespaceError,
    CompileError,
    FormatError,
    KernelError,
    NotPermitted,
    NotSupported,
    VerifierError,
)
from beespace.importing import import_quickly
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.lang import (
        Array,
        Counter,
        Driver,
        Event,
        Global,
        Hash,
        Histogram,
        LruHash,
        PerCpuHash,
        Program,
        Ring,
        Struct,
        bpf,
        btf_tracepoint,
        cgroup_skb,
        fentry,
        function,
        iterator,
        kprobe,
        tc,
        tracepoint,
        uprobe,
        xdp,
    )
    from beespace.session import open

__all__ = [
    "Program", "function", "bpf", "Struct", "Event",
    "tracepoint", "btf_tracepoint", "kprobe", "fentry", "uprobe", "xdp", "tc", "cgroup_skb", "iterator",
    "Counter", "Histogram", "Global", "Hash", "LruHash", "PerCpuHash", "Array", "Ring",
    "open",
    "BeespaceError", "CompileError", "FormatError", "KernelError", "NotPermitted", "NotSupported", "VerifierError",
]  # fmt: skip

__version__ = "0.1.0"

_SESSION = ("open",)


def default_driver() -> Driver:
    """What starts programs; the only place that ties the language to what runs it."""
    driver: Driver = import_quickly("beespace.session.driver").driver
    return driver


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'beespace' has no attribute {name!r}")
    found = getattr(import_quickly("beespace.session.objects" if name in _SESSION else "beespace.lang"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
