"""The agent's image, made as the Containerfile says, without a registry and without a builder.

The ``RUN`` step of the Containerfile is executed in the base image's files, without a network.  The image stays in the
cache as long as the sources stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path

import base_image
import kube_build as build

from beespace import __version__

ROOT = Path(__file__).parents[2]
PYTHON = "3.13"  # of base_image
AGENT = "docker.io/local/beespace:{version}"


def agent(version: str) -> Path:
    """A docker-archive tar with ``AGENT``, whose tag is ``version``."""
    target = build.directory() / f"agent-{_sources()}-{version}.tar"
    if not target.exists():
        for old in build.directory().glob("agent-*.tar"):
            old.unlink()
        with build.scratch() as scratch:
            tree, made = base_image.tree(), scratch / "agent"
            _wheels(scratch / "dist")
            _run(_step(), tree, scratch / "dist", made)
            base_image.write(scratch / "made.tar", scratch, AGENT.format(version=version), [tree, made], _settings())
            (scratch / "made.tar").rename(target)
    return target


def _sources() -> str:
    digest = hashlib.sha256()
    files = [ROOT / "Containerfile", ROOT / "pyproject.toml", Path(__file__)]
    for file in [*files, *sorted(path for path in (ROOT / "src").rglob("*") if path.is_file())]:
        if "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _wheels(dist: Path) -> None:
    """What the Containerfile says has to lie in ``dist/``, by the commands that it says."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build.run(*pip, "wheel", "--no-deps", "--wheel-dir", str(dist), str(ROOT))
    (wheel,) = dist.glob("beespace-*.whl")
    build.run(
        *pip, "download", "--only-binary=:all:", f"--python-version={PYTHON}", "--dest", str(dist),
        f"{wheel}[containers]",
    )  # fmt: skip


def _step() -> str:
    """The one ``RUN`` of the Containerfile."""
    text = re.sub(r"\\\n", "", (ROOT / "Containerfile").read_text())
    (step,) = re.findall(r"^RUN (.*)$", text, re.M)
    return str(step)


def _run(step: str, base: Path, dist: Path, agent: Path) -> None:
    """Run ``step`` in ``base`` without a network; what it makes is in ``agent``, and ``base`` stays as it is."""
    for folder in (agent, work := agent.with_name("work"), root := agent.with_name("root")):
        folder.mkdir()
    script = """
set -e
mount -t overlay -o lowerdir="$1",upperdir="$2",workdir="$3" overlay "$4"
mount --bind "$5" "$4/dist"
mount --bind /dev "$4/dev"
mount -t proc proc "$4/proc"
exec chroot "$4" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/tmp sh -ec "$6"
"""
    paths = [str(path) for path in (base, agent, work, root, dist)]
    build.run("unshare", "--mount", "--net", "--pid", "--fork", "sh", "-c", script, "step", *paths, step)
    for left in ("tmp", "root", "dist"):
        shutil.rmtree(agent / left, ignore_errors=True)


def _settings() -> dict[str, object]:
    """``ENV``, ``ENTRYPOINT`` and ``CMD`` of the Containerfile."""
    text = (ROOT / "Containerfile").read_text()
    (environment,) = re.findall(r"^ENV (.*)$", text, re.M)
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", text, re.M)
    (command,) = re.findall(r"^CMD (.*)$", text, re.M)
    return {"Env": environment.split(), "Entrypoint": json.loads(entry), "Cmd": json.loads(command)}


if __name__ == "__main__":
    print(agent(__version__))
