"""How a run of gallery-dl ended, from its exit code and its log; pure.

It exits with 0 for a list it was refused, and prints nothing for an empty one: each ending is told
by the words it is logged with, read in its 1.32.18. What is not known here is no answer of TikTok's
at all: the program broke. Lines are "{levelname}|{name}|{message}".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_LOGGED: Final = re.compile(r"(debug|info|warning|error|critical)\|([^|]{1,80})\|(.*)")
_ANSWERED: Final = re.compile(r'https?://\S{1,300} "GET (\S{1,3000}) HTTP/[0-9.]{1,4}" ([0-9]{3}) ')
_OF_ITEM: Final = re.compile(
    r"https://www\.tiktok\.com/@[\w.-]{0,100}/video/([0-9]{15,20}): (.*)", re.ASCII
)
_OF_ACCOUNT: Final = re.compile(r"https://www\.tiktok\.com/@[\w.-]{1,100}: (.*)", re.ASCII)
_HTTP_ERROR: Final = re.compile(r"HttpError: '([0-9]{3}) ")
_LIST: Final = "failed to retrieve story/item_list"
_NO_STORIES: Final = "could not extract any stories"
# Said once more, without the reason that stands before it.
_REPEATED: Final = re.compile(r"ExtractionError: .*: could not extract rehydration data", re.ASCII)

_LOGIN_WALL: Final = 16
_CHALLENGE: Final = 8
_MAX_LOG_LINES: Final = 20_000


class Ending(StrEnum):
    """What a run came to.

    LISTED: items, and nothing amiss. PARTIAL: items, and some that are named were not to be had, or
    the list broke off. QUIET: neither an item nor a word of anything amiss; says nothing about the
    account by itself. KEPT: TikTok kept the page, the list or the item from it. NO_ANSWER: it got
    none. BROKEN: anything else.
    """

    LISTED = "listed"
    PARTIAL = "partial"
    EMPTY = "empty"
    QUIET = "quiet"
    PRIVATE = "private"
    UNKNOWN = "unknown"
    RATE_LIMITED = "rate_limited"
    LOGIN_WALL = "login_wall"
    CHALLENGED = "challenged"
    KEPT = "kept"
    NO_ANSWER = "no_answer"
    BROKEN = "broken"


E = Ending


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReading:
    """An ending. kept_ids: items that the run names as not to be had. turned_away: why a PARTIAL
    list broke off, KEPT or RATE_LIMITED; None where only single items are missing. detail: for
    admins, in a few words, without names."""

    ending: Ending
    kept_ids: tuple[str, ...] = ()
    turned_away: Ending | None = None
    detail: str = ""


@dataclass(slots=True)
class _Log:
    """A log, sorted out. account: the words of what it says about the account. kept_ids: item id ->
    what it says about the item. errors: the others. statuses: (path, status) of each answer."""

    account: list[str]
    kept_ids: dict[str, str]
    errors: list[str]
    warnings: list[str]
    statuses: list[tuple[str, int]]


def read_ending(exit_code: int, log: bytes, *, has_lines: bool) -> RunReading:
    """The ending of a run that ended by itself. has_lines: it printed at least one item."""
    if exit_code < 0:
        return RunReading(ending=E.BROKEN, detail=f"ended by signal {-exit_code}")
    told = _sorted_out(log)
    if has_lines:
        return _with_lines(told)
    ending, detail = _without_lines(exit_code, told)
    return RunReading(
        ending=ending,
        kept_ids=tuple(told.kept_ids),
        detail=detail or f"exit {exit_code}",
    )


def _with_lines(told: _Log) -> RunReading:
    kept_ids = tuple(told.kept_ids)
    limited = any(status == 429 for _, status in told.statuses)
    broke_off = any(_LIST in words for words in told.account)
    if limited or broke_off or told.errors or told.account:
        return RunReading(
            ending=E.PARTIAL,
            kept_ids=kept_ids,
            turned_away=E.RATE_LIMITED if limited else E.KEPT,
            detail=_shortened([*told.account, *told.errors]),
        )
    return RunReading(ending=E.PARTIAL if kept_ids else E.LISTED, kept_ids=kept_ids)


def _without_lines(exit_code: int, told: _Log) -> tuple[Ending, str]:
    return (
        _told_of_account(exit_code, told)
        or _told_of_answers(exit_code, told)
        or (E.BROKEN, _shortened([*told.account, *told.errors, *told.warnings]))
    )


def _told_of_account(exit_code: int, told: _Log) -> tuple[Ending, str] | None:
    """What the run says of the account, or of whoever asks for it."""
    if any(status == 429 for _, status in told.statuses) or _has_status(told, 429):
        return E.RATE_LIMITED, "429"
    for words in told.account:
        if words.startswith("Login required"):
            return E.PRIVATE, "login required"
        if words == "User account could not be found":
            return E.UNKNOWN, "no such account"
    if exit_code & _LOGIN_WALL:
        return E.LOGIN_WALL, "led to the sign-in page"
    if exit_code == 0 and not (told.errors or told.account or told.kept_ids):
        if any(_NO_STORIES in line for line in told.warnings):
            return E.EMPTY, ""
        if not told.warnings:
            return E.QUIET, ""
    return None


def _told_of_answers(exit_code: int, told: _Log) -> tuple[Ending, str] | None:
    """How far the run came with what it asked for."""
    if any(_LIST in words for words in told.account):
        return _list_failed(told)
    if exit_code & _CHALLENGE or any("JavaScript challenge" in line for line in told.warnings):
        return E.CHALLENGED, "a challenge it could not answer"
    for words in told.errors:
        if match := _HTTP_ERROR.match(words):
            return (E.NO_ANSWER if int(match[1]) >= 500 else E.KEPT), match[1]
        if words.startswith("HttpError:"):
            return E.NO_ANSWER, "no answer"
    if told.kept_ids and not (told.errors or told.account):
        return _items_failed(told)
    return None


def _list_failed(told: _Log) -> tuple[Ending, str]:
    statuses = [status for path, status in told.statuses if "/api/story/item_list" in path]
    if not statuses:
        # Where the log tells of answers at all, there was none.
        return (E.NO_ANSWER, "no answer: the list") if told.statuses else (E.KEPT, "the list")
    return (E.NO_ANSWER if statuses[-1] >= 500 else E.KEPT), f"the list: {statuses[-1]}"


def _items_failed(told: _Log) -> tuple[Ending, str]:
    words = next(filter(None, told.kept_ids.values()), "")
    if words.startswith("Failed to extract post (AuthorizationError:"):
        return E.LOGIN_WALL, "an item led to the sign-in page"
    if "(HttpError: '5" in words or "(HttpError:  " in words:
        return E.NO_ANSWER, "no answer about an item"
    return E.KEPT, "no item was to be had"


def _has_status(told: _Log, status: int) -> bool:
    """Whether an error tells this status of an answer."""
    return any(f"HttpError: '{status} " in words for words in (*told.errors, *told.account))


def _sorted_out(log: bytes) -> _Log:
    told = _Log([], {}, [], [], [])
    for line in log.decode("utf-8", "replace").split("\n")[:_MAX_LOG_LINES]:
        logged = _LOGGED.fullmatch(line.rstrip("\r"))
        if logged is None:
            continue  # a traceback, or prose
        level, name, words = logged.groups()
        if level == "debug":
            answered = _ANSWERED.match(words) if name.startswith("urllib3") else None
            if answered is not None:
                told.statuses.append((answered[1], int(answered[2])))
        elif level == "warning":
            told.warnings.append(words)
        elif level in {"error", "critical"}:
            _sort_error(words, told)
    return told


def _sort_error(words: str, told: _Log) -> None:
    if item := _OF_ITEM.fullmatch(words):
        told.kept_ids[item[1]] = item[2]
        if "HttpError: '429 " in words:
            told.statuses.append(("", 429))
    elif account := _OF_ACCOUNT.fullmatch(words):
        told.account.append(account[1])
    elif not _REPEATED.fullmatch(words) or not told.account:
        told.errors.append(words)


def _shortened(words: Sequence[str]) -> str:
    """The first of some words, without addresses and quoted text, which may name somebody."""
    first = next(iter(words), "")
    return re.sub(r"\S*(?:://|/@)\S*|'[^']*'|[0-9]{15,20}", "…", first)[:120].strip()
