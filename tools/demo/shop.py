"""The services of the demonstration shop, each in a pod of its own: ``python3 shop.py ROLE``.

Small, but real: a front end that asks a cart, which asks a database, and now and then a payment service; names are
looked up in a DNS server of the cluster.  ``$DNS`` is that server's address.
"""

from __future__ import annotations

import itertools
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

PORTS = {"frontend": 8080, "cart": 7070, "payment": 50051, "postgres": 5432, "catalog": 3550}
NAMES = Path("/tmp/names")  # of the DNS server: a name and an address a line
PRODUCTS = b'{"products": [' + b", ".join(b'{"id": %d, "price": %d}' % (n, n * 7 % 90) for n in range(180)) + b"]}"


def called(name: str) -> None:
    """What the kernel shows as this process's name."""
    Path("/proc/self/comm").write_text(name)


# -- DNS (RFC 1035) ------------------------------------------------------------------------------------------


def resolve(name: str) -> str:
    """The address of a service."""
    number = int.from_bytes(os.urandom(2), "big")
    question = b"".join(bytes([len(part)]) + part.encode() for part in f"{name}.shop.svc.cluster.local".split("."))
    query = struct.pack(">6H", number, 0x0100, 1, 0, 0, 0) + question + b"\0" + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        asking.connect((os.environ["DNS"], 53))
        asking.send(query)
        answer = asking.recv(512)
    if answer[3] & 15:
        raise OSError(f"no such name: {name}")
    return socket.inet_ntoa(answer[-4:])


def dns() -> None:
    called("coredns")
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", 53))
    while True:
        query, peer = server.recvfrom(512)
        name, at = [], 12
        while length := query[at]:
            name.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        known = dict(line.split() for line in NAMES.read_text().splitlines()) if NAMES.exists() else {}
        address = known.get(name[0])
        flags = 0x8580 if address else 0x8583
        answer = query[:2] + struct.pack(">5H", flags, 1, int(address is not None), 0, 0) + query[12 : at + 5]
        if address:
            answer += struct.pack(">HHHIH", 0xC00C, 1, 1, 5, 4) + socket.inet_aton(address)
        server.sendto(answer, peer)


# -- services ------------------------------------------------------------------------------------------------


def received(near: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = near.recv(size - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data


def message(near: socket.socket) -> bytes:
    """A length, and that much."""
    (size,) = struct.unpack(">I", received(near, 4))
    return received(near, size) if size else b""


def send(near: socket.socket, data: bytes) -> None:
    near.sendall(struct.pack(">I", len(data)))
    near.sendall(data)


class Client:
    """Asks a service; the connection is kept, or made anew for each question."""

    def __init__(self, name: str, *, port: int = 0, keep: bool = True) -> None:
        self.name, self.port, self.keep = name, port or PORTS[name], keep
        self.near: socket.socket | None = None
        self.lock = threading.Lock()

    def ask(self, question: bytes) -> bytes:
        with self.lock:
            try:
                if self.near is None:
                    self.near = socket.create_connection((resolve(self.name), self.port), 2)
                    self.near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                send(self.near, question)
                answer = message(self.near)
            except OSError:
                self.close()
                raise
            if not self.keep:
                self.close()
            return answer

    def close(self) -> None:
        if self.near is not None:
            self.near.close()
            self.near = None


def serve(name: str, answer) -> None:  # type: ignore[no-untyped-def]
    """Answer questions on the port of ``name``, a thread for each connection."""
    called(name)
    listener = socket.create_server(("0.0.0.0", PORTS[name]), backlog=64)

    def each(near: socket.socket) -> None:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                send(near, answer(message(near)))
        except (ConnectionError, OSError):
            near.close()

    while True:
        threading.Thread(target=each, args=(listener.accept()[0],), daemon=True).start()


def frontend() -> None:
    cart, catalog, payment = Client("cart"), Client("catalog"), Client("payment", keep=False)
    count = itertools.count()

    def answer(question: bytes) -> bytes:
        page = catalog.ask(b"list")
        items = cart.ask(b"items")
        if next(count) % 2:
            try:
                if payment.ask(b"charge 1999 EUR") != b"ok":
                    return b"500"
            except OSError:
                return b"500"
        return b"200 " + page[:2000] + items

    serve("frontend", answer)


def backend(name: str, size: int) -> None:
    database = Client("postgres")
    serve(name, lambda question: database.ask(b"select " + question) * size)


def payment(port: int) -> None:
    """``port`` is where it believes the database to be."""
    database = Client("postgres", port=port, keep=False)

    def answer(question: bytes) -> bytes:
        try:
            database.ask(b"insert " + question)
        except OSError:
            threading.Timer(0.05, lambda: os._exit(1)).start()  # cannot work without: Kubernetes starts it again
            return b"no database"
        return b"ok"

    serve("payment", answer)


def customers() -> None:
    called("customers")
    while True:
        try:
            Client("frontend", keep=False).ask(b"GET /")
        except OSError:
            pass
        time.sleep(0.45)


ROLES = {
    "dns": dns,
    "frontend": frontend,
    "catalog": lambda: serve("catalog", lambda question: PRODUCTS),
    "cart": lambda: backend("cart", 40),
    "payment": lambda: payment(5432),
    "payment-broken": lambda: payment(5433),
    "postgres": lambda: serve("postgres", lambda question: b"1 row\n" + question),
    "customers": customers,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]]()
