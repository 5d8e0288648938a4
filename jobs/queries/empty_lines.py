"""Lines that are empty for a reason: what was pasted asks for no account's stories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.states import ItemState


@dataclass(frozen=True, slots=True, kw_only=True)
class NothingToSave:
    """What a job's lines that are empty for a reason add up to.

    count: how many there are. common_code: the first one's error code when every line of the job is
    such a line, else "".
    """

    count: int
    common_code: str


def nothing_to_save(lines: Iterable[tuple[str, str]]) -> NothingToSave:
    """lines: state and error code of each line of a job, "" for no code."""
    lines = list(lines)
    codes = [code for state, code in lines if state == ItemState.EMPTY and code]
    return NothingToSave(
        count=len(codes), common_code=codes[0] if codes and len(codes) == len(lines) else ""
    )
