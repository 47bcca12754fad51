"""The image in which the cluster's servers and clients run: a small Debian with Python, made without a registry.

Its packages are unpacked (no maintainer script runs), into a folder of the cache, and stay there.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import kube_build as build

SUITE = "trixie"
PACKAGES = (
    "base-files",
    "bash",
    "busybox-static",
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libstdc++6",
    "python3",
    "python3-venv",
)
BASE = "docker.io/local/python:1"


def base() -> Path:
    """A docker-archive tar with ``BASE``."""
    folder = tree()
    target = folder.with_suffix(".tar")
    if not target.exists():
        with build.scratch() as scratch:
            write(scratch / "made.tar", scratch, BASE, [folder], {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["python3"]})
            (scratch / "made.tar").rename(target)
    return target


def tree() -> Path:
    """The unpacked Debian, from the cache or made anew."""
    folder = build.directory() / f"base-{hashlib.sha256(' '.join((SUITE, *PACKAGES)).encode()).hexdigest()[:12]}"
    if not folder.exists():
        from beespace.guest.apt import Archive

        with build.scratch() as scratch:
            debian = Archive(scratch / "apt", build.ARCHITECTURES[platform.machine()], SUITE)
            debian.update()
            files = debian.download(tuple(debian.dependencies(PACKAGES)), scratch / "files")
            assert files, debian.refused
            # base-files has the links /bin, /lib and /sbin, through which the others' files must go
            for file in sorted(files, key=lambda path: not path.name.startswith("base-files_")):
                build.run("dpkg-deb", "--extract", str(file), str(scratch / "tree"))
            (scratch / "tree/usr/bin/sh").unlink(missing_ok=True)
            (scratch / "tree/usr/bin/sh").symlink_to("dash")
            shutil.rmtree(scratch / "tree/usr/share/doc")
            certificates = scratch / "tree/etc/ssl/certs/ca-certificates.crt"  # pip reads it, even without a network
            known = sorted((scratch / "tree/usr/share/ca-certificates/mozilla").glob("*.crt"))
            certificates.write_bytes(b"".join(path.read_bytes() for path in known))
            for place in ("proc", "sys", "dev", "run", "tmp", "dist", "opt"):
                (scratch / "tree" / place).mkdir(exist_ok=True)
            (scratch / "tree").rename(folder)
    return folder


def write(target: Path, scratch: Path, tag: str, folders: Sequence[Path], settings: Mapping[str, object]) -> None:
    """An image of folders that become its layers; ``settings`` are what it runs."""
    digests = []
    with tarfile.open(target, mode="w") as tar:
        for folder in folders:
            layer = scratch / "layer.tar"
            build.run("tar", "--create", f"--file={layer}", "--numeric-owner", f"--directory={folder}", ".")
            with layer.open("rb") as data:
                digests.append(hashlib.file_digest(data, "sha256").hexdigest())
            tar.add(layer, f"{digests[-1]}.tar")
        config = {
            "architecture": build.ARCHITECTURES[platform.machine()],
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
        manifest = {"Config": "config.json", "RepoTags": [tag], "Layers": [f"{digest}.tar" for digest in digests]}
        for name, content in (("config.json", config), ("manifest.json", [manifest])):
            (scratch / name).write_text(json.dumps(content))
            tar.add(scratch / name, name)


if __name__ == "__main__":
    print(base())
