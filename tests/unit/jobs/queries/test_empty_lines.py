"""The reason for which every line of a job is empty."""

from __future__ import annotations

import pytest

from jobs.queries.empty_lines import empty_reason


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], ""),
        ([("empty", "")], ""),
        ([("empty", "advert")], "advert"),
        ([("empty", "advert"), ("empty", "advert")], "advert"),
        ([("empty", "advert"), ("empty", "")], ""),
        ([("empty", "advert"), ("done", "")], ""),
        ([("failed", "gone"), ("queued", "refused")], ""),
    ],
)
def test_only_a_reason_of_all_lines_is_the_jobs(lines: list[tuple[str, str]], code: str) -> None:
    assert empty_reason(lines) == code
