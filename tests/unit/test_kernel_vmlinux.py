"""The kernel's types and the index kept of them, with a small blob in place of a kernel's."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from beespace.btf import Btf, BtfBuilder
from beespace.errors import NotSupported
from beespace.kernel import vmlinux


@pytest.fixture
def blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    builder = BtfBuilder()
    for number in range(50):
        builder.typedef(f"t{number}", builder.int("int", 4))
    path = tmp_path / "vmlinux"
    path.write_bytes(builder.bytes())
    (tmp_path / "notes").write_bytes(b"build one")
    monkeypatch.setattr(vmlinux, "VMLINUX", path)
    monkeypatch.setattr(vmlinux, "_NOTES", tmp_path / "notes")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vmlinux.vmlinux_btf.cache_clear()
    yield path
    vmlinux.vmlinux_btf.cache_clear()


def load() -> Btf:
    vmlinux.vmlinux_btf.cache_clear()
    return vmlinux.vmlinux_btf()


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "beespace").glob("*"))


def test_the_index_is_kept_and_used(blob: Path, tmp_path: Path) -> None:
    first = load()
    assert not first.index_was_used
    (path,) = kept(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    second = load()
    assert second.index_was_used
    assert second.count == first.count == 52
    assert second.name(second.find("t49")) == "t49"
    assert vmlinux.vmlinux_btf() is second


def test_the_index_is_named_by_the_build_id(blob: Path, tmp_path: Path) -> None:
    xen = struct.pack("=III", 4, 5, 3) + b"Xen\0" + b"other\0\0\0"
    (tmp_path / "notes").write_bytes(xen + struct.pack("=III", 4, 20, 3) + b"GNU\0" + bytes(range(20)))
    load()
    (path,) = kept(tmp_path)
    assert path.name.startswith("vmlinux-000102030405060708090a0b0c0d0e0f10111213-")
    assert load().index_was_used


def test_another_build_has_another_index(blob: Path, tmp_path: Path) -> None:
    load()
    (tmp_path / "notes").write_bytes(b"build two")
    assert not load().index_was_used
    assert len(kept(tmp_path)) == 2


def test_a_kernel_without_notes(blob: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").unlink()
    assert not load().index_was_used
    assert load().index_was_used


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "longer", "writable", "link", "directory"])
def test_a_kept_index_that_cannot_be_trusted_is_made_anew(blob: Path, tmp_path: Path, damage: str) -> None:
    load()
    (path,) = kept(tmp_path)
    content = path.read_bytes()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "short":
            path.write_bytes(content[:-1])
        case "flipped":
            path.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])
        case "longer":
            path.write_bytes(content + b"x")
        case "writable":
            path.chmod(0o666)
        case "link":
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
        case "directory":
            path.unlink()
            path.mkdir()
    btf = load()
    assert not btf.index_was_used
    assert btf.name(btf.find("t7")) == "t7"
    assert kept(tmp_path) == [path]
    assert load().index_was_used is (damage != "directory")


def test_a_cache_that_cannot_be_written_is_no_error(blob: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert load().count == 52


def test_no_home(blob: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert vmlinux.cache_directory() is None
    assert load().count == 52


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/tmp/x")
    assert vmlinux.cache_directory() == Path("/var/tmp/x/beespace")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # the specification says to ignore those
    assert vmlinux.cache_directory() == Path.home() / ".cache" / "beespace"


def test_a_kernel_that_tells_nothing(blob: Path) -> None:
    blob.unlink()
    with pytest.raises(NotSupported, match="CONFIG_DEBUG_INFO_BTF"):
        load()
    vmlinux.vmlinux_btf.cache_clear()


def test_a_kernel_that_cannot_be_mapped(blob: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    def refuse(*arguments: object, **options: object) -> None:
        raise vmlinux.KernelError("cannot map", call="mmap", errno=22)

    monkeypatch.setattr(vmlinux, "map_memory", refuse)
    assert load().find("t3") == load().find("t3") > 0
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
