"""Lines that are empty for a reason: what was pasted asks for no account's stories."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.states import ItemState


def empty_reason(lines: Iterable[tuple[str, str]]) -> str:
    """The first line's error code when every line of a job is empty for a reason, else "".

    lines: state and error code of each line, "" for no code.
    """
    codes = [code if state == ItemState.EMPTY else "" for state, code in lines]
    return codes[0] if codes and all(codes) else ""
