"""Kubernetes for the cluster tests: built once from Debian's source package with Debian's Go, kept in the cache.

Debian 12 is the last one whose source package is the whole of Kubernetes (later ones are stripped to kubectl), so it is
1.20.2 on every machine.  Everything comes through apt, with folders of its own, from the archive that the machine's apt
sources name (``BEESPACE_DEBIAN_MIRROR=URL`` names another); packages are unpacked into the cache, not installed.

    python tests/cluster/kube_build.py           # about 5 minutes on two idle cores, 2 GB while it builds, 0.4 GB after
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUITE = "bookworm"
GO = "1.19"
PACKAGES = (f"golang-{GO}-go", f"golang-{GO}-src", "etcd-server", "kubernetes-client")
VERSION = "1.20.2"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
FROM_DEBIAN = {"etcd": "usr/bin/etcd", "kubectl": "usr/bin/kubectl"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
TREE = "k8s.io/kubernetes"
VENDOR = f"{TREE}/vendor"
# Cloud providers and Docker are half of the programs' size, and nothing of them runs here.
TAGS = "providerless,dockerless"


def directory() -> Path:
    """``$XDG_CACHE_HOME/beespace/kubernetes`` or ``~/.cache/beespace/kubernetes``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "beespace" / "kubernetes"


def binaries() -> Path:
    """Where the programs are, or will be."""
    return directory() / VERSION


def missing() -> str | None:
    """Why there is no Kubernetes to run, or None."""
    if lacking := [name for name in (*PROGRAMS, *FROM_DEBIAN) if not (binaries() / name).exists()]:
        return f"Kubernetes is not built ({', '.join(lacking)}): run make test-cluster"
    return None


def build() -> Path:
    """The folder with all programs; what is there already is not built again, and a build that was ended goes on."""
    directory().mkdir(parents=True, exist_ok=True)
    with (directory() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else may build
        if missing() is not None:
            folder = directory() / "building"
            if not (folder / "unpacked").exists():
                remove(folder)
                _unpack(folder)
            made = folder / "made"
            made.mkdir(exist_ok=True)
            compile_all(folder, folder / "go/src" / TREE, made)
            for name, path in FROM_DEBIAN.items():
                shutil.copy2(folder / "root" / path, made / name)
            shutil.rmtree(binaries(), ignore_errors=True)
            made.rename(binaries())
            remove(folder)
    return binaries()


def _unpack(folder: Path) -> None:
    apt = Apt(folder / "apt")
    apt.unpack(PACKAGES, folder / "root")
    apt.source("kubernetes", VERSION, folder / "go/src" / TREE)
    (folder / "unpacked").touch()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards.  What somebody left who was killed is removed first."""
    for left in directory().glob(".build-*"):
        if not Path(f"/proc/{left.name.split('-')[1]}").exists():
            remove(left)
    folder = Path(tempfile.mkdtemp(prefix=f".build-{os.getpid()}-", dir=directory()))
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """A folder and all in it, if it is there."""
    if not folder.exists():
        return
    for path in folder.rglob("*"):  # Go makes folders that cannot be written
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder)


class Apt:
    """Debian's archive, its indexes below ``folder``: nothing of the machine's package state is touched."""

    def __init__(self, folder: Path) -> None:
        from beespace.guest.apt import Archive

        folder.mkdir(parents=True)
        archive = Archive(folder, ARCHITECTURES[platform.machine()], SUITE)
        sources = folder / "sources.list"
        line = sources.read_text()
        sources.write_text(line + re.sub(r"^deb ", "deb-src ", line))
        archive.update()
        self._configuration = folder / "apt.conf"
        self._folder = folder

    def unpack(self, packages: tuple[str, ...], root: Path) -> None:
        self._get("download", *packages)
        for file in self._folder.glob("*.deb"):
            run("dpkg-deb", "--extract", str(file), str(root))

    def source(self, package: str, version: str, target: Path) -> None:
        """The upstream part of a source package, which has to be of ``version``."""
        self._get("source", "--download-only", package)
        (tarball,) = self._folder.glob(f"{package}_*{version}.orig.tar.*")
        target.mkdir(parents=True)
        run("tar", "--extract", "--strip-components=1", f"--file={tarball}", f"--directory={target}")

    def _get(self, *arguments: str) -> None:
        run("apt-get", f"--config-file={self._configuration}", "--quiet", *arguments, cwd=self._folder)


def compile_all(folder: Path, kubernetes: Path, made: Path) -> None:
    environment = {
        **os.environ,
        "GOROOT": str(folder / f"root/usr/lib/go-{GO}"),
        "GOPATH": str(folder / "go"),
        "GOCACHE": str(folder / "cache"),
        "GO111MODULE": "off",  # the tree has all that it needs below vendor/
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
        "GOGC": os.environ.get("GOGC", "400"),  # the compiler lives for a moment: collecting is a third of its time
    }
    go = f"{environment['GOROOT']}/bin/go"
    generator = folder / "openapi-gen"
    run(go, "build", "-o", str(generator), f"{VENDOR}/k8s.io/kube-openapi/cmd/openapi-gen", env=environment)
    run(
        str(generator), "--input-dirs", ",".join(sorted(described(kubernetes))),
        "--output-package", f"{TREE}/pkg/generated/openapi", "--output-file-base", "zz_generated.openapi",
        "--go-header-file", str(kubernetes / "vendor/k8s.io/code-generator/hack/boilerplate.go.txt"),
        "--report-filename", str(folder / "violations"), cwd=kubernetes, env=environment,
    )  # fmt: skip
    version = f"{VENDOR}/k8s.io/component-base/version"
    major, minor, _ = VERSION.split(".")
    known = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(f"-X {version}.{name}={value}" for name, value in known.items())
    for name in PROGRAMS:
        run(
            go, "build", "-tags", TAGS, "-trimpath", "-ldflags", f"-s -w {flags}", "-o", str(made / name),
            f"{TREE}/cmd/{name}", env=environment,
        )  # fmt: skip


def described(kubernetes: Path) -> set[str]:
    """The packages whose types the API server describes; their code is generated, and not in the source package."""
    found = set()
    for top in ("pkg", "vendor/k8s.io", "staging/src"):
        listed = run(
            "grep", "--recursive", "--files-with-matches", "--include=*.go", r"+k8s:openapi-gen=", top,
            cwd=kubernetes, capture_output=True, text=True,
        )  # fmt: skip
        for line in listed.stdout.splitlines():
            folder = str(Path(line).parent)
            found.add(f"{TREE}/{folder.replace('staging/src', 'vendor')}")
    return found


def run(*command: str, **how: object) -> subprocess.CompletedProcess[str]:
    print("+", " ".join(command)[:200], file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, **how)  # type: ignore[call-overload, no-any-return]


if __name__ == "__main__":
    print(build())
