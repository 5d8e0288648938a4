"""What is known of the provider in this process: its description and its keys, asked for when first
needed and kept for an hour.

The description is asked for beside the requests: a page waits for it a moment, and then does
without. A provider that was away is left alone for a quarter of a minute.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from accounts.oidc import metadata, wire
from accounts.oidc.errors import ProviderAway, Untrusted
from accounts.oidc.metadata import Metadata

logger = logging.getLogger(__name__)

FRESH_S: Final = 3600.0
STALE_S: Final = 24 * 3600.0
"""How long the description is used while no newer one can be had."""
AFTER_FAILURE_S: Final = 15.0
NEW_KEYS_S: Final = 30.0
"""Keys are asked for again at most this often, when a token names one that is not known."""

Fetch = Callable[[str], dict[str, Any]]


class Discovery:
    """The description and keys of one issuer."""

    def __init__(self, issuer: str, fetch: Fetch = wire.get_json) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._failure = ""
        self._running: threading.Event | None = None
        self._keys: list[dict[str, Any]] = []
        self._keys_at = float("-inf")

    def metadata(self, wait_s: float) -> Metadata:
        """The description. Raises ProviderAway when there is none within wait_s seconds."""
        with self._lock:
            now = time.monotonic()
            known, age = self._metadata, now - self._fetched_at
            if known is not None and age < FRESH_S:
                return known
            if now - self._failed_at >= AFTER_FAILURE_S and self._running is None:
                self._running = threading.Event()
                threading.Thread(target=self._look, name="discovery", daemon=True).start()
            running = self._running
        if known is not None and age < STALE_S:
            return known
        if running is not None:
            running.wait(wait_s)
        with self._lock:
            if self._metadata is not None:
                return self._metadata
            raise ProviderAway(self._failure or "its description has not arrived yet")

    def note_failure(self, error: Exception) -> None:
        """Leave the provider alone for a while, when it has no description to go on with."""
        with self._lock:
            self._failed_at, self._failure = time.monotonic(), str(error)

    def keys(self, url: str, key_id: str | None) -> list[dict[str, Any]]:
        """The provider's keys, with the one of that id when there is one.

        Raises ProviderAway and Untrusted.
        """
        with self._lock:
            age = time.monotonic() - self._keys_at
            known = any(key.get("kid") == key_id for key in self._keys)
            if self._keys and age < (FRESH_S if known else NEW_KEYS_S):
                return self._keys
        found = self._fetch(url).get("keys")
        if not isinstance(found, list):
            raise Untrusted("its keys cannot be read")
        with self._lock:
            self._keys = [key for key in found if isinstance(key, dict)]
            self._keys_at = time.monotonic()
            return self._keys

    def _look(self) -> None:
        found: Metadata | None = None
        failure = ""
        try:
            found = metadata.parse(self._fetch(metadata.address(self.issuer)), self.issuer)
        except (ProviderAway, Untrusted) as error:
            failure = str(error)
            logger.warning("the identity provider's description cannot be used: %s", failure)
        except Exception:
            failure = "its description cannot be read"
            logger.exception("the identity provider's description cannot be read")
        with self._lock:
            if found is None:
                self._failed_at, self._failure = time.monotonic(), failure
            else:
                self._metadata, self._fetched_at = found, time.monotonic()
            running, self._running = self._running, None
        if running is not None:
            running.set()


_lock = threading.Lock()
_current: Discovery | None = None


def of(issuer: str) -> Discovery:
    """What this process knows of an issuer; of one at a time."""
    global _current
    with _lock:
        if _current is None or _current.issuer != issuer:
            _current = Discovery(issuer)
        return _current


def forget() -> None:
    """Know nothing of any issuer."""
    global _current
    with _lock:
        _current = None
