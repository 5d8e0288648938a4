"""The settings this instance runs with, in words, and where each comes from. Secrets stay secret.

A secret is masked whatever its form. Of an address that may hold a password the kind and the host
are told, where nothing in it could be taken for one: written carelessly, a password reaches into
the path, and everything behind the kind is then masked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from pydantic import ByteSize, SecretStr

from jobs.wording import size, span
from webapp import env
from webapp.env import PREFIX, SECRETS, Env

MASK: Final = "••••••"
ADDRESSES: Final = frozenset({"database_url", "redis_url", "proxy", "browser", "email_url"})
"""Secrets of which kind and host may be told."""
WORDS_OF: Final = {"browser": ("off", "local")}
"""Values of a secret that are none."""
NO_LIMIT: Final = frozenset(
    {"disk_max", "quota_active", "quota_daily", "quota_bytes", "api_rate", "list_rate"}
)
"""Settings whose 0 means that there is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingInForce:
    """A setting. name: of its variable; source: `default`, `environment` or `file`."""

    name: str
    value: str
    source: str

    @property
    def source_words(self) -> str:
        """Where the value comes from, in words."""
        words = {"default": _("default"), "environment": _("set"), "file": _("from a file")}
        return words[self.source]


def settings_in_force() -> list[SettingInForce]:
    """Every setting, in the order of docs/settings.md."""
    current: Env = settings.STORYKEEP
    sources = env.sources()
    return [
        SettingInForce(
            name=f"{PREFIX}{name.upper()}",
            value=value_in_words(name, getattr(current, name), current),
            source=sources.get(name, "default"),
        )
        for name in Env.model_fields
    ]


def value_in_words(name: str, value: Any, current: Env) -> str:
    """A setting's value as it may be shown. name: in lower case, without the prefix."""
    if value is None:
        return _unset(name, current)
    if name in SECRETS or isinstance(value, SecretStr):
        text = value.get_secret_value() if isinstance(value, SecretStr) else ""
        if text in WORDS_OF.get(name, ()):
            return text
        return masked_address(text) if name in ADDRESSES else MASK
    if value == 0 and not isinstance(value, bool) and name in NO_LIMIT:
        return _("no limit")
    for kind, words in _WORDS:
        if isinstance(value, kind):
            return words(value)
    return str(value) or "–"


_WORDS: Final[tuple[tuple[type, Callable[[Any], str]], ...]] = (
    (bool, lambda value: _("yes") if value else _("no")),
    (timedelta, lambda value: span(value) if value else "0"),
    (ByteSize, size),
    (Path, str),
    (tuple, lambda value: ", ".join(map(str, value)) or "–"),
)


def _unset(name: str, current: Env) -> str:
    """What holds where a setting is not set."""
    if name == "artifact_dir":
        return str(current.artifacts)
    if name == "time_zone":
        return current.zone_name
    words = {
        "database_url": _("SQLite in the data folder"),
        "redis_url": _("embedded"),
        "secret_key": _("made once, in the data folder"),
    }
    return words.get(name, "–")


def masked_address(url: str) -> str:
    """`postgres://••••••@db.example:5432/••••••` for an address with a password; never a password,
    a name, or a query.

    With an `@` anywhere behind the host, a `/`, `?` or `#` in the password may have ended the host
    too early: then the kind alone is told.
    """
    kind, colon, _rest = url.partition("://")
    if not colon or not kind.replace("+", "").isalnum():
        return MASK
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{kind}://{MASK}"
    tail = f"{parts.path}{parts.query}{parts.fragment}"
    if "@" in tail or "@" in (host or "") or "%40" in tail:
        return f"{kind}://{MASK}"
    if kind in {"sqlite", "unix"}:
        return f"{kind}://{parts.path}" if not parts.netloc else f"{kind}://{MASK}"
    where = f"[{host}]" if host and ":" in host else host or ""
    where += f":{port}" if port else ""
    login = f"{MASK}@" if "@" in parts.netloc else ""
    return f"{kind}://{login}{where}" + (f"/{MASK}" if tail.strip("/") else "")
