"""20,000 processes in a minute: every one has a row for its program and a row for its end, or is counted as lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_net import Net, line
from scale import MIB, Agent, compiled, said

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

COUNT, RATE = 20_000, 334

# The smallest program: ends with the number of its arguments as its status.
TINY = """
#if defined(__x86_64__)
__asm__(".globl _start; _start: mov (%rsp), %edi; and $127, %edi; mov $60, %eax; syscall");
#elif defined(__aarch64__)
__asm__(".globl _start; _start: ldr w0, [sp]; and w0, w0, #127; mov x8, #93; svc #0");
#endif
"""
# Starts it so many times, so many a second; says of each its pid and status.
STARTER = r"""
import json, os, sys, time
program, count, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
began, found = time.monotonic(), []
for number in range(count):
    wait = began + number / rate - time.monotonic()
    if wait > 0: time.sleep(wait)
    arguments = [program] + ["x"] * (number % 100)
    pid = os.posix_spawn(program, arguments, {})
    found.append((pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
took = time.monotonic() - began
print(json.dumps({"took": took, "found": found}), flush=True)
sys.stdin.readline()
"""


def test_twenty_thousand_processes_a_minute(net: Net, agent: Callable[..., Agent], tmp_path: Path) -> None:
    program = compiled(tmp_path, TINY, "-static", "-nostdlib")
    columns = ["process_pid", "exit_code", "process_executable", "process_args", "duration_s"]
    watching = agent(keep={"execs": columns})
    starter = net.start(0, STARTER, program, COUNT, RATE)
    started = json.loads(line(starter))
    report = watching.report()
    rows = [row for row in watching.kept("execs").to_pylist() if row["process_executable"] == str(program)]
    begun = Counter(row["process_pid"] for row in rows if row["exit_code"] is None)
    ended = Counter((row["process_pid"], row["exit_code"]) for row in rows if row["exit_code"] is not None)
    expected = Counter(pid for pid, _ in started["found"])
    lost = report["lost"].get("execs ring", 0)
    assert not begun - expected and not ended - Counter(map(tuple, started["found"]))
    missing = sum((expected - begun).values()) + sum((Counter(map(tuple, started["found"])) - ended).values())
    assert missing <= lost if lost else missing == 0
    lengths = Counter(len(row["process_args"].split()) for row in rows if row["exit_code"] is None)
    assert lost or lengths == Counter(1 + number % 100 for number in range(COUNT))
    processes = report["who"]["processes"]
    assert processes["processes"] <= 32_768
    said(
        f"{COUNT:,} processes in {started['took']:.0f} s",
        {
            "rows": f"{len(rows):,}", "lost": lost, "known": f"{processes['processes']:,}",
            "/proc reads": processes["proc_reads"], "memory at start": f"{watching.began['rss'] // MIB} MiB",
            "now": f"{report['rss'] // MIB} MiB", "CPU": f"{report['cpu_s']:.1f} s",
        },
    )  # fmt: skip
