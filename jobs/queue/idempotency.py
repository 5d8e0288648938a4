"""Idempotency keys: which earlier job answers a request that is sent a second time.

A key is one owner's, and holds for as long as the job it made is kept. The job keeps a fingerprint
of its request, so that the same key with another request is refused instead of being answered with
the wrong job.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from jobs.errors import IdempotencyInProgress, IdempotencyMismatch
from jobs.models import Job
from jobs.text import clean_text

KEY_LENGTH: Final = 200
RETRY_S: Final = 1.0
"""Seconds after which a request that was refused as a double may be sent again."""


def stored_key(key: str | None) -> str | None:
    """A key as it is stored: the key itself, or a hash of one that no column can hold as it is."""
    if not key:
        return None
    plain = clean_text(key, KEY_LENGTH)
    # A key that cannot be stored as it is must not become equal to another one.
    return plain if plain == key else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def fingerprint(lines: Sequence[str], note: str, options: dict[str, Any]) -> str:
    """A SHA-256 in hex over all a job is made of; equal requests, equal fingerprints.

    lines: as they arrived, so that text sent in one piece or line by line counts as the same.
    """
    # surrogatepass: half of a pair of surrogates is no text, but it is a difference.
    text = json.dumps([list(lines), note, options], sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def earlier_job(owner_id: Any, key: str | None, fingerprint: str) -> Job | None:
    """The job this owner made with this key before; None when there is none.

    key: as `stored_key` returns it. Raises IdempotencyMismatch when the job was made by another
    request.
    """
    job = Job.objects.filter(owner_id=owner_id, idempotency_key=key).first() if key else None
    # Jobs of earlier versions have no fingerprint: their key answers every request, as it did.
    if job is not None and job.idempotency_fingerprint not in {"", fingerprint}:
        raise IdempotencyMismatch(f"the key of job {job.pk} came with another request")
    return job


class _KeysInProgress:
    """The keys whose first request is being taken right now, in this process.

    Of two requests that two web processes take at once, the database's unique constraint makes one
    job as well: the second waits for it instead of being refused.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[tuple[Any, str]] = set()

    @contextmanager
    def hold(self, owner_id: Any, key: str | None) -> Iterator[None]:
        """Hold a key while its request is taken. Raises IdempotencyInProgress."""
        if key is None:
            yield
            return
        entry = (owner_id, key)
        with self._lock:
            if entry in self._held:
                raise IdempotencyInProgress(retry_after_s=RETRY_S)
            self._held.add(entry)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(entry)


keys_in_progress: Final = _KeysInProgress()
