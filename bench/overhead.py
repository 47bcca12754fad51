"""What it costs to watch an HTTP server under load: beside nothing, bpftrace, and the flow program's twin in C.

    python bench/overhead.py [--rounds 7] [--seconds 5] [--write docs/overhead.md]

nginx and wrk are in network namespaces of their own, a veth pair between them, and in one cgroup.  A round runs each
case once, in an order that changes from round to round; ratios are to nothing beside it in the same round, and what is
shown is the median of the rounds.  Agents count everything that passes in the cgroup (bpftrace, which knows no
cgroups of packets: on the host).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import TWINS, cgroup, clang, environment, inside, machine

PROGRAMS = {"wrk": "wrk", "nginx": "nginx-light", "bpftrace": "bpftrace", "clang": "clang", "ip": "iproute2"}
SERVER, CLIENT = "10.78.0.1", "10.78.0.2"
CONNECTIONS = 32
BODY = 1024
# By process: bytes that TCP and UDP sockets sent and received.  Linux 6.3.
SCRIPT = """
BEGIN { printf("ready\\n"); }
tracepoint:sock:sock_send_length /args->ret > 0/ { @sent[pid, comm, args->protocol] = sum(args->ret); }
tracepoint:sock:sock_recv_length /args->ret > 0/ { @received[pid, comm, args->protocol] = sum(args->ret); }
interval:s:1 { print(@sent); print(@received); clear(@sent); clear(@received); }
"""
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit; user root;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen {address}:80; location / {{ return 200 "{body}"; }} }}
}}
"""
LOADS = {
    f"{CONNECTIONS} connections that stay": (),
    "a connection for each request": ("-H", "Connection: close"),
}
BEGIN, END = "<!-- overhead: begin -->\n", "<!-- overhead: end -->\n"
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True, slots=True)
class Run:
    """One case in one round.  ``cpu`` is seconds of the agent's process, ``packets`` those of the veth, both ways."""

    requests: float  # a second
    p99: float  # ms
    seconds: float
    packets: int
    cpu: float | None = None
    memory: float | None = None  # MB, at most


@dataclass(frozen=True, slots=True)
class Agent:
    """How to start what is beside the server; ``ready`` is what its output has when it is attached."""

    command: Sequence[str]
    ready: bytes | None = b"ready"
    private: bool = False
    runs: dict[str, list[Run]] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the markers of this file")
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if missing := [package for program, package in PROGRAMS.items() if shutil.which(program) is None]:
        print(f"not installed: {' '.join(missing)}\n  help: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 3
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="beespace-overhead-")))
        place = stack.enter_context(cgroup("overhead"))
        client, server = stack.enter_context(_network())
        _serve(stack, folder, place, server)
        agents = _agents(folder, place)
        for number in range(options.rounds):
            names = list(agents)
            shift = number % len(names)
            for load in LOADS:
                for name in names[shift:] + names[:shift]:
                    run = _run(agents[name], LOADS[load], options.seconds, folder, place, client)
                    agents[name].runs.setdefault(load, []).append(run)
                    print(
                        f"round {number + 1}, {load}, {name}: {run.requests:,.0f}/s, p99 {run.p99:.2f} ms", flush=True
                    )
    text = _table(agents, options)
    print(f"\n{text}")
    if options.write is not None:
        before, _, rest = options.write.read_text().partition(BEGIN)
        options.write.write_text(before + BEGIN + text + END + rest.partition(END)[2])
    return 0


def _agents(folder: Path, place: Path) -> dict[str, Agent]:
    """What is compared, by name."""
    watched, reader, script = folder / "flows.bpf.o", folder / "flows_reader", folder / "bytes.bt"
    watched.write_bytes(subprocess.run(clang("flows"), check=True, stdout=subprocess.PIPE).stdout)
    source = str(TWINS / "flows_reader.c")
    subprocess.run(["clang", "-O2", "-Wall", "-Werror", source, "-o", str(reader), "-lbpf"], check=True)
    script.write_text(SCRIPT)
    beespace = [sys.executable, "-m", "beespace", "watch", "--cgroup", str(place), "-o", "arrow"]
    return {
        "nothing": Agent((), None),
        "beespace watch": Agent(beespace, None),
        "bpftrace, bytes by process": Agent(["bpftrace", str(script)], private=True),
        "C twin of the flow program": Agent([str(reader), str(watched), str(place)]),
    }


def _run(agent: Agent, more: Sequence[str], seconds: int, folder: Path, place: Path, client: str) -> Run:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *more, f"http://{SERVER}/"]
    with _running(agent, folder) as process:
        cpu, packets, began = _cpu(process), _packets(client), time.monotonic()
        load = inside(place, ["ip", "netns", "exec", client, *command])
        output = load.communicate()[0]
        took = time.monotonic() - began
        if load.returncode or "Non-2xx" in output:
            raise RuntimeError(f"wrk ended with {load.returncode}: {output}")
        rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
        p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)\b", output)
        if rate is None or p99 is None:
            raise RuntimeError(f"wrk said: {output}")
        return Run(
            requests=float(rate[1]),
            p99=float(p99[1]) * UNITS[p99[2]],
            seconds=took,
            packets=_packets(client) - packets,
            cpu=None if process is None else (_cpu(process) or 0.0) - (cpu or 0.0),
            memory=None if process is None else _most_memory(process),
        )


@contextmanager
def _running(agent: Agent, folder: Path) -> Iterator[int | None]:
    """The process id of the agent, attached."""
    if not agent.command:
        yield None
        return
    output, errors = folder / "output", folder / "errors"
    command = list(agent.command)
    if agent.private:  # bpftrace looks for tracefs where it usually is
        mount = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", mount, "sh", *command]
    with output.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment())
    try:
        _wait(
            lambda: output.stat().st_size > 0 if agent.ready is None else agent.ready in output.read_bytes(),
            process,
            errors,
        )
        yield process.pid
        process.send_signal(signal.SIGINT)
        process.wait(30)
        if process.returncode not in (0, -signal.SIGINT):
            raise RuntimeError(f"{agent.command[0]} ended with {process.returncode}: {errors.read_text()}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _ready(agent: Agent, said: bytes) -> bool:
    return bool(said) if agent.ready is None else agent.ready in said


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], errors: Path) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"what was to be measured did not begin: {errors.read_text()}")
        time.sleep(0.05)
    time.sleep(0.5)


@contextmanager
def _network() -> Iterator[tuple[str, str]]:
    """The names of two network namespaces with a veth pair between them; gone afterwards."""
    names = [f"beespace-{os.getpid()}-{end}" for end in ("client", "server")]
    try:
        for name in names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", names[0], "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", names[1])
        for name, address in zip(names, (CLIENT, SERVER), strict=True):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
        # A connection a request uses up ports faster than they come back.
        _ip("netns", "exec", names[0], "sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=1024 65535")
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def _serve(stack: ExitStack, folder: Path, place: Path, server: str) -> None:
    """nginx, until the stack is closed."""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, address=SERVER, body="x" * BODY))
    process = inside(place, ["ip", "netns", "exec", server, "nginx", "-c", str(configuration), "-p", str(folder)])

    def stop() -> None:
        process.terminate()
        process.communicate()

    stack.callback(stop)
    deadline = time.monotonic() + 30
    while (
        "LISTEN"
        not in subprocess.run(
            ["ip", "netns", "exec", server, "ss", "-Hltn"], capture_output=True, text=True, check=True
        ).stdout
    ):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("nginx did not start")
        time.sleep(0.05)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _packets(namespace: str) -> int:
    """Packets of the veth, both ways (those of segmentation offload count as one)."""
    folder = "/sys/class/net/eth0/statistics"
    read = ["ip", "netns", "exec", namespace, "cat", f"{folder}/rx_packets", f"{folder}/tx_packets"]
    return sum(int(line) for line in subprocess.run(read, check=True, capture_output=True, text=True).stdout.split())


def _cpu(pid: int | None) -> float | None:
    """Seconds of CPU that all threads of a process have used."""
    if pid is None:
        return None
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _most_memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e6


def _table(agents: dict[str, Agent], options: argparse.Namespace) -> str:
    """Markdown."""
    words = ["make bench-overhead"]
    if (options.rounds, options.seconds) != (7, 5):
        words.append(f'ARGS="--rounds {options.rounds} --seconds {options.seconds}"')
    versions = " and ".join(
        subprocess.run(command, capture_output=True, text=True, check=False).stdout.split("\n")[0]
        for command in (["bpftrace", "--version"], ["clang", "--version"])
    )
    lines = [
        f"`{' '.join(words)}` on {machine()}; {versions}. "
        f"Medians of {options.rounds} rounds of {options.seconds} s each.",
        "",
        "| load | beside it | requests/s | | p99 | | CPU of one core | CPU per million packets | most memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for load in LOADS:
        base = agents["nothing"].runs[load]
        for name, agent in agents.items():
            runs = agent.runs[load]
            rate = statistics.median(run.requests for run in runs)
            p99 = statistics.median(run.p99 for run in runs)
            cells = [load, name, f"{rate:,.0f}", "", f"{p99:.2f} ms", "", "", "", ""]
            if runs is not base:
                cells[3] = f"{_ratio(runs, base, 'requests'):.2f}x"
                cells[5] = f"{_ratio(runs, base, 'p99'):.2f}x"
                cells[6] = f"{statistics.median((run.cpu or 0) / run.seconds for run in runs) * 100:.1f} %"
                cells[7] = f"{statistics.median((run.cpu or 0) / run.packets for run in runs) * 1e6:.2f} s"
                cells[8] = f"{max(run.memory or 0 for run in runs):.0f} MB"
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _ratio(runs: Sequence[Run], base: Sequence[Run], name: str) -> float:
    pairs = zip(runs, base, strict=True)
    return statistics.median(getattr(run, name) / getattr(nothing, name) for run, nothing in pairs)


if __name__ == "__main__":
    sys.exit(main())
