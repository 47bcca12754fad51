"""Debian's archive through apt, with folders of its own: nothing of the machine's package state is touched.

Where the archive is comes from the machine's own apt sources; ``BEESPACE_DEBIAN_MIRROR`` (and, for the
security suites, ``BEESPACE_DEBIAN_SECURITY_MIRROR``) name another.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cmp_to_key
from pathlib import Path

from beespace.errors import NotSupported, UsageError
from beespace.guest.catalogue import Kernel
from beespace.guest.programs import program
from beespace.record import dataclass

__all__ = ["Archive", "Build", "choose", "mirrors"]

_KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
_MIRROR, _SECURITY_MIRROR = "BEESPACE_DEBIAN_MIRROR", "BEESPACE_DEBIAN_SECURITY_MIRROR"
_CONFIGURATION = """\
Dir::State "{folder}";
Dir::Cache "{folder}";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
_OFFLINE = (
    "a network is needed once; then the kernels are in the cache.  If Debian's archive is elsewhere, "
    f"{_MIRROR}=URL names it (as http://HOST/debian)"
)


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a kernel: what ``{release}`` stands for, its version, and its packages."""

    release: str
    version: str
    packages: tuple[str, ...]


def mirrors(targets: str, environment: dict[str, str]) -> tuple[str, str]:
    """The addresses of the archive and of its security suites.

    ``targets`` are lines ``address suite component``, as ``apt-get indextargets`` tells them.
    """
    main, security = environment.get(_MIRROR), environment.get(_SECURITY_MIRROR)
    for line in targets.splitlines():
        address, suite, component = (*line.split(), "", "", "")[:3]
        address = address.rstrip("/")
        if component != "main" or environment.get(_MIRROR):
            continue
        if suite.endswith("-security") and address.endswith("/debian-security"):
            security = security or address
        elif address.endswith("/debian"):
            main = main or address
    if main is None and security is not None:
        main = security.removesuffix("-security")
    if main is None:
        raise UsageError(
            "the apt sources of this machine do not name Debian's archive",
            help=f"{_MIRROR}=URL names it (as http://HOST/debian); its keys are in the package debian-archive-keyring",
        )
    main = main.rstrip("/")
    return main, (security or f"{main}-security").rstrip("/")


class Archive:
    """One suite for one architecture, with its index below ``folder``."""

    def __init__(self, folder: Path, architecture: str, suite: str) -> None:
        self.refused = ""  # why the last download failed
        self._configuration = folder / "apt.conf"
        for below in ("lists/partial", "archives/partial"):
            (folder / below).mkdir(parents=True)
        keyring = next((f"[signed-by={path}] " for path in _KEYRINGS if Path(path).exists()), "")
        main, security = mirrors(_targets(), dict(os.environ))
        address = security if suite.endswith("-security") else main
        (folder / "sources.list").write_text(f"deb {keyring}{address} {suite} main\n")
        self._configuration.write_text(_CONFIGURATION.format(folder=folder, architecture=architecture))

    def update(self) -> None:
        """Read the indexes anew."""
        done = self._apt("apt-get", "update", "-q")
        if done.returncode:
            raise NotSupported(f"reading Debian's package lists here: {_reason(done.stderr)}", help=_OFFLINE)

    def builds(self, kernel: Kernel) -> list[Build]:
        """The builds of a kernel whose packages are all there, the newest first."""
        names = set(self._apt("apt-cache", "pkgnames", kernel.packages[0].partition("{")[0]).stdout.split())
        for pattern in kernel.packages[1:]:
            names |= set(self._apt("apt-cache", "pkgnames", pattern.partition("{")[0]).stdout.split())
        releases = choose(kernel, names)
        if not releases:
            return []
        shown = self._apt("apt-cache", "show", *(kernel.packages[0].format(release=each) for each in releases)).stdout
        found = [
            Build(release, version, tuple(pattern.format(release=release) for pattern in kernel.packages))
            for release in releases
            for version in _versions(shown, kernel.packages[0].format(release=release))
        ]
        return sorted(found, key=cmp_to_key(_compare), reverse=True)

    def dependencies(self, names: tuple[str, ...]) -> list[str]:
        """All packages that those need, with themselves."""
        done = self._apt(
            "apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
            "--no-replaces", "--no-enhances", *names,
        )  # fmt: skip
        return sorted({line for line in done.stdout.splitlines() if re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", line)})

    def download(self, packages: tuple[str, ...], folder: Path) -> list[Path]:
        """The packages' files, in ``folder``; empty if the archive does not have (all of) them any more."""
        folder.mkdir(parents=True, exist_ok=True)
        done = self._apt("apt-get", "download", "-q", *packages, cwd=folder)
        found = [path for name in packages for path in folder.glob(f"{name}_*.deb")]
        if done.returncode == 0 and len(found) == len(packages):
            return found
        self.refused = _reason(done.stderr)
        return []

    def _apt(self, name: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program(name), f"--config-file={self._configuration}", *arguments],
            capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | {"LC_ALL": "C"},
        )  # fmt: skip


def _targets() -> str:
    """What the machine's apt sources name: ``address suite component``, a line each."""
    line = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    command = [program("apt-get"), "indextargets", "--format", line, "Created-By: Packages"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def choose(kernel: Kernel, names: set[str]) -> list[str]:
    """The releases of a kernel's series for which ``names`` has every package."""
    before, _, after = kernel.packages[0].partition("{release}")
    series = re.escape(kernel.series)
    pattern = re.compile(rf"{re.escape(before)}({series}\.[0-9][0-9a-z.+~-]*?){re.escape(after)}")
    found = [match[1] for name in names if (match := pattern.fullmatch(name))]
    return sorted(
        release for release in found if all(each.format(release=release) in names for each in kernel.packages)
    )


def _versions(shown: str, package: str) -> list[str]:
    return [
        match[1]
        for paragraph in shown.split("\n\n")
        if paragraph.startswith(f"Package: {package}\n") and (match := re.search(r"^Version: (\S+)$", paragraph, re.M))
    ]


def _compare(one: Build, other: Build) -> int:
    if one.version == other.version:
        return 0
    less = subprocess.run(["dpkg", "--compare-versions", one.version, "lt", other.version], check=False)
    return -1 if less.returncode == 0 else 1


def _reason(text: str) -> str:
    errors = [line.removeprefix("E: ") for line in text.splitlines() if line.startswith(("E: ", "Err:"))]
    return (errors or text.strip().splitlines() or ["apt-get said nothing"])[0]
