"""``Summary``: how complete an answer is and what it cost, in one line or a few."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from beespace.sinks import human


def _nothing() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Summary:
    """One interval, or a whole run (:attr:`final`).

    ``flows``, ``tx_bytes`` ... count what happened in ``seconds``.  ``lost`` has rows by stage and
    ``unattributed`` packets by reason, both since the start.  ``cpu`` is the share of one core and
    ``memory`` the resident bytes of beespace itself; ``None`` is not known.  ``kernel_cpu`` and
    ``kernel_memory`` are those of its programs and maps, ``fullest`` is the fullest map; ``detail`` says what is left
    out to use less CPU, and ``less_s`` for how long anything was.
    """

    seconds: float
    flows: int = 0
    tx_bytes: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    rx_packets: int = 0
    execs: int = 0
    lost: Mapping[str, int] = field(default_factory=_nothing)
    unattributed: Mapping[str, int] = field(default_factory=_nothing)
    cpu: float | None = None
    memory: int | None = None
    kernel_cpu: float | None = None
    kernel_memory: int | None = None
    fullest: tuple[float, str] | None = None
    detail: str | None = None
    less_s: float = 0.0
    final: bool = False

    def parts(self) -> list[str]:
        """The summary in pieces, most important first; a narrow terminal shows as many as fit."""
        return self._total() if self.final else self._rates()

    def _rates(self) -> list[str]:
        seconds = max(self.seconds, 1e-9)
        parts = [f"{human.count(self.flows)} flows"]
        parts.append(f"lost {human.count(sum(self.lost.values()))}{_detail(self.lost)}")
        if self.detail is not None:
            parts.append(f"detail {self.detail}")
        parts.append(f"↑ {human.size(self.tx_bytes / seconds)}/s  ↓ {human.size(self.rx_bytes / seconds)}/s")
        parts.append(f"unattributed {human.count(sum(self.unattributed.values()))}{_detail(self.unattributed)}")
        if self.cpu is not None:
            parts.append(f"cpu {human.percent(self.cpu)}")
        if self.memory is not None:
            parts.append(f"mem {human.size(self.memory)}")
        return [*parts, *self._kernel()]

    def _kernel(self) -> list[str]:
        """What programs and maps in the kernel cost."""
        parts = []
        if self.kernel_cpu is not None:
            parts.append(f"kernel cpu {human.percent(self.kernel_cpu)}")
        if self.kernel_memory is not None:
            parts.append(f"kernel mem {human.size(self.kernel_memory)}")
        if self.fullest is not None:
            parts.append(f"fullest {self.fullest[1]} {human.percent(self.fullest[0])}")
        return parts

    def _total(self) -> list[str]:
        parts = [f"{human.span(self.seconds * 1e6)}: {_many(self.flows, 'flow')}"]
        if self.execs:
            parts.append(_many(self.execs, "exec event"))
        parts.append(f"sent {human.size(self.tx_bytes)} in {_many(self.tx_packets, 'packet')}")
        parts.append(f"received {human.size(self.rx_bytes)} in {_many(self.rx_packets, 'packet')}")
        lost = sum(self.lost.values())
        parts.append(f"lost {lost}{_detail(self.lost)}" if lost else "nothing lost")
        unattributed = sum(self.unattributed.values())
        parts.append(f"unattributed {_many(unattributed, 'packet')}{_detail(self.unattributed)}")
        if self.cpu is not None:
            parts.append(f"cpu {human.percent(self.cpu)} of one core")
        if self.memory is not None:
            parts.append(f"memory {human.size(self.memory)}")
        parts += self._kernel()
        if self.less_s:
            parts.append(f"less detail for {human.span(self.less_s * 1e6)}")
        return parts


def _detail(counts: Mapping[str, int]) -> str:
    named = [f"{name} {human.count(value)}" for name, value in counts.items() if value]
    return f" ({', '.join(named)})" if named else ""


def _many(count: int, noun: str) -> str:
    return f"{human.count(count)} {noun}{'' if count == 1 else 's'}"
