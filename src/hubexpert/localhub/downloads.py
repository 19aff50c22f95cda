"""Downloads that are counted but not yet in the index."""

import sqlite3
import threading
from collections import Counter

from hubexpert.localhub.records import Repo
from hubexpert.localhub.store import Store

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

    def write(self, store: Store, *, wait: float) -> None:
        """Add what was counted to the index; when others write to it for `wait` seconds, keep it for the next time."""
        with self._lock:
            if not self._waiting:
                return
            query = "UPDATE repos SET downloads = downloads + ? WHERE key = ?"
            try:
                with store.writing(wait=wait) as db:
                    db.executemany(query, [(number, key) for key, number in self._waiting.items()])
            except sqlite3.OperationalError:
                return
            self._waiting.clear()
