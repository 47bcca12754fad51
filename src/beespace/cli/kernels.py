"""``beespace kernels``: real kernels in virtual machines, to try a probe on before it meets them."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from beespace.errors import UsageError
from beespace.guest import KERNELS, Guest, Kernel, Settings, Share, fetch, find, needed, root, unpacked


def run(options: argparse.Namespace) -> int:
    """``list``, ``fetch`` or ``run``; the status of ``run`` is that of its command."""
    return _ACTIONS[options.action](options)


def _list(options: argparse.Namespace) -> int:
    for kernel in KERNELS:
        there = unpacked(kernel)
        release = there.full_release if there else None
        if options.output == "json":
            print(json.dumps({
                "name": kernel.name, "architecture": kernel.architecture, "suite": kernel.suite, "tier": kernel.tier,
                "fetched": release, "note": kernel.note,
            }))  # fmt: skip
        else:
            print(f"{kernel.name:<12} {kernel.suite:<18} {release or '(not fetched)':<32} {kernel.note}")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    for kernel in _chosen(options.kernels):
        there = fetch(kernel, newest=True, say=_say)
        print(f"{kernel.name:<12} {there.full_release}")
    return 0


def _run(options: argparse.Namespace) -> int:
    if not options.words:
        raise UsageError("no command to run", help="it stands behind --: beespace kernels run 6.12 -- uname -r")
    kernel = find(options.kernel)
    if options.cpus < 1:
        raise UsageError("--cpus takes 1 or more")
    for folder in options.writable:
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}", help="--writable names a folder of this machine")
    needed(kernel.architecture)
    settings = Settings(memory=options.memory, cpus=options.cpus, kvm=options.kvm)
    shares = [Share(path, path, writable=True) for path in map(Path.resolve, options.writable)]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the guest is tidied up
    there = fetch(kernel, say=_say)
    environment = dict(os.environ)
    if not root(kernel, _say).own:
        shares.append(Share(Path.cwd(), Path.cwd()))
        environment["PATH"] = "/usr/sbin:/usr/bin"
    with Guest(there, settings, shares=shares) as guest:
        return guest.run(
            options.words, environment=environment, timeout=options.timeout, out=_writer(1), err=_writer(2)
        )


def _chosen(names: list[str]) -> tuple[Kernel, ...]:
    return tuple(find(name) for name in names) or KERNELS


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _writer(descriptor: int) -> Callable[[bytes], None]:
    """Writes what comes to a descriptor, all of it."""

    def write(data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]

    return write


_ACTIONS = {"list": _list, "fetch": _fetch, "run": _run}
