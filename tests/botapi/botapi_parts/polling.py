"""getUpdates: one waiting poller, conflicts, and the rules against spinning.

What must stay true, since clients are judged by it: confirmation happens when
the request arrives, even if it then waits; the *older* waiting poll gets the
409; a conflict within 3 s of the one before is answered 3 s late; the same
offset twice within 3 s turns a short poll into one of 3 s.
"""
from . import params as P
from .errors import ApiError, conflict
from .state import UPDATE_TYPES

MAX_TIMEOUT = 50
OTHER = "terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
SET_WEBHOOK = "terminated by setWebhook request"


class _Poll:
    def __init__(self):
        self.error, self.error_at = None, 0.0


class Polling:
    def __init__(self, state):
        self.state = state
        self.waiting = None
        self.next_conflict = 0.0
        self.last_offset, self.last_start = None, 0.0
        self.epoch = 0

    def get_updates(self, params: dict) -> list:
        """Events to send; raises ApiError. The caller holds the lock."""
        state, clock = self.state, self.state.clock
        if state.webhook["url"]:
            raise self._delayed(conflict(WEBHOOK), self._conflict_time())
        offset = P.integer(params, "offset")
        limit = P.integer(params, "limit", 100, 1, 100)
        timeout = P.integer(params, "timeout", 0, 0, MAX_TIMEOUT)
        self.remember_allowed(params)
        limit, timeout = self._anti_spin(offset, limit, timeout, clock.now())
        offset, events = self._fetch(offset, limit)
        if events or timeout == 0:
            return events
        return self._wait(offset, limit, clock.now() + timeout)

    def remember_allowed(self, params: dict):
        wanted = P.from_json(params, "allowed_updates")
        if isinstance(wanted, list):
            kinds = {str(k).lower() for k in wanted} & UPDATE_TYPES
            self.state.allowed = kinds or None

    def abort(self, text: str):
        """Ends the waiting poll, if any, with a conflict."""
        poll, self.waiting = self.waiting, None
        if poll is not None:
            poll.error, poll.error_at = conflict(text), self._conflict_time()
            self.state.changed()

    def _anti_spin(self, offset, limit, timeout, now):
        if offset == self.last_offset:
            if timeout < 3 and now < self.last_start + 3:
                timeout = 3
            if now < self.last_start + 0.5:
                limit = 1
        self.last_offset, self.last_start = offset, now
        return limit, timeout

    def _fetch(self, offset: int, limit: int):
        queue = self.state.queue
        if offset < 0:
            queue.keep_last(-offset)
        if offset <= 0:
            offset = queue.head()
        return offset, queue.get(offset, limit) if offset > 0 else []

    def _wait(self, offset: int, limit: int, deadline: float) -> list:
        self.abort(OTHER)
        poll = self.waiting = _Poll()
        state = self.state
        state.clock.wait_until(
            deadline, lambda: poll.error or state.queue.size() or not state.running)
        if poll.error:
            raise self._delayed(poll.error, poll.error_at)
        self.waiting = None
        return self._fetch(offset, limit)[1]

    def _conflict_time(self) -> float:
        """When the answer of a conflict that happens now may go out."""
        now = self.state.clock.now()
        if now >= self.next_conflict:
            self.next_conflict = now + 3.0
            return now
        return now + 3.0

    def _delayed(self, error: ApiError, at: float) -> ApiError:
        self.state.clock.wait_until(at, lambda: not self.state.running)
        return error
