"""What a node's agent may read of the Kubernetes API: each resource asked for once, one object of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from beespace.enrich.kubernetes.access import Access
from beespace.enrich.kubernetes.client import ApiError, Client, Missing
from beespace.enrich.kubernetes.cluster import resources
from beespace.enrich.kubernetes.reflector import Resource

__all__ = ["Right", "rights"]


class Right(NamedTuple):
    """Whether ``resource`` may be listed; ``why`` it may not; what is ``lacking`` without it."""

    resource: str
    allowed: bool
    why: str
    lacking: str


def rights(access: Access, node: str) -> list[Right]:
    """One for each resource that names come from; stops at the first that nobody answered."""
    found = []
    client = Client(access, timeout_s=5.0)
    for resource in resources(node):
        query = {"limit": "1", **({"fieldSelector": resource.selector} if resource.selector else {})}
        try:
            path = _path(client, resource, query)
        except ApiError as error:
            found.append(Right(resource.name, False, str(error), resource.lacking))
            if not error.status:
                break
        else:
            older = f" as {path}" if path != resource.path else ""
            found.append(Right(resource.name, True, f"may be listed at {access.url}{older}", resource.lacking))
    return found


def _path(client: Client, resource: Resource[Any], query: dict[str, str]) -> str:
    """Where the server has the resource and lets us list it.  Raises ApiError, of the newest path."""
    missing: Missing | None = None
    for path in resource.paths:
        try:
            client.get(path, query, accept=resource.accept)
        except Missing as error:
            missing = missing or error
        else:
            return path
    assert missing is not None
    raise missing
