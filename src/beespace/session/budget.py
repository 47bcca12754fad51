"""``CpuBudget``: how much detail an agent can afford that may use only so much of a CPU.

More than the limit for two intervals (one, if it is twice as much): one step less detail.  Less than the better half
of it for a while: one step more.  A step that had to be taken back at once is tried again later and later, so that
rows do not change their shape every few seconds under a load that stays what it is.
"""

from __future__ import annotations

from beespace.session.detail import Detail

__all__ = ["CpuBudget"]

CALM = 0.6  # of the limit: what is left has to pay for the next step
HOLD_S = 10.0  # how long it has to be calm
MOST_HOLD_S = 300.0
PATIENCE = 2


class CpuBudget:
    """``limit``: the share of one core that may be used, 0.02 for 2 %."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.detail = Detail.FULL
        self._over = 0
        self._calm = 0.0
        self._hold = HOLD_S
        self._since = 0.0  # how long this step is in force
        self._restored = False  # whether it gave detail back, which is still to be proved affordable

    def spent(self, share: float, seconds: float) -> Detail:
        """So much of a core was used in the ``seconds`` that are over; how much detail there is from now on."""
        self._since += seconds
        self._over = self._over + (2 if share > 2 * self.limit else 1) if share > self.limit else 0
        self._calm = self._calm + seconds if share < CALM * self.limit else 0.0
        if self._over >= PATIENCE and self.detail < Detail.OWNERS:
            if self._restored and self._since <= self._hold:
                self._hold = min(2 * self._hold, MOST_HOLD_S)
            self._go(1)
        elif self._calm >= self._hold and self.detail > Detail.FULL:
            self._go(-1)
        elif self._restored and self._since > self._hold:
            self._restored, self._hold = False, HOLD_S  # what was given back could be afforded
        return self.detail

    def _go(self, steps: int) -> None:
        self.detail = Detail(self.detail + steps)
        self._restored = steps < 0
        self._over, self._calm, self._since = 0, 0.0, 0.0
