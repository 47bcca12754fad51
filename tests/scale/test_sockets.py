"""100,000 sockets that all talk: every packet is in a row or in the loss; what the agent needs is bounded.

The oracle is TCP_INFO of every one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flow_net import Net, line
from scale import MIB, Agent, said

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

PROCESSES, PAIRS = 6, 8400  # a process may have 20,000 descriptors here; both ends of a connection are its own
SOCKETS = PROCESSES * PAIRS * 2
ROOM = 65_536  # flows in an interval, as `beespace watch` has it

# Opens so many connections over loopback between many addresses.  "talk A B" sends a message there and back on the
# connections from A to B; "count" gives the segments that all sockets together have sent and received.
TALKER = r"""
import resource, socket, struct, sys, time
me, pairs = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
listener = socket.create_server((f"127.1.{me}.1", 9000), backlog=4096)
near, far = [], []
for number in range(pairs):
    source = (f"127.2.{me}.{1 + number % 250}", 0)
    sock = socket.socket(); sock.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
    sock.bind(source); sock.connect(listener.getsockname())
    near.append(sock); far.append(listener.accept()[0])
def segments():
    return sum(sum(struct.unpack_from("=II", sock.getsockopt(6, 11, 256), 136)) for sock in near + far)
print("ready", flush=True)
for text in sys.stdin:
    words = text.split()
    if words[0] == "talk":
        for one, other in zip(near[int(words[1]):int(words[2])], far[int(words[1]):int(words[2])]):
            one.sendall(b"question"); other.recv(100); other.sendall(b"answer"); one.recv(100)
        print("done", flush=True)
    else:
        before = -1
        while before != (now := segments()):
            before = now; time.sleep(0.5)  # acknowledgements may wait for 40 ms
        print(now, flush=True)
"""


def test_a_hundred_thousand_sockets(net: Net, agent: Callable[..., Agent], tmp_path: Path) -> None:
    talkers = [net.start(0, TALKER, number, PAIRS) for number in range(PROCESSES)]
    for each in talkers:
        assert line(each) == "ready\n"

    def tell(text: str) -> list[str]:
        for each in talkers:
            assert each.stdin is not None
            each.stdin.write(text + "\n")
            each.stdin.flush()
        return [line(each).strip() for each in talkers]

    before = sum(map(int, tell("count")))
    # An interval that ends only when we say so: all sockets talk in it, and the table is too small.
    full = agent(max_flows=ROOM, interval=1e6, keep={"flows": ["process_pid", "tx_packets"]})
    assert set(tell(f"talk 0 {PAIRS}")) == {"done"}
    after = sum(map(int, tell("count")))
    one = full.report()
    counted = one["sums"]["flows.tx_packets"] + one["sums"]["flows.rx_packets"]
    lost = one["lost"]["flows table full"]
    assert counted + lost == after - before
    assert lost > 0
    assert ROOM * 0.99 <= one["most_rows"] <= ROOM
    pids = set(full.kept("flows")["process_pid"].to_pylist())
    assert pids == {each.pid for each in talkers}, "sockets that are older than the agent have an owner, too"
    # In the same agent a tenth at a time: nothing is lost any more.
    before = after
    for part in range(0, PAIRS, PAIRS // 4):
        tell(f"talk {part} {part + PAIRS // 4}")
        tell("count")
        two = full.report()
    after = sum(map(int, tell("count")))
    two = full.report()
    assert two["sums"]["flows.tx_packets"] + two["sums"]["flows.rx_packets"] - counted == after - before
    assert two["lost"].get("flows table full", 0) == lost
    assert not two["unattributed"].get("no owner") and not two["unattributed"].get("no socket")
    assert two["sums"]["flows.retransmits"] == 0
    said(
        f"{SOCKETS:,} sockets",
        {
            "rows": f"{two['sums']['flows.rows']:,}", "packets in rows": f"{counted:,}",
            "lost, table full": f"{lost:,}",
            "memory at start": f"{full.began['rss'] // MIB} MiB", "now": f"{two['rss'] // MIB} MiB",
            "most": f"{two['peak'] // MIB} MiB", "longest interval": f"{two['longest_s']:.1f} s of work",
        },
    )  # fmt: skip
