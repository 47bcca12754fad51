"""``flows``: every packet of every local socket, counted exactly, with the process that owns it."""

from beespace.probes.flows.probe import FlowKey, Flows, FlowStats, Moved, Owner, Role

__all__ = ["FlowKey", "FlowStats", "Flows", "Moved", "Owner", "Role"]
