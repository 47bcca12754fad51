"""All maps of the system, from an iterator (as bpftool map)."""

from beespace import Hash, Program, Struct, iterator
from beespace.types import Text, text, u32


class Found(Struct):
    type: u32
    max_entries: u32
    key_size: u32
    value_size: u32
    name: Text = text(16)


class Maps(Program):
    """Describes every map."""

    found = Hash(key=u32, value=Found)

    @iterator("bpf_map")
    def on_map(self, ctx):
        map = ctx.map
        if map is not None:
            self.found[map.id] = Found(
                type=u32(map.map_type), max_entries=map.max_entries, key_size=map.key_size, value_size=map.value_size,
                name=map.name,
            )  # fmt: skip


if __name__ == "__main__":
    with Maps() as probe:
        probe.iterate("on_map")
        for number, found in probe.found.items():
            print(number, found.name, found.type, found.max_entries)
