"""The queue of updates, with the rules of the real server's TQueue.

Updates are stored as the bytes that will be sent, made at creation time: a
later edit of a message does not change a tap already queued, and forged bytes
travel unchanged. What must stay true: `get` confirms (deletes) everything
below `offset` when it is called; an offset that makes no sense falls back to
the head instead of failing; expired events are never delivered.
"""
import random
from collections import deque

MAX_EVENTS = 100_000
FUTURE_SLACK = 10
ID_MIN, ID_MAX = 2_000_001, 1_000_000_000
ANSWER_BYTES = 1 << 22
WEEK = 7 * 86400


class Event:
    __slots__ = ("id", "kind", "payload", "expires", "splice")

    def __init__(self, id, kind, payload, expires, splice):
        self.id, self.kind, self.payload = id, kind, payload
        self.expires, self.splice = expires, splice

    @property
    def data(self) -> bytes:
        return _with_id(self.id, self.payload) if self.splice else self.payload


class UpdateQueue:
    def __init__(self, clock):
        self._clock = clock
        self._events = deque()
        self._next = 0          # 0: no event was ever pushed
        self._last_push = 0.0

    def push(self, kind: str, payload: bytes, ttl: float, splice_id: bool = True) -> int:
        """Queues one update; payload is a JSON object without its update_id."""
        now = self._clock.now()
        if self._next == 0 or (not self._events and now - self._last_push > WEEK):
            self._next = random.randint(ID_MIN, ID_MAX)
        if len(self._events) >= MAX_EVENTS:
            return 0
        number, self._next, self._last_push = self._next, self._next + 1, now
        self._events.append(Event(number, kind, payload, now + ttl, splice_id))
        return number

    def restart_ids(self, lower: bool = True, at: int | None = None):
        """Makes the next id jump; queued updates are renumbered from there on.

        The real server does this after a quiet week. `lower` makes it start
        below all that was handed out, which breaks clients that drop
        "old" ids.
        """
        low = max(1, (self._next or ID_MIN) // 2)
        high = min(2**31 - 10_000_000, (self._next or ID_MIN) + 500_000_000)
        # Further away than any offset window, so that the fallback is tested.
        low = max(1, low - MAX_EVENTS * 2)
        self._next = at if at is not None else (low if lower else high)
        for event in self._events:
            event.id, self._next = self._next, self._next + 1

    def head(self) -> int:
        self._drop_expired()
        return self._events[0].id if self._events else self._next

    def tail(self) -> int:
        return self._next

    def keep_last(self, count: int):
        self._drop_expired()
        while len(self._events) > count:
            self._events.popleft()

    def clear(self):
        self._events.clear()

    def size(self) -> int:
        self._drop_expired()
        return len(self._events)

    def get(self, offset: int, limit: int) -> list:
        """Confirms below offset, returns up to limit events from there."""
        head = self.head()
        if offset > self._next + FUTURE_SLACK or offset < head - MAX_EVENTS:
            offset = head
        while self._events and self._events[0].id < offset:
            self._events.popleft()
        return self._take(limit)

    def _take(self, limit: int) -> list:
        out, left = [], ANSWER_BYTES
        for event in self._events:
            left -= 50 + len(event.payload)
            if len(out) >= limit or (left <= 0 and out):
                break
            out.append(event)
        return out

    def _drop_expired(self):
        now = self._clock.now()
        if any(e.expires <= now for e in self._events):
            self._events = deque(e for e in self._events if e.expires > now)


def _with_id(number: int, payload: bytes) -> bytes:
    body = payload.lstrip()
    if not body.startswith(b"{"):
        return payload
    rest = body[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"update_id":%d%s' % (number, comma) + rest
