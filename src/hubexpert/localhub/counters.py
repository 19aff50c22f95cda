"""Counters that live in memory: downloads not yet written to the index, and requests of the current window."""

import sqlite3
import threading
import time
from collections import Counter

from hubexpert.localhub.records import Repo

WINDOW = 300  # seconds
# Far above what a client can send in a window: nothing is limited here, and careful clients need not slow down.
QUOTAS = {"api": 100_000, "resolvers": 500_000}

# The files whose requests the Hub counts as downloads of a repository.
_COUNTED = {
    "model": {"config.json", "adapter_config.json", "config.yaml", "hyperparams.yaml", "params.json", "meta.yaml"},
    "dataset": {"README.md"},
}


class Downloads:
    """Downloads since they were last written to the index; one write serves many requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[int] = Counter()

    def count(self, repo: Repo, path: str) -> None:
        """Count the request of a file, if it is one that stands for a download."""
        if path in _COUNTED[repo.type] or (repo.type == "model" and path.endswith(".gguf")):
            with self._lock:
                self._waiting[repo.key] += 1

    def pending(self) -> bool:
        """Whether there is something to write."""
        return bool(self._waiting)

    def write(self, db: sqlite3.Connection) -> None:
        """Add what was counted to the index."""
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        for key, number in waiting.items():
            db.execute("UPDATE repos SET downloads = downloads + ? WHERE key = ?", (number, key))


class Requests:
    """How many requests each client sent in the current window."""

    def __init__(self) -> None:
        self._window = 0
        self._sent: Counter[tuple[str, str]] = Counter()

    def headers(self, client: str, bucket: str) -> dict[str, str]:
        """Count a request; the two headers that tell what is left of the quota, and for how many seconds."""
        now = int(time.time())
        if now // WINDOW != self._window:
            self._window = now // WINDOW
            self._sent.clear()
        self._sent[client, bucket] += 1
        quota = QUOTAS[bucket]
        left = max(0, quota - self._sent[client, bucket])
        return {
            "RateLimit": f'"{bucket}";r={left};t={WINDOW - now % WINDOW}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={WINDOW}',
        }
