"""Short names of lines, for titles and lists."""

from __future__ import annotations

import re
from typing import Final

MAX_LENGTH: Final = 40
_SCHEME: Final = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)


def display_name(name: str, line: str) -> str:
    """`@name` of the account a line is about, or the shortened line where no name is known."""
    return f"@{name}" if name else short_title(line)


def note_as_title(note: str, *, from_watch: bool) -> str:
    """The note of a job on one line, as somebody wrote it to know it again; "" where there is none,
    and for a job of a watch: one note is all its jobs', and the account tells them apart."""
    return "" if from_watch else " ".join(note.split())


def short_title(line: str) -> str:
    """A line without scheme and query, its middle left out where it exceeds MAX_LENGTH."""
    bare = _SCHEME.sub("", line).split("?")[0] if _SCHEME.match(line) else line
    if len(bare) <= MAX_LENGTH:
        return bare
    return f"{bare[: MAX_LENGTH * 2 // 3]}…{bare[-MAX_LENGTH // 4 :]}"


def normalized(line: str) -> str:
    """A line for comparing with a title: a link without its scheme, a name in lower case."""
    return _SCHEME.sub("", line) if _SCHEME.match(line) else line.lower()
