"""``beespace serve``: the agent of a host: watches all of it, keeps the history, says over HTTP how it is."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

from beespace.cli.readiness import tell_ready
from beespace.cli.watch import watch_options
from beespace.errors import StoreError, StoreInUse
from beespace.session.cluster_news import ClusterNews
from beespace.session.detail import DetailNews
from beespace.session.endpoint import Endpoint, health_pages
from beespace.session.health import Health
from beespace.session.pace import Live
from beespace.session.pump import pump
from beespace.session.watch import Watch
from beespace.sinks.store.sink import StoreSink

AGAIN_S = 0.2  # how often a store that somebody else still writes is tried


def run(options: argparse.Namespace) -> int:
    """Serve until a signal (or ``--for``) ends it: what was seen until then is in the store when this returns."""
    try:
        return _run(options)
    except _Terminated:
        _say("ended before it watched")
        return 0


def _run(options: argparse.Namespace) -> int:
    interval = 1.0 if options.interval is None else options.interval
    health = Health(interval)
    with ExitStack() as stack:
        stack.enter_context(_terminated_like_interrupted())
        host, port = options.listen
        endpoint = stack.enter_context(Endpoint(host, port, health_pages(health)))
        _say(f"{endpoint.url}/healthz /readyz /metrics")
        store = _store(options, health)
        stack.callback(store.close)
        health.phase("attaching probes")
        watch = stack.enter_context(Watch(watch_options(options)))
        for note in watch.notes:
            _say(f"note: {note}")
        health.costs, health.cpu_limit = watch.costs, options.max_cpu
        health.phase("waiting for the first interval")
        _say(f"watching; the history is in {options.store}")
        status = _serve(options, watch, store, health, interval)
        health.phase("stopping")
    return status


def _serve(options: argparse.Namespace, watch: Watch, store: StoreSink, health: Health, interval: float) -> int:
    said = ""
    news, left_out = ClusterNews(watch.who.cluster), DetailNews()

    def trouble(error: StoreError) -> None:
        nonlocal said
        health.trouble(error)
        if str(error) != said:  # a full disk is said once, not every interval
            said = str(error)
            _say(said)

    def collected() -> None:
        notes = (*news.take(), *left_out.take(watch.detail))
        health.collected(
            began=watch.began,
            unattributed=watch.unattributed_packets,
            store=store.state,
            store_lost=store.total_lost,
            cluster=news.following,
            detail=watch.detail,
        )
        for note in notes:  # said when the metrics have it: who reads this and asks them finds the same
            _say(note)

    summary = pump(
        watch,
        [],
        tables=("flows", "execs"),
        pace=Live(interval, options.duration, lambda: watch.stretch),
        own=lambda: watch.own,
        begun=tell_ready,
        recorders=[store, health],
        collected=collected,
        trouble=trouble,
    )
    failed = False
    try:
        store.close()
    except StoreError as error:
        trouble(error)
        failed = True
    _say("  ".join(summary.parts()))
    return 1 if failed else 0


def _store(options: argparse.Namespace, health: Health) -> StoreSink:
    """The store; while the agent before us still writes it, we wait."""
    deadline = time.monotonic() + options.wait
    while True:
        try:
            return StoreSink(options.store, keep_s=options.keep, keep_bytes=options.keep_bytes)
        except StoreInUse as error:
            if time.monotonic() >= deadline:
                raise
            health.phase(f"waiting: {error.message}")
            time.sleep(AGAIN_S)


class _Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Until the loop listens for signals itself, SIGTERM unwinds as Ctrl-C does; the first process of a container
    would otherwise not even see it."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> None:
    print(f"beespace: {text}", file=sys.stderr, flush=True)
