"""The ELF file header (``Elf64_Ehdr``, include/uapi/linux/elf.h) of a BPF object."""

from __future__ import annotations

from beespace.elf.order import in_both_orders
from beespace.errors import FormatError
from beespace.isa import ByteOrder
from beespace.record import dataclass

MAGIC = b"\x7fELF"
CLASS_64 = 2
LITTLE_ENDIAN, BIG_ENDIAN = 1, 2
ET_REL = 1
EM_BPF = 247

#: e_ident[16] type machine version entry phoff shoff flags ehsize phentsize phnum shentsize shnum shstrndx
LAYOUT = in_both_orders("16sHHIQQQIHHHHHH")
_SIZE = LAYOUT["little"].size
#: ``e_ident[EI_DATA]``
_ORDERS: dict[int, ByteOrder] = {LITTLE_ENDIAN: "little", BIG_ENDIAN: "big"}
#: Size of one ``Elf64_Shdr``; the only entry size that there is.
SECTION_HEADER_SIZE = 64

#: What else than a relocatable object one may hand over by mistake.
_FILE_TYPES = {2: "an executable", 3: "a shared object", 4: "a core dump"}
_MACHINES = {3: "x86", 40: "ARM", 62: "x86-64", 183: "AArch64", 243: "RISC-V", 22: "S/390", 258: "LoongArch"}
_COMPILE = "compile it with `clang -target bpf -g -O2 -c`"


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says: where the section headers are, and the byte order of everything."""

    section_offset: int
    section_count: int
    names_index: int  # index of the section that holds the section names
    byteorder: ByteOrder = "little"

    @classmethod
    def read(cls, data: bytes) -> Header:
        """Raises FormatError unless ``data`` begins like a 64-bit BPF relocatable."""
        if data[:4] != MAGIC:
            raise FormatError("not an ELF file: it does not begin with \\x7fELF", offset=0, help=_COMPILE)
        if len(data) < _SIZE:
            raise FormatError(f"truncated: {len(data)} bytes cannot hold an ELF header", offset=len(data))
        if data[4] != CLASS_64:
            raise FormatError("not a 64-bit ELF file; BPF objects are", offset=4, help=_COMPILE)
        order = _ORDERS.get(data[5])
        if order is None:
            raise FormatError(f"unknown ELF byte order {data[5]}", offset=5)
        fields = LAYOUT[order].unpack_from(data)
        _, kind, machine = fields[:3]
        if machine != EM_BPF:
            what = _MACHINES.get(machine, f"machine {machine}")
            raise FormatError(f"an ELF file for {what}, not for BPF", offset=18, help=_COMPILE)
        if kind != ET_REL:
            what = _FILE_TYPES.get(kind, f"ELF file type {kind}")
            raise FormatError(f"{what}, not a relocatable object", offset=16, help=_COMPILE)
        entry_size = fields[11]
        if entry_size != SECTION_HEADER_SIZE:
            raise FormatError(f"section headers of {entry_size} bytes; they have {SECTION_HEADER_SIZE}", offset=58)
        return cls(section_offset=fields[6], section_count=fields[12], names_index=fields[13], byteorder=order)

    def write(self) -> bytes:
        """The 64 bytes at the start of the file."""
        ident = MAGIC + bytes((CLASS_64, LITTLE_ENDIAN if self.byteorder == "little" else BIG_ENDIAN, 1)) + bytes(9)
        return LAYOUT[self.byteorder].pack(
            ident, ET_REL, EM_BPF, 1, 0, 0, self.section_offset, 0, _SIZE, 0, 0,
            SECTION_HEADER_SIZE, self.section_count, self.names_index,
        )  # fmt: skip
