"""Where the Kubernetes API is, and how we are let in: the service account of a pod, or a kubeconfig.

Inside a pod: ``KUBERNETES_SERVICE_HOST`` and ``_PORT``, and the folder that the kubelet mounts, whose token it renews
long before it ends (so the file is read again for every request).  Elsewhere a kubeconfig, which has to be named:
the cluster that somebody's ``~/.kube/config`` speaks of need not be the one that this machine is a node of.
"""

from __future__ import annotations

import base64
import importlib
import json
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from beespace.errors import UsageError

__all__ = ["Access", "from_kubeconfig", "in_cluster", "to_kubelet"]

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
HOST, PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
KUBELET, KUBELET_READ_ONLY = 10250, 10255


@dataclass(frozen=True, slots=True)
class Access:
    """An API server and the credentials for it.  ``tls`` None: plain HTTP (``kubectl proxy``, tests)."""

    host: str
    port: int
    prefix: str = ""  # path in front of /api, if the server is behind another one
    tls: ssl.SSLContext | None = None
    token: str | None = None
    token_file: Path | None = None

    def headers(self) -> dict[str, str]:
        """Who we are, for one request; the token file is read now.  Raises OSError if it cannot be."""
        token = self.token_file.read_text().strip() if self.token_file is not None else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    @property
    def url(self) -> str:
        """The server, as a person writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls is not None else 'http'}://{host}:{self.port}{self.prefix}"


def in_cluster(environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> Access | None:
    """How the pod that we run in reaches its API server; None outside of a pod, or without a service account."""
    host, port = environment.get(HOST), environment.get(PORT, "443")
    token, authority = account / "token", account / "ca.crt"
    if not host or not port.isdigit() or not token.exists():
        return None
    tls = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
    return Access(host, int(port), tls=tls, token_file=token)


def from_kubeconfig(path: Path) -> Access:
    """What the current context of a kubeconfig says.  Raises UsageError for a file that cannot be used.

    JSON is read as it is; YAML needs PyYAML (``beespace[kubernetes]``).  Credential programs (``exec``) are not run.
    """
    config = _parsed(path)
    context = _named(config, "contexts", "context", str(config.get("current-context") or ""), path)
    cluster = _named(config, "clusters", "cluster", str(context.get("cluster") or ""), path)
    user = _named(config, "users", "user", str(context.get("user") or ""), path) if context.get("user") else {}
    if "exec" in user or "auth-provider" in user:
        raise UsageError(
            f"{path}: user {context['user']!r} gets its credentials from another program, which beespace does not run",
            help="make a kubeconfig with a token: kubectl create token",
        )
    server = urlsplit(str(cluster.get("server") or ""))
    if server.scheme not in ("http", "https") or not server.hostname:
        raise UsageError(f"{path}: the server of cluster {context.get('cluster')!r} is no http(s) address")
    token_file = user.get("tokenFile")
    return Access(
        server.hostname,
        server.port or (443 if server.scheme == "https" else 80),
        server.path.rstrip("/"),
        _tls(cluster, user, path) if server.scheme == "https" else None,
        str(user["token"]) if user.get("token") else None,
        _beside(path, token_file) if token_file else None,
    )


def to_kubelet(address: str, account: Access | None, *, verify: bool = True) -> Access:
    """The kubelet at ``address`` (a host, with a port or without, or a URL), with the credentials of ``account``.

    Its certificate is held against the cluster's authority, which ``account`` knows; many kubelets sign their own:
    without ``verify`` it is not looked at, as long as nobody else may listen there.  ``account`` is this call's own:
    its context is changed.  Raises UsageError for an address that is none.
    """
    try:
        server = urlsplit(address if "://" in address else f"https://{address}")
        port = server.port
    except ValueError:
        server, port = urlsplit(""), None
    if server.scheme not in ("http", "https") or not server.hostname or server.path not in ("", "/"):
        raise UsageError(
            f"--kubelet {address!r} is no address of a kubelet",
            help="as 10.0.0.7, 10.0.0.7:10250 or https://node1:10250",
        )
    tls = None
    if server.scheme == "https":
        tls = (account.tls if account is not None else None) or ssl.create_default_context()
        if not verify:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
    default = KUBELET if tls is not None else KUBELET_READ_ONLY
    made = account if account is not None else Access(server.hostname, port or default)
    return replace(made, host=server.hostname, port=port or default, prefix="", tls=tls)


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(f"the kubeconfig {path} cannot be read: {error.strerror}") from error
    try:
        config = json.loads(text)
    except ValueError:
        try:
            yaml = importlib.import_module("yaml")
        except ImportError as error:
            raise UsageError(
                f"the kubeconfig {path} is YAML, and PyYAML is not installed",
                help="pip install 'beespace[kubernetes]', or kubectl config view --raw -o json > FILE",
            ) from error
        try:
            config = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"the kubeconfig {path} is neither JSON nor YAML: {error}") from error
    if not isinstance(config, dict):
        raise UsageError(f"the kubeconfig {path} is no mapping")
    return config


def _named(config: Mapping[str, Any], group: str, kind: str, name: str, path: Path) -> Mapping[str, Any]:
    for entry in config.get(group) or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            found: Mapping[str, Any] = entry[kind]
            return found
    raise UsageError(f"the kubeconfig {path} has no {kind} {name!r}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], path: Path) -> ssl.SSLContext:
    data = cluster.get("certificate-authority-data")
    file = cluster.get("certificate-authority")
    try:
        tls = ssl.create_default_context(
            cafile=str(_beside(path, file)) if file and not data else None,
            cadata=base64.b64decode(data).decode() if data else None,
        )
        if cluster.get("insecure-skip-tls-verify"):
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        if user.get("client-certificate-data") and user.get("client-key-data"):
            # OpenSSL takes a certificate from a file only; it is gone once it is read.
            with tempfile.NamedTemporaryFile() as pair:
                pair.write(base64.b64decode(user["client-certificate-data"]) + b"\n")
                pair.write(base64.b64decode(user["client-key-data"]))
                pair.flush()
                tls.load_cert_chain(pair.name)
        elif user.get("client-certificate"):
            key = user.get("client-key")
            tls.load_cert_chain(_beside(path, user["client-certificate"]), _beside(path, key) if key else None)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: a certificate cannot be used: {error}") from error
    return tls


def _beside(path: Path, name: Any) -> Path:
    """A path in a kubeconfig counts from the kubeconfig's folder."""
    return path.parent / str(name)
