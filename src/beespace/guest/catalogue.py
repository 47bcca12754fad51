"""The kernels of ``kernels.toml``."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from beespace.errors import UsageError
from beespace.record import dataclass

__all__ = ["KERNELS", "ROOT_PACKAGES", "ROOT_SUITE", "Kernel", "find"]

_USUAL = "amd64"


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel of the list; the fields are those of ``kernels.toml``."""

    series: str
    architecture: str
    suite: str
    packages: tuple[str, ...]
    tier: str
    parameters: str
    lacks: tuple[str, ...]
    note: str

    @property
    def name(self) -> str:
        """``6.12``, or ``6.12-arm64``."""
        return self.series if self.architecture == _USUAL else f"{self.series}-{self.architecture}"


_LIST = tomllib.loads(files("beespace.guest").joinpath("kernels.toml").read_text())

KERNELS = tuple(
    Kernel(
        series=each["series"],
        architecture=each["architecture"],
        suite=each["suite"],
        packages=tuple(each["packages"]),
        tier=each["tier"],
        parameters=each.get("parameters", ""),
        lacks=tuple(each.get("lacks", ())),
        note=each["note"],
    )
    for each in _LIST["kernel"]
)
ROOT_SUITE: str = _LIST["root"]["suite"]
ROOT_PACKAGES: tuple[str, ...] = tuple(_LIST["root"]["packages"])


def find(name: str) -> Kernel:
    """The kernel of that name; :class:`~beespace.errors.UsageError` if the list has none."""
    for kernel in KERNELS:
        if name in (kernel.name, f"{kernel.series}-{kernel.architecture}"):
            return kernel
    known = ", ".join(kernel.name for kernel in KERNELS)
    raise UsageError(f"there is no kernel {name!r} in the list", help=f"the kernels are {known}")
