"""Questions to the API about single objects, asked on a thread of their own and never too many at once.

``rate`` questions a second in the long run, ``burst`` at once; what does not fit in the queue is counted and can be
asked again.  A question may have to wait for its time.  One that failed is not repeated here: whoever still wants to
know asks again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from beespace.enrich.kubernetes.client import ApiError, Throttled

__all__ = ["Lookups"]


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
        self._queue: OrderedDict[Hashable, tuple[float, Callable[[], None]]] = OrderedDict()  # when, what
        self._running: Hashable | None = None
        self._changed = threading.Condition()
        self._stop = False
        self._thread: threading.Thread | None = None
        self.asked = self.failed = self.dropped = 0
        self.last_error = ""

    def ask(self, key: Hashable, question: Callable[[], None], after_s: float = 0.0) -> bool:
        """Queue ``question``, to be asked not before ``after_s`` seconds; False if it is there already, or is asked."""
        with self._changed:
            if self._stop or key in self._queue or (key == self._running and not after_s):
                return False
            if len(self._queue) >= self._waiting:
                self.dropped += 1
                return False
            self._queue[key] = self._clock() + after_s, question
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
                key = min(self._queue, key=lambda each: max(now, self._queue[each][0]))
                if (wait := self._queue[key][0] - now) > 0:
                    self._changed.wait(wait)
                    continue
                tokens, last = min(float(self._burst), tokens + (now - last) * self._rate), now
                if tokens < 1.0:
                    self._changed.wait((1.0 - tokens) / self._rate)
                    continue
                tokens -= 1.0
                _, question = self._queue.pop(key)
                self._running = key
            self.asked += 1
            pause = 0.0
            try:
                question()
            except Throttled as error:
                pause = error.after
                self._failed(error)
            except Exception as error:  # whatever a server sends, the thread lives on and the error is shown
                self._failed(error)
            if pause:
                with self._changed:
                    self._changed.wait_for(lambda: self._stop, pause)

    def _failed(self, error: Exception) -> None:
        self.failed += 1
        self.last_error = str(error) if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"
