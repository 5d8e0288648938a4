"""Answers kept in this process for as long as what they were made of does not change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable


class KeptAnswers:
    """The last rendered answers, up to a number of bytes; the one used longest ago goes first.

    A key is one reader's view of one thing, so it holds all that tells readers apart: the user,
    the language, and what else the bytes depend on. A key has one answer at a time, of one
    revision (`jobs.queries.fingerprint`). For any thread.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, revision: str) -> bytes | None:
        """The answer kept for this key, if it is of this revision; else None."""
        with self._lock:
            kept = self._answers.get(key)
            if kept is None or kept[0] != revision:
                return None
            self._answers.move_to_end(key)
            return kept[1]

    def put(self, key: Hashable, revision: str, body: bytes) -> None:
        """Keep an answer in the place of the key's older one.

        A body of more than half of all bytes is not kept: it would push out everybody else's.
        """
        with self._lock:
            self._drop(key)
            if len(body) > self._max_bytes // 2:
                return
            self._answers[key] = (revision, body)
            self._bytes += len(body)
            while self._bytes > self._max_bytes:
                self._drop(next(iter(self._answers)))

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._answers.clear()
            self._bytes = 0

    def _drop(self, key: Hashable) -> None:
        kept = self._answers.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept[1])
