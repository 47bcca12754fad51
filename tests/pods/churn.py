"""Pods that come and go beside a watching agent, and whose their packets were."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pods

from beespace.session.watch import Watch, WatchOptions

__all__ = ["Seen", "check_owners", "many", "of", "watching"]

COLUMNS = (
    *("local_address", "local_port", "remote_address", "remote_port", "role", "process_pid", "process_name"),
    *("tx_packets", "rx_packets", "pod_name", "namespace", "container_name", "container_id", "pod_uid"),
)
PORT = 10_000  # of the first of many pods


@dataclass
class Seen:
    """What the agent has told until now; :meth:`until` waits for what should come."""

    watch: Watch
    rows: list[dict[str, Any]] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    unattributed: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def collect(self) -> None:
        with self._lock:
            for batch in self.watch.collect():
                for stage, count in batch.lost.items():
                    self.lost[f"{batch.table} {stage}"] = self.lost.get(f"{batch.table} {stage}", 0) + count
                if batch.table == "flows":
                    self.rows += batch.records.select(COLUMNS).to_pylist()
            for reason, count in self.watch.unattributed_packets.items():
                self.unattributed[reason] = self.unattributed.get(reason, 0) + count


@contextmanager
def watching(node: pods.Node) -> Iterator[Seen]:
    """An agent on the node's cgroup, with its runtime and without an API, that collects twice a second."""
    options = WatchOptions(cgroup=pods.unified() / node.name, cri=str(node.socket))
    with Watch(options) as watch:
        seen = Seen(watch)
        stop = threading.Event()

        def run() -> None:
            while not stop.wait(0.5):
                seen.collect()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()
        seen.collect()


def many(node: pods.Node, count: int, life: str, *, at_once: int = 4) -> tuple[dict[int, pods.Pod], float]:
    """So many pods made and removed, each with one connection to a port of its own; by port, and seconds it took.

    Nobody listens there, and that is enough: a packet goes, a reset comes.  ``life``: what the shell does then.
    """
    made: dict[int, pods.Pod] = {}

    def one(number: int) -> None:
        port = PORT + number
        call = f"wget -q -O /dev/null http://10.85.0.1:{port}/; {life}"
        pod = node.run_pod(f"brief-{number}", "churn", {"once": ["sh", "-c", call]}, brief=True)
        made[port] = pod
        container = pod.containers["once"]
        while node.exit_code(container) is None:
            time.sleep(0.02)
        node.remove_pod(pod)

    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(count)))
    return made, time.monotonic() - began


def of(rows: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    """The rows of what a pod of :func:`many` did."""
    return [row for row in rows if row["remote_port"] == port]


def check_owners(rows: list[dict[str, Any]], made: dict[int, pods.Pod]) -> int:
    """Every pod has rows, all of them its own; how many rows lack the runtime's names."""
    nameless = 0
    for port, pod in made.items():
        mine = of(rows, port)
        assert mine, f"no row of {pod.name}"
        container = pod.containers["once"]
        for row in mine:
            # These two come with the cgroup, before the first packet.
            assert (row["pod_uid"], row["container_id"]) == (pod.uid, container.id)
            names = [row[name] for name in ("pod_name", "namespace", "container_name")]
            assert names in ([pod.name, "churn", "once"], [None] * 3)
            nameless += names[0] is None
    return nameless
