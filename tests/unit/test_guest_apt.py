"""Which builds of a kernel the archive has, and where the archive is."""

from __future__ import annotations

import pytest

from beespace.errors import UsageError
from beespace.guest import find
from beespace.guest.apt import choose, mirrors

DEBIAN = "http://one/debian/ bookworm main\nhttp://one/debian-security/ bookworm-security main\n"


@pytest.mark.parametrize(
    ("targets", "environment", "expected"),
    [
        (DEBIAN, {}, ("http://one/debian", "http://one/debian-security")),
        ("http://x/linux/debian bookworm stable\n" + DEBIAN, {}, ("http://one/debian", "http://one/debian-security")),
        ("http://one/debian trixie main\n", {}, ("http://one/debian", "http://one/debian-security")),
        ("http://two/debian-security trixie-security main\n", {}, ("http://two/debian", "http://two/debian-security")),
        (DEBIAN, {"BEESPACE_DEBIAN_MIRROR": "http://m/debian/"}, ("http://m/debian", "http://m/debian-security")),
        ("", {"BEESPACE_DEBIAN_MIRROR": "http://m/d", "BEESPACE_DEBIAN_SECURITY_MIRROR": "http://s"},
         ("http://m/d", "http://s")),
    ],
)  # fmt: skip
def test_the_archive_is_where_apt_says(targets: str, environment: dict[str, str], expected: tuple[str, str]) -> None:
    assert mirrors(targets, environment) == expected


def test_no_archive_is_an_error_that_says_how_to_name_one() -> None:
    with pytest.raises(UsageError, match="BEESPACE_DEBIAN_MIRROR"):
        mirrors("http://ports/ubuntu jammy main\n", {})


def test_builds_of_the_series_only() -> None:
    names = {
        "linux-image-6.12-cloud-amd64",  # a package that only depends on another
        "linux-image-6.12.117+deb13-cloud-amd64",
        "linux-image-6.12.117+deb13-cloud-amd64-dbg",
        "linux-image-6.12.117+deb13-amd64",
        "linux-image-6.12.90+deb13.1-cloud-amd64",
        "linux-image-6.1.0-56-cloud-amd64",
        "linux-image-5.10.0-46-cloud-amd64",
    }
    assert choose(find("6.12"), names) == ["6.12.117+deb13", "6.12.90+deb13.1"]
    assert choose(find("6.1"), names) == ["6.1.0-56"]
    assert choose(find("5.10"), names) == ["5.10.0-46"]


def test_a_build_needs_all_its_packages() -> None:
    whole = {f"linux-{part}-7.3.4+deb13-cloud-amd64" for part in ("binary", "modules", "base")}
    half = {"linux-binary-7.3.5+deb13-cloud-amd64"}
    assert choose(find("7.3"), whole | half) == ["7.3.4+deb13"]
