"""Kernel modules on disk: unpacked, with the index that ``modprobe`` reads and the order in which they go in."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

from beespace.errors import FormatError
from beespace.guest.programs import program

__all__ = ["index", "load_order", "modinfo"]


def modinfo(module: bytes) -> dict[str, list[str]]:
    """The texts of a module's ``.modinfo`` that matter here: ``depends`` and ``alias``.

    They are looked for as bytes: ``name=value`` between NULs, as ``MODULE_INFO`` writes them.
    """
    found: dict[str, list[str]] = {"depends": [], "alias": []}
    for name, values in found.items():
        key = b"\0" + name.encode() + b"="
        at = module.find(key)
        while at >= 0:
            end = module.index(b"\0", at + 1)
            value = module[at + len(key) : end].decode("ascii", "replace")
            if name == "depends":
                values += [each for each in value.split(",") if each]
            elif value:
                values.append(value)
            at = module.find(key, end)
    return found


def index(folder: Path) -> None:
    """Unpack the modules below ``lib/modules/RELEASE`` in place; write ``modules.dep`` and ``modules.alias``."""
    depends: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    aliases: list[str] = []
    for path in sorted(folder.rglob("*.ko*")):
        module = _unpack(path)
        info = modinfo(module)
        name = _name(path.name)
        depends[name] = [each.replace("-", "_") for each in info["depends"]]
        paths[name] = str(path.relative_to(folder)).partition(".ko")[0] + ".ko"
        aliases += [f"alias {alias} {name}\n" for alias in info["alias"]]
    with (folder / "modules.dep").open("w") as file:
        for name, path_of in paths.items():
            needed = [paths[each] for each in reversed(_ordered([name], depends)) if each != name and each in paths]
            file.write(f"{path_of}: {' '.join(needed)}\n")
    (folder / "modules.alias").write_text("".join(aliases))


def load_order(folder: Path, wanted: tuple[str, ...]) -> list[Path]:
    """The files to insert so that ``wanted`` work, each after what it needs; built-in ones need none."""
    paths: dict[str, Path] = {}
    depends: dict[str, list[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        own, _, needed = line.partition(":")
        paths[_name(own)] = folder / own
        depends[_name(own)] = [_name(each) for each in reversed(needed.split())]
    builtin = {_name(line) for line in (folder / "modules.builtin").read_text().splitlines()}
    absent = [name for name in wanted if name not in paths and name not in builtin]
    if absent:
        raise FormatError(f"the kernel's package has no module {absent[0]} ({folder})")
    return [paths[name] for name in _ordered([name for name in wanted if name in paths], depends)]


def _ordered(names: list[str], depends: dict[str, list[str]]) -> list[str]:
    done: dict[str, None] = {}

    def add(name: str) -> None:
        if name not in done:
            for each in depends.get(name, ()):
                add(each)
            done[name] = None

    for name in names:
        add(name)
    return list(done)


def _name(path: str) -> str:
    return path.rpartition("/")[2].partition(".ko")[0].replace("-", "_")


def _unpack(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".ko":
        return data
    if path.suffix == ".xz":
        data = lzma.decompress(data)
    elif path.suffix == ".zst":
        data = subprocess.run([program("zstd"), "-dcq"], input=data, stdout=-1, check=True).stdout
    else:
        raise FormatError(f"the module {path} is packed in an unknown way")
    path.with_suffix("").write_bytes(data)
    path.unlink()
    return data
