"""``beespace watch``: live tables of what happens on this host."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path

from beespace.cli.kubernetes import kubelet_access, kubernetes_access
from beespace.cli.readiness import tell_ready
from beespace.cli.showing import checked_tables, show, store_of
from beespace.errors import UsageError
from beespace.session.pace import Live
from beespace.session.watch import Watch, WatchOptions


def run(options: argparse.Namespace) -> int:
    """Watch until the time is over or a signal comes."""
    tables = checked_tables(options)
    if options.pcap is not None:
        from beespace.cli.watch_pcap import run_pcap

        return run_pcap(options, tables)
    if options.local:
        raise UsageError("--local says what is local in a capture", help="with --pcap FILE; live, sockets say it")
    interval = 1.0 if options.interval is None else options.interval
    with ExitStack() as stack:
        recorders = store_of(options, stack, keep=options.keep, keep_bytes=options.keep_bytes)
        watch = stack.enter_context(Watch(watch_options(options)))
        collected = _nothing
        if options.record is not None:
            from beespace.session.recording import Recorder

            recorder = Recorder(options.record, watch, interval=interval)
            stack.enter_context(recorder)
            recorders = [*recorders, recorder.sink]
            collected = recorder.collected
        return show(
            options,
            watch,
            tables,
            Live(interval, options.duration, lambda: watch.stretch),
            notes=watch.notes,
            recorders=recorders,
            collected=collected,
            own=lambda: watch.own,
            begun=tell_ready,
        )


def watch_options(options: argparse.Namespace) -> WatchOptions:
    """What of the command line is for the probes."""
    if not 0 < options.max_flows <= 1 << 22:
        raise UsageError(f"--max-flows takes 1 to {1 << 22}, not {options.max_flows}")
    tables = getattr(options, "tables", None) or ()
    keeps = any(getattr(options, name, None) is not None for name in ("store", "record"))
    return WatchOptions(
        cgroup=Path(options.cgroup) if options.cgroup else None,
        max_flows=options.max_flows,
        cri=options.cri,
        access=kubernetes_access(options),
        kubelet=kubelet_access(options),
        labels=options.service_labels,
        interfaces=_interfaces(options.interface),
        drops=keeps or "drops" in tables,
        costs="costs" in tables or getattr(options, "costs", False),
        max_cpu=getattr(options, "max_cpu", None),
        **({"node": options.node} if options.node else {}),
    )


def _interfaces(named: list[str]) -> tuple[str, ...] | None:
    """None: found by themselves; ``none`` is none."""
    return tuple(name for name in named if name != "none") if named else None


def _nothing() -> None:
    """Nobody records."""
