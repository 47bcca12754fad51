"""5,000 questions a second to a real resolver: each is a row or is counted as lost, and no latency is more than was.

The generator notes when it sent each question and when it had the answer, by the clock that the kernel stamps packets
with.  The kernel sees both in between, so its latency is at most the generator's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flow_net import Net, line
from scale import MIB, Agent, compiled, said

from beespace.session.dns import PATIENCE_S

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(3600)]

RATE, SECONDS = 5_000, 30
COUNT = RATE * SECONDS

# Asks for n0.load.test, n1.load.test, ... at a steady rate; writes when each was sent and answered (0: never), in ns
# since boot.
GENERATOR = r"""
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
static long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}
int main(int argc, char **argv)
{
    long count = atol(argv[2]), rate = atol(argv[3]), sent = 0, got = 0, quiet = 0;
    long *times = calloc(2 * count, sizeof(long));
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    inet_pton(AF_INET, argv[1], &to.sin_addr);
    int sock = socket(AF_INET, SOCK_DGRAM, 0), room = 64 << 20;
    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    if (connect(sock, (struct sockaddr *)&to, sizeof to)) return 1;
    long began = now();
    while (got < count && (sent < count || now() - quiet < 8000000000L)) {
        while (sent < count && (now() - began) / 1000 * rate / 1000000 > sent) {
            unsigned char data[64] = {sent >> 8, sent, 1, 0, 0, 1};
            char name[16];
            int length = sprintf(name, "n%ld", sent), size = 12;
            data[size++] = length;
            memcpy(data + size, name, length), size += length;
            memcpy(data + size, "\4load\4test\0\0\1\0\1", 15), size += 15;
            times[2 * sent] = now();
            if (send(sock, data, size, 0) != size) break;
            sent++, quiet = now();
        }
        struct pollfd poller = {.fd = sock, .events = POLLIN};
        poll(&poller, 1, 1);
        char answer[512];
        ssize_t size;
        while ((size = recv(sock, answer, sizeof answer - 1, MSG_DONTWAIT)) > 13) {
            long had = now(), number = atol(answer + 14);
            if (number < 0 || number >= count || times[2 * number + 1]) continue;
            times[2 * number + 1] = had, got++, quiet = had;
        }
    }
    FILE *file = fopen(argv[4], "wb");
    fwrite(times, sizeof(long), 2 * count, file);
    fclose(file);
    printf("{\"sent\": %ld, \"answered\": %ld, \"took\": %f}\n", sent, got, (quiet - began) / 1e9);
    fflush(stdout);
    getchar();
    return 0;
}
"""


def test_five_thousand_a_second(net: Net, agent: Callable[..., Agent], resolver: str, tmp_path: Path) -> None:
    generator = compiled(tmp_path, GENERATOR)
    watching = agent(keep={"dns": ["time", "question", "rcode", "latency_us", "queries", "process_pid"]})
    asking = net.start_program(0, generator, resolver, COUNT, RATE, tmp_path / "times")
    done = json.loads(line(asking))
    time.sleep(PATIENCE_S + 1)  # what nobody answered is a row then
    report = watching.report()
    rows = watching.kept("dns")
    lost = sum(count for stage, count in report["lost"].items() if stage.startswith("dns "))
    sent, answered = np.fromfile(tmp_path / "times", np.int64).reshape(-1, 2).T
    number = np.array([int(name[1 : name.index(".")]) for name in rows["question"].to_pylist()])
    assert done["sent"] == COUNT
    assert len(np.unique(number)) == len(number), "a question has one row"
    assert len(number) == COUNT if not lost else COUNT - lost <= len(number) <= COUNT
    assert set(rows["queries"].to_pylist()) == {1}
    assert set(rows["process_pid"].to_pylist()) == {asking.pid}
    # Who has an answer is answered: always, where nothing was lost.
    has = np.array([rcode is not None for rcode in rows["rcode"].to_pylist()])
    had = answered[number] != 0
    assert (has == had).all() if not lost else np.count_nonzero(has != had) <= lost
    both = has & had
    took = (answered - sent)[number][both]
    latency = rows["latency_us"].to_numpy()[both].astype(np.int64) * 1000
    assert (latency <= took).all(), "no answer came after it had come"
    assert (latency >= 0).all()
    middle, most = (np.percentile((took - latency) / 1000, part) for part in (50, 99))
    said(
        f"{COUNT:,} questions in {done['took']:.0f} s",
        {
            "answered": f"{done['answered']:,}", "rows": f"{len(number):,}", "lost": lost,
            "latency": f"{np.median(latency) / 1000:.0f} us, the generator's {np.median(took) / 1000:.0f} us",
            "between them": f"{middle:.0f} us (99 %: {most:.0f} us)",
            "memory at start": f"{watching.began['rss'] // MIB} MiB", "now": f"{report['rss'] // MIB} MiB",
            "CPU": f"{report['cpu_s']:.1f} s",
        },
    )  # fmt: skip
