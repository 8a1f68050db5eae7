"""Waiting for something to become true, without fixed sleeps."""
import os
import time

# Programs that check themselves are several times slower.
SLOW = float(os.environ.get("SECRET_PROXY_TEST_SLOW", "1"))


def until(probe, what="it", timeout=10.0, pause=0.01):
    """The first true value of probe(); an AssertionError after `timeout` seconds."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {timeout * SLOW:.0f} s")
        time.sleep(pause)
