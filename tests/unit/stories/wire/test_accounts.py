"""Accounts, from a profile page or a creator embed."""

from __future__ import annotations

from typing import Any

import pytest

from stories import errors, wire
from stories.errors import StoriesError
from stories.structures import Author, Target, TargetKind
from tests.unit.stories.wire.payloads import (
    ASKED,
    SEC_UID,
    STORY_ID,
    USER_ID,
    embed,
    page,
    sample,
    scope,
)


def test_recorded_profile() -> None:
    assert wire.profile_author(page(sample("page_profile_ok")), ASKED) == Author(
        id=USER_ID, name="sample.user", nickname="Sample Name", sec_uid=SEC_UID, private=False
    )


def test_recorded_user_detail_reads_the_same() -> None:
    author = wire.profile_author(scope("webapp.user-detail", sample("api_user_detail")), ASKED)
    assert (author.id, author.name, author.private) == (USER_ID, "sample.user", False)


def test_recorded_unknown_account() -> None:
    with pytest.raises(errors.NoSuchAccount, match="10221"):
        wire.profile_author(page(sample("page_profile_10221")), ASKED)


def test_recorded_embed() -> None:
    author = wire.embed_author(embed(sample("embed_profile")), "Sample.User")
    assert author == Author(id=USER_ID, name="sample.user", nickname="Sample Name", private=False)


def profile(**changes: Any) -> bytes:
    """Constructed: the recorded profile with a few of the account's facts changed."""
    data = sample("page_profile_ok")
    data["__DEFAULT_SCOPE__"]["webapp.user-detail"]["userInfo"]["user"].update(changes)
    return page(data)


@pytest.mark.parametrize(
    "asked",
    [
        Target(kind=TargetKind.USER, name="Sample.USER"),
        Target(kind=TargetKind.USER, user_id=USER_ID),
        Target(kind=TargetKind.USER, name=USER_ID, user_id=USER_ID),
        Target(kind=TargetKind.USER, sec_uid=SEC_UID),
        Target(kind=TargetKind.STORY, name="sample.user", item_id=STORY_ID),
    ],
    ids=["name in other case", "id", "digits", "secUid", "story link"],
)
def test_the_answer_is_the_account_asked_for(asked: Target) -> None:
    assert wire.profile_author(page(sample("page_profile_ok")), asked).id == USER_ID


@pytest.mark.parametrize(
    "asked",
    [
        Target(kind=TargetKind.USER, name="somebody.else"),
        Target(kind=TargetKind.USER, user_id="1234567"),
        Target(kind=TargetKind.USER, sec_uid=SEC_UID[:-1] + "x"),
    ],
    ids=["name", "id", "secUid"],
)
def test_another_account_is_no_answer(asked: Target) -> None:
    with pytest.raises(errors.UpstreamChanged, match="not the account asked for"):
        wire.profile_author(page(sample("page_profile_ok")), asked)


@pytest.mark.parametrize(
    "changes",
    [{"privateAccount": True}, {"secret": True}, {"privateAccount": 1}, {"secret": "true"}],
    ids=["flag", "second flag", "number", "text"],
)
def test_private_account(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.PrivateAccount):
        wire.profile_author(profile(**changes), ASKED)


PROFILE_CHANGED: dict[str, tuple[bytes, str]] = {
    "no script": (b"<html><body>new site</body></html>", "REHYDRATION__ is missing"),
    "script without JSON": (page("not json"), "malformed"),
    "script with a list": (page([1, 2]), "not an object"),
    "no scope": (page({"x": 1}), "__DEFAULT_SCOPE__ is missing"),
    "no detail": (scope("other", {}), "webapp.user-detail is missing"),
    "detail of a wrong type": (scope("webapp.user-detail", [1]), "webapp.user-detail is missing"),
    "no user": (scope("webapp.user-detail", {"statusCode": 0}), "userInfo.user is missing"),
    "code of a wrong type": (scope("webapp.user-detail", {"statusCode": {}}), "not a number"),
    "no id": (profile(id=""), "userInfo.user.id is missing"),
    "id of a wrong type": (profile(id=[1]), "userInfo.user.id is missing"),
    "id is hostile": (profile(id="../1"), "userInfo.user.id is missing"),
    "no name": (profile(uniqueId=None), "uniqueId is missing"),
    "name is hostile": (profile(uniqueId="../../etc"), "uniqueId is missing"),
}


@pytest.mark.parametrize(("html", "words"), PROFILE_CHANGED.values(), ids=PROFILE_CHANGED.keys())
def test_changed_profile_names_the_path(html: bytes, words: str) -> None:
    with pytest.raises(errors.UpstreamChanged, match=words):
        wire.profile_author(html, ASKED)


def test_mobile_profile_under_its_own_key() -> None:
    """Constructed: the recorded detail under the key phones are said to get."""
    detail = sample("page_profile_ok")["__DEFAULT_SCOPE__"]["webapp.user-detail"]
    assert wire.profile_author(scope("webapp.reflow.user.detail", detail), ASKED).id == USER_ID


def test_mobile_profile_is_searched_for_the_asked_account_only() -> None:
    """Constructed: the account somewhere else, beside others."""
    user = sample("page_profile_ok")["__DEFAULT_SCOPE__"]["webapp.user-detail"]["userInfo"]["user"]
    others = [{"id": "1234567", "uniqueId": "other"}, {"id": None, "uniqueId": "sample.user"}]
    assert wire.profile_author(scope("x", {"a": [*others, {"b": user}]}), ASKED).id == USER_ID
    with pytest.raises(errors.UpstreamChanged, match="user-detail is missing"):
        wire.profile_author(scope("x", {"a": others}), ASKED)


def embed_state(**user: Any) -> bytes:
    """Constructed: the recorded embed's state with another `userInfo`."""
    data = sample("embed_profile")
    (entry,) = data["source"]["data"].values()
    entry["userInfo"] = user
    return embed({"source": {"data": {"/embed/@sample.user/": entry}}})


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (embed_state(code=10202), errors.NoSuchAccount),
        (embed_state(code=10222, id=USER_ID), errors.PrivateAccount),
        (embed_state(), errors.Unavailable),
        (embed_state(code=200), errors.Unavailable),
        (embed_state(code=999), errors.UnknownAnswer),
        (embed_state(code=200, id=USER_ID), errors.UpstreamChanged),
        (embed_state(code=200, id=USER_ID, uniqueId="other"), errors.UpstreamChanged),
        (
            embed_state(code=200, id=USER_ID, uniqueId="sample.user", privateAccount=True),
            errors.PrivateAccount,
        ),
        (embed({"source": {"data": {}}}), errors.UpstreamChanged),
        (embed({"source": []}), errors.UpstreamChanged),
    ],
    ids=[
        "unknown",
        "private code",
        "silent",
        "silent 200",
        "new code",
        "no name",
        "other name",
        "private flag",
        "no entry",
        "no state",
    ],
)
def test_embed_refusals(html: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind) as failure:
        wire.embed_author(html, "sample.user")
    assert type(failure.value) is kind


def test_embed_key_may_end_in_a_slash() -> None:
    html = embed_state(code=200, id=USER_ID, uniqueId="Sample.User")
    assert wire.embed_author(html, "sample.user").name == "sample.user"


# --- whether it has stories -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (0, False),
        ("0", False),
        (0.0, False),
        (1, True),
        (2, True),
        ("1", True),
        (None, None),
        ("", None),
        ("yes", None),
        (-1, None),
        (True, None),
        (1.5, None),
        (10**30, None),
        ("9" * 400, None),
        (float("inf"), None),
        ([1], None),
        ({"status": 1}, None),
    ],
    ids=repr,
)
def test_a_profile_hints_at_stories(status: Any, hint: bool | None) -> None:
    author = wire.profile_author(profile(UserStoryStatus=status), ASKED)
    assert author.story_hint is hint


def test_a_profile_without_the_hint_says_nothing_of_stories() -> None:
    data = sample("page_profile_ok")
    del data["__DEFAULT_SCOPE__"]["webapp.user-detail"]["userInfo"]["user"]["UserStoryStatus"]
    assert wire.profile_author(page(data), ASKED).story_hint is None


def test_a_profile_that_is_searched_for_hints_at_stories() -> None:
    user = sample("page_profile_ok")["__DEFAULT_SCOPE__"]["webapp.user-detail"]["userInfo"]["user"]
    assert wire.profile_author(scope("x", {"a": user}), ASKED).story_hint is False


def test_an_embed_says_nothing_of_stories() -> None:
    embedded = wire.embed_author(embed(sample("embed_profile")), "sample.user")
    assert embedded.story_hint is None


def test_the_hint_is_no_part_of_who_somebody_is() -> None:
    assert Author(id="1", name="one", story_hint=True) == Author(id="1", name="one")


# --- its picture ----------------------------------------------------------------------------------


def test_the_size_that_is_most_useful_comes_first() -> None:
    author = wire.profile_author(page(sample("page_profile_ok")), ASKED)
    sizes = [url.partition("cropcenter:")[2].partition(".")[0] for url in author.avatar_urls]
    assert sizes == ["720:720", "100:100", "1080:1080"]
    embedded = wire.embed_author(embed(sample("embed_profile")), "sample.user")
    assert len(embedded.avatar_urls) == 1
    assert "100:100" in embedded.avatar_urls[0]
    assert author.avatar_urls[0] not in repr(author)


CDN = "https://p16-common-sign.tiktokcdn.com"


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        pytest.param(f"{CDN}/a.jpeg?x=1", (f"{CDN}/a.jpeg?x=1",), id="an address"),
        pytest.param(f"{CDN}/a".removeprefix("https:"), (f"{CDN}/a",), id="no scheme"),
        pytest.param([f"{CDN}/a", f"{CDN}/b"], (f"{CDN}/a", f"{CDN}/b"), id="mirrors"),
        pytest.param({"urlList": [f"{CDN}/a"]}, (f"{CDN}/a",), id="the app's shape"),
        pytest.param(
            [f"{CDN}/{n}" for n in range(9)], tuple(f"{CDN}/{n}" for n in range(3)), id="many"
        ),
        pytest.param("", (), id="empty"),
        pytest.param(None, (), id="null"),
        pytest.param(17, (), id="a number"),
        pytest.param({"a": {"b": [{}]}}, (), id="an odd object"),
        pytest.param("javascript:alert(1)", (), id="a script"),
        pytest.param("data:image/svg+xml,<svg/>", (), id="a data address"),
        pytest.param("https://attacker.example/a.jpeg", (), id="another host"),
        pytest.param("https://p16.tiktokcdn.com.attacker.example/a", (), id="a host alike"),
        pytest.param("https://user@p16.tiktokcdn.com/a", (), id="a user part"),
        pytest.param("https://127.0.0.1/a", (), id="this machine"),
        pytest.param("x" * 10_000, (), id="far too long"),
    ],
)
def test_a_picture_in_any_shape_is_an_address_or_nothing(value: Any, urls: tuple[str, ...]) -> None:
    changes = {"avatarThumb": None, "avatarLarger": None, "avatarMedium": value}
    assert wire.profile_author(profile(**changes), ASKED).avatar_urls == urls
