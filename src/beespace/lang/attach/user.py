"""Decorators of user programs: functions, their returns, static probes.

Parameters have the types of their annotations (``fd: i32``); without one they are u64.  What they point to
is read with ``bpf.user_text(address)`` and ``bpf.user_bytes(address, size)``.
"""

from __future__ import annotations

import os
from typing import Any

from beespace.hooks import Attachment, by_name
from beespace.lang.attach.mark import Decorator, Variant, sleeping, told

__all__ = [
    "uprobe", "uprobe_multi", "uprobe_session", "uretprobe", "uretprobe_multi", "usdt",
]  # fmt: skip

Binary = str | os.PathLike[str]


def _in_binary(hook: str, name: str, binary: Binary, optional: bool | str, **where: Any) -> Decorator:
    """``"libc:malloc"``, or ``"malloc"`` with a binary given here or at the start."""
    word = hook.removesuffix(".s").replace(".", "_")
    if not isinstance(name, str) or not name:
        raise TypeError(f"@{word} takes the name of a function, as a text; got {name!r}")
    key = "symbols" if "multi" in hook or "session" in hook else "symbol"
    file, colon, symbol = name.rpartition(":")
    if binary or colon:
        target = f"{os.fspath(binary) or file}:{symbol}"
        return Decorator(Variant(Attachment(by_name(hook), target).section, told(**where)), optional=optional)
    return Decorator(Variant(by_name(hook).section, told(**where, **{key: symbol})), optional=optional)


def uprobe(
    symbol: str, *, binary: Binary = "", offset: int = 0, pid: int = 0, sleepable: bool = False,
    optional: bool | str = False,
) -> Decorator:  # fmt: skip
    """Run at a function of a program or library: ``"libc:malloc"``, or ``"malloc", binary=...``.  Linux 4.3.

    ``binary`` is a path, or a name that the linker or PATH finds; the start may say it, too.  ``offset`` is in
    bytes from the function's start, ``pid`` restricts it to one process.
    """
    return _in_binary(sleeping("uprobe", sleepable), symbol, binary, optional, offset=offset or None, pid=pid or None)


def uretprobe(
    symbol: str, *, binary: Binary = "", pid: int = 0, sleepable: bool = False, optional: bool | str = False
) -> Decorator:
    """Run when the function returns; its result is ``ctx.result`` or a parameter ``result: i32``.  Linux 4.3."""
    return _in_binary(sleeping("uretprobe", sleepable), symbol, binary, optional, pid=pid or None)


def uprobe_multi(
    symbols: str, *, binary: Binary = "", pid: int = 0, sleepable: bool = False, optional: bool | str = False
) -> Decorator:
    """Run at every function of a program or library that a glob names.  Linux 6.6."""
    return _in_binary(sleeping("uprobe.multi", sleepable), symbols, binary, optional, pid=pid or None)


def uretprobe_multi(
    symbols: str, *, binary: Binary = "", pid: int = 0, sleepable: bool = False, optional: bool | str = False
) -> Decorator:
    """Run when any function that a glob names returns.  Linux 6.6."""
    return _in_binary(sleeping("uretprobe.multi", sleepable), symbols, binary, optional, pid=pid or None)


def uprobe_session(
    symbols: str, *, binary: Binary = "", pid: int = 0, sleepable: bool = False, optional: bool | str = False
) -> Decorator:
    """Run at entry and, if it returned 0 there, at return of many user functions.  Linux 6.13."""
    return _in_binary(sleeping("uprobe.session", sleepable), symbols, binary, optional, pid=pid or None)


def usdt(
    probe: str, *, binary: Binary = "", pid: int = 0, sleepable: bool = False, optional: bool | str = False
) -> Decorator:
    """Run at a static probe of a user program: ``"provider:name"`` in ``binary``, or ``"binary:provider:name"``.

    Linux 4.3; arguments by position, typed by annotations.
    """
    hook = sleeping("usdt", sleepable)
    parts = probe.rsplit(":", 2) if isinstance(probe, str) else []
    if len(parts) < 2 or not all(parts):
        raise TypeError(f'@usdt takes "provider:name", as in "libc:setjmp"; got {probe!r}')
    file = os.fspath(binary) or (parts[0] if len(parts) == 3 else "")
    name = ":".join(parts[-2:])
    if file:
        target = f"{file}:{name}"
        return Decorator(Variant(Attachment(by_name(hook), target).section, told(pid=pid or None)), optional=optional)
    return Decorator(Variant(by_name(hook).section, told(pid=pid or None, usdt=name)), optional=optional)
