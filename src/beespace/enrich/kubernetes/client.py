"""One HTTP request to the Kubernetes API after another, and streams of watches; nothing but the standard library.

Answers are JSON.  A refusal becomes an exception that says what kind of refusal it is, because each asks for
something else: wait as long as the server says, read the token again, list again, do without.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from beespace.enrich.kubernetes.access import Access

__all__ = ["ApiError", "Client", "Expired", "Forbidden", "Missing", "Throttled", "Truncated", "Unauthorized"]

TIMEOUT_S = 15.0
QUIET_S = 150.0  # a watch sends a bookmark about once a minute; one that is silent for longer is dead
LINE_MAX = 8 << 20  # an object is at most 3 MiB in etcd
ANSWER_MAX = 256 << 20
# Names and owners of any object, and no more (Kubernetes 1.15; older servers send the whole object, which does too).
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class ApiError(Exception):
    """The API did not do what was asked; the text says what and why.  ``status`` is HTTP's, 0 without an answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Unauthorized(ApiError):
    """401: the token is none, or has expired."""


class Forbidden(ApiError):
    """403: we may not read this."""


class Missing(ApiError):
    """404: there is no such object, or this server has no such kind of object."""


class Expired(ApiError):
    """410: the version that we know is too old to go on from; list again."""


class Throttled(ApiError):
    """429, or 503 with a time: come back after ``after`` seconds."""

    def __init__(self, text: str, status: int, after: float) -> None:
        super().__init__(text, status)
        self.after = after


class Truncated(ApiError):
    """A stream ended in the middle of a line."""


_KINDS = {401: Unauthorized, 403: Forbidden, 404: Missing, 410: Expired}


class Client:
    """Requests with the credentials of ``access``; each in a connection of its own.  Safe in several threads."""

    def __init__(self, access: Access, *, timeout_s: float = TIMEOUT_S, quiet_s: float = QUIET_S) -> None:
        self.access = access
        self._timeout_s = timeout_s
        self._quiet_s = quiet_s
        self._open: set[http.client.HTTPConnection] = set()
        self._closed = False

    def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "application/json") -> Any:
        """The JSON at ``path``.  Raises ApiError."""
        with self._answer(path, query or {}, accept) as answer:
            try:
                return json.loads(answer.read(ANSWER_MAX))
            except (OSError, http.client.HTTPException) as error:
                raise Truncated(f"{path}: {_words(error)}") from error
            except ValueError as error:
                raise ApiError(f"{path}: the answer is no JSON: {error}") from error

    def watch(
        self,
        path: str,
        query: Mapping[str, str],
        *,
        accept: str = "application/json",
        opened: Callable[[], None] = lambda: None,
    ) -> Iterator[Mapping[str, Any]]:
        """The events of a watch, until the server ends it.  Raises ApiError; Truncated if it ends within an event.

        ``opened`` is called once the server has begun to answer, which may be long before the first event.
        """
        with self._answer(path, {**query, "watch": "1"}, accept, stream=True) as answer:
            opened()
            while True:
                try:
                    line = answer.readline(LINE_MAX)
                except (OSError, http.client.HTTPException, AttributeError, ValueError) as error:
                    if self._closed:
                        return
                    raise Truncated(f"{path}: {_words(error)}") from error
                if not line:
                    return
                if not line.endswith(b"\n"):
                    raise Truncated(f"{path}: the stream ended within an event")
                try:
                    event = json.loads(line)
                except ValueError as error:
                    raise Truncated(f"{path}: an event is no JSON: {error}") from error
                if event.get("type") == "ERROR":
                    raise _refusal(path, event.get("object") or {}, int((event.get("object") or {}).get("code") or 0))
                yield event

    def close(self) -> None:
        """End every request, also those that wait in other threads."""
        self._closed = True
        for connection in list(self._open):
            _shut(connection)

    @contextlib.contextmanager
    def _answer(
        self, path: str, query: Mapping[str, str], accept: str, *, stream: bool = False
    ) -> Iterator[http.client.HTTPResponse]:
        if self._closed:
            raise ApiError("the client is closed")
        timeout = self._quiet_s if stream else self._timeout_s
        access = self.access
        connection = (
            http.client.HTTPConnection(access.host, access.port, timeout=timeout)
            if access.tls is None
            else http.client.HTTPSConnection(access.host, access.port, timeout=timeout, context=access.tls)
        )
        self._open.add(connection)
        try:
            target = f"{access.prefix}{path}" + (f"?{urlencode(query)}" if query else "")
            try:
                headers = {"Accept": accept, "User-Agent": "beespace", **access.headers()}
                connection.request("GET", target, headers=headers)
                if self._closed:  # whoever closed us before the connection was made could not end it
                    raise ApiError("the client is closed")
                answer = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise ApiError(f"{access.url}{path}: {_words(error)}") from error
            if answer.status != http.client.OK:
                raise _refused(path, answer)
            yield answer
        finally:
            self._open.discard(connection)
            connection.close()


def _refused(path: str, answer: http.client.HTTPResponse) -> ApiError:
    try:
        status = json.loads(answer.read(1 << 20))
    except (OSError, http.client.HTTPException, ValueError):
        status = {}
    after = _seconds(answer.headers.get("Retry-After"))
    return _refusal(path, status if isinstance(status, dict) else {}, answer.status, after)


def _refusal(path: str, status: Mapping[str, Any], code: int, after: float | None = None) -> ApiError:
    """What a ``Status`` object says."""
    said = str(status.get("message") or http.client.responses.get(code, "refused"))
    text = f"{path}: {said} ({code})"
    details = status.get("details")
    if after is None and isinstance(details, dict) and details.get("retryAfterSeconds"):
        after = float(details["retryAfterSeconds"])
    if code == 429 or (code in (500, 503, 504) and after is not None):
        return Throttled(text, code, 1.0 if after is None else after)
    return _KINDS.get(code, ApiError)(text, code)


def _seconds(value: str | None) -> float | None:
    """``Retry-After``: seconds, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _shut(connection: http.client.HTTPConnection) -> None:
    """Wake whoever waits in ``connection``; closing alone would not."""
    sock = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(2)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
