"""Django's cache, in Redis: what several web processes count together, wrong passwords above all.

Beside them stands when the last mail failed (accounts/mail.py). A web server that is started again,
and a second one beside it, know of the guesses made before. While Redis is away, or refuses what is
written, each process counts in its own memory, where it has noted all it counted before: the limits
hold, by process, and nobody is refused for want of Redis.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from django.utils.crypto import salted_hmac

from jobs.ephemeral import connection
from jobs.ephemeral.connection import RedisUnavailable

PREFIX: Final = "storykeep:attempts:"
"""Of the keys in Redis. A keyed hash follows: names and addresses of people are not there."""


class AttemptsCache(LocMemCache):
    """A cache backend for small values: texts, truth values, lists of numbers.

    All of Django's methods are shared but `incr` and `decr`, which nobody uses. A value that is
    none of ours is taken for absent.
    """

    def add(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Store a value unless there is one; whether it was stored. One of several gets True."""
        life_ms, text = self._life_ms(timeout), json.dumps(value)
        name = self._name(key, version)
        try:
            return bool(connection.write(lambda r: r.set(name, text, px=life_ms, nx=True)))
        except RedisUnavailable:
            return bool(super().add(key, value, timeout, version))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """The value, else the default. Where that is a list, only a list of numbers is a value."""
        if connection.availability.is_refusing:  # what was counted since is not there
            return super().get(key, default, version)
        name = self._name(key, version)
        try:
            text = connection.execute(lambda r: r.get(name))
        except RedisUnavailable:
            return super().get(key, default, version)
        value = _value(text)
        if value is None or isinstance(default, list) != isinstance(value, list):
            return default
        return value

    def set(
        self,
        key: str,
        value: Any,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Store a value, here as well."""
        super().set(key, value, timeout, version)
        life_ms, text = self._life_ms(timeout), json.dumps(value)
        name = self._name(key, version)
        self._try(lambda r: r.set(name, text, px=life_ms))

    def touch(
        self,
        key: str,
        timeout: float | None = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Give a value a new lifetime; False when there is none."""
        value = self.get(key, version=version)
        if value is not None:
            self.set(key, value, timeout, version)
        return value is not None

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value, here as well; whether there was one in either place."""
        here = bool(super().delete(key, version))
        name = self._name(key, version)
        return bool(self._try(lambda r: r.delete(name))) or here

    def has_key(self, key: str, version: int | None = None) -> bool:
        """Whether there is a value."""
        return self.get(key, version=version) is not None

    def clear(self) -> None:
        """Remove all values, here as well."""
        super().clear()
        self._try(lambda r: [r.delete(name) for name in r.scan_iter(f"{PREFIX}*", count=1000)])

    def _name(self, key: str, version: int | None) -> str:
        whole = self.make_and_validate_key(key, version=version)
        return PREFIX + salted_hmac(PREFIX, whole, algorithm="sha256").hexdigest()[:40]

    def _life_ms(self, timeout: float | None) -> int | None:
        """Milliseconds, 1 at least; None for ever."""
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return None if seconds is None else max(1, round(seconds * 1000))

    def _try(self, command: Any) -> Any:
        """Run a command that writes; None while Redis is away."""
        try:
            return connection.write(command)
        except RedisUnavailable:
            return None


def _value(text: Any) -> Any:
    """What was stored; None for nothing, and for what was not stored by us."""
    try:
        value = json.loads(text) if text is not None else None
    except (ValueError, RecursionError):
        return None
    if isinstance(value, str | bool):
        return value
    is_numbers = isinstance(value, list) and all(
        isinstance(number, int | float) and math.isfinite(number) for number in value
    )
    return value if is_numbers else None
