"""What a guest boots from: the kernel out of its image, modules in order, the first files."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest

from beespace.errors import FormatError
from beespace.guest import initramfs, modules, vmlinux

KERNEL = b"\x7fELF" + bytes(range(256)) * 20


def bzimage(payload: bytes, size: int, *, sectors: int = 2, offset: int = 100) -> bytes:
    """An image with the fields of Documentation/arch/x86/boot.rst."""
    packed = payload + struct.pack("<I", size)
    head = bytearray((sectors + 1) * 512 + offset)
    head[0x1F1] = sectors
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, offset, len(packed))
    return bytes(head) + packed + b"what follows the payload"


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_the_kernel_comes_out_of_its_image(pack: object) -> None:
    assert callable(pack)
    assert vmlinux.extract(bzimage(pack(KERNEL), len(KERNEL))) == KERNEL


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (b"MZ" + bytes(2000), "no bzImage"),
        (bzimage(b"????" + bytes(50), 10), "unknown way"),
        (bzimage(gzip.compress(KERNEL), len(KERNEL) + 1), "size"),
        (bzimage(gzip.compress(b"no kernel"), 9), "ELF"),
    ],
)
def test_other_images_are_refused(image: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        vmlinux.extract(image)


def module(depends: str, *aliases: str) -> bytes:
    texts = ["license=GPL", *(f"alias={alias}" for alias in aliases), f"depends={depends}", "retpoline=Y"]
    return b"\x7fELF...\0" + b"".join(text.encode() + b"\0" for text in texts) + b"more"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Modules as Debian packs them: plain or xz, with dashes in the names of files."""
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "virtio.ko").write_bytes(module(""))
    (tmp_path / "kernel" / "virtio_ring.ko.xz").write_bytes(lzma.compress(module("")))
    (tmp_path / "kernel" / "virtio-pci.ko").write_bytes(module("virtio,virtio_ring", "pci:v00001AF4d*"))
    (tmp_path / "kernel" / "net.ko").write_bytes(module("virtio-pci", "virtio:d1", "net-pf-16"))
    (tmp_path / "modules.builtin").write_text("kernel/fs/fuse/fuse.ko\n")
    modules.index(tmp_path)
    return tmp_path


def test_modules_are_indexed(folder: Path) -> None:
    lines = dict(line.split(": ") for line in (folder / "modules.dep").read_text().splitlines())
    assert set(lines) == {f"kernel/{name}.ko" for name in ("virtio", "virtio_ring", "virtio-pci", "net")}
    # modprobe inserts what stands here from the last to the first.
    assert lines["kernel/net.ko"].split() == [
        "kernel/virtio-pci.ko", "kernel/virtio_ring.ko", "kernel/virtio.ko",
    ]  # fmt: skip
    aliases = (folder / "modules.alias").read_text().splitlines()
    assert set(aliases) == {"alias pci:v00001AF4d* virtio_pci", "alias virtio:d1 net", "alias net-pf-16 net"}
    assert (folder / "kernel" / "virtio_ring.ko").read_bytes() == module("")
    assert not (folder / "kernel" / "virtio_ring.ko.xz").exists()


def test_modules_go_in_after_what_they_need(folder: Path) -> None:
    order = [path.name for path in modules.load_order(folder, ("net", "fuse"))]
    assert sorted(order) == sorted(["virtio.ko", "virtio_ring.ko", "virtio-pci.ko", "net.ko"])
    assert order.index("virtio-pci.ko") > max(order.index("virtio.ko"), order.index("virtio_ring.ko"))
    assert order[-1] == "net.ko"


def test_a_module_that_is_nowhere(folder: Path) -> None:
    with pytest.raises(FormatError, match="no module overlay"):
        modules.load_order(folder, ("overlay",))


def test_the_first_files_are_an_archive_that_cpio_reads() -> None:
    entries = [("bin", initramfs.FOLDER, b""), ("init", initramfs.FILE, b"#!/bin/sh\n"), ("a", initramfs.FILE, b"abcd")]
    data, at, found = initramfs.archive(entries), 0, []
    while True:
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        size, length = fields[6], fields[11]
        name = data[at + 110 : at + 110 + length - 1].decode()
        at = -(-(at + 110 + length) // 4) * 4
        if name == "TRAILER!!!":
            break
        found.append((name, fields[1], data[at : at + size]))
        at = -(-(at + size) // 4) * 4
    assert found == entries
