"""``beespace watch`` without a face, for tests of many: collects once an interval, and says what it got when asked.

``python agent.py '{"cgroup": PATH, "max_flows": N, "interval": S, "keep": {TABLE: [COLUMN, …]}}'``.  A line ``report
FILE`` on standard input collects once more and answers with a line of JSON; the kept columns are in ``FILE.TABLE``
(Arrow IPC).
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from beespace.session.watch import Watch, WatchOptions

SUMS = {"flows": ("tx_packets", "rx_packets", "tx_bytes", "rx_bytes", "retransmits"), "dns": ("queries",)}


def memory(name: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) * 1024


class Agent:
    def __init__(self, watch: Watch, keep: dict[str, list[str]]) -> None:
        self.watch = watch
        self.keep = keep
        self.kept: dict[str, list[pa.RecordBatch]] = {}
        self.sums: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.unattributed: Counter[str] = Counter()
        self.longest = 0.0
        self.most = 0

    def collect(self) -> None:
        began = time.monotonic()
        for batch in self.watch.collect():
            self.sums[f"{batch.table}.rows"] += len(batch)
            self.lost.update({f"{batch.table} {stage}": count for stage, count in batch.lost.items()})
            for name in SUMS.get(batch.table, ()):
                self.sums[f"{batch.table}.{name}"] += pc.sum(batch.records.column(name)).as_py() or 0
            if batch.table == "flows":
                self.most = max(self.most, len(batch))
            if batch.table in self.keep:
                self.kept.setdefault(batch.table, []).append(batch.records.select(self.keep[batch.table]))
        self.unattributed.update(self.watch.unattributed_packets)
        self.longest = max(self.longest, time.monotonic() - began)

    def report(self, file: str) -> dict[str, Any]:
        self.collect()
        for table, batches in self.kept.items():
            with pa.OSFile(f"{file}.{table}", "wb") as sink, pa.ipc.new_file(sink, batches[0].schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
        times = os.times()
        return {
            "sums": self.sums, "lost": self.lost, "unattributed": self.unattributed, "longest_s": self.longest,
            "most_rows": self.most, "rss": memory("VmRSS"), "peak": memory("VmHWM"), "cpu_s": times.user + times.system,
            "who": {part: dict(numbers) for part, numbers in self.watch.who.statistics().items()},
        }  # fmt: skip


def main() -> None:
    options = json.loads(sys.argv[1])
    interval = options.get("interval", 1.0)
    watching = WatchOptions(cgroup=Path(options["cgroup"]), max_flows=options.get("max_flows", 65_536))
    with Watch(watching) as watch:
        agent = Agent(watch, options.get("keep", {}))
        print(json.dumps({"rss": memory("VmRSS")}), flush=True)
        due = time.monotonic() + interval
        while True:
            if select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
                words = sys.stdin.readline().split()
                if not words:
                    return
                print(json.dumps(agent.report(words[1])), flush=True)
            else:
                agent.collect()
                due = max(due + interval, time.monotonic())


if __name__ == "__main__":
    main()
