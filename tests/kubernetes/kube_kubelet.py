"""A kubelet's own server as far as names need it: ``GET /pods`` over TLS with a certificate that it signed itself.

What it keeps to (kubelet's pkg/kubelet/server): 401 ``Unauthorized`` for a token that the API server does not know, 403
with a sentence for one that may not, both as plain text; 404 for other paths; a ``v1.PodList`` without a version.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

Json = dict[str, Any]


def certificate(folder: Path, name: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate that signed itself, and its key."""
    made, key = folder / "kubelet.crt", folder / "kubelet.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=node1@1700000000", "-addext", f"subjectAltName=IP:{name}", "-days", "2"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    return made, key


class FakeKubelet:
    """The server; a context manager.  ``tokens`` are let in, ``forbidden`` are known but may not."""

    def __init__(self, folder: Path) -> None:
        self.pods: list[Json] = []
        self.tokens = {"agent"}
        self.forbidden: set[str] = set()
        self.answer: bytes | None = None  # instead of the list
        self.requests = 0
        self.certificate, key = certificate(folder)
        handler = type("Handler", (_Handler,), {"kubelet": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    kubelet: FakeKubelet

    def do_GET(self) -> None:
        kubelet = self.kubelet
        kubelet.requests += 1
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token in kubelet.forbidden:
            self._send(403, b"Forbidden (user=agent, verb=get, resource=nodes, subresource(s)=[pods proxy])\n")
        elif token not in kubelet.tokens:
            self._send(401, b"Unauthorized")
        elif self.path != "/pods":
            self._send(404, b"404 page not found\n")
        else:
            made = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": kubelet.pods}
            self._send(200, kubelet.answer or json.dumps(made).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass
