"""Error codes: each once, with words, and nothing in them that only a developer understands."""

from __future__ import annotations

import pytest

from jobs import errors
from jobs.errors import BY_CODE, BatchTooLong, Internal, explain, message_and_hint
from jobs.queue import backoff
from stories.errors import StoriesError

PUBLIC = """
    not_understood unsupported_link not_a_story dead_short_link no_such_account private_account
    private_post login_required age_restricted region_locked gone unavailable challenged refused
    rate_limited upstream_down timed_out upstream_changed media_unavailable media_corrupt too_large
    unplayable quota_exceeded batch_too_long disk_full cancelled internal
""".split()  # noqa: SIM905  # reads like the table it copies
RETRYABLE = """
    unavailable challenged refused rate_limited upstream_down timed_out media_unavailable
    media_corrupt quota_exceeded disk_full internal
""".split()  # noqa: SIM905


def test_every_promised_code_exists() -> None:
    assert set(PUBLIC) <= set(BY_CODE)


def test_retrying_helps_where_promised_and_nowhere_else() -> None:
    assert {code for code in PUBLIC if BY_CODE[code].retryable} == set(RETRYABLE)


@pytest.mark.parametrize("code", sorted(BY_CODE))
def test_every_code_has_words(code: str) -> None:
    message, hint = message_and_hint(code)
    assert message.endswith((".", "!"))
    assert not hint or hint.endswith((".", "!"))
    assert "_" not in code or code not in message


def test_no_two_classes_share_a_code() -> None:
    def tree(root: type[StoriesError]) -> list[type[StoriesError]]:
        return [root, *(leaf for branch in root.__subclasses__() for leaf in tree(branch))]

    codes = [cls.code for cls in tree(StoriesError) if "code" in vars(cls)]
    assert sorted(codes) == sorted(set(codes))


def test_a_code_nobody_knows_reads_like_a_bug() -> None:
    assert message_and_hint("from_the_future") == message_and_hint(Internal.code)


@pytest.mark.parametrize(
    "code", errors.REFUSAL_CODES + tuple(cls.code for cls in backoff.BACKOFF_S)
)
def test_what_is_said_holds_while_it_waits_and_after_it_gave_up(code: str) -> None:
    said = " ".join(message_and_hint(code)).lower()
    for promise in ("by itself", "nothing to do", "shortly"):  # not when there is a Retry button
        assert promise not in said
    assert "try again" not in said  # there is no such button while it waits


def test_a_batch_that_is_too_long_says_how_long_it_may_be() -> None:
    message, hint = explain(BatchTooLong(51, 50))
    assert message == "One job holds at most 50 lines. You sent 51."
    assert hint == message_and_hint(BatchTooLong.code)[1]
