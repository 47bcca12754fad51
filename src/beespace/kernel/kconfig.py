"""``.kconfig``: options of the running kernel, and facts about it, before an object's programs are verified.

Options come from the kernel's configuration, wherever it is kept; ``LINUX_...`` are facts that libbpf has made up,
each found by trying.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path

from beespace.btf import Btf, Enum, Int, Kind
from beespace.btf.types import IntEncoding
from beespace.errors import BeespaceError, KernelError, RelocationError
from beespace.kernel.kallsyms import find_symbols
from beespace.spec import KconfigSpec, ObjectSpec
from beespace.syscall import bpf
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.kernel.kernel_types import KernelTypes

__all__ = ["configuration_paths", "kconfig_values", "linux_version"]

_SIGNATURE = Path("/proc/version_signature")  # of Ubuntu
_PREFIX = "CONFIG_"
_TRISTATE = {"n": 0, "y": 1, "m": 2}  # enum libbpf_tristate
_TRACEPOINT = 5  # BPF_PROG_TYPE_TRACEPOINT
_GET_ATTACH_COOKIE = 174
#: How the architecture calls its system calls (``SYSCALL_DEFINE``), since kernel commit fa697140f9a2, Linux 4.17.
_WRAPPED = {"x86_64": "__x64_sys_bpf", "aarch64": "__arm64_sys_bpf", "s390x": "__s390x_sys_bpf",
            "riscv64": "__riscv_sys_bpf", "loongarch64": "__loongarch_sys_bpf"}  # fmt: skip


def configuration_paths() -> tuple[str, ...]:
    """Where distributions keep the configuration of the running kernel, the kernel's own word first."""
    release = os.uname().release
    return (
        "/proc/config.gz",
        f"/boot/config-{release}",
        f"/lib/modules/{release}/config",
        f"/usr/lib/modules/{release}/config",
        f"/lib/modules/{release}/build/.config",
        f"/usr/lib/ostree-boot/config-{release}",
        f"/usr/lib/kernel/config-{release}",
        f"/usr/src/linux-headers-{release}/.config",
        f"/usr/src/kernels/{release}/.config",
    )


def kconfig_values(spec: ObjectSpec, given: Collection[str], kernel: KernelTypes) -> dict[str, int | bytes]:
    """What this kernel says to everything that ``.kconfig`` asks for, but for what the caller has ``given``.

    A weak option that the kernel does not have is 0.  Raises :class:`RelocationError` for one that is not weak, or
    whose value does not fit its type.
    """
    wanted = [each for each in spec.kconfig if each.name not in given]
    if not wanted:
        return {}
    types = Btf(spec.btf)
    found: dict[str, int | bytes] = {}
    options = [each.name for each in wanted if each.name.startswith(_PREFIX)]
    texts, where = _options(options) if options else ({}, None)
    for each in wanted:
        if each.name in texts:
            found[each.name] = _value(each, texts[each.name], types)
        elif each.name in _FACTS:
            found[each.name] = _checked(each, _FACTS[each.name](kernel), types)
        elif each.weak:
            found[each.name] = bytes(each.size)
        else:
            raise _missing(each, where)
    return found


def _missing(option: KconfigSpec, where: str | None) -> RelocationError:
    if not option.name.startswith(_PREFIX):
        return RelocationError(
            f"nothing is known of {option.name}, which the object asks for in .kconfig",
            help=f"known: CONFIG_... and {', '.join(_FACTS)}",
        )
    give = f"declare it `__weak` for 0, or say what it is: variables={{{option.name!r}: ...}}"
    if where is None:
        return RelocationError(
            f"the object asks for {option.name}, but this kernel's configuration was not found",
            help=f"{give}; looked for {', '.join(configuration_paths())}",
        )
    return RelocationError(f"{option.name} is not set in this kernel ({where})", help=give)


# -- the configuration -----------------------------------------------------------------------------------------


def _options(names: Collection[str]) -> tuple[dict[str, str], str | None]:
    """The text behind ``NAME=`` of each option that is set, and the file that says so."""
    for path in configuration_paths():
        text = _read(path)
        if text is not None:
            found = {}
            for name in names:
                start = text.find(f"\n{name}=".encode())
                if start >= 0:
                    start += len(name) + 2
                    found[name] = text[start : text.index(b"\n", start)].decode("utf-8", "replace")
            return found, path
    return {}, None


@cache
def _read(path: str) -> bytes | None:
    """The lines of a configuration, packed or not, each with a newline before and behind."""
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    if data[:2] == b"\x1f\x8b":
        import zlib

        try:
            data = zlib.decompress(data, wbits=31)  # gzip
        except zlib.error:
            return None
    return b"\n" + data + b"\n"


def _value(option: KconfigSpec, text: str, types: Btf) -> int | bytes:
    """A value of the configuration as the bytes or number of the variable; what fits what is libbpf's rule."""
    kind = types.type(types.resolve(option.type_id))
    if isinstance(kind, Enum):
        if text not in _TRISTATE:
            raise _unfit(option, text, "it is no tristate")
        return _TRISTATE[text]
    if text.startswith('"'):
        if isinstance(kind, Int):
            raise _unfit(option, text, f"a string does not fit {types.describe(option.type_id)}")
        return text.strip('"').encode()[: option.size - 1]
    if not isinstance(kind, Int):
        raise _unfit(option, text, f"{types.describe(option.type_id)} is for strings")
    if text in _TRISTATE:
        if kind.encoding & IntEncoding.BOOL:
            if text == "m":
                raise _unfit(option, text, "a module is neither true nor false: declare it enum libbpf_tristate")
            return int(text == "y")
        if kind.size == 1:
            return ord(text)  # a char holds the letter
        raise _unfit(option, text, "declare it bool, char or enum libbpf_tristate")
    try:
        number = int(text, 0)
    except ValueError:
        raise _unfit(option, text, "it is no number") from None
    if kind.encoding & IntEncoding.BOOL:
        raise _unfit(option, text, "declare it as an integer")
    return _checked(option, number, types)


def _checked(option: KconfigSpec, number: int, types: Btf) -> int:
    """``number``, if it is of the variable's range."""
    kind = types.type(types.resolve(option.type_id))
    what = types.describe(option.type_id)
    if not isinstance(kind, Int):
        raise _unfit(option, str(number), f"{what} is for words, not for numbers")
    bits = 1 if kind.encoding & IntEncoding.BOOL else 8 * option.size
    low = -1 << bits - 1 if kind.is_signed else 0
    # The widest integer takes either sign: constants such as 0xdead000000000000 are declared `long`, too.
    high = 1 << (bits - 1 if kind.is_signed and option.size < 8 else bits)
    if not low <= number < high:
        raise _unfit(option, str(number), f"{what} holds {low} to {high - 1}")
    return number


def _unfit(option: KconfigSpec, text: str, why: str) -> RelocationError:
    return RelocationError(f"{option.name} is {text} in this kernel, and its declaration does not fit: {why}")


# -- facts -----------------------------------------------------------------------------------------------------


def linux_version() -> int:
    """``KERNEL_VERSION(a, b, c)`` of the running kernel.

    Distributions that keep their own third number in ``uname`` tell the kernel's elsewhere.
    """
    release, version = os.uname().release, os.uname().version
    text = release
    try:
        text = _SIGNATURE.read_text("utf-8").split()[-1]  # "Ubuntu 5.4.0-12.15-generic 5.4.8"
    except (OSError, IndexError):
        if " Debian " in version:  # "#1 SMP Debian 5.10.46-4 (2021-08-03)"
            text = version.partition(" Debian ")[2]
    numbers = _numbers(text) or _numbers(release)
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major << 16 | minor << 8 | min(patch, 255)


def _numbers(text: str) -> list[int]:
    """``5.10.46-4 ...`` -> 5, 10, 46."""
    found = []
    for part in text.split(".")[:3]:
        digits = len(part) - len(part.lstrip("0123456789"))
        if not digits:
            break
        found.append(int(part[:digits]))
        if digits < len(part):
            break
    return found


def _has_cookie(kernel: KernelTypes) -> int:
    """Whether programs can read a cookie of their attachment (Linux 5.15): by loading one that does."""
    call = bytes((0x85, 0, 0, 0)) + _GET_ATTACH_COOKIE.to_bytes(4, sys.byteorder)
    try:
        bpf.prog_load(_TRACEPOINT, call + bytes((0x95, *bytes(7))), license="GPL")[0].close()
    except KernelError:
        return 0
    return 1


def _has_wrapper(kernel: KernelTypes) -> int:
    """Whether system calls take their arguments from a ``struct pt_regs``: by the name that they then have."""
    name = _WRAPPED.get(os.uname().machine)
    if name is None:
        return 0
    try:
        if kernel.find(name, Kind.FUNC):
            return 1
    except BeespaceError:
        pass
    try:
        return int(any(True for _ in find_symbols([name])))
    except BeespaceError:
        return 0


_FACTS: Mapping[str, Callable[[KernelTypes], int]] = {
    "LINUX_KERNEL_VERSION": lambda kernel: linux_version(),
    "LINUX_HAS_BPF_COOKIE": _has_cookie,
    "LINUX_HAS_SYSCALL_WRAPPER": _has_wrapper,
}
