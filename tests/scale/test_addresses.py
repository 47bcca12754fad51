"""A million addresses: each packet is in a row or in the loss, what is remembered is bounded, the oldest goes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pyarrow.compute as pc
import pytest
from agent import memory
from flow_net import Net, line, sh
from scale import MIB, Agent, compiled, said

from beespace.enrich.address_book import AddressBook, Holder
from beespace.session.dns_message import Message, Record
from beespace.session.dns_names import ADDRESSES, Names

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

COUNT = 1_000_000

# A datagram of 100 bytes to each of so many addresses from 100.64.0.0 on, at most so many a second.
SENDER = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
int main(int argc, char **argv)
{
    char data[100] = {0};
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    long count = atol(argv[1]), rate = atol(argv[2]), sent = 0;
    double began = now();
    for (long number = 0; number < count; number++) {
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7777)};
        to.sin_addr.s_addr = htonl(0x64400000 + number);
        while (sendto(sock, data, sizeof data, 0, (struct sockaddr *)&to, sizeof to) < 0) usleep(100);
        sent++;
        if (rate && number % 100 == 0)
            while (number > (now() - began) * rate) usleep(500);
    }
    printf("{\"sent\": %ld, \"took\": %f}\n", sent, now() - began);
    fflush(stdout);
    getchar();
    return 0;
}
"""


@pytest.mark.parametrize("rate", [0, 40_000], ids=["at-once", "40000-a-second"])
def test_a_million_destinations(net: Net, agent: Callable[..., Agent], tmp_path: Path, rate: int) -> None:
    sh(f"ip -n {net.name}0 neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev v0")  # nobody has it
    sh(f"ip -n {net.name}0 route add 100.64.0.0/10 via 10.77.0.9")
    program = compiled(tmp_path, SENDER)
    watching = agent(keep={"flows": ["remote_address", "remote_port", "tx_packets", "process_pid"]})
    sender = net.start_program(0, program, COUNT, rate)
    done = json.loads(line(sender))
    report = watching.report()
    rows = watching.kept("flows").filter(pc.field("remote_port") == 7777)
    counted = pc.sum(rows["tx_packets"]).as_py()
    lost = report["lost"].get("flows table full", 0)
    assert done["sent"] == COUNT
    assert counted + lost == COUNT, (counted, lost)
    first = int(ip_address("100.64.0.0"))
    seen = {int(ip_address(text)) - first for text in rows["remote_address"].to_pylist()}
    assert len(seen) == counted and min(seen) >= 0 and max(seen) < COUNT  # each once, and none that there is not
    assert set(rows["process_pid"].to_pylist()) == {sender.pid}
    said(
        f"{COUNT:,} destinations in {done['took']:.1f} s",
        {
            "rows": f"{counted:,}", "lost, table full": f"{lost:,}",
            "memory at start": f"{watching.began['rss'] // MIB} MiB", "now": f"{report['rss'] // MIB} MiB",
            "most": f"{report['peak'] // MIB} MiB", "longest interval": f"{report['longest_s']:.1f} s of work",
        },
    )  # fmt: skip


def numbered(number: int) -> bytes:
    return bytes(10) + b"\xff\xff" + (0x64400000 + number).to_bytes(4)


def test_a_million_names() -> None:
    names = Names()
    before = memory("VmRSS")
    for number in range(COUNT):
        record = Record(f"n{number}.test", 1, 60, numbered(number), None)
        names.learn(Message(0, True, 0, 0, False, record.name, 1, (record,)), 7, number)
        if number == ADDRESSES:
            full = memory("VmRSS") - before
    assert (len(names), names.forgotten) == (ADDRESSES, COUNT - ADDRESSES)
    kept = [number for number in range(0, COUNT, 1000) if names.name(numbered(number), 7, number, number)]
    assert kept == list(range(COUNT - ADDRESSES, COUNT, 1000)), "the oldest go first"
    most = memory("VmRSS") - before
    assert most < 2 * full
    said(
        f"{COUNT:,} names",
        {"kept": f"{len(names):,}", "memory": f"{most // MIB} MiB", "when full": f"{full // MIB} MiB"},
    )


def test_a_million_holders() -> None:
    book = AddressBook()
    before = memory("VmRSS")
    for number in range(COUNT):
        holder = Holder("pod", f"uid-{number}", f"pod-{number}", "load")
        book.hold(numbered(number), holder, number)
        if number % 2:
            book.release(numbered(number), holder.uid, number + 1, exact=True)
        if number % 100_000 == 0:  # as an interval does; what nobody takes is bounded, too
            book.take_changes()
    kept = [number for number in range(0, COUNT, 1000) if book.at(numbered(number), number)]
    assert len(book) + book.forgotten == COUNT
    assert kept == list(range((book.forgotten + 999) // 1000 * 1000, COUNT, 1000)), "the oldest go first"
    said(f"{COUNT:,} holders", {"kept": f"{len(book):,}", "memory": f"{(memory('VmRSS') - before) // MIB} MiB"})
