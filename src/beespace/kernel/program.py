"""``LoadedProgram``: a program that this process loaded, with all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beespace.hooks import Attachment
from beespace.kernel.kernel_program import KernelProgram
from beespace.kernel.maps import Map
from beespace.reloc.image import Image
from beespace.spec import ProgramSpec
from beespace.syscall import Descriptor
from beespace.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from beespace.btf import Btf
    from beespace.kernel.verified import Verified

__all__ = ["LoadedProgram"]


class LoadedProgram(KernelProgram):
    """A program in the kernel, attached nowhere until :meth:`attach`.

    ``spec`` is what it came from (CO-RE applied), ``attachment`` its section name taken apart, ``image`` its
    instructions with all functions that it calls.  ``log`` is what the verifier wrote, if it was asked to
    (``load(..., log_level=...)``).  ``maps`` are those of its object.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        spec: ProgramSpec,
        attachment: Attachment,
        image: Image,
        *,
        log: str = "",
        types: bytes = b"",
        maps: Mapping[str, Map] = MappingProxyType({}),
    ) -> None:
        super().__init__(descriptor, spec.name, attachment)
        self.spec = spec
        self.image = image
        self.log = log
        self.maps = maps
        self._raw_types = types

    @property
    def verified(self) -> Verified | None:
        """The statistics in :attr:`log`: instructions and states that the verifier went through, stack, time.

        ``None`` unless the object was loaded with ``log_level`` (4 is enough, and short).
        """
        from beespace.kernel.verified import read_statistics

        return read_statistics(self.log)

    def types(self) -> Btf | None:
        """The object's own BTF: the same ids and strings as the kernel has."""
        from beespace.btf import Btf

        return Btf(self._raw_types) if self._raw_types else None
