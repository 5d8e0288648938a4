"""What of a job its reader asks for: which lines, in which order, as rows or as a grid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import urlencode

from jobs.pages.folding import FEW_LINES

LEAVING: Final = "leaving"
"""`?order=`: lines whose stories leave TikTok first come first."""
GRID: Final = "grid"
"""`?view=`: every line with its tiles, also where there are many lines."""

MAX_POSITIONS: Final = 2000
"""Positions that are read of `?all=`, at most."""
_POSITION: Final = re.compile(r"[0-9]{1,9}")  # Python reads no number of thousands of digits


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What of a job is asked for. show: the look whose lines are shown, "" for all.

    opened: positions of lines that are shown with all their stories. leaving: lines that leave
    TikTok first come first. grid: no line is a row.
    """

    show: str = ""
    opened: frozenset[int] = frozenset()
    leaving: bool = False
    grid: bool = False

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """From `?show=`, `?all=2,7`, `?order=leaving` and `?view=grid`; other words say nothing."""
        return cls(
            show=query.get("show", ""),
            opened=positions(query.get("all", "")),
            leaving=query.get("order") == LEAVING,
            grid=query.get("view") == GRID,
        )

    def has_rows(self, lines: int) -> bool:
        """Whether the lines of a job of so many are rows: the contact sheet."""
        return lines > FEW_LINES and not self.grid

    def query(self) -> str:
        """The end of an address that asks for this: `?show=done&all=2,7`, or ""."""
        wanted = {
            "show": self.show,
            "order": LEAVING if self.leaving else "",
            "view": GRID if self.grid else "",
            "all": ",".join(map(str, sorted(self.opened))),
        }
        words = urlencode({name: value for name, value in wanted.items() if value}, safe=",")
        return f"?{words}" if words else ""

    def but(self, **changes: object) -> str:
        """The query of this wish with some of it changed."""
        return replace(self, **changes).query()  # type: ignore[arg-type]


def positions(text: str) -> frozenset[int]:
    """The positions of lines named in `?all=2,7`; what is no number of a line is left out."""
    parts: Iterable[str] = text.split(",", maxsplit=MAX_POSITIONS)[:MAX_POSITIONS]
    return frozenset(int(part) for part in parts if _POSITION.fullmatch(part))
