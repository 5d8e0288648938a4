"""Names of saved files: findable, unique within their job, and harmless on every system."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable
from datetime import datetime, tzinfo
from typing import Final

from jobs.files import times

NAME_BYTES: Final = 200
"""Longest name in UTF-8; file systems stop at 255, and a download may get " (1)" appended."""
AUTHOR_BYTES: Final = 80

_FORBIDDEN = frozenset('<>:"/\\|?*%')  # % too: some unpackers and shells expand it
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # controls, bidi, surrogates …
_EDGES = " ._-~=+@'`!#$&;,()[]{}^"
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}", re.ASCII)


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if character in "\t\n\r\v\f" or kind.startswith("Z"):
        return " " if kind not in {"Zl", "Zp"} else ""
    if kind in _HIDDEN:
        return ""
    # Look-alikes count as what some systems turn them into: a full-width slash or dot.
    folded = unicodedata.normalize("NFKC", character)
    if _FORBIDDEN & set(folded) or ("." in folded and character != "."):
        return "_"
    return character


def cut(text: str, limit: int) -> str:
    """The start of a text in at most `limit` bytes of UTF-8; no character or accent is cut off its
    letter."""
    if len(text.encode()) <= limit:
        return text
    kept = text.encode()[:limit].decode(errors="ignore")
    following = text[len(kept)]
    while kept and unicodedata.combining(following):
        following = kept[-1]
        kept = kept[:-1]
    return kept


def cut_characters(text: str, limit: int) -> str:
    """The start of a text in at most `limit` characters; no accent is cut off its letter."""
    kept = text[:limit]
    following = text[limit : limit + 1]
    while kept and following and unicodedata.combining(following):
        following = kept[-1]
        kept = kept[:-1]
    return kept.rstrip()


def safe_filename(text: str, *, limit: int = NAME_BYTES, fallback: str = "unnamed") -> str:
    """Untrusted text as one component of a path: no separator, nothing hidden, no device name.

    Letters of every script survive (NFC). limit: bytes of UTF-8. fallback: for text of which
    nothing is left. Applying it twice changes nothing.
    """
    # The longest character is four bytes, so nothing past that is looked at: 4 KB costs no time.
    shown = "".join(_plain(character) for character in text[: limit * 8])
    shown = unicodedata.normalize("NFC", shown)
    shown = re.sub(r"\.{2,}", ".", re.sub(r"\s+", " ", shown))
    # A leading dot hides, a dash is an option, "=" and "@" are formulas; Windows drops a final dot.
    shown = cut(shown.lstrip(_EDGES), limit).rstrip(" .")
    shown = shown.lstrip(_EDGES)
    if shown.partition(".")[0].rstrip().casefold() in _DEVICES:
        # "con.jpg" is the console on Windows, whatever follows the first dot.
        stem, dot, rest = shown.partition(".")
        shown = cut(f"{stem.rstrip()}_{dot}{rest}", limit).rstrip(" .")
    return shown or fallback


def date_and_time(at: datetime, zone: tzinfo) -> tuple[str, str]:
    """`2026-11-20` and `1403`, on the zone's clock."""
    shown = times.local(at, zone)
    return f"{shown.year:04d}-{shown:%m-%d}", f"{shown:%H%M}"


def checked_suffix(suffix: str) -> str:
    """A suffix with its dot, as it is; `.bin` for what is none."""
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"


@functools.lru_cache(maxsize=256)  # of each file its name is asked for
def safe_author(author: str) -> str:
    """An account's name as part of a file name."""
    # The dot is allowed in TikTok names; "con.artist" must not become a device.
    return safe_filename(author, limit=AUTHOR_BYTES, fallback="unknown")


def bundle_name(
    authors: Iterable[str], at: datetime, *, zone: tzinfo, selection: bool = False
) -> str:
    """`name_2026-11-20_1403_all.zip`; `storykeep_…` when several authors are in it.

    at: when the job was made.
    """
    names = set(authors)
    who = safe_author(names.pop()) if len(names) == 1 else "storykeep"
    date, time = date_and_time(at, zone)
    return f"{who}_{date}_{time}_{'selection' if selection else 'all'}.zip"


def folder_name(author: str) -> str:
    """The name of an author's folder in a bundle."""
    return safe_author(author)


def collision_key(name: str) -> str:
    """A key that is equal for names one folder cannot both hold, on Windows or macOS included."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def unique_name(name: str, taken: Collection[str]) -> str:
    """`name`, or `name_2`, `name_3`, … before its suffix, whichever is free.

    taken: the `collision_key` of every other name.
    """
    if collision_key(name) not in taken:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot:
        stem, suffix = name, ""
    for number in range(2, len(taken) + 3):
        tail = f"_{number}{dot}{suffix}"
        other = f"{cut(stem, NAME_BYTES - len(tail.encode()))}{tail}"
        if collision_key(other) not in taken:
            return other
    raise AssertionError("more numbers than names were tried")  # pragma: no cover
