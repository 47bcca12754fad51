"""An API server that lists and watches as Kubernetes does, and goes wrong as Kubernetes does, on demand.

What it keeps to (kubernetes.io, "Kubernetes API Concepts"; apiserver's storage cacher): one growing version for all
objects; lists in pages with ``limit`` and ``continue``, each page of the version of the first; watches from a version,
as chunks of one JSON object a line, until ``timeoutSeconds``; bookmarks for those who allow them; 410 for a version or
a page that is older than what it remembers, as an answer or as an ERROR event; field selectors on pods; partial
metadata where it is asked for; bearer tokens that expire; 403 by resource; 429 with Retry-After.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

# Path of a collection -> resource, and the kind of its objects
COLLECTIONS = {
    "/api/v1/pods": ("pods", "Pod"),
    "/api/v1/services": ("services", "Service"),
    "/api/v1/nodes": ("nodes", "Node"),
    "/api/v1/namespaces": ("namespaces", "Namespace"),
    "/apis/discovery.k8s.io/v1/endpointslices": ("endpointslices", "EndpointSlice"),
    "/apis/discovery.k8s.io/v1beta1/endpointslices": ("endpointslices", "EndpointSlice"),
    "/apis/apps/v1/replicasets": ("replicasets", "ReplicaSet"),
    "/apis/batch/v1/jobs": ("jobs", "Job"),
}
OLD, NEW = "/apis/discovery.k8s.io/v1beta1/", "/apis/discovery.k8s.io/v1/"
FIELDS = {
    "metadata.name": lambda item: item["metadata"]["name"],
    "metadata.namespace": lambda item: item["metadata"].get("namespace", ""),
    "spec.nodeName": lambda item: item.get("spec", {}).get("nodeName", ""),
    "status.podIP": lambda item: item.get("status", {}).get("podIP", ""),
    "status.phase": lambda item: item.get("status", {}).get("phase", ""),
}


class FakeApi:
    """The server; a context manager.  Objects are changed with :meth:`put` and :meth:`delete`, faults are attributes.

    ``remembers``: how many changes a watch may be behind.  ``tokens``: who is let in (empty: anybody).
    ``forbidden``: resources that answer 403.  ``absent``: resources that this server does not have (404).  ``old``: it
    is of before 1.21, with EndpointSlices as they were then.
    """

    def __init__(self, *, remembers: int = 1000) -> None:
        self.objects: dict[str, dict[str, Json]] = {resource: {} for resource, _ in COLLECTIONS.values()}
        self.version = 100
        self.remembers = remembers
        self.tokens: set[str] = set()
        self.forbidden: set[str] = set()
        self.absent: set[str] = set()
        self.old = False
        self.throttle: list[float] = []  # Retry-After of the next requests
        self.bookmark_s = 0.2
        self.watch_s: float | None = None  # streams end after this long, whatever they asked for
        self.requests: list[tuple[str, str]] = []  # "list", "watch" or "get", and the path with its query
        self._history: list[tuple[int, str, str, Json, Json | None]] = []  # version, resource, type, object, before
        self._forgotten = 100  # the newest version that is not in the history any more
        self._pages: dict[str, tuple[int, list[Json]]] = {}
        self._changed = threading.Condition()
        self._streams: set[Any] = set()
        self._broken = 0
        self._server: ThreadingHTTPServer | None = None
        self._stop = False

    # Objects

    def put(self, resource: str, item: Json) -> Json:
        """Make or change an object; it gets a uid and a version."""
        with self._changed:
            item = copy.deepcopy(item)
            meta = item["metadata"]
            key = f"{meta.get('namespace', '')}/{meta['name']}"
            before = self.objects[resource].get(key)
            meta.setdefault("uid", before["metadata"]["uid"] if before else str(uuid.uuid4()))
            self.version += 1
            meta["resourceVersion"] = str(self.version)
            self.objects[resource][key] = item
            self._note(resource, "MODIFIED" if before else "ADDED", item, before)
            return item

    def delete(self, resource: str, name: str, namespace: str = "") -> None:
        """Remove an object."""
        with self._changed:
            item = copy.deepcopy(self.objects[resource].pop(f"{namespace}/{name}"))
            self.version += 1
            item["metadata"]["resourceVersion"] = str(self.version)
            self._note(resource, "DELETED", item, item)

    def _note(self, resource: str, kind: str, item: Json, before: Json | None) -> None:
        self._history.append((self.version, resource, kind, item, before))
        while len(self._history) > self.remembers:
            self._forgotten = self._history.pop(0)[0]
        self._changed.notify_all()

    # Faults

    def compact(self) -> None:
        """Forget all history, as etcd does: whoever is behind has to list again, and pages are gone."""
        with self._changed:
            self._history.clear()
            self._forgotten = self.version
            self._pages.clear()

    def cut(self, *, inside: bool = False) -> None:
        """Break every stream; ``inside``: in the middle of an event."""
        with self._changed:
            for stream in self._streams:
                stream.cut = "inside" if inside else "between"
            self._changed.notify_all()

    def expire_streams(self) -> None:
        """Send every watch a 410 as an event, as a server does whose cache has lost the place."""
        with self._changed:
            for stream in self._streams:
                stream.cut = "expired"
            self._changed.notify_all()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Nobody listens on the port."""
        port = self.port
        self.stop()
        try:
            yield
        finally:
            self.start(port)

    def watching(self, count: int, timeout_s: float = 20.0) -> None:
        """Wait until that many streams are open."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._streams) >= count, timeout_s), self.requests[-10:]

    # Life

    def __enter__(self) -> FakeApi:
        self.start(0)
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.server_address[1])

    def start(self, port: int) -> None:
        self._stop = False
        self._server = _Server(("127.0.0.1", port), _handler(self))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        assert self._server is not None
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # Answers

    def select(self, resource: str, query: dict[str, str], item: Json) -> bool:
        wanted = [part.split("=", 1) for part in query.get("fieldSelector", "").split(",") if part]
        return all(FIELDS[field](item) == value for field, value in wanted)

    def list(self, resource: str, query: dict[str, str]) -> Json:
        """One page; raises Refused."""
        with self._changed:
            if "continue" in query:
                version, rest = self._pages.pop(query["continue"], (0, []))
                if not version:
                    raise Refused(410, "Expired", "The provided continue parameter is too old")
            else:
                version = self.version
                rest = [item for item in self.objects[resource].values() if self.select(resource, query, item)]
            limit = int(query.get("limit", "0")) or len(rest)
            page, rest = rest[:limit], rest[limit:]
            meta: Json = {"resourceVersion": str(version)}
            if rest:
                token = uuid.uuid4().hex
                self._pages[token] = version, rest
                meta |= {"continue": token, "remainingItemCount": len(rest)}
            return {"metadata": meta, "items": copy.deepcopy(page)}

    def watch(self, resource: str, query: dict[str, str], stream: Any) -> Iterator[Json | bytes | None]:
        """Events; None first, when the answer begins.  Bytes are sent as they are, and the connection then breaks."""
        position = int(query.get("resourceVersion") or 0)
        bookmarks = query.get("allowWatchBookmarks") == "true"
        end = time.monotonic() + min(float(query.get("timeoutSeconds", "60")), self.watch_s or 3600.0)
        if position < self._forgotten and position:
            raise Refused(410, "Expired", f"too old resource version: {position} ({self._forgotten})")
        yield None
        with self._changed:
            self._streams.add(stream)
            self._changed.notify_all()
        try:
            marked = time.monotonic()
            while True:
                with self._changed:
                    if stream.cut is None and not self._pending(position):
                        self._changed.wait(min(self.bookmark_s, max(0.0, end - time.monotonic())))
                    cut, now = stream.cut, self.version
                    if position < self._forgotten and cut is None and self._pending(position):
                        cut = "expired"
                    found = [entry for entry in self._history if entry[0] > position]
                if cut == "expired":
                    yield _error(410, "Expired", "too old resource version")
                    return
                if cut is not None or self._stop:
                    yield b'{"type":"MODIFIED","object":{"metadata":{"na' if cut == "inside" else b""
                    return
                for version, changed, kind, item, before in found:
                    position = version
                    if changed != resource:
                        continue
                    is_in = self.select(resource, query, item)
                    was_in = before is not None and self.select(resource, query, before)
                    if kind == "DELETED":
                        if was_in:
                            yield {"type": "DELETED", "object": item}
                    elif is_in:
                        yield {"type": "MODIFIED" if was_in else "ADDED", "object": item}
                    elif was_in:
                        yield {"type": "DELETED", "object": item}
                position = max(position, now)
                if bookmarks and time.monotonic() - marked >= self.bookmark_s:
                    marked = time.monotonic()
                    yield {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(position)}}}
                if time.monotonic() >= end:
                    return
        finally:
            with self._changed:
                self._streams.discard(stream)
                self._changed.notify_all()

    def _pending(self, position: int) -> bool:
        return self.version > position


class Refused(Exception):
    """An answer that is a Status."""

    def __init__(self, code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers or {}

    def status(self) -> Json:
        return {
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        }  # fmt: skip


def _error(code: int, reason: str, message: str) -> Json:
    return {"type": "ERROR", "object": Refused(code, reason, message).status()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is nobody's error."""


def _handler(api: FakeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        cut: str | None = None

        def log_message(self, format: str, *arguments: Any) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            try:
                self._answer(split.path, query)
            except Refused as refused:
                self._send(refused.code, refused.status(), refused.headers)

        def _answer(self, path: str, query: dict[str, str]) -> None:
            resource, kind, name, namespace = _found(path)
            what = "get" if name is not None else "watch" if query.get("watch") else "list"
            api.requests.append((what, self.path))
            if api.throttle:
                after = api.throttle.pop(0)
                raise Refused(429, "TooManyRequests", "please try again later", {"Retry-After": f"{after:g}"})
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if api.tokens and token not in api.tokens:
                raise Refused(401, "Unauthorized", "Unauthorized")
            if resource in api.absent or path.startswith(NEW if api.old else OLD):
                raise Refused(404, "NotFound", "the server could not find the requested resource")
            if resource in api.forbidden:
                raise Refused(403, "Forbidden", f'{resource} is forbidden: User "beespace" cannot {what} resource')
            partial = "as=PartialObjectMetadata" in self.headers.get("Accept", "")
            if what == "get":
                item = api.objects[resource].get(f"{namespace}/{name}")
                if item is None:
                    raise Refused(404, "NotFound", f'{resource} "{name}" not found')
                self._send(200, _partial(item) if partial else {"kind": kind, **item})
            elif what == "list":
                page = api.list(resource, query)
                if path.startswith(OLD):
                    page["items"] = [_older(item) for item in page["items"]]
                if partial:
                    page["items"] = [_partial(item) for item in page["items"]]
                self._send(200, {"kind": f"{kind}List", "apiVersion": "v1", **page})
            else:
                self._stream(resource, query, partial, path.startswith(OLD))

        def _stream(self, resource: str, query: dict[str, str], partial: bool, older: bool) -> None:
            events = api.watch(resource, query, self)
            for event in events:
                if event is None:  # at once: the client need not wait for something to happen
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.flush()
                    continue
                if isinstance(event, bytes):  # the stream breaks here
                    if event:
                        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                    self.close_connection = True
                    self.wfile.flush()
                    events.close()  # type: ignore[attr-defined]
                    return
                if partial and event["type"] != "ERROR":
                    event = {**event, "object": _partial(event["object"])}
                if older and event["type"] not in ("ERROR", "BOOKMARK"):
                    event = {**event, "object": _older(event["object"])}
                data = json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def _send(self, code: int, body: Json, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _found(path: str) -> tuple[str, str, str | None, str]:
    """Resource, kind, name (None: the collection) and namespace of a path."""
    if path in COLLECTIONS:
        return (*COLLECTIONS[path], None, "")
    parts = path.split("/")
    if "namespaces" in parts and len(parts) - parts.index("namespaces") == 4:
        at = parts.index("namespaces")
        collection = "/".join([*parts[:at], parts[at + 2]])
        if collection in COLLECTIONS:
            return (*COLLECTIONS[collection], parts[at + 3], parts[at + 1])
    raise Refused(404, "NotFound", "the server could not find the requested resource")


def _older(item: Json) -> Json:
    """An EndpointSlice as 1.20 has it: the node of an endpoint is a part of its topology."""
    endpoints = [dict(each) for each in item["endpoints"]]
    for each in endpoints:
        each["topology"] = {"kubernetes.io/hostname": each.pop("nodeName")}
    return {**item, "apiVersion": "discovery.k8s.io/v1beta1", "endpoints": endpoints}


def _partial(item: Json) -> Json:
    return {
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": copy.deepcopy(item["metadata"]),
    }  # fmt: skip
