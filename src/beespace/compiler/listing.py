"""An object as assembly: each instruction as a verifier log writes it, under the line of source that it came from.

Pure: reads an :class:`ObjectSpec`.  What the loader fills in stands behind an instruction: the map, the function,
the field of a kernel type.
"""

from __future__ import annotations

from collections.abc import Iterator

from beespace.btf import Btf, Enum
from beespace.isa import disassemble
from beespace.reloc.access import read_path
from beespace.spec import CoreReloc, FunctionSpec, ObjectSpec, SymbolKind, SymbolReloc

__all__ = ["assembly"]

_FIELD_KINDS = {0: "", 1: "size of ", 2: "exists ", 3: "signed ", 4: "left shift of ", 5: "right shift of "}
_TYPE_KINDS = {6: "id of ", 7: "id there of ", 8: "exists ", 9: "size of ", 12: "matches "}
_ENUM_KINDS = {10: "exists ", 11: ""}
_CALLS = {SymbolKind.CALL: "function", SymbolKind.KFUNC: "kernel function"}


def assembly(spec: ObjectSpec) -> str:
    """Every program of ``spec``, then every sub-program."""
    types = Btf(spec.btf) if spec.btf else None
    blocks = [
        "\n".join((f"program {name}, section {program.section}:", *_lines(program.entry, types)))
        for name, program in spec.programs.items()
    ]
    blocks += ["\n".join((f"function {name}:", *_lines(each, types))) for name, each in spec.subprograms.items()]
    return "\n\n".join(blocks) + "\n"


def _lines(function: FunctionSpec, types: Btf | None) -> Iterator[str]:
    symbols = {reloc.index: reloc for reloc in function.symbols}
    core = {reloc.index: reloc for reloc in function.core}
    sources = {line.index: line for line in function.lines if line.line}
    last = ""
    for instruction in disassemble(function.code):
        index = int(instruction.partition(":")[0])
        if index in sources:
            line = sources[index]
            shown = f"; {line.file}:{line.line}: {line.text.strip()}"
            if shown != last:
                yield shown
            last = shown
        notes = []
        if index in symbols:
            notes.append(_symbol(symbols[index]))
        if index in core and types is not None:
            notes.append(_core(core[index], types))
        yield f"{instruction}  ; {', '.join(notes)}" if notes else instruction


def _symbol(reloc: SymbolReloc) -> str:
    offset = f"+{reloc.addend}" if reloc.addend else ""
    return f"{_CALLS.get(reloc.kind, reloc.kind.value)} {reloc.symbol}{offset}"


def _core(reloc: CoreReloc, types: Btf) -> str:
    """A CO-RE record in words: ``task_struct.real_parent``, ``exists task_struct.mm``, ``size of bpf_sock``."""
    name = types.name(types.resolve(reloc.type_id)) or "?"
    if reloc.kind in _FIELD_KINDS:
        path = str(read_path(types, reloc.type_id, reloc.access))
        return f"{_FIELD_KINDS[reloc.kind]}{name}{'' if path.startswith('[') else '.'}{path}"
    if reloc.kind in _ENUM_KINDS:
        enum = types.type(types.resolve(reloc.type_id))
        members = enum.values if isinstance(enum, Enum) else ()
        index = int(reloc.access)
        label = members[index].name if index < len(members) else reloc.access
        return f"{_ENUM_KINDS[reloc.kind]}{name}.{label}"
    return f"{_TYPE_KINDS.get(reloc.kind, '')}{name}"
