"""Every key this app keeps in Redis, and its type there.

A key of another type stands where ours should: nothing can be read or written until it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "storykeep:"
TYPES: Final[Mapping[str, str]] = {
    "storykeep:api-rate:": "string",
    "storykeep:attempts:": "string",
    "storykeep:backup": "string",
    "storykeep:backup:failed": "string",
    "storykeep:breaker": "hash",
    "storykeep:breaker:probe": "string",
    "storykeep:browser_visits": "zset",
    "storykeep:clock:": "string",
    "storykeep:clock_ahead": "string",
    "storykeep:damaged": "zset",
    "storykeep:hidden:": "string",
    "storykeep:identities": "zset",
    "storykeep:identity:": "string",
    "storykeep:identity_rests": "hash",
    "storykeep:lease:": "string",
    "storykeep:log": "list",
    "storykeep:media_hosts": "zset",
    "storykeep:pace": "hash",
    "storykeep:orphans": "hash",
    "storykeep:page_identity": "string",
    "storykeep:pauses": "list",
    "storykeep:probe": "string",
    "storykeep:processes": "hash",
    "storykeep:progress:": "hash",
    "storykeep:protocol_look": "string",
    "storykeep:request-times": "hash",
    "storykeep:scrub": "string",
    "storykeep:swept": "string",
    "storykeep:way:": "hash",
    "storykeep:way_rests": "hash",
    "storykeep:ways_off": "set",
    "storykeep:workers": "zset",
}
"""Key → its type, as Redis calls it. One that ends in a colon begins the keys of a family."""


def family(key: str) -> str:
    """The entry of TYPES that a key belongs to; "" for none of ours."""
    if key in TYPES:
        return key
    return next((name for name in TYPES if name.endswith(":") and key.startswith(name)), "")


def is_wrong(key: str, kind: str) -> bool:
    """Whether a key of this type stands where one of ours, of another type, should."""
    return bool(name := family(key)) and kind not in {TYPES[name], "none"}
