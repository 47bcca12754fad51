"""Two network namespaces and a veth pair between them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pace import patience

from beespace.syscall.namespaces import inside

Result = TypeVar("Result")


class Side:
    """One end of a :class:`Wire`: an interface in a network namespace of its own, which a process keeps alive."""

    def __init__(self, interface: str, address: str) -> None:
        self.interface = interface
        self.address = address
        self.keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.keeper.stdout is not None
        assert self.keeper.stdout.readline() == b"\n", "a network namespace of its own"
        self.netns = str(self.keeper.pid)

    def run(self, *command: str, given: str = "") -> str:
        """What a command prints there."""
        enter = ["nsenter", f"--net=/proc/{self.netns}/ns/net", "--", *command]
        done = subprocess.run(enter, input=given, capture_output=True, text=True, check=False, timeout=patience(60))
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def inside(self, action: Callable[[], Result]) -> Result:
        """What ``action`` returns there."""
        with Path(f"/proc/{self.netns}/ns/net").open("rb") as netns:
            return inside(netns, action)

    def socket(self, kind: int, port: int = 0) -> socket.socket:
        """An IPv4 socket there, bound to the address."""
        made = self.inside(lambda: socket.socket(socket.AF_INET, kind))
        made.settimeout(patience(20))
        made.bind((self.address, port))
        return made

    def statistics(self) -> dict[str, int]:
        """Bytes and packets that the interface has received and sent (rx_bytes, ...)."""
        lines = self.inside(lambda: Path("/proc/thread-self/net/dev").read_text()).splitlines()
        counters = next(line.split() for line in lines if line.split()[0] == f"{self.interface}:")
        names = {"rx_bytes": 1, "rx_packets": 2, "tx_bytes": 9, "tx_packets": 10}
        return {name: int(counters[column]) for name, column in names.items()}

    def close(self) -> None:
        self.keeper.communicate()


class Wire:
    """Two namespaces joined by a veth pair, on which nothing moves but what the test sends."""

    def __init__(self) -> None:
        self.left, self.right = Side("left", "10.77.0.1"), Side("right", "10.77.0.2")

    def prepare(self) -> None:
        left, right = "02:00:00:00:00:01", "02:00:00:00:00:02"
        make = f"link add left address {left} type veth peer name right address {right} netns {self.right.netns}\n"
        for side, other, mac in ((self.left, self.right, right), (self.right, self.left, left)):
            side.inside(lambda: Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1"))
            side.run(
                "ip", "-batch", "-",
                given=(make if side is self.left else "")
                + f"address add {side.address}/24 dev {side.interface}\n"
                + f"neigh add {other.address} lladdr {mac} dev {side.interface}\n"
                + f"link set dev lo up\nlink set dev {side.interface} up\n",
            )  # fmt: skip

    def send(self, count: int, port: int = 7000) -> None:
        """Send that many datagrams of 10 bytes from left to right: the interface has taken them, beside its own."""
        before = self.left.statistics()["tx_packets"]
        with self.left.socket(socket.SOCK_DGRAM) as sender:
            for _ in range(count):
                sender.sendto(bytes(10), (self.right.address, port))
        assert self.left.statistics()["tx_packets"] - before >= count

    def close(self) -> None:
        self.left.close()
        self.right.close()
