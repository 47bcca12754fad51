"""A small HTTP server for what an agent says of itself: ``/healthz``, ``/readyz`` and ``/metrics``.

Reading is all that it can: no request changes anything, and none is longer than a line with some headers.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from beespace.errors import UsageError
from beespace.session.health import Health
from beespace.sinks.exposition import exposition, wanted

__all__ = ["Answer", "Endpoint", "health_pages"]

AT_ONCE = 8  # requests; more than a scraper, a kubelet and a person make
PATIENCE_S = 10.0

Answer = tuple[int, str, str]  # status, content type, text
Page = Callable[[str], Answer]  # is given the Accept header

_TEXT = "text/plain; charset=utf-8"


def health_pages(health: Health) -> dict[str, Page]:
    """The pages that speak for ``health``."""

    def verdict(ask: Callable[[], tuple[bool, str]]) -> Page:
        def page(_accept: str) -> Answer:
            good, why = ask()
            return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, _TEXT, f"{why}\n"

        return page

    def metrics(accept: str) -> Answer:
        kind = wanted(accept)
        return HTTPStatus.OK, kind, exposition(health.families(), kind)

    return {"/healthz": verdict(health.healthy), "/readyz": verdict(health.ready), "/metrics": metrics}


class Endpoint:
    """Serves ``pages`` at ``host``:``port`` (0: any) on threads of its own.  A context manager.

    Raises :class:`~beespace.errors.UsageError` for an address that cannot be listened on.
    """

    def __init__(self, host: str, port: int, pages: Mapping[str, Page]) -> None:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server(family, address, pages)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"cannot listen on {_shown(host, port)}: {reason}", help="give another address with --listen HOST:PORT"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="beespace-http", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is, with the port that was taken."""
        host, port, *_ = self._server.server_address
        return f"http://{_shown(str(host), int(port))}"


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, family: int, address: Any, pages: Mapping[str, Page]) -> None:
        self.address_family = socket.AddressFamily(family)
        self.pages = pages
        self._free = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer would look its own name up, and wait for a resolver.
        socket_address = self.server_address
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is its own business; other errors were answered with a 500."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S
    server: _Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        page = self.server.pages.get(path)
        if page is None:
            status, kind, text = HTTPStatus.NOT_FOUND, _TEXT, f"there are: {' '.join(self.server.pages)}\n"
        else:
            try:
                status, kind, text = page(self.headers.get("Accept", ""))  # type: ignore[assignment]
            except Exception as error:
                status, kind, text = HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, f"{type(error).__name__}: {error}\n"
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")  # who keeps one open would take a place from the next
        self.end_headers()
        if body:
            self.wfile.write(data)

    def version_string(self) -> str:
        return "beespace"

    def log_message(self, format: str, *args: Any) -> None:
        """A probe comes every few seconds; nobody wants to read that."""
