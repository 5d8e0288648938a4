"""Progress counting: files and bytes, whatever order the news comes in."""

from __future__ import annotations

import pytest

from jobs.standalone.tally import Tally, Totals

FIRST, SECOND = (0, "7500000000000000001", 1), (0, "7500000000000000001", 2)


def totals(files_done: int, files_total: int, bytes_done: int, bytes_total: int) -> Totals:
    return Totals(
        files_done=files_done,
        files_total=files_total,
        bytes_done=bytes_done,
        bytes_total=bytes_total,
    )


@pytest.fixture
def tally() -> Tally:
    """Expects a file of 100 bytes, and one whose size the listing does not say."""
    tally = Tally()
    tally.expect(FIRST, 100)
    tally.expect(SECOND, 0)
    return tally


def test_nothing_is_expected_of_a_run_that_has_not_begun() -> None:
    assert Tally().totals() == totals(0, 0, 0, 0)


def test_a_file_counts_from_the_moment_it_is_expected(tally: Tally) -> None:
    assert tally.totals() == totals(0, 2, 0, 100)


@pytest.mark.parametrize(
    ("done", "total", "bytes_total"),
    [
        (40, 120, 120),  # the answer knows better than the listing
        (40, None, 100),
        (40, 0, 100),
        (130, None, 130),  # never more done than there is
        (130, 120, 130),
        (0, None, 100),
    ],
)
def test_the_bytes_of_an_arriving_file(
    tally: Tally, done: int, total: int | None, bytes_total: int
) -> None:
    tally.arriving(FIRST, done, total)
    assert tally.totals() == totals(0, 2, done, bytes_total)


def test_a_file_of_unknown_size_is_as_large_as_what_has_come(tally: Tally) -> None:
    tally.arriving(SECOND, 7, None)
    assert tally.totals() == totals(0, 2, 7, 107)
    tally.arriving(SECOND, 30, None)
    assert tally.totals() == totals(0, 2, 30, 130)


def test_a_second_attempt_at_a_file_begins_at_its_first_byte(tally: Tally) -> None:
    tally.arriving(FIRST, 90, 120)
    tally.arriving(FIRST, 10, None)
    assert tally.totals() == totals(0, 2, 10, 120)


def test_an_extra_that_nobody_announced_counts_for_nothing(tally: Tally) -> None:
    tally.arriving((0, "7500000000000000001", 0), 5000, 9000)
    assert tally.totals() == totals(0, 2, 0, 100)


def test_a_complete_file_has_the_size_it_turned_out_to_have(tally: Tally) -> None:
    tally.arriving(FIRST, 90, 90)
    tally.done(FIRST, 95)
    tally.done(FIRST, 95)
    assert tally.totals() == totals(1, 2, 95, 95)


def test_a_file_that_will_not_come_is_still_expected_without_its_bytes(tally: Tally) -> None:
    tally.arriving(FIRST, 60, 100)
    tally.failed(FIRST)
    assert tally.totals() == totals(0, 2, 0, 0)
    tally.done(SECOND, 50)
    assert tally.totals() == totals(1, 2, 50, 50)


def test_the_same_story_by_two_lines_is_two_files(tally: Tally) -> None:
    tally.expect((1, FIRST[1], FIRST[2]), 100)
    tally.done(FIRST, 100)
    assert tally.totals() == totals(1, 3, 100, 200)
