"""Packets as the ``flows`` probe sees them, with what it looks at of their sockets: :class:`Packets`."""

from beespace.probes.packets.probe import Packets, Seen

__all__ = ["Packets", "Seen"]
