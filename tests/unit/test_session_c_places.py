"""What a column of clang's line records means: the expression there, and what its value is called."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from beespace.compiler.source import SourceFile
from beespace.session.c_places import argument_at, file_of, name_at, span_at

PLACES = [
    # text, what clang points at, the expression, its name
    ("\t*count += 1;", "+=", "*count += 1", ""),
    ("\t__u64 *count = bpf_map_lookup_elem(&counts, &key);", "bpf_map", "bpf_map_lookup_elem(&counts, &key)", "count"),
    ("\t__u64 key = skb->mark;", "mark", "skb->mark", "key"),
    ("\tint size = (int)ctx->args[1];", "ctx", "ctx->args[1]", "size"),
    ("\treturn entry->name[skb->mark & 31];", "entry", "entry->name[skb->mark & 31]", "entry->name[skb->mark & 31]"),
    ("\treturn skb->mark;", "return", "skb->mark", "skb->mark"),
    ("\tif (!count)", "!count", "!count", "!count"),
    ("\tentry->hits++;", "hits", "entry->hits", "entry->hits"),
    ('SEC("tc") int look(struct __sk_buff *skb)', "SEC", 'SEC("tc")', ""),
    ("}", "}", "}", ""),
]


def place_of(text: str, at: str) -> tuple[SourceFile, SimpleNamespace]:
    place = SimpleNamespace(index=0, file="probe.c", line=1, column=text.index(at) + 1, text=text)
    return SourceFile("probe.c", "probe.c", (f"{text}\n",)), place


@pytest.mark.parametrize(("text", "at", "expression", "name"), PLACES)
def test_expression_and_name(text: str, at: str, expression: str, name: str) -> None:
    file, place = place_of(text, at)
    span = span_at(file, place)
    assert text[span.column - 1 : span.end_column - 1] == expression
    assert name_at(file, place) == name


def test_arguments() -> None:
    file, place = place_of("\tbpf_probe_read(&word, min(a, b), from[1]);", "bpf")
    assert [argument_at(file, place, number) for number in range(5)] == ["", "word", "min(a, b)", "from[1]", ""]


def test_a_file_that_has_changed_since(tmp_path: Path) -> None:
    source = tmp_path / "probe.c"
    lines = [SimpleNamespace(index=0, file=str(source), line=2, column=1, text="\treturn 1;")]
    source.write_text("int look()\n\treturn 1;\n")
    assert file_of(lines, str(source)).line(1) == "int look()"
    source.write_text("int other()\nint look()\n\treturn 1;\n")
    assert [file_of(lines, str(source)).line(number) for number in (1, 2)] == ["", "\treturn 1;"]
