"""What an agent says of itself, and over HTTP."""

from __future__ import annotations

import http.client
import socket
import time
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from beespace.cli.arguments import parse
from beespace.errors import StoreError, UsageError
from beespace.kernel.kernel_program import Statistics
from beespace.session.cluster_news import ClusterNews
from beespace.session.costs import MapCost
from beespace.session.detail import Detail
from beespace.session.endpoint import AT_ONCE, Endpoint, health_pages
from beespace.session.health import Health
from beespace.stream import TABLES, Batch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(1.0, clock=clock)


def collect(health: Health, **said: Any) -> None:
    told: dict[str, Any] = {"began": 0.0, "unattributed": {}, "store": {}, "store_lost": {}, **said}
    health.collected(**told)


def samples(health: Health) -> dict[tuple[str, ...], float]:
    return {
        (family.name, *sample.labels.values()): sample.value
        for family in health.families()
        for sample in family.samples
    }


def test_not_ready_until_something_was_collected(health: Health) -> None:
    assert health.healthy() == (True, "starting")
    assert health.ready() == (False, "starting")
    health.phase("waiting: the store /x is being written by process 7")
    assert health.ready() == (False, "waiting: the store /x is being written by process 7")
    collect(health)
    assert health.healthy() == health.ready() == (True, "running")
    health.phase("stopping")
    assert health.ready() == (False, "stopping")


def test_a_loop_that_hangs_is_not_alive(health: Health, clock: Clock) -> None:
    collect(health)
    clock.now += 29
    assert health.healthy()[0]
    clock.now += 2
    assert health.healthy() == (False, "nothing was collected for 31 s")
    assert health.ready() == (False, "nothing was collected for 31 s")
    collect(health)
    assert health.ready()[0]


def test_what_of_the_cluster_is_followed(health: Health) -> None:
    following = {"pods": "", "services": ""}

    class Cluster:
        def following(self) -> dict[str, str]:
            return dict(following)

    following["services"] = "services is forbidden (403)"  # from the start: who started has said it
    news = ClusterNews(Cluster())
    assert news.take() == []
    collect(health, cluster=news.following)
    assert samples(health)["beespace_kubernetes_current", "pods"] == 1
    assert samples(health)["beespace_kubernetes_current", "services"] == 0
    following["pods"] = "Connection refused"
    assert news.take() == ["note: nothing new of pods: Connection refused"]
    assert news.take() == []
    following.update(pods="", services="")
    assert news.take() == ["the Kubernetes API tells of pods, services again"]
    assert ClusterNews(None).take() == []


def test_waiting_is_not_hanging(health: Health, clock: Clock) -> None:
    health.phase("attaching probes")
    clock.now += 3600
    assert health.healthy() == (True, "attaching probes")


def test_a_store_that_fails_makes_it_unready_until_it_works(health: Health) -> None:
    collect(health)
    health.trouble(StoreError("the store /x cannot grow: no space left on device", help="make room"))
    collect(health)
    assert health.healthy()[0]
    assert health.ready() == (False, "the store fails: the store /x cannot grow: no space left on device")
    collect(health)
    assert health.ready() == (True, "running")
    assert samples(health)["beespace_store_failures",] == 1


def test_what_passed_is_counted(health: Health) -> None:
    row = {"tx_bytes": 10, "tx_packets": 2, "rx_bytes": 5, "rx_packets": 1}
    health.write(Batch("flows", TABLES["flows"].batch_of([row, row]), {"table full": 3}))
    health.write(Batch("execs", TABLES["execs"].batch_of([]), {"ring": 2}))
    assert ("beespace_rows", "flows") not in samples(health)  # not before the interval is over
    collect(health, unattributed={"no socket": 4})
    collect(health, unattributed={"no socket": 1})
    found = samples(health)
    assert found["beespace_rows", "flows"] == 2
    assert found["beespace_flow_packets", "transmit"] == 4
    assert found["beespace_flow_bytes", "receive"] == 10
    assert found["beespace_lost", "flows", "table full"] == 3
    assert found["beespace_lost", "execs", "ring"] == 2
    assert found["beespace_unattributed_packets", "no socket"] == 5
    assert found["beespace_collections",] == 2


@pytest.fixture(params=["127.0.0.1", "::1"])
def endpoint(request: pytest.FixtureRequest, health: Health) -> Iterator[Endpoint]:
    try:
        serving = Endpoint(request.param, 0, health_pages(health))
    except UsageError:
        pytest.skip(f"this machine has no {request.param}")
    with serving:
        yield serving


def get(endpoint: Endpoint, path: str, **headers: str) -> tuple[int, str, str]:
    request = urllib.request.Request(f"{endpoint.url}{path}", headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_pages(endpoint: Endpoint, health: Health) -> None:
    assert get(endpoint, "/healthz")[::2] == (200, "starting\n")
    assert get(endpoint, "/readyz")[::2] == (503, "starting\n")
    collect(health)
    assert get(endpoint, "/readyz?verbose")[::2] == (200, "running\n")
    status, kind, text = get(endpoint, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "\nbeespace_collections_total 1\n" in text
    status, kind, text = get(endpoint, "/metrics", Accept="application/openmetrics-text")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert text.endswith("# EOF\n")
    assert get(endpoint, "/")[0] == 404


def test_it_only_reads(endpoint: Endpoint) -> None:
    for method in ("POST", "PUT", "DELETE"):
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=20)
        connection.request(method, "/metrics", body="x")
        assert connection.getresponse().status == 501
        connection.close()


def test_head_has_no_body(endpoint: Endpoint) -> None:
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=20)
    connection.request("HEAD", "/healthz")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "9", b"")
    connection.close()


def test_clients_that_say_nothing_do_not_add_up(health: Health) -> None:
    with Endpoint("127.0.0.1", 0, health_pages(health)) as endpoint:
        address = (urlsplit(endpoint.url).hostname, urlsplit(endpoint.url).port)
        silent = [socket.create_connection(address, timeout=20) for _ in range(AT_ONCE)]
        deadline = time.monotonic() + 20
        while True:  # the last of them may still be on its way to its thread
            with socket.create_connection(address, timeout=20) as other:
                try:
                    other.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    answered = other.recv(100)
                except ConnectionError:
                    answered = b""
            if not answered:
                break
            assert time.monotonic() < deadline
        for each in silent:
            each.close()
        while True:
            try:
                assert get(endpoint, "/healthz")[0] == 200
                break
            except (OSError, http.client.HTTPException):
                assert time.monotonic() < deadline


def test_a_port_that_is_taken(health: Health) -> None:
    with (
        Endpoint("127.0.0.1", 0, {}) as first,
        pytest.raises(UsageError, match=r"cannot listen on 127\.0\.0\.1:\d+: address already in use"),
    ):
        Endpoint("127.0.0.1", int(first.url.rpartition(":")[2]), {})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9470", ("127.0.0.1", 9470)),
        (":9470", ("::", 9470)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:0", ("::1", 0)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse(["serve", "--listen", text]).listen == address


@pytest.mark.parametrize("text", ["::1:80", "host", "127.0.0.1:", "127.0.0.1:70000", "-1"])
def test_addresses_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        parse(["serve", f"--listen={text}"])


class FakeCosts:
    """Of one program and two maps."""

    counted = True

    def programs(self) -> dict[tuple[str, str], Statistics]:
        return {("flows", "on_egress"): Statistics(1000, 2_500_000, 0)}

    def maps(self) -> dict[tuple[str, str], MapCost]:
        return {("flows", "flows"): MapCost(4096, 50, 200), ("flows", "owners"): MapCost(480, None, 0)}


def test_what_the_agent_costs(health: Health) -> None:
    assert not [name for name, *_ in samples(health) if name.startswith(("beespace_bpf_map", "beespace_bpf_program"))]
    health.costs = costs = FakeCosts()  # type: ignore[assignment]
    found = samples(health)
    assert found["beespace_bpf_program_cpu_seconds", "flows", "on_egress"] == 0.0025
    assert found["beespace_bpf_program_runs", "flows", "on_egress"] == 1000
    assert found["beespace_bpf_map_memory_bytes", "flows", "owners"] == 480
    assert found["beespace_bpf_map_fill_ratio", "flows", "flows"] == 0.25
    assert ("beespace_bpf_map_fill_ratio", "flows", "owners") not in found  # nobody knows
    costs.counted = False
    assert not [name for name, *_ in samples(health) if name.startswith("beespace_bpf_program")]


def test_what_is_left_out(health: Health) -> None:
    assert samples(health)["beespace_detail_step",] == 0
    assert ("beespace_cpu_limit_ratio",) not in samples(health)
    health.cpu_limit = 0.02
    collect(health, detail=Detail.PAIRS)
    assert samples(health)["beespace_detail_step",] == 4
    assert samples(health)["beespace_cpu_limit_ratio",] == 0.02
