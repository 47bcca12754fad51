"""How much detail there is: the steps in which an agent that may use only so much CPU leaves something out.

Each step leaves out what those before it do, and its own.  Packets, bytes and retransmissions stay exact in all of
them: rows become fewer, longer or nameless, and say so in their column ``detail``.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["LEFT_OUT", "Detail", "DetailNews"]


class Detail(IntEnum):
    """The steps, in order."""

    FULL = 0
    SLOWER = 1
    NO_DNS = 2
    NO_DROPS = 3
    PAIRS = 4
    OWNERS = 5

    @property
    def word(self) -> str | None:
        """As the column has it: null where nothing is left out."""
        return None if self is Detail.FULL else self.name.lower()


LEFT_OUT = {
    Detail.FULL: "nothing is left out",
    Detail.SLOWER: "intervals are up to four times as long, as far as the kernel's table has room",
    Detail.NO_DNS: "DNS is not looked at: no rows of dns, no new names of addresses",
    Detail.NO_DROPS: "packets that are thrown away are not looked at: no rows of drops, drops of flows is null",
    Detail.PAIRS: "connections between the same process, addresses and service are one row",
    Detail.OWNERS: "all peers of a process that use the same service are one row, without addresses",
}


class DetailNews:
    """Says each change of detail once; it begins with all of it."""

    def __init__(self) -> None:
        self._last = Detail.FULL

    def take(self, detail: Detail) -> list[str]:
        """What is left out from now on, in a sentence, if that is another than at the last call."""
        if detail is self._last:
            return []
        self._last = detail
        return [f"detail {detail.word or 'full'}: {LEFT_OUT[detail]}"]
