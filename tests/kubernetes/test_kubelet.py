"""Names from the kubelet, when the API is away or forbidden; and from the runtime alone when the kubelet is, too."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import kube_objects as k8s
import numpy as np
import pytest
from kube_api import FakeApi
from kube_kubelet import FakeKubelet

from beespace.enrich import Who
from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.kubernetes import Access, Client, to_kubelet
from beespace.enrich.sources.kubelet import AGAIN_S, FAILED_S, SELDOM_S, KubeletSource
from beespace.errors import UsageError

WEB, JOB, BARE, AGENT = "a" * 64, "b" * 64, "c" * 64, "d" * 64


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[FakeKubelet]:
    with FakeKubelet(tmp_path) as running:
        running.pods = [
            k8s.pod(
                "web-5d9f7c8b6-x2x4z", ip="10.1.0.5", uid="u-web", owner=("apps/v1", "ReplicaSet", "web-5d9f7c8b6"),
                labels={"pod-template-hash": "5d9f7c8b6"}, containers={"web": WEB},
            ),
            k8s.pod("load-28371-abcde", ip="10.1.0.6", uid="u-job", owner=("batch/v1", "Job", "load-28371"),
                    containers={"load": JOB}),
            k8s.pod("bare", ip="10.1.0.7", uid="u-bare", containers={"app": BARE}),
            k8s.pod("agent-x2x4z", "kube-system", ip="192.168.7.1", uid="u-agent", host_network=True,
                    owner=("apps/v1", "DaemonSet", "agent"), containers={"agent": AGENT},
                    annotations={"resource.opentelemetry.io/service.name": "eyes"}),
            k8s.pod("done", ip="10.1.0.8", uid="u-done", phase="Succeeded", containers={"app": "e" * 64}),
        ]  # fmt: skip
        yield running


def access(kubelet: FakeKubelet, token: str = "agent", **how: Any) -> Access:
    tls = ssl.create_default_context(cafile=str(kubelet.certificate))
    return to_kubelet(kubelet.address, Access("api", 443, "/behind", tls, token), **how)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def source(kubelet: FakeKubelet, clock: Clock, *, node: str = "node1", **how: Any) -> KubeletSource:
    return KubeletSource(Client(access(kubelet)), node, clock=clock, **how)


def test_what_it_says_of_containers_and_pods(kubelet: FakeKubelet) -> None:
    asked = source(kubelet, Clock())
    named = {each: asked.find(each) for each in (WEB, JOB, BARE, AGENT)}
    facts = ("name", "pod_name", "namespace", "workload", "workload_kind", "service_name")
    assert {each: tuple(getattr(found, name) for name in facts) for each, found in named.items()} == {
        WEB: ("web", "web-5d9f7c8b6-x2x4z", "shop", "web", "Deployment", "web"),
        # Whether a CronJob is behind it, the pod does not say; so nobody says what its service is.
        JOB: ("load", "load-28371-abcde", "shop", "load-28371", "Job", None),
        BARE: ("app", "bare", "shop", None, None, "bare"),
        AGENT: ("agent", "agent-x2x4z", "kube-system", "agent", "DaemonSet", "eyes"),
    }
    assert asked.running() == {WEB, JOB, BARE, AGENT}
    assert {pod.name: pod.addresses for pod in asked.pods()} == {
        "web-5d9f7c8b6-x2x4z": ("10.1.0.5",), "load-28371-abcde": ("10.1.0.6",), "bare": ("10.1.0.7",),
        "agent-x2x4z": (),
    }  # fmt: skip
    assert kubelet.requests == 1


def test_how_often_it_is_asked(kubelet: FakeKubelet) -> None:
    clock, seldom = Clock(), [True]
    asked = source(kubelet, clock, seldom=lambda: seldom[0])
    for step, requests in ((0.0, 1), (AGAIN_S, 1), (SELDOM_S, 2), (AGAIN_S, 2)):
        clock.now += step
        assert asked.running() and kubelet.requests == requests
    seldom[0] = False  # the API is silent
    assert asked.running() and kubelet.requests == 3
    assert asked.find("f" * 64) is None and kubelet.requests == 3  # the list is new
    clock.now += 2
    kubelet.pods.append(k8s.pod("new", uid="u-new", containers={"app": "f" * 64}))
    found = asked.find("f" * 64)
    assert found is not None and found.pod_name == "new" and kubelet.requests == 4


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda kubelet: kubelet.tokens.clear(), r"Unauthorized \(401\)"),
        (lambda kubelet: kubelet.forbidden.add("agent"), r"Forbidden \(403\)"),
        (lambda kubelet: setattr(kubelet, "answer", b"{]"), "is no JSON"),
        (lambda kubelet: setattr(kubelet, "answer", b'{"kind": "PodList", "items": null}'), "no list of pods"),
    ],
)
def test_one_that_does_not_answer_costs_names_alone(
    kubelet: FakeKubelet, spoil: Callable[[FakeKubelet], None], said: str
) -> None:
    clock = Clock()
    asked = source(kubelet, clock)
    assert asked.running()
    spoil(kubelet)
    clock.now += AGAIN_S
    with pytest.raises(SourceError, match=said):
        asked.running()
    assert asked.lacking is not None and asked.lacking.startswith("no pods from the kubelet: ")
    requests = kubelet.requests
    assert asked.running() is None and asked.find(WEB) is None  # left alone for a while; nothing ends
    assert kubelet.requests == requests
    kubelet.tokens, kubelet.forbidden, kubelet.answer = {"agent"}, set(), None
    clock.now += FAILED_S
    assert asked.running() and asked.lacking is None


def test_a_kubelet_of_another_node(kubelet: FakeKubelet) -> None:
    asked = source(kubelet, Clock(), node="node2")
    with pytest.raises(SourceError, match="is the kubelet of node node1, and this is node2"):
        asked.running()
    assert asked.pods() == []


def test_an_object_that_is_none_costs_itself(kubelet: FakeKubelet) -> None:
    kubelet.pods += [{"metadata": None}, {"metadata": {"name": "x"}}, 7]  # type: ignore[list-item]
    asked = source(kubelet, Clock())
    assert len(asked.running() or ()) == 4
    assert asked.malformed == 3


def test_a_certificate_that_nobody_vouches_for(kubelet: FakeKubelet) -> None:
    account = Access("api", 443, tls=ssl.create_default_context(), token="agent")
    asked = KubeletSource(Client(to_kubelet(kubelet.address, account)), "node1")
    with pytest.raises(SourceError, match="self-signed certificate"):
        asked.running()
    assert kubelet.requests == 0, "the token is told to nobody"
    asked = KubeletSource(Client(to_kubelet(kubelet.address, account, verify=False)), "node1")
    assert asked.running()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("10.0.0.7", "https://10.0.0.7:10250"),
        ("[fd00::7]:1234", "https://[fd00::7]:1234"),
        ("https://node1", "https://node1:10250"),
        ("http://127.0.0.1", "http://127.0.0.1:10255"),
    ],
)
def test_addresses(given: str, url: str) -> None:
    assert to_kubelet(given, None).url == url


@pytest.mark.parametrize("given", ["ftp://x", "", "x:port", "https://x/pods"])
def test_addresses_that_are_none(given: str) -> None:
    with pytest.raises(UsageError, match="is no address of a kubelet"):
        to_kubelet(given, None)


class Runtime:
    """A runtime that knows the containers, and of their pods what a runtime does."""

    name = "cri"

    def find(self, container_id: str) -> Container | None:
        return Container(container_id, "containerd", "web", "web:1", "web-5d9f7c8b6-x2x4z", "u-web", "shop")

    def running(self) -> set[str]:
        return {WEB}

    def pods(self) -> Sequence[Pod]:
        return [Pod("u-web", "web-5d9f7c8b6-x2x4z", "shop", addresses=("10.1.0.5",))]

    def close(self) -> None:
        pass


def test_api_then_kubelet_then_runtime(kubelet: FakeKubelet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who knows most is believed, as long as he speaks; the rest goes on."""
    monkeypatch.setattr("beespace.enrich.who.standard_sources", lambda root, endpoint: [Runtime()])

    def names(who: Who) -> tuple[str | None, ...]:
        who.cgroups.observe(77, f"/kubepods/podu_web/cri-containerd-{WEB}.scope")
        found = who.resolve(np.array([0], np.uint32), np.array([0], np.uint64), np.array([77], np.uint64))
        return tuple(found[name][0].as_py() for name in ("pod_name", "workload", "workload_kind", "service_name"))

    def wait(who: Who, expected: tuple[str | None, ...]) -> None:
        deadline = time.monotonic() + 20
        while names(who) != expected:
            assert time.monotonic() < deadline, (names(who), who.lacks(), who.statistics())
            time.sleep(0.05)

    full, bare = ("web-5d9f7c8b6-x2x4z", "web", "Deployment", "web"), ("web-5d9f7c8b6-x2x4z", None, None, None)
    with FakeApi() as api:
        api.put("nodes", k8s.node("node1", "192.168.7.1"))
        api.forbidden = {"pods"}
        server = Access("127.0.0.1", api.port)
        with Who.open(access=server, kubelet=access(kubelet), node="node1") as who:
            wait(who, full)
            assert any("no pods" in each for each in who.lacks()), "the API forbids them, and that is said"
            assert not any("kubelet" in each for each in who.lacks())
    kubelet.tokens.clear()
    with Who.open(access=None, kubelet=access(kubelet), node="node1") as who:
        wait(who, bare)
        assert [each for each in who.lacks() if "kubelet" in each]
