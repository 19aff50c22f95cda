"""Requests within the Hub's rate limits: every answer tells its window, and a fifth of each is left to others."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]  # exported at run time only

from hubexpert.hub.calls import LONGEST_WAIT, tell_of_wait

KEPT = 5  # one request in so many is left to others


@dataclass
class _Window:
    left: int
    reserve: int
    ends: float  # on the monotonic clock


@dataclass
class Pace:
    """Keeps the requests of one piece of work, from all its threads, within the Hub's windows.

    The Hub counts in windows of five minutes and in buckets (`api`, `resolvers`), and tells with every answer how much
    is left of one. Where that falls to a fifth, requests wait for the next window, and a line says how long.
    """

    quiet: bool = False
    _windows: dict[str, _Window] = field(default_factory=dict)
    _told: float = 0.0  # up to which moment the wait has been told
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def before(self, url: str) -> None:
        """Wait until a request to `url` is within its window."""
        while not self._stopped.is_set() and (wait := self._reserve(_bucket(url))) > 0:
            self.pause(wait)

    def after(self, headers: Mapping[str, str]) -> None:
        """Note what an answer tells of its window."""
        try:
            told = parse_ratelimit_headers(headers)
        except ValueError:  # numbers of thousands of digits
            return
        if told is None:
            return
        ends = time.monotonic() + min(told.reset_in_seconds, LONGEST_WAIT)
        reserve = told.limit // KEPT if told.limit else 0
        with self._lock:
            known = self._windows.get(told.resource_type)
            same = known is not None and abs(known.ends - ends) < 2  # seconds; the Hub tells whole ones
            left = min(known.left, told.remaining) if known is not None and same else told.remaining
            self._windows[told.resource_type] = _Window(left, reserve, ends)

    def pause(self, seconds: float, limited: bool = True) -> None:
        """Sleep; a line tells once, whatever number of threads wait, when it is long enough to be noticed."""
        until = time.monotonic() + seconds
        with self._lock:
            tell = seconds > 2 and until > self._told + 1 and not self.quiet
            self._told = max(until, self._told) if tell else self._told
        if tell:
            tell_of_wait(seconds, limited)
        self._stopped.wait(min(seconds, LONGEST_WAIT))

    def stop(self) -> None:
        """Let nobody wait any longer: the work has failed, or the user has enough."""
        self._stopped.set()

    def _reserve(self, bucket: str) -> float:
        """Seconds to wait; 0 once a request of the bucket is taken from what is left."""
        with self._lock:
            window = self._windows.get(bucket)
            if window is None:
                return 0.0
            wait = window.ends - time.monotonic()
            if wait <= 0:
                del self._windows[bucket]
                return 0.0
            if window.left <= window.reserve:
                return wait
            window.left -= 1
            return 0.0


def _bucket(url: str) -> str:
    """The bucket in which the Hub counts a request."""
    return "api" if "/api/" in urlsplit(url).path else "resolvers"
