"""The report of a run: errors in words, for scripts and people."""

from __future__ import annotations

import pytest

from jobs.errors import BY_CODE, Cancelled, OurLimit
from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.report import as_dict, error_words
from jobs.standalone.results import LineResult, RunResult
from stories.errors import PrivatePost, RateLimited, StoriesError, UpstreamChanged
from stories.left_out import LeftOutReason, errors_for
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


COMMAND_LINE = [cls for cls in BY_CODE.values() if not issubclass(cls, OurLimit)]


@pytest.mark.parametrize("cls", COMMAND_LINE, ids=lambda cls: cls.code)
def test_a_command_speaks_of_no_instance_and_no_admin_pages(cls: type[StoriesError]) -> None:
    said = " ".join(error_words(cls()))
    assert "admin pages" not in said
    assert "this instance" not in said


def test_what_cannot_be_read_is_said_with_its_place_and_what_to_do() -> None:
    message, hint = error_words(UpstreamChanged("itemList.0.video"))
    assert message.endswith("(itemList.0.video)")
    assert hint == "Report this with the detail in brackets."
    assert error_words(UpstreamChanged())[1] == "Report this."


def listed_line(left_out: dict[LeftOutReason, int], details: dict[str, str]) -> LineResult:
    line = LineResult(line=Line("@alice", parse_line("@alice"), None), kind=ItemKind.USER)
    line.left_out, line.details = left_out, details
    line.settle(None)
    return line


def test_an_account_of_private_stories_is_not_called_a_private_post() -> None:
    line = listed_line({LeftOutReason.PRIVATE: 2}, {})
    (item,) = as_dict(RunResult(lines=[line]))["items"]
    assert item["error"]["code"] == "private_post"
    assert item["error"]["message"] == "2 stories are private." == item["left_out"][0]["message"]
    assert item["error"]["hint"] == "Only public stories and posts can be saved."


def test_an_entry_that_cannot_be_read_is_counted_and_its_missing_path_named() -> None:
    line = listed_line({LeftOutReason.UNREADABLE: 1}, {"unreadable": "itemList.0.id\n"})
    (item,) = as_dict(RunResult(lines=[line]))["items"]
    assert item["error"]["code"] == "upstream_changed"
    assert item["error"]["message"] == "1 story could not be read. (itemList.0.id)"
    assert item["error"]["hint"] == "Report this with the detail in brackets."
    assert item["left_out"] == [
        {
            "reason": "unreadable",
            "count": 1,
            "code": "upstream_changed",
            "message": "1 story could not be read.",
        }
    ]


def test_an_error_that_ended_the_line_keeps_its_own_words() -> None:
    line = listed_line({LeftOutReason.PRIVATE: 1}, {})
    line.settle(RateLimited("status 429"))
    (item,) = as_dict(RunResult(lines=[line]))["items"]
    assert item["error"]["message"] == error_words(RateLimited("status 429"))[0]
    assert [error.code for error in errors_for(line.left_out)] == [PrivatePost.code]
