"""A reflector holds what the server has, whatever happens in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kube_objects as k8s
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kube_api import FakeApi

from beespace.enrich.kubernetes import facts
from beespace.enrich.kubernetes.access import Access
from beespace.enrich.kubernetes.client import Client
from beespace.enrich.kubernetes.cluster import SLICES
from beespace.enrich.kubernetes.facts import PodFacts
from beespace.enrich.kubernetes.reflector import Reflector, Resource

Until = Callable[[Callable[[], bool]], None]

PODS = Resource("pods", "/api/v1/pods", facts.pod, "pods", "spec.nodeName=node1")


@contextmanager
def following(api: FakeApi, **options: Any) -> Iterator[Reflector[Any]]:
    access = options.pop("access", None) or Access("127.0.0.1", api.port)
    client = Client(access, timeout_s=5, quiet_s=options.pop("quiet_s", 20))
    changed = options.pop("changed", lambda old, new, listed: None)
    resource = options.pop("resource", PODS)
    quick = {"first_s": 0.02, "longest_s": 0.2, "denied_s": 0.2, **options}
    reflector = Reflector(client, resource, changed, **quick)
    reflector.start()
    try:
        yield reflector
    finally:
        reflector.stop()
        client.close()
        reflector.join(20)


def truth(api: FakeApi) -> dict[str, PodFacts]:
    with api._changed:
        found = [facts.pod(item) for item in api.objects["pods"].values()]
    return {each.uid: each for each in found if each.node == "node1"}


def names(reflector: Reflector[PodFacts]) -> set[str]:
    return {each.name for each in list(reflector.objects.values())}


def test_lists_in_pages_and_then_watches(api: FakeApi, until: Until) -> None:
    for number in range(25):
        api.put("pods", k8s.pod(f"web-{number}", node="node1" if number % 5 else "node2"))
    with following(api, page=7) as reflector:
        assert reflector.synced.wait(20)
        assert reflector.objects == truth(api) and len(reflector.objects) == 20
        assert [what for what, _ in api.requests].count("list") == 3
        api.watching(1)
        api.put("pods", k8s.pod("late", ip="10.1.0.9"))
        api.put("pods", k8s.pod("elsewhere", node="node2"))
        api.delete("pods", "web-1", "shop")
        until(lambda: reflector.objects == truth(api))
        assert "late" in names(reflector) and "web-1" not in names(reflector)
        assert reflector.state.lists == 1


def test_a_stream_that_ends_is_followed_by_another_from_where_it_was(api: FakeApi, until: Until) -> None:
    api.watch_s = 0.1
    with following(api) as reflector:
        for number in range(10):
            api.put("pods", k8s.pod(f"web-{number}"))
            time.sleep(0.05)
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.lists == 1
        assert sum(what == "watch" for what, _ in api.requests) > 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_stream_that_breaks_loses_nothing(api: FakeApi, until: Until, inside: bool) -> None:
    with following(api) as reflector:
        api.watching(1)
        api.put("pods", k8s.pod("before"))
        until(lambda: "before" in names(reflector))
        api.cut(inside=inside)
        api.put("pods", k8s.pod("after"))
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.lists == 1 and reflector.state.odd == 0


def test_410_as_an_event_and_as_an_answer_lists_again(api: FakeApi, until: Until) -> None:
    api.put("pods", k8s.pod("old"))
    told: list[tuple[str | None, str | None, bool]] = []

    def changed(old: PodFacts | None, new: PodFacts | None, listed: bool) -> None:
        told.append((old and old.name, new and new.name, listed))

    with following(api, changed=changed) as reflector:
        api.watching(1)
        api.expire_streams()
        until(lambda: reflector.state.lists == 2)
        api.watching(1)
        with api.away():
            api.delete("pods", "old", "shop")
            api.put("pods", k8s.pod("new"))
            api.compact()
        until(lambda: reflector.state.lists == 3)
        assert reflector.objects == truth(api)
        assert told == [(None, "old", True), ("old", None, True), (None, "new", True)]
        # after a 410 the server's cache may be behind what we saw: the list must be of now
        lists = [path for what, path in api.requests if what == "list"]
        assert "resourceVersion=0" in lists[0] and "resourceVersion" not in lists[-1]


def test_a_page_that_has_expired_begins_the_list_again(api: FakeApi, until: Until) -> None:
    for number in range(10):
        api.put("pods", k8s.pod(f"web-{number}"))
    first = api.list

    def once(resource: str, query: dict[str, str]) -> Any:
        page = first(resource, query)
        if "continue" not in query:
            api.list = first  # type: ignore[method-assign]
            api.compact()
        return page

    api.list = once  # type: ignore[method-assign]
    with following(api, page=4) as reflector:
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.lists == 1 and reflector.state.errors == 1


def test_throttled_it_waits_as_long_as_it_is_told(api: FakeApi) -> None:
    api.throttle = [0.5, 0.5]
    began = time.monotonic()
    with following(api) as reflector:
        assert reflector.synced.wait(20)
        assert time.monotonic() - began >= 1.0
        assert reflector.state.errors == 2


def test_a_token_that_expired_is_read_again(api: FakeApi, until: Until, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    api.tokens = {"first"}
    access = Access("127.0.0.1", api.port, token_file=token)
    with following(api, access=access) as reflector:
        assert reflector.synced.wait(20)
        api.tokens = {"second"}
        api.cut()
        api.put("pods", k8s.pod("after"))
        until(lambda: "401" in reflector.state.why)
        assert reflector.state.state == "behind"
        token.write_text("second\n")  # as the kubelet does
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.state == "current" and reflector.state.lists == 1


@pytest.mark.parametrize(("fault", "state"), [("forbidden", "forbidden"), ("absent", "absent")])
def test_what_may_not_be_read_is_said_and_asked_for_again(api: FakeApi, until: Until, fault: str, state: str) -> None:
    api.put("pods", k8s.pod("web"))
    getattr(api, fault).add("pods")
    with following(api) as reflector:
        assert reflector.synced.wait(20)
        assert (reflector.state.state, reflector.objects) == (state, {})
        getattr(api, fault).clear()
        until(lambda: reflector.objects == truth(api))
        getattr(api, fault).add("pods")
        api.expire_streams()
        until(lambda: reflector.state.state == state)
        assert reflector.objects == {}  # what we may not follow any more we do not know


def test_a_server_is_asked_where_it_has_a_kind(api: FakeApi, until: Until) -> None:
    """EndpointSlices of an old server, which is then updated to one that has them elsewhere, and back."""
    api.old = True
    api.put("endpointslices", k8s.endpoint_slice("web", [k8s.endpoint("10.2.0.7", "web-1", "u1")], (k8s.port(80),)))
    with following(api, resource=SLICES) as reflector:
        for lists, (old, version) in enumerate(((True, "v1beta1"), (False, "v1"), (True, "v1beta1")), 1):
            api.old = old
            api.cut()
            until(lambda: reflector.state.lists == lists)  # noqa: B023
            assert reflector.path == f"/apis/discovery.k8s.io/{version}/endpointslices"
            (found,) = reflector.objects.values()
            assert [(each.pod_name, each.node) for each in found.endpoints] == [("web-1", "node2")]
        api.absent.add("endpointslices")
        api.cut()
        until(lambda: reflector.state.state == "absent")
        assert reflector.objects == {}


def test_an_api_server_that_is_away_for_a_while(api: FakeApi, until: Until) -> None:
    api.put("pods", k8s.pod("web"))
    with following(api) as reflector:
        api.watching(1)
        with api.away():
            until(lambda: reflector.state.state == "behind")
            assert names(reflector) == {"web"}
            api.put("pods", k8s.pod("missed"))
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.lists == 1  # the history was still there


def test_a_server_that_says_nothing_any_more_is_left(api: FakeApi, until: Until) -> None:
    api.bookmark_s = 3600
    with following(api, quiet_s=0.3) as reflector:
        until(lambda: sum(what == "watch" for what, _ in api.requests) > 1)
        api.put("pods", k8s.pod("web"))
        until(lambda: reflector.objects == truth(api))


def test_a_quiet_server_is_followed(api: FakeApi, until: Until) -> None:
    """Nothing happens for long, not even a bookmark: what we have is what the server has all the same."""
    api.bookmark_s = 3600
    api.put("pods", k8s.pod("web"))
    with following(api, quiet_s=5) as reflector:
        api.watching(1)
        with api.away():
            until(lambda: reflector.state.state == "behind")
        api.watching(1)
        until(lambda: reflector.state.state == "current")
        assert reflector.state.events == 0 and reflector.state.why == ""


def test_bookmarks_keep_the_place_while_nothing_happens(api: FakeApi, until: Until) -> None:
    api.bookmark_s = 0.05
    with following(api) as reflector:
        api.watching(1)
        for number in range(20):
            api.put("nodes", k8s.node(f"node{number}", "192.168.0.1"))
        version = api.version
        until(lambda: reflector._version == str(version))
        api.compact()
        api.cut()
        api.put("pods", k8s.pod("web"))
        until(lambda: reflector.objects == truth(api))
        assert reflector.state.lists == 1


def test_an_object_that_is_none_is_counted(api: FakeApi) -> None:
    api.put("pods", {"metadata": {"name": "odd"}, "spec": {"nodeName": "node1"}})
    api.put("pods", k8s.pod("web"))
    with following(api) as reflector:
        assert reflector.synced.wait(20)
        assert names(reflector) == {"web"} and reflector.state.odd == 1


STEPS = st.lists(
    st.sampled_from(
        [
            "put",
            "put",
            "put",
            "move",
            "delete",
            "cut",
            "cut inside",
            "expire",
            "compact",
            "throttle",
            "401",
            "away",
            "403",
        ]
    ),
    max_size=25,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, page=st.integers(1, 5), remembers=st.sampled_from([1, 3, 1000]))
def test_after_any_row_of_events_and_faults_it_has_what_the_server_has(
    steps: list[str], page: int, remembers: int, until: Until
) -> None:
    api = FakeApi(remembers=remembers)
    with api:
        api.tokens = {"right"}
        access = Access("127.0.0.1", api.port, token="right")
        heard: dict[str, PodFacts] = {}

        def changed(old: PodFacts | None, new: PodFacts | None, listed: bool) -> None:
            assert heard.get((new or old).key) == old  # type: ignore[union-attr]
            if new is None:
                del heard[old.key]  # type: ignore[union-attr]
            else:
                heard[new.key] = new

        with following(api, access=access, page=page, changed=changed) as reflector:
            for number, step in enumerate(steps):
                _step(api, step, number)
            api.forbidden.clear()
            api.tokens = {"right"}
            until(lambda: reflector.synced.is_set() and reflector.objects == truth(api))
            assert heard == reflector.objects


def _step(api: FakeApi, step: str, number: int) -> None:
    keys = sorted(api.objects["pods"])
    if step == "put":
        api.put("pods", k8s.pod(f"web-{number % 7}", ip=f"10.1.0.{number}"))
    elif step == "move":  # what is selected can leave the selection, and come back
        api.put("pods", k8s.pod(f"web-{number % 7}", node=f"node{number % 2 + 1}"))
    elif step == "delete" and keys:
        api.delete("pods", keys[number % len(keys)].split("/")[1], "shop")
    elif step.startswith("cut"):
        api.cut(inside=step.endswith("inside"))
    elif step == "expire":
        api.expire_streams()
    elif step == "compact":
        api.compact()
    elif step == "throttle":
        api.throttle.append(0.05)
    elif step == "401":
        api.tokens = set() if api.tokens == {"wrong"} else {"wrong"}
    elif step == "403":
        api.forbidden ^= {"pods"}
    elif step == "away":
        with api.away():
            api.put("pods", k8s.pod(f"away-{number % 3}"))
