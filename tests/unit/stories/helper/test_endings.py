"""Endings of gallery-dl, in the words of its 1.32.18 as it was seen to say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stories.helper.endings import Ending, read_ending

E = Ending

PROFILE = "https://www.tiktok.com/@some.name"
ITEM = f"{PROFILE}/video/7713520281729458200"
OTHER = f"{PROFILE}/video/7713566674325658057"
LIST_FAILED = f"error|tiktok|{PROFILE}: failed to retrieve story/item_list page 1"
NO_DATA = f"error|tiktok|ExtractionError: {PROFILE}: could not extract rehydration data"
NOTHING = f"info|tiktok|No results for {PROFILE}/stories"
CHALLENGE = "warning|tiktok|@some.name: Failed to solve JavaScript challenge. If you keep"


def answered(path: str, status: int) -> str:
    return (
        f'debug|urllib3.connectionpool|https://www.tiktok.com:443 "GET {path} HTTP/1.1" {status} 83'
    )


def ending(exit_code: int, *log: str, has_lines: bool = False) -> E:
    return read_ending(exit_code, "\n".join(log).encode(), has_lines=has_lines).ending


def test_items_and_no_error_are_the_list() -> None:
    assert ending(0, answered("/@some.name", 200), has_lines=True) is E.LISTED
    assert ending(0, has_lines=True) is E.LISTED


def test_nothing_and_the_warning_and_exit_0_is_empty_and_nothing_else_is() -> None:
    warning = f"warning|tiktok|{PROFILE}: could not extract any stories for this user"
    assert ending(0, warning, NOTHING) is E.EMPTY
    assert ending(4, warning, NOTHING) is not E.EMPTY
    assert ending(0, warning, LIST_FAILED) is not E.EMPTY
    assert ending(0, warning, "error|tiktok|Something else") is not E.EMPTY
    assert ending(0, f"info|tiktok|{PROFILE}: could not extract any stories") is not E.EMPTY
    assert ending(0, f"{PROFILE}: could not extract any stories") is not E.EMPTY
    assert ending(0, NOTHING) is E.QUIET
    assert ending(0) is E.QUIET
    assert ending(1) is E.BROKEN


@pytest.mark.parametrize(
    "words",
    [
        "Login required to access this profile",
        "Login required to access this profile, or this profile has no videos posted",
    ],
)
def test_login_required_is_private(words: str) -> None:
    assert ending(4, f"error|tiktok|{PROFILE}: {words}", NO_DATA) is E.PRIVATE
    assert ending(0, f"error|tiktok|{PROFILE}: {words}") is E.PRIVATE


def test_could_not_be_found_is_no_such_account() -> None:
    said = f"error|tiktok|{PROFILE}: User account could not be found"
    assert ending(4, said, NO_DATA) is E.UNKNOWN


@pytest.mark.parametrize("exit_code", [0, 1, 4, 8, 128])
def test_a_list_that_is_not_retrieved_is_kept_from_us_whatever_the_exit_code(
    exit_code: int,
) -> None:
    assert ending(exit_code, LIST_FAILED, NOTHING) is E.KEPT
    assert ending(exit_code, answered("/@some.name", 200), LIST_FAILED) is E.NO_ANSWER


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, E.KEPT), (403, E.KEPT), (429, E.RATE_LIMITED), (503, E.NO_ANSWER)],
)
def test_the_status_of_the_list_says_how_it_was_kept(status: int, expected: E) -> None:
    log = [answered("/@some.name", 200), answered("/api/story/item_list/?aid=1988", status)]
    assert ending(4, *log, LIST_FAILED, NOTHING) is expected


def test_429_is_rate_limited_wherever_it_stands() -> None:
    error = "HttpError: '429 Too Many Requests' for 'https://www.tiktok.com/@some.name'"
    assert ending(4, f"error|tiktok|{error}") is E.RATE_LIMITED
    assert ending(4, f"error|tiktok|{ITEM}: Failed to extract post ({error})") is E.RATE_LIMITED
    partial = read_ending(0, answered("/x", 429).encode(), has_lines=True)
    assert (partial.ending, partial.turned_away) == (E.PARTIAL, E.RATE_LIMITED)


def test_exit_16_is_the_login_wall() -> None:
    said = "error|tiktok|AuthorizationError: HTTP redirect to login page ('https://…/login')"
    assert ending(16, said) is E.LOGIN_WALL
    assert ending(16 | 4, said) is E.LOGIN_WALL


def test_items_and_errors_of_items_are_partial_and_name_the_missing() -> None:
    failed = f"error|tiktok|{ITEM}: Failed to extract post (KeyError: 'playUrl')"
    gone = f"error|tiktok|{OTHER}: Requested post not available"
    told = read_ending(0, f"{failed}\n{gone}".encode(), has_lines=True)
    assert told.ending is E.PARTIAL
    assert told.kept_ids == ("7713520281729458200", "7713566674325658057")
    assert told.turned_away is None


def test_items_and_a_list_that_breaks_off_are_partial_too() -> None:
    said = LIST_FAILED.replace("page 1", "page 2")
    told = read_ending(0, said.encode(), has_lines=True)
    assert (told.ending, told.turned_away) == (E.PARTIAL, E.KEPT)


def test_errors_of_items_alone_are_no_word_about_the_account() -> None:
    assert ending(0, f"error|tiktok|{ITEM}: Login required to access this post") is E.KEPT
    assert ending(0, f"error|tiktok|{ITEM}: Requested post not available") is E.KEPT
    redirect = "Failed to extract post (AuthorizationError: HTTP redirect to login page ('x'))"
    assert ending(0, f"error|tiktok|{ITEM}: {redirect}") is E.LOGIN_WALL
    down = "Failed to extract post (HttpError: '503 Service Unavailable' for 'x')"
    assert ending(0, f"error|tiktok|{ITEM}: {down}") is E.NO_ANSWER


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("HttpError: '403 Forbidden' for 'https://www.tiktok.com/@some.name'", E.KEPT),
        ("HttpError: '503 Service Unavailable' for 'https://x'", E.NO_ANSWER),
        ("HttpError:  ProxyError: Remote end closed connection without response", E.NO_ANSWER),
    ],
)
def test_a_page_that_is_not_given_is_told_by_its_status(error: str, expected: E) -> None:
    assert ending(4, f"error|tiktok|{error}") is expected


def test_a_challenge_it_cannot_answer_is_one() -> None:
    crash = "error|tiktok|An unexpected error occurred: JSONDecodeError - Expecting value."
    assert ending(1, CHALLENGE, crash) is E.CHALLENGED
    assert ending(8, "error|tiktok|ChallengeError: Cloudflare challenge") is E.CHALLENGED


@pytest.mark.parametrize(
    "log",
    [
        "error|tiktok|An unexpected error occurred: TypeError - 'x'. Please run gallery-dl again",
        f"error|tiktok|{PROFILE}: Region locked - Try downloading with a VPN/proxy connection",
        "Traceback (most recent call last):\n  File",
        "error|gallery-dl|Unsupported URL 'https://www.tiktok.com/@x'",
        "\x00\xff prose, and nothing else",
        f"{PROFILE}: Login required to access this profile",
        f"warning|tiktok|{PROFILE}: User account could not be found",
        "error|tiktok|https://evil.example/@some.name: User account could not be found",
    ],
)
def test_whatever_is_not_on_the_table_is_a_way_that_broke(log: str) -> None:
    assert ending(1, log) is E.BROKEN


@pytest.mark.parametrize("signal", [-9, -11, -25])
def test_a_program_that_was_killed_said_nothing(signal: int) -> None:
    assert ending(signal, LIST_FAILED) is E.BROKEN
    assert ending(signal, has_lines=True) is E.BROKEN


def test_the_detail_names_nobody() -> None:
    log = f"error|tiktok|Cannot read 'some.name' of {PROFILE} 7713520281729458200"
    detail = read_ending(1, log.encode(), has_lines=False).detail
    assert "some.name" not in detail
    assert "7713520281729458200" not in detail


@given(st.binary(max_size=300), st.integers(-20, 255), st.booleans())
def test_any_log_is_read_and_noise_is_never_a_verdict(
    noise: bytes, exit_code: int, has_lines: bool
) -> None:
    told = read_ending(exit_code, noise, has_lines=has_lines)
    assert told.ending not in {E.EMPTY, E.PRIVATE, E.UNKNOWN}
