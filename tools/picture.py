"""Make the README's picture of the live table: real traffic, the real probes, the real table.

usage: picture.py FILE.svg

A few processes talk to each other, in a cgroup and a network namespace of their own, over its loopback: a web server
with its clients, a cache behind it, a resolver.  The watch session looks at that cgroup for some seconds, and the
last table that it draws is exported.  Needs root, as watching does; everything that was started is ended.
"""

from __future__ import annotations

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from beespace.errors import BeespaceError
from beespace.session.pump import pump
from beespace.session.watch import Watch, WatchOptions
from beespace.sinks import Summary
from beespace.sinks.terminal import TerminalSink
from beespace.stream import Batch

WIDTH, SECONDS = 130, 5.0
CELL = 12.2  # how wide a character is in rich's pictures

# Each program gives its process the name that it has in the table, as daemons do.
NAMED = """
import pathlib, socket, sys, threading, time
pathlib.Path("/proc/self/comm").write_text(sys.argv[1])
"""
WEB = (
    NAMED
    + """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = ask_cache(int(self.path.rpartition("/")[2]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
    def setup(self):
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
cache = socket.create_connection((sys.argv[3], 6379), source_address=(sys.argv[2], 0))
asking = threading.Lock()
def ask_cache(size):
    with asking:
        cache.sendall(b"%12d" % size)
        parts = []
        while size:
            parts.append(cache.recv(size)); size -= len(parts[-1])
        return b"".join(parts)
server = ThreadingHTTPServer((sys.argv[2], 80), Shop)
print("ready", flush=True)
server.serve_forever()
"""
)
CACHE = (
    NAMED
    + """
listener = socket.create_server((sys.argv[2], 6379))
print("ready", flush=True)
sock, _ = listener.accept()
store = bytes(4 << 20)
while question := sock.recv(12, socket.MSG_WAITALL):
    sock.sendall(store[:int(question)])
"""
)
CLIENT = (
    NAMED
    + """
import http.client
own, shop, resolver, size, pause = *sys.argv[2:5], int(sys.argv[5]), float(sys.argv[6])
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind((own, 0))
connection = http.client.HTTPConnection(shop, 80, source_address=(own, 0))
print("ready", flush=True)
while True:
    names.sendto(b"shop.example", (resolver, 53)); names.recv(512)
    connection.request("GET", f"/item/{size}"); connection.getresponse().read()
    time.sleep(pause)
"""
)
RESOLVER = (
    NAMED
    + """
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[2], 53))
print("ready", flush=True)
while True:
    question, who = sock.recvfrom(512)
    sock.sendto(question + socket.inet_aton("10.20.0.11"), who)
"""
)
SHOP, CACHE_AT, RESOLVER_AT = "10.20.0.11", "10.20.0.12", "10.20.0.2"
# Name, address, size of what it asks for, pause between two questions.
CLIENTS = (
    ("checkout", "10.20.0.31", 900, 0.01),
    ("search", "10.20.0.32", 48_000, 0.02),
    ("mobile-app", "10.20.0.33", 6_000, 0.03),
    ("backup", "10.20.0.34", 2_500_000, 0.25),
)
# The first process of the namespace; the others enter where it is.
NETWORK = "ip link set lo up && for one in $0 $@; do ip addr add $one/32 dev lo; done && echo ready && exec sleep 3600"


@contextmanager
def cgroup() -> Iterator[Path]:
    """A cgroup v2 of our own; whatever runs in it at the end is killed."""
    mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    root = next((Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"), None)
    if root is None:
        raise BeespaceError("no cgroup v2 is mounted here", help="mount -t cgroup2 none /sys/fs/cgroup")
    path = root / f"beespace-picture-{os.getpid()}"
    path.mkdir()
    try:
        yield path
    finally:
        (path / "cgroup.kill").write_text("1")
        deadline = time.monotonic() + 10
        while path.exists() and time.monotonic() < deadline:
            try:
                path.rmdir()
            except OSError:  # the last process is still being reaped
                time.sleep(0.05)


@contextmanager
def traffic(place: Path) -> Iterator[None]:
    """The processes, all running when the body begins."""
    running: list[Popen[str]] = []

    def start(*command: object) -> Popen[str]:
        enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(place)]
        process = Popen([*enter, *map(str, command)], stdout=PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise BeespaceError(f"{command[0]} did not start", help="it takes root, unshare, nsenter and ip")
        return process

    try:
        addresses = (SHOP, CACHE_AT, RESOLVER_AT, *(address for _, address, *_ in CLIENTS))
        network = start("unshare", "--net", "sh", "-c", NETWORK, *addresses)
        python = ("nsenter", f"--net=/proc/{network.pid}/ns/net", sys.executable, "-c")
        start(*python, RESOLVER, "resolver", RESOLVER_AT)
        start(*python, CACHE, "cache", CACHE_AT)
        start(*python, WEB, "shop", SHOP, CACHE_AT)
        for name, address, size, pause in CLIENTS:
            start(*python, CLIENT, name, address, SHOP, RESOLVER_AT, size, pause)
        time.sleep(0.5)
        yield
    finally:
        for process in running:
            process.kill()
            process.communicate()


class LastTable:
    """The sink of the live table on a console that records; only the last picture is kept."""

    def __init__(self, rows: int) -> None:
        os.environ["TERM"] = "xterm-256color"  # a picture is the same wherever it is made
        os.environ.pop("NO_COLOR", None)
        self.console = Console(
            record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False,
            width=WIDTH, height=rows,
        )  # fmt: skip
        self._sink = TerminalSink(io.StringIO(), console=self.console)
        self.rows = 0

    def write(self, batch: Batch) -> None:
        self._sink.write(batch)
        self.rows = len(batch)

    def show(self, summary: Summary) -> None:
        self.console.export_text()  # forget the picture before
        self._sink.show(summary)

    def close(self) -> None:
        self._sink.close()


def positioned(svg: str) -> str:
    """The same with spaces at the beginning of a text as its position: not every viewer draws them."""

    def moved(match: re.Match[str]) -> str:
        x, between, length, rest, spaces = match.groups()
        shift = spaces.count("&#160;") * CELL
        return f'x="{float(x) + shift:g}"{between}textLength="{float(length) - shift:g}"{rest}'

    return re.sub(r'x="([\d.]+)"( y="[\d.]+" )textLength="([\d.]+)"([^>]*>)((?:&#160;)+)', moved, svg)


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].endswith(".svg"):
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(arguments[0])
    table = LastTable(rows=2 * (2 * len(CLIENTS) + 1) + 3)
    try:
        with cgroup() as place, Watch(WatchOptions(cgroup=place)) as watch, traffic(place):
            pump(watch, [table], tables=("flows",), duration=SECONDS, show=table.show)
    except BeespaceError as error:
        print(f"picture.py: {error}", file=sys.stderr)
        return error.exit_status
    target.parent.mkdir(exist_ok=True)
    target.write_text(positioned(table.console.export_svg(title="beespace watch", theme=DIMMED_MONOKAI)))
    table.close()
    print(f"{target}: {table.rows} flows, {target.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
