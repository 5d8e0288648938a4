"""Status codes and the words beside them, and the errors that both mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories import errors, wire
from stories.errors import StoriesError
from stories.wire.codes import (
    CODES,
    ITEM_CODES,
    check_code,
    check_embed_code,
    code_error,
    kept_words,
)
from tests.unit.stories.wire.payloads import (
    ASKED,
    NOW,
    STORY_ID,
    USER_ID,
    body,
    embed,
    embed_page,
    read,
    scope,
)

NUMBERS = {
    10000: errors.Refused,
    10101: errors.Refused,
    10102: errors.LoginRequired,
    10201: errors.UpstreamChanged,
    10202: errors.NoSuchAccount,
    10204: errors.Unavailable,
    10215: errors.PrivatePost,
    10216: errors.PrivatePost,
    10217: errors.Unavailable,
    10219: errors.RegionLocked,
    10221: errors.NoSuchAccount,
    10222: errors.PrivateAccount,
    10223: errors.UnknownAnswer,
    10231: errors.RegionLocked,
    100002: errors.NoSuchAccount,
    100004: errors.UpstreamDown,
    5: errors.UnknownAnswer,
    -1: errors.UnknownAnswer,
}


@pytest.mark.parametrize(("code", "kind"), NUMBERS.items())
@pytest.mark.parametrize("as_text", [False, True], ids=["number", "text"])
def test_codes(code: int, kind: type[StoriesError], *, as_text: bool) -> None:
    told: Any = str(code) if as_text else code
    answers: list[Callable[[], object]] = [
        lambda: wire.profile_author(scope("webapp.user-detail", {"statusCode": told}), ASKED),
        lambda: read(body({"statusCode": told})),
        lambda: read(body({"status_code": told, "itemList": []})),
        lambda: read(body({"statusCode": 0, "status_code": told})),
    ]
    for answer in answers:
        with pytest.raises(kind, match=f"code {code}") as failure:
            answer()
        assert type(failure.value) is kind


def item_failure(**said: Any) -> StoriesError:
    """The error of an item's page that says this instead of an item."""
    with pytest.raises(StoriesError) as failure:
        wire.page_item(scope("webapp.video-detail", {"itemInfo": {}, **said}), STORY_ID, now=NOW)
    return failure.value


WHY_NOT_SHOWN: dict[str, tuple[str, type[StoriesError]]] = {
    "deleted": ("status_deleted", errors.Gone),
    "never was": ("item doesn't exist", errors.Gone),
    "never was, curly": ("Item doesn\u2019t exist.", errors.Gone),
    "seen by its author": ("status_self_see", errors.PrivatePost),
    "seen by friends": ("status_friend_see", errors.PrivatePost),
    "private author": ("author_secret", errors.PrivateAccount),
    "age gate": ("content_classification", errors.AgeRestricted),
    "region": ("person_geo_fencing", errors.RegionLocked),
    "region by rights": ("copyright_geo_filter", errors.RegionLocked),
    "region by rights, longer": ("copyright_geo_filter_music", errors.RegionLocked),
    "region by rules": ("cross_border_violation_level_2", errors.RegionLocked),
    "under review": ("status_reviewing", errors.Unavailable),
    "review not passed": ("status_audit_not_pass", errors.Gone),
    "taken down": ("status_abnormal", errors.Gone),
    "author taken down": ("author_status", errors.Gone),
    "two words": ("some_thing&status_self_see", errors.PrivatePost),
    "two known words": ("person_geo_fencing&status_deleted", errors.Gone),
    "two words, escaped": ("x&amp;status_deleted", errors.Gone),
    "two words, escaped twice": ("x\\u0026status_deleted", errors.Gone),
    "two words, as in an address": ("x%26status_deleted", errors.Gone),
    "two words, full width": ("x\uff06status_deleted", errors.Gone),
    "an escaped apostrophe": ("item doesn&#39;t exist", errors.Gone),
    "shouted and spaced": ("  STATUS  Deleted ", errors.Gone),
    "in one": ("statusSelfSee", errors.PrivatePost),
    "with dashes": ("content-classification", errors.AgeRestricted),
    "nothing": ("", errors.Unavailable),
    "a word never seen": ("a_word_never_seen_before", errors.Unavailable),
    "a fault of theirs": ("RPCError: timeout while loading music", errors.UpstreamDown),
}


@pytest.mark.parametrize(("words", "kind"), WHY_NOT_SHOWN.values(), ids=WHY_NOT_SHOWN.keys())
@pytest.mark.parametrize("key", ["statusMsg", "status_msg"])
@pytest.mark.parametrize("code", [10204, "10204", 10204.0, "10204.0"], ids=repr)
def test_the_words_beside_10204_say_why(
    words: str, kind: type[StoriesError], key: str, code: Any
) -> None:
    assert type(item_failure(statusCode=code, **{key: words})) is kind


@pytest.mark.parametrize("code", [10217, 10215, 10235, 77, 0], ids=str)
def test_known_words_say_why_beside_any_number(code: int) -> None:
    assert (
        type(item_failure(statusCode=code, statusMsg="person_geo_fencing")) is errors.RegionLocked
    )
    assert type(item_failure(statusCode=code, statusMsg="status_deleted")) is errors.Gone


def test_one_page_alone_proves_no_absence() -> None:
    for words, proven in (("item doesn't exist", False), ("status_deleted", True)):
        error = item_failure(statusCode=10204, statusMsg=words)
        assert isinstance(error, errors.Gone)
        assert error.proven is proven


def test_no_words_talk_a_refusal_away() -> None:
    for code, kind in (
        (10101, errors.Refused),
        (10000, errors.Refused),
        (10102, errors.LoginRequired),
    ):
        assert type(item_failure(statusCode=code, statusMsg="status_deleted")) is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("cross_border_violation_1&x", errors.RegionLocked),
        ("author_secret", errors.PrivateAccount),
        ("author_status", errors.NoSuchAccount),
        ("status_deleted", errors.NoSuchAccount),
        ("RPC timeout", errors.UpstreamDown),
        ("never seen", errors.Unavailable),
    ],
)
def test_words_about_an_account_are_read_in_lists_profiles_and_embeds(
    words: str, kind: type[StoriesError]
) -> None:
    said = {"statusCode": 10204, "statusMsg": words}
    user = {"userInfo": {"customErrorCode": 10204, "statusMsg": words}}
    answers: list[Callable[[], object]] = [
        lambda: wire.profile_author(scope("webapp.user-detail", said), ASKED),
        lambda: read(body(said)),
        lambda: wire.embed_author(
            embed({"source": {"data": {"/embed/@sample.user": user}}}), "sample.user"
        ),
    ]
    for answer in answers:
        with pytest.raises(kind) as failure:
            answer()
        assert type(failure.value) is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"code": 10204, "statusMsg": "status_self_see"}, errors.PrivatePost),
        ({"customErrorCode": "10231"}, errors.RegionLocked),
        ({"code": 200, "customErrorCode": 10222}, errors.PrivateAccount),
        ({"code": 404}, errors.Unavailable),
        ({"code": 502}, errors.UpstreamDown),
        ({"statusCode": 100004}, errors.UpstreamDown),
    ],
    ids=["words", "custom", "fine and not", "http 404", "http 502", "passing"],
)
def test_an_items_embed_says_why_in_its_own_words(
    said: dict[str, Any], kind: type[StoriesError]
) -> None:
    with pytest.raises(kind) as failure:
        wire.embed_item(embed_page(itemInfos=None, **said), STORY_ID, now=NOW)
    assert type(failure.value) is kind


def test_an_embed_that_is_fine_says_200_or_0() -> None:
    fine = embed_page(code=200, customErrorCode=0)
    assert wire.embed_item(fine, STORY_ID, now=NOW).author.id == USER_ID


# --- what is not known ------------------------------------------------------------------------


def test_a_fault_of_theirs_inside_an_answer_passes() -> None:
    error = item_failure(statusCode=100004, statusMsg="RPCError: timeout while loading music")
    assert isinstance(error, errors.UpstreamDown)
    assert error.retryable
    assert error.detail == "code 100004: RPCError: timeout while loading music"


@pytest.mark.parametrize("words", ["request timed out", "Internal Error", "RPC: no such peer"])
def test_an_unknown_number_with_a_fault_in_words_passes(words: str) -> None:
    assert type(item_failure(statusCode=5001, statusMsg=words)) is errors.UpstreamDown


def test_an_id_that_cannot_be_is_final() -> None:
    assert type(item_failure(statusCode=100002)) is errors.Gone
    assert type(code_error(100002, CODES)) is errors.NoSuchAccount


def test_an_unknown_code_is_not_yet_a_change_of_theirs() -> None:
    error = item_failure(statusCode=4711, statusMsg="so new\x00 that\nnobody knows it")
    assert type(error) is errors.UnknownAnswer
    assert error.retryable
    assert error.detail == "unknown code 4711: so new that nobody knows it"


def test_a_detail_holds_no_address_and_is_short() -> None:
    signed = (
        "see https://v16.tiktokcdn.com/x?expire=1&sig=abc or //a.b/c?d=e now x?tk=secret "
        + "y" * 999
    )
    detail = item_failure(statusCode=4711, statusMsg=signed).detail
    assert "sig" not in detail
    assert "secret" not in detail
    assert detail.startswith("unknown code 4711: see (address) or (address) now (address)")
    assert len(detail) < 250


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, errors.UpstreamChanged),
        (False, errors.UpstreamChanged),
        ([0], errors.UpstreamChanged),
        ({}, errors.UpstreamChanged),
        ("soon", errors.UpstreamChanged),
        (-7, errors.UnknownAnswer),
        (10204.5, errors.UnknownAnswer),
        (10**40, errors.UnknownAnswer),
        ("9" * 300, errors.UnknownAnswer),
        (float("inf"), errors.UnknownAnswer),
        (" 10231 ", errors.RegionLocked),
        ("+10231", errors.RegionLocked),
    ],
    ids=str,
)
def test_codes_of_any_shape(value: Any, kind: type[StoriesError]) -> None:
    for answer in ({"statusCode": value}, {"statusCode": 0, "status_code": value}):
        with pytest.raises(kind) as failure:
            check_code(answer, ITEM_CODES)
        assert type(failure.value) is kind
        assert len(failure.value.detail) < 250


def test_a_code_that_is_left_empty_is_none() -> None:
    assert check_code({"statusCode": None, "status_code": ""}, CODES) is None
    assert check_code({"statusCode": "0", "statusMsg": "status_deleted"}, CODES) == 0


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.lists(st.text())
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["statusCode", "status_code", "code", "customErrorCode", "statusMsg", "status_msg"]
        ),
        VALUES,
    )
)
def test_whatever_stands_there_only_a_stories_error_comes_out(answer: dict[str, Any]) -> None:
    for codes in (CODES, ITEM_CODES):
        try:
            check_code(answer, codes)
            check_embed_code([answer], codes)
        except StoriesError as error:
            error.detail.encode()


# --- words of a sample ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("status_deleted", "statusdeleted"),
        ("Author_Secret&video_private", "authorsecret&video_private"),
        ("item doesn't exist", "itemdoesntexist"),
        ("alice is private", "(words)"),
        ("alice", "(words)"),
        ("alice: RPC timeout", "rpc"),
        ("cross_border_violation; alice", "crossborderviolation&(words)"),
        ("https://alice.example/", "(words)"),
    ],
)
def test_of_words_only_what_we_read_and_plain_codes_are_kept(text: str, kept: str) -> None:
    assert kept_words(text) == kept


WORDS = ("status_deleted", "Author secret", "timed out", "alice", "&amp;", ";", " ", "self_see")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(WORDS), max_size=6).map("".join), st.sampled_from([10204, 10222, 7])
)
def test_kept_words_mean_the_same(text: str, code: int) -> None:
    for codes in (CODES, ITEM_CODES):
        before = code_error(code, codes, text)
        after = code_error(code, codes, kept_words(text))
        assert type(after) is type(before)
        told = codes.error_of_words(text, "x"), codes.error_of_words(kept_words(text), "x")
        assert type(told[0]) is type(told[1])
