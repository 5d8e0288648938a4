"""Lines that are empty for a reason, counted."""

from __future__ import annotations

import pytest

from jobs.queries.empty_lines import nothing_to_save


@pytest.mark.parametrize(
    ("lines", "count", "common_code"),
    [
        ([], 0, ""),
        ([("empty", "")], 0, ""),
        ([("empty", "advert")], 1, "advert"),
        ([("empty", "advert"), ("empty", "advert")], 2, "advert"),
        ([("empty", "advert"), ("empty", "")], 1, ""),
        ([("empty", "advert"), ("done", "")], 1, ""),
        ([("failed", "gone"), ("queued", "refused")], 0, ""),
    ],
)
def test_only_a_reason_of_all_lines_is_the_jobs(
    lines: list[tuple[str, str]], count: int, common_code: str
) -> None:
    idle = nothing_to_save(lines)
    assert (idle.count, idle.common_code) == (count, common_code)
