"""The result of a run: its exit code."""

from __future__ import annotations

import signal

import pytest

from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.results import LineResult, RunResult
from jobs.states import ItemState
from stories.errors import NotUnderstood

S = ItemState


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([S.DONE], 0),
        ([S.EMPTY], 0),
        ([S.DONE, S.EMPTY], 0),
        ([S.DONE, S.FAILED], 1),
        ([S.EMPTY, S.FAILED], 1),
        ([S.PARTIAL], 1),
        ([S.PARTIAL, S.FAILED], 1),
        ([S.FAILED], 2),
        ([S.FAILED, S.FAILED], 2),
        ([], 2),
    ],
)
def test_exit_codes(states: list[ItemState], code: int) -> None:
    line = Line("??", None, NotUnderstood())
    result = RunResult(
        lines=[LineResult(line=line, kind=ItemKind.USER, state=state) for state in states]
    )
    assert result.exit_code == code
    result.signal = signal.SIGTERM
    assert result.exit_code == 143
