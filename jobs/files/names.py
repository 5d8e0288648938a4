"""Names of saved files: findable, unique within their job, and harmless on every system."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, tzinfo
from typing import Final

from jobs.files import times

NAME_BYTES: Final = 200
"""Longest name in UTF-8; file systems stop at 255, and a download may get " (1)" appended."""
AUTHOR_BYTES: Final = 80
TAGS: Final[Mapping[str, str]] = {"poster": "poster", "attached_song": "song"}
"""Roles whose names need more than their suffix to stand apart from the story itself."""

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


def _cut(text: str, limit: int) -> str:
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
    shown = _cut(shown.lstrip(_EDGES), limit).rstrip(" .")
    shown = shown.lstrip(_EDGES)
    if shown.partition(".")[0].rstrip().casefold() in _DEVICES:
        # "con.jpg" is the console on Windows, whatever follows the first dot.
        stem, dot, rest = shown.partition(".")
        shown = _cut(f"{stem.rstrip()}_{dot}{rest}", limit).rstrip(" .")
    return shown or fallback


def _stamp(at: datetime, zone: tzinfo) -> str:
    shown = times.local(at, zone)
    return f"{shown.year:04d}-{shown:%m-%d_%H%M}"


def _checked_suffix(suffix: str) -> str:
    return suffix if _SUFFIX.fullmatch(suffix) else ".bin"


@functools.lru_cache(maxsize=256)  # of each file its name is asked for
def _author(author: str) -> str:
    # The dot is allowed in TikTok names; "con.artist" must not become a device.
    return safe_filename(author, limit=AUTHOR_BYTES, fallback="unknown")


def media_name(
    author: str,
    posted_at: datetime,
    number: int | None,
    suffix: str,
    *,
    zone: tzinfo,
    tag: str = "",
) -> str:
    """`name_2026-11-20_1403_01.jpg`: author, posting time on the zone's clock, running number.

    number: None for the only picture or video of a story, which goes without. suffix: with its dot,
    by the bytes. tag: sets an extra apart from the story itself (`poster`, `song`). Pass the result
    to `unique_name` where other files may have the same minute: when the clock is set back in
    autumn, an hour comes twice.
    """
    extra = f"_{safe_filename(tag, limit=20)}" if tag else ""
    place = "" if number is None else f"_{number:02d}"
    stem = f"{_author(author)}_{_stamp(posted_at, zone)}{place}{extra}"
    return f"{stem}{_checked_suffix(suffix)}"


def carousel_name(author: str, posted_at: datetime, *, zone: tzinfo) -> str:
    """`name_2026-11-20_1403.zip`."""
    return f"{_author(author)}_{_stamp(posted_at, zone)}.zip"


def sidecar_name(author: str, posted_at: datetime, *, zone: tzinfo) -> str:
    """`name_2026-11-20_1403_story.json`."""
    return f"{_author(author)}_{_stamp(posted_at, zone)}_story.json"


def bundle_name(
    authors: Iterable[str], at: datetime, *, zone: tzinfo, selection: bool = False
) -> str:
    """`name_2026-11-20_1403_all.zip`; `storykeep_…` when several authors are in it.

    at: when the job was made.
    """
    names = set(authors)
    who = _author(names.pop()) if len(names) == 1 else "storykeep"
    return f"{who}_{_stamp(at, zone)}_{'selection' if selection else 'all'}.zip"


def folder_name(author: str) -> str:
    """The name of an author's folder in a bundle."""
    return _author(author)


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
        other = f"{_cut(stem, NAME_BYTES - len(tail.encode()))}{tail}"
        if collision_key(other) not in taken:
            return other
    raise AssertionError("more numbers than names were tried")  # pragma: no cover
