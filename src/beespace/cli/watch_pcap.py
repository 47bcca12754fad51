"""``beespace watch --pcap FILE``: the table that the kernel would have given."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from beespace.capture import open_capture
from beespace.cli.showing import show, store_of
from beespace.errors import UsageError
from beespace.session.pace import Played
from beespace.session.pcap import PcapWatch

_LARGE = 2 << 20  # bytes of a capture
_LIVE = {"duration": "--for", "pid": "--pid", "namespace": "--namespace", "pod": "--pod", "cgroup": "--cgroup",
         "cri": "--cri", "record": "--record", "max_cpu": "--max-cpu"}  # fmt: skip


def run_pcap(options: argparse.Namespace, tables: Sequence[str]) -> int:
    """Play a capture to its end; a damaged one is shown up to there, and the status is 1."""
    if list(tables) != ["flows"]:
        raise UsageError("a capture has flows only", help="beespace watch --pcap FILE")
    if given := [flag for name, flag in _LIVE.items() if getattr(options, name)]:
        raise UsageError(f"a capture knows nothing of {given[0]}", help="filter by --port; say --local ADDRESS")
    with ExitStack() as stack:
        recorders = store_of(options, stack, keep=None, keep_bytes=None)
        shown = sys.stderr.isatty()
        watch = PcapWatch(
            open_capture(_opened(options.pcap, stack)),
            interval=options.interval,
            local=options.local,
            max_flows=options.max_flows,
            jit=_pays(options.pcap),
            progress=_progress if shown else _silent,
        )
        status = show(options, watch, tables, Played(watch, None), recorders=recorders)
        for why, frames in watch.skipped.items():
            print(f"beespace: note: {frames:,} frames left out: {why}", file=sys.stderr)
        if watch.cut is not None:
            print(f"beespace: note: the capture ends inside a packet (at offset {watch.cut:#x})", file=sys.stderr)
        if watch.error is not None:
            raise watch.error
    return status


def _pays(name: str) -> bool:
    """Whether making native code of the programs, which takes a second, pays: where there is LLVM, and much to do."""
    return find_spec("llvmlite") is not None and (name == "-" or Path(name).stat().st_size > _LARGE)


def _opened(name: str, stack: ExitStack) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from None


def _progress(packets: int) -> None:
    print(f"\rbeespace: {packets:,} packets", end="\r", file=sys.stderr, flush=True)


def _silent(packets: int) -> None:
    """Nobody looks."""
