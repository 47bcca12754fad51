"""How we get in: a pod's service account, a kubeconfig; and what is said of one that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beespace.enrich.kubernetes.access import from_kubeconfig, in_cluster
from beespace.errors import UsageError

ENVIRONMENT = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


def config(tmp_path: Path, user: dict[str, Any], server: str = "http://127.0.0.1:8001/behind/") -> Path:
    path = tmp_path / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
                "clusters": [{"name": "k", "cluster": {"server": server}}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def test_a_pods_service_account(tmp_path: Path) -> None:
    assert in_cluster(ENVIRONMENT, tmp_path) is None  # no token: none of ours
    (tmp_path / "token").write_text("first\n")
    assert in_cluster({}, tmp_path) is None
    access = in_cluster(ENVIRONMENT, tmp_path)
    assert access is not None and access.url == "https://10.96.0.1:6443"
    assert access.headers() == {"Authorization": "Bearer first"}
    (tmp_path / "token").write_text("second\n")
    assert access.headers() == {"Authorization": "Bearer second"}


def test_a_kubeconfig(tmp_path: Path) -> None:
    access = from_kubeconfig(config(tmp_path, {"token": "t"}))
    assert (access.url, access.headers()) == ("http://127.0.0.1:8001/behind", {"Authorization": "Bearer t"})
    (tmp_path / "beside").write_text("from a file")
    access = from_kubeconfig(config(tmp_path, {"tokenFile": "beside"}, "https://[fd00::1]"))
    assert (access.url, access.headers()) == ("https://[fd00::1]:443", {"Authorization": "Bearer from a file"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "is no mapping"),
        ('{"current-context": "x"}', "has no context 'x'"),
        (None, "cannot be read"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "config"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=said):
        from_kubeconfig(path)


@pytest.mark.parametrize(
    ("user", "server", "said"),
    [
        ({"exec": {"command": "aws"}}, "http://x", "from another program"),
        ({"token": "t"}, "ftp://x", "no http"),
        ({"client-certificate": "missing.pem"}, "https://x", "certificate cannot be used"),
    ],
)
def test_credentials_that_cannot_be_used(tmp_path: Path, user: dict[str, Any], server: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_kubeconfig(config(tmp_path, user, server))
