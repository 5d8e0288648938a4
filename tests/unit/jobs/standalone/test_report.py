"""The report of a run: errors in words, for scripts and people."""

from __future__ import annotations

import pytest

from jobs.errors import BY_CODE, Cancelled
from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.report import as_dict, error_words
from jobs.standalone.results import LineResult, RunResult
from stories.errors import RateLimited, StoriesError
from stories.targets import parse_line


def test_a_refusal_and_a_cancelled_line_have_words() -> None:
    waits = LineResult(line=Line("@alice", parse_line("@alice"), None), kind=ItemKind.USER)
    waits.settle(RateLimited("status 429", retry_after_s=59.2))
    stopped = LineResult(line=Line("@bob", parse_line("@bob"), None), kind=ItemKind.USER)
    stopped.settle(Cancelled())
    plain = as_dict(RunResult(lines=[waits, stopped]))
    assert [item["state"] for item in plain["items"]] == ["failed", "cancelled"]
    assert plain["items"][0]["error"]["retry_after_s"] == 60
    assert plain["items"][0]["error"]["retryable"]
    assert plain["items"][1]["error"]["message"] == "Interrupted. What was finished stays."
    assert plain["state"] == "cancelled"


@pytest.mark.parametrize("cls", BY_CODE.values(), ids=lambda cls: cls.code)
def test_a_command_that_ends_does_not_promise_to_go_on(cls: type[StoriesError]) -> None:
    said = " ".join(error_words(cls()))
    assert "by itself" not in said
    assert "Nothing to do" not in said
