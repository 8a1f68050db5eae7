"""A wall clock that tests can move forward.

Telegram's rules are about seconds, minutes and hours (3 s, 150 s, 24 h). A
test must not sleep through them, so every protocol rule of the emulator reads
this clock and waits on it. What must stay true: `advance` wakes every waiter,
so a rule that was waiting for "3 seconds later" ends at once.
"""
import threading
import time


class Clock:
    """Real time plus an offset; waits end when the moved clock says so."""

    def __init__(self, cond: threading.Condition):
        self._cond = cond
        self._offset = 0.0

    def now(self) -> float:
        return time.time() + self._offset

    def unix(self) -> int:
        return int(self.now())

    def advance(self, seconds: float) -> float:
        with self._cond:
            self._offset += float(seconds)
            self._cond.notify_all()
            return self.now()

    def wait_until(self, deadline: float, done=lambda: False) -> bool:
        """Waits (lock held) until done() or the deadline; tells whether done()."""
        while not done():
            left = deadline - self.now()
            if left <= 0:
                return False
            self._cond.wait(left)
        return True


def wait_real(cond: threading.Condition, timeout: float, probe):
    """Waits (lock held) in real time until probe() is not None; None when late.

    The waits of the test itself ("has the message come?") use real time:
    moving the protocol clock must not make a test give up.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = probe()
        if found is not None:
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        cond.wait(left)
