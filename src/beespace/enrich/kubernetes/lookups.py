"""Questions to the API about single objects, asked on a thread of their own and never too many at once.

``rate`` questions a second in the long run, ``burst`` at once; what does not fit in the queue is counted and can be
asked again.  A question may have to wait for its time.  One that the server did not answer is asked again, ever later,
for about a minute: whoever wanted to know may be gone by then, and their rows are not.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from beespace.enrich.kubernetes.client import ApiError, Forbidden, Missing, Throttled

__all__ = ["Lookups"]

RETRIES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Waiting(NamedTuple):
    """A question that is to be asked at ``at``; how often it failed before."""

    at: float
    question: Callable[[], None]
    failures: int


class Lookups:
    """Runs questions one after another; each has a key, and is in the queue once."""

    def __init__(
        self,
        *,
        rate: float = 5.0,
        burst: int = 50,
        waiting: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate, self._burst, self._waiting = rate, burst, waiting
        self._clock = clock
        self._queue: OrderedDict[Hashable, Waiting] = OrderedDict()
        self._running: Hashable | None = None
        self._changed = threading.Condition()
        self._stop = False
        self._thread: threading.Thread | None = None
        self.asked = self.failed = self.dropped = 0
        self.last_error = ""

    def ask(self, key: Hashable, question: Callable[[], None], after_s: float = 0.0) -> bool:
        """Queue ``question``, to be asked not before ``after_s`` seconds; False if it is there already, or is asked.

        One that waits to be asked once more is then asked sooner.
        """
        with self._changed:
            at = self._clock() + after_s
            if key in self._queue:
                waiting = self._queue[key]
                self._queue[key] = waiting._replace(at=min(at, waiting.at))
                self._changed.notify_all()
                return False
            if self._stop or (key == self._running and not after_s):
                return False
            if len(self._queue) >= self._waiting:
                self.dropped += 1
                return False
            self._queue[key] = Waiting(at, question, 0)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="beespace-kubernetes-lookups", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return True

    def idle(self, timeout_s: float) -> bool:
        """Wait until nothing is waiting or running; whether that was so in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and self._running is None, timeout_s)

    def close(self) -> None:
        """Forget what waits and end; close the client first, which ends the question that runs."""
        with self._changed:
            self._stop = True
            self._queue.clear()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(10)

    def _run(self) -> None:
        tokens, last = float(self._burst), self._clock()
        while True:
            with self._changed:
                self._running = None
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue or self._stop)
                if self._stop:
                    return
                now = self._clock()
                key = min(self._queue, key=lambda each: max(now, self._queue[each].at))
                if (wait := self._queue[key].at - now) > 0:
                    self._changed.wait(wait)
                    continue
                tokens, last = min(float(self._burst), tokens + (now - last) * self._rate), now
                if tokens < 1.0:
                    self._changed.wait((1.0 - tokens) / self._rate)
                    continue
                tokens -= 1.0
                asked = self._queue.pop(key)
                self._running = key
            self.asked += 1
            pause = 0.0
            try:
                asked.question()
            except Throttled as error:
                pause = error.after
                self._failed(error, key, asked)
            except Exception as error:  # whatever a server sends, the thread lives on and the error is shown
                self._failed(error, key, asked)
            if pause:
                with self._changed:
                    self._changed.wait_for(lambda: self._stop, pause)

    def _failed(self, error: Exception, key: Hashable, asked: Waiting) -> None:
        self.failed += 1
        answered = not isinstance(error, ApiError) or isinstance(error, Forbidden | Missing)
        with self._changed:
            room = not self._stop and len(self._queue) < self._waiting and key not in self._queue
            if room and not answered and asked.failures < len(RETRIES_S):
                at = self._clock() + RETRIES_S[asked.failures]
                self._queue[key] = Waiting(at, asked.question, asked.failures + 1)
        self.last_error = str(error) if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"
