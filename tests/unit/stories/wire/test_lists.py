"""TikTok's answers, as recorded and as hostile as they may come, into our structures.

Recorded payloads are read as they are. What is built here from them is called constructed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories import errors, wire
from stories.errors import StoriesError
from stories.renditions import rank
from stories.structures import Author, MediaKind, Story, StoryKind, Target, TargetKind
from stories.wire import StoryPage

SAMPLES = Path(__file__).parents[3] / "samples"
USER_ID = "6812345678901234567"
SEC_UID = "MS4wLjABAAAAuqccu8k_1KABDBn39RBJGNa25LR7nYqPCSkPudN__kCDW5QVfaiPkcDwSM5LPITv"
SAMPLE = Author(id=USER_ID, name="sample.user")
ASKED = Target(kind=TargetKind.USER, name="sample.user")
STORY_ID = "7626099422044159982"
POSTED = datetime(2026, 4, 7, 19, 20, 37, tzinfo=UTC)
LEAVES = POSTED + timedelta(hours=24)
NOW = POSTED + timedelta(hours=1)
VIDEO_ID = "7513039991730291236"
PHOTO_ID = "7681723801485487053"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def page(data: Any, script: str = "__UNIVERSAL_DATA_FOR_REHYDRATION__") -> bytes:
    """A page around recorded data: some text before and after, as large pages have."""
    text = data if isinstance(data, str) else json.dumps(data)
    return (
        f"<!DOCTYPE html><html><head><script>window.x='{script}'</script></head><body>"
        f'<script id="{script}" type="application/json">{text}</script>'
        "<script>var later = 1</script></body></html>"
    ).encode()


def embed(data: Any) -> bytes:
    return page(data, "__FRONTITY_CONNECT_STATE__")


def scope(key: str, detail: Any) -> bytes:
    return page({"__DEFAULT_SCOPE__": {"webapp.app-context": {"user": {}}, key: detail}})


def body(data: Any) -> bytes:
    return json.dumps(data).encode()


def story_item(**changes: Any) -> dict[str, Any]:
    """Constructed: the partly recorded story, with the addresses of a recorded video."""
    item = copy.deepcopy(sample("story_item_PARTIAL")["itemList"][0])
    item["video"] = copy.deepcopy(sample("web_item_video_1080hevc_540h264")["itemList"][0]["video"])
    return {**item, **changes}


def photo_item(slides: int = 2, **changes: Any) -> dict[str, Any]:
    """Constructed: the partly recorded story as a photo, with the slides of a recorded one."""
    recorded = sample("page_photo_2_images")["__DEFAULT_SCOPE__"]["webapp.video-detail"]
    post = copy.deepcopy(recorded["itemInfo"]["itemStruct"])
    post["imagePost"]["images"] = post["imagePost"]["images"][:slides]
    item = story_item(imagePost=post["imagePost"], video=post["video"])
    return {**item, **changes}


def listing(*items: Any, **changes: Any) -> bytes:
    """Constructed: the list around items; no full list was ever published."""
    return body({"statusCode": 0, "itemList": list(items), "HasMoreAfter": False, **changes})


def read(answer: bytes, *, now: datetime = NOW) -> StoryPage:
    return wire.story_page(answer, SAMPLE, now=now)


# --- accounts ---------------------------------------------------------------------------------


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


CODES = {
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
    10223: errors.UpstreamChanged,
    10231: errors.RegionLocked,
    5: errors.UpstreamChanged,
    -1: errors.UpstreamChanged,
}


@pytest.mark.parametrize(("code", "kind"), CODES.items())
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


CHALLENGE = b'<html>Please wait...<script id="slardar-config">SlardarWAF</script></html>'


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (b"", errors.Refused),
        (b" \n ", errors.Refused),
        (b'<html><meta id="tiktok-environment"></html>', errors.Refused),
        (b"<html><script src=mssdk.js></script></html>", errors.Refused),
        (CHALLENGE, errors.Challenged),
    ],
    ids=["nothing", "blank", "shell", "shell script", "challenge"],
)
def test_pages_that_turn_us_away(html: bytes, kind: type[StoriesError]) -> None:
    readers: list[Callable[[], object]] = [
        lambda: wire.profile_author(html, ASKED),
        lambda: wire.embed_author(html, "sample.user"),
        lambda: wire.page_item(html, STORY_ID, now=NOW),
        lambda: wire.embed_item(html, STORY_ID, now=NOW),
        lambda: read(html),
    ]
    for reader in readers:
        with pytest.raises(kind):
            reader()


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
        (embed_state(code=999), errors.UpstreamChanged),
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


# --- the list ---------------------------------------------------------------------------------


def test_partly_recorded_story_as_it_is() -> None:
    """Its addresses were replaced by ones outside the allow-list, so it has nothing to fetch."""
    answer = body(sample("story_item_PARTIAL"))
    found = read(answer)
    assert found.stories == ()
    assert found.dropped == {"no_media": 1}
    assert found.listed_ids == {STORY_ID}
    assert not found.has_more
    assert found.next_cursor == "1775589637000"
    assert read(answer, now=LEAVES).dropped == {"expired": 1}


def test_story_as_constructed() -> None:
    (story,) = read(listing(story_item())).stories
    assert story.id == STORY_ID
    assert story.kind is StoryKind.VIDEO
    assert story.is_story
    assert (story.posted_at, story.leaves_at) == (POSTED, LEAVES)
    assert story.caption == "story test"
    assert story.author == Author(id=USER_ID, name="sample.user", nickname="Sample Name")
    assert story.source_url == f"https://www.tiktok.com/@sample.user/story/{STORY_ID}"
    assert story.song is None
    (media,) = story.media
    assert (media.kind, media.position, media.duration_s) == (MediaKind.VIDEO, 1, 18.0)


@pytest.mark.parametrize(
    ("name", "sizes", "best_hevc"),
    [
        (
            "web_item_video_1080hevc_540h264",
            [("hevc", 1080), ("hevc", 720), ("h264", 576), ("hevc", 576), ("h264", 576)],
            1080,
        ),
        (
            "web_item_video_720hevc_540h264",
            [("h264", 576), ("hevc", 720), ("hevc", 576), ("h264", 576)],
            720,
        ),
    ],
)
def test_recorded_list_items(name: str, sizes: list[tuple[str, int]], best_hevc: int) -> None:
    data = sample(name)
    answer, item = body(data), data["itemList"][0]
    posted = datetime.fromtimestamp(item["createTime"], UTC)
    # The recording is of posts: read an hour after posting, it stands in for a story.
    recorded = datetime.fromtimestamp(data["extra"].pop("now") / 1000, UTC)
    found = read(body(data), now=posted + timedelta(hours=1))
    (media,) = found.stories[0].media
    clean = [variant for variant in media.variants if not variant.watermarked]
    assert [(variant.codec, variant.width) for variant in clean] == sizes
    assert all(len(variant.urls) == 3 for variant in clean)
    assert [variant.watermarked for variant in media.variants].count(True) == 1
    assert media.variants[-1].watermarked
    assert all(variant.expires_at for variant in media.variants)
    best = rank(media)
    assert (best[0].variant.codec, best[0].variant.width, best[0].labels) == ("h264", 576, ())
    assert best[-1].labels == ("watermarked",)
    highest = rank(media, "highest")[0]
    assert (highest.variant.width, highest.labels) == (best_hevc, ("hevc",))
    # By its own clock, four months later, nothing of it is left.
    later = read(answer, now=recorded - timedelta(hours=1))
    assert later.dropped == {"expired": 1}
    assert later.server_now == recorded


def test_default_rendition_is_merged_not_repeated() -> None:
    """`playAddr`, `PlayAddrStruct` and one gear are the same file."""
    (story,) = read(listing(story_item())).stories
    (media,) = story.media
    urls = [url for variant in media.variants for url in variant.urls]
    assert len(urls) == len(set(urls))
    best = rank(media)[0].variant
    assert (best.size_bytes, best.bitrate, best.height) == (926762, 404677, 1024)
    assert best.expires_at == datetime.fromtimestamp(1761112959, UTC)


def test_photo_stories() -> None:
    (one,) = read(listing(photo_item(1))).stories
    (two,) = read(listing(photo_item(2))).stories
    assert (one.kind, two.kind) == (StoryKind.PHOTO, StoryKind.CAROUSEL)
    assert [media.position for media in two.media] == [1, 2]
    assert {media.kind for media in two.media} == {MediaKind.PICTURE}
    (variant,) = two.media[0].variants
    assert (variant.width, variant.height, len(variant.urls)) == (1080, 1436, 2)
    assert variant.expires_at == datetime.fromtimestamp(1790262000, UTC)
    assert two.source_url.endswith(f"/@sample.user/story/{STORY_ID}")


def test_song_comes_with_pictures_only() -> None:
    song = sample("web_item_video_1080hevc_540h264")["itemList"][0]["music"]
    (photo,) = read(listing(photo_item(music=song))).stories
    assert photo.song is not None
    assert (photo.song.kind, photo.song.position, photo.song.duration_s) == ("song", 0, 17.0)
    (variant,) = photo.song.variants
    # From the path: 0x68f624de.
    assert variant.expires_at == datetime.fromtimestamp(0x68F624DE, UTC)
    (video,) = read(listing(story_item(music=song))).stories
    assert video.song is None


def test_a_slide_we_may_not_fetch_is_counted_not_hidden() -> None:
    item = photo_item()
    item["imagePost"]["images"][0]["imageURL"]["urlList"] = ["https://cdn.example/x.jpeg"]
    (story,) = read(listing(item)).stories
    assert story.kind is StoryKind.CAROUSEL
    assert [len(media.variants) for media in story.media] == [0, 1]


DROPPED: dict[str, tuple[dict[str, Any], str | None]] = {
    "kept": ({}, None),
    "another author": ({"author": {"id": "1", "uniqueId": "sample.user"}}, "foreign"),
    "another name, no id": ({"author": {"uniqueId": "other"}}, "foreign"),
    "no author": ({"author": None}, "foreign"),
    "same name, no id": ({"author": {"uniqueId": "Sample.User"}}, None),
    "renamed": ({"author": {"id": USER_ID, "uniqueId": "new.name"}}, None),
    "private": ({"privateItem": True}, "private"),
    "secret": ({"secret": True}, "private"),
    "advertisement": ({"isAd": True}, "ad"),
    "expired now": ({"story": {"ExpiredAt": int(NOW.timestamp()) * 1000}}, "expired"),
    "expires next second": ({"story": {"ExpiredAt": (int(NOW.timestamp()) + 1) * 1000}}, None),
    "expiry as text": ({"story": {"ExpiredAt": str(int(NOW.timestamp()) * 1000)}}, "expired"),
    "no expiry": ({"story": {}}, None),
    "no story object": ({"story": None}, None),
    "expiry before posting": ({"story": {"ExpiredAt": 1_600_000_000_000}}, None),
    "old, no expiry": ({"story": {}, "createTime": 1_700_000_000}, "expired"),
    "no video": ({"video": None}, "no_media"),
    "video of a wrong type": ({"video": ["x"]}, "no_media"),
    "empty addresses": ({"video": {"playAddr": "", "bitrateInfo": []}}, "no_media"),
    "age gate": ({"video": {}, "isContentClassified": True}, "age_restricted"),
    "classified with media": ({"isContentClassified": True}, None),
    "photo before its slides": ({"imagePost": {"images": []}}, "not_ready"),
    "photo without a list": ({"imagePost": {}}, "not_ready"),
    "slides of a wrong type": ({"imagePost": {"images": {"x": 1}}}, "not_ready"),
    "slides without addresses": ({"imagePost": {"images": [{}, None, 3]}}, "no_media"),
    "endless slides": ({"imagePost": {"images": [{}] * 101}}, "unreadable"),
    "no id": ({"id": None}, "unreadable"),
    "id is hostile": ({"id": "../../1"}, "unreadable"),
    "id as number": ({"id": int(STORY_ID)}, None),
    "no time: taken from the id": ({"createTime": None}, None),
    "time as text": ({"createTime": "1775589637"}, None),
    "time is nonsense": ({"createTime": 1e300}, None),
}


@pytest.mark.parametrize(("changes", "reason"), DROPPED.values(), ids=DROPPED.keys())
def test_trust_rules(changes: dict[str, Any], reason: str | None) -> None:
    found = read(listing(story_item(**changes)))
    assert found.dropped == ({} if reason is None else {reason: 1})
    assert len(found.stories) == (1 if reason is None else 0)
    for story in found.stories:
        assert story.author.id == USER_ID
        assert story.posted_at == POSTED


def test_renamed_author_is_told_by_the_item() -> None:
    answer = listing(story_item(author={"id": USER_ID, "uniqueId": "New.Name"}))
    known = Author(id=USER_ID, name="old.name", nickname="N", sec_uid=SEC_UID, private=False)
    (story,) = wire.story_page(answer, known, now=NOW).stories
    assert story.author == Author(
        id=USER_ID, name="new.name", nickname="N", sec_uid=SEC_UID, private=False
    )


@pytest.mark.parametrize("flag", ["privateAccount", "secret"])
def test_a_private_author_ends_the_list(flag: str) -> None:
    hidden = story_item(author={"id": USER_ID, "uniqueId": "sample.user", flag: True})
    public = story_item(id="7626099422044159983")
    with pytest.raises(errors.PrivateAccount):
        read(listing(public, hidden))
    by_name = story_item(author={"uniqueId": "Sample.User", flag: "true"})
    with pytest.raises(errors.PrivateAccount):
        read(listing(by_name))
    # Someone else's flag says nothing about the account asked for.
    foreign = story_item(author={"id": "68", "uniqueId": "other", flag: True})
    assert read(listing(foreign, public)).dropped == {"foreign": 1}


@pytest.mark.parametrize("owner", [{"uniqueId": ""}, {}, {"id": USER_ID}, {"id": USER_ID, "x": 1}])
def test_an_account_known_by_its_id_alone_needs_a_name(owner: dict[str, Any]) -> None:
    answer = listing(story_item(author=owner))
    found = wire.story_page(answer, Author(id=USER_ID, name=""), now=NOW)
    assert found.stories == ()
    assert found.dropped == {"unreadable" if "id" in owner else "foreign": 1}


def test_what_was_left_out_is_told_by_id() -> None:
    second = story_item(id="7626099422044159983", isAd=True)
    found = read(listing(story_item(privateItem=True), second, None))
    assert found.left_out == {STORY_ID: "private", "7626099422044159983": "ad"}
    assert found.dropped == {"private": 1, "ad": 1, "unreadable": 1}


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("expired", errors.Gone),
        ("private", errors.PrivatePost),
        ("age_restricted", errors.AgeRestricted),
        ("not_ready", errors.MediaUnavailable),
        ("no_media", errors.UpstreamChanged),
        ("unreadable", errors.UpstreamChanged),
        ("foreign", None),
        ("ad", None),
    ],
)
def test_what_a_reason_means_for_the_one_item(reason: str, kind: type[StoriesError] | None) -> None:
    error = wire.left_out_error(reason)
    assert error is None if kind is None else type(error) is kind


def test_ordered_and_each_once() -> None:
    second = story_item(id="7626099422044159983", createTime=1775589700)
    found = read(listing(second, story_item(), second, story_item(isAd=True), "junk", None))
    assert [story.id for story in found.stories] == [STORY_ID, "7626099422044159983"]
    assert found.dropped == {"unreadable": 2}
    assert found.listed_ids == {STORY_ID, "7626099422044159983"}


def test_server_clock_wins() -> None:
    late = int((LEAVES + timedelta(seconds=1)).timestamp()) * 1000 + 500
    found = read(listing(story_item(), extra={"now": late}))
    assert found.dropped == {"expired": 1}
    assert found.server_now == LEAVES + timedelta(seconds=1.5)


@pytest.mark.parametrize("days", [-400, -1.1, 1.1, 400])
def test_a_server_clock_that_cannot_be_is_not_believed(days: float) -> None:
    told = int((NOW + timedelta(days=days)).timestamp()) * 1000
    found = read(listing(story_item(), extra={"now": told}))
    assert len(found.stories) == 1
    assert found.server_now is None


EMPTY = {
    "list absent": {"statusCode": 0},
    "other spelling": {"status_code": 0},
    "both spellings": {"statusCode": 0, "status_code": 0, "status_msg": ""},
    "list empty": {"statusCode": 0, "itemList": []},
    "list null": {"statusCode": 0, "itemList": None, "TotalCount": "0"},
    "code as text": {"statusCode": "0", "itemList": []},
    "no code, but a list": {"itemList": []},
}


@pytest.mark.parametrize("answer", EMPTY.values(), ids=EMPTY.keys())
def test_no_active_story(answer: dict[str, Any]) -> None:
    found = read(body(answer))
    assert (found.stories, found.dropped, found.has_more) == ((), {}, False)
    assert not found.total


def test_byte_order_mark_and_blanks_are_skipped() -> None:
    assert read(b"\xef\xbb\xbf\r\n" + listing()).stories == ()


@pytest.mark.parametrize(
    ("given", "cursor"),
    [
        ({"MaxCursor": 1775589637000}, "1775589637000"),
        ({"MaxCursor": "1775589637000"}, "1775589637000"),
        ({"MaxCursor": 1775589637000.0}, "1775589637000"),
        ({"MaxCursor": "x"}, "1775589637000"),
        ({"MaxCursor": 0}, "0"),
        ({}, "1775589637000"),
        ({"itemList": []}, None),
    ],
    ids=["number", "text", "float", "nonsense", "zero", "from the last item", "nothing"],
)
def test_cursor(given: dict[str, Any], cursor: str | None) -> None:
    assert read(listing(story_item(), **given)).next_cursor == cursor


@pytest.mark.parametrize(
    ("told", "more"),
    [
        *[(told, True) for told in (True, 1, "true", "1", "True")],
        *[(told, False) for told in (False, 0, "false", "0", "", None, [1], 2)],
    ],
)
def test_has_more(told: Any, *, more: bool) -> None:
    assert read(listing(HasMoreAfter=told)).has_more is more


@pytest.mark.parametrize(
    ("told", "total"), [("3", 3), (3, 3), (0, 0), (None, None), ("many", None), (-1, None)]
)
def test_total(told: Any, total: int | None) -> None:
    assert read(listing(TotalCount=told)).total == total


LIST_ERRORS: dict[str, tuple[bytes, type[StoriesError]]] = {
    "zero bytes": (b"", errors.Refused),
    "verify_event": (body({"code": "10000", "verify_event": "", "x": 1}), errors.Refused),
    "verify_event without a code": (body({"verify_event": "x", "itemList": []}), errors.Refused),
    "verify code alone": (body({"code": "10000", "type": "verify"}), errors.Refused),
    "HTML": (b"<!DOCTYPE html><html>hello</html>", errors.UpstreamChanged),
    "challenge": (CHALLENGE, errors.Challenged),
    "no code, no list": (body({"x": 1}), errors.UpstreamChanged),
    "code is a list": (body({"statusCode": []}), errors.UpstreamChanged),
    "code is a boolean": (body({"statusCode": False}), errors.UpstreamChanged),
    "code is NaN": (b'{"statusCode": NaN}', errors.UpstreamChanged),
    "list is an object": (body({"statusCode": 0, "itemList": {}}), errors.UpstreamChanged),
    "list is a number": (body({"statusCode": 0, "itemList": 0}), errors.UpstreamChanged),
    "list is endless": (listing(*[{}] * 201), errors.UpstreamChanged),
    "array": (b"[]", errors.UpstreamChanged),
    "string": (b'"x"', errors.UpstreamChanged),
    "null": (b"null", errors.UpstreamChanged),
    "cut short": (listing(story_item())[:-40], errors.UpstreamChanged),
    "nested deeply": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, errors.UpstreamChanged),
    "nested arrays": (b'{"a":' + b"[" * 100_000, errors.UpstreamChanged),
    "too many values": (b'{"a":[' + b"0," * 400_001 + b"0]}", errors.UpstreamChanged),
    "endless number": (b'{"statusCode":' + b"9" * 10_000 + b"}", errors.UpstreamChanged),
    "UTF-16": (listing().decode().encode("utf-16"), errors.UpstreamChanged),
    "binary": (bytes(range(256)), errors.UpstreamChanged),
}


@pytest.mark.parametrize(("answer", "kind"), LIST_ERRORS.values(), ids=LIST_ERRORS.keys())
def test_an_unreadable_list_is_never_no_story(answer: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind) as failure:
        read(answer)
    assert type(failure.value) is kind


@pytest.mark.parametrize(
    ("dropped", "kind"),
    [
        ({}, None),
        ({"expired": 3, "private": 1, "ad": 1}, None),
        ({"expired": 1, "no_media": 1}, errors.UpstreamChanged),
        ({"unreadable": 2}, errors.UpstreamChanged),
        ({"foreign": 2}, errors.UpstreamChanged),
        ({"not_ready": 1, "no_media": 1}, errors.MediaUnavailable),
        ({"age_restricted": 1}, errors.AgeRestricted),
    ],
)
def test_nothing_kept_is_not_always_nothing_there(
    dropped: dict[str, int], kind: type[StoriesError] | None
) -> None:
    error = wire.empty_list_error(dropped)
    assert error is None if kind is None else isinstance(error, kind)


# --- media ------------------------------------------------------------------------------------

HOST = "https://v16-webapp-prime.tiktok.com"


def renditions(**video: Any) -> list[Any]:
    """What is read from a constructed `video`."""
    found = read(listing(story_item(video=video)))
    return list(found.stories[0].media[0].variants) if found.stories else []


def gear(codec: Any, key: Any = "", path: str = "a", **facts: Any) -> dict[str, Any]:
    address = {"UrlList": [f"{HOST}/{path}/"], "UrlKey": key, **facts}
    return {"CodecType": codec, "PlayAddr": address, "Bitrate": 1}


@pytest.mark.parametrize(
    ("codec", "key", "read_as"),
    [
        ("h264", "", "h264"),
        ("H264", "", "h264"),
        ("", "v0_h264_540p_1", "h264"),
        (None, "v0_h264_540p_1", "h264"),
        ("h265_hvc1", "v0_h264_540p_1", "h264"),
        ("h265_hvc1", "v0_bytevc1_540p_1", "hevc"),
        ("h265", "", "hevc"),
        ("", "v0_bytevc1_540p_1", "hevc"),
        ("bytevc1", "", "hevc"),
        ("bytevc2", "", "h266"),
        ("h266", "", "h266"),
        ("", "v0_bytevc2_540p_1", "h266"),
        ("av1", "", "av1"),
        (None, None, None),
        (7, [1], None),
    ],
)
def test_codec(codec: Any, key: Any, read_as: str | None) -> None:
    (variant,) = renditions(bitrateInfo=[gear(codec, key)])
    assert variant.codec == read_as


def test_gears_may_be_a_single_object() -> None:
    (variant,) = renditions(bitrateInfo=gear("h264", Width="576", Height=0, DataSize="12"))
    assert (variant.width, variant.height, variant.size_bytes) == (576, None, 12)


def test_play_address_may_be_a_list_of_sources() -> None:
    (variant,) = renditions(playAddr=[{"src": f"{HOST}/x/"}, {"src": 3}, None], width=576)
    assert (variant.urls, variant.codec, variant.width) == ((f"{HOST}/x/",), "h264", 576)


def test_default_rendition_says_when_it_is_not_h264() -> None:
    (variant,) = renditions(playAddr=f"{HOST}/x/", codecType="h265_hvc1")
    assert variant.codec == "hevc"


def test_save_video_file_is_watermarked_unless_it_is_the_clean_one() -> None:
    clean, marked = renditions(playAddr=f"{HOST}/x/?a=1", downloadAddr=f"{HOST}/y/?a=1")
    assert (clean.watermarked, marked.watermarked) == (False, True)
    (only,) = renditions(playAddr=f"{HOST}/x/?a=1", downloadAddr=f"{HOST}/x/?a=2")
    assert not only.watermarked


def test_same_object_on_signed_paths_is_one_file() -> None:
    one = f"https://v16m.tiktokcdn.com/{'0' * 32}/68f624df/video/x/?a=1"
    two = f"https://v19.tiktokcdn-us.com/{'1' * 32}/68f624de/video/x/?a=1"
    (variant,) = renditions(
        bitrateInfo=[gear("h264") | {"PlayAddr": {"UrlList": [one]}}], playAddr=two
    )
    assert variant.urls == (one, two)
    assert variant.expires_at == datetime.fromtimestamp(0x68F624DE, UTC)


def test_play_endpoint_does_not_make_two_files_one() -> None:
    play = "https://www.tiktok.com/aweme/v1/play/?file_id="
    gears = [gear("h264", UrlList=[play + "1"]), gear("h265", UrlList=[play + "2"])]
    assert [variant.codec for variant in renditions(bitrateInfo=gears)] == ["h264", "hevc"]


ADDRESSES = {
    "https": (f"{HOST}/x/?a=1&b=%2F", True),
    "standard port": ("https://v16.tiktokcdn.com:443/x", True),
    "upper-case host": ("https://V16.TikTokCDN.com/x", True),
    "second-level hosts": ("https://p16.ibyteimg.com/x", True),
    "http": ("http://v16.tiktokcdn.com/x", False),
    "no scheme": ("//v16.tiktokcdn.com/x", False),
    "another site": ("https://cdn.example/x", False),
    "akamai": ("https://v16m-default.akamaized.net/x", False),
    "look-alike": ("https://tiktokcdn.com.evil.example/x", False),
    "look-alike prefix": ("https://eviltiktokcdn.com/x", False),
    "bare domain": ("https://tiktokcdn.com/x", False),
    "user part": ("https://v16.tiktokcdn.com@evil.example/x", False),
    "user part before ours": ("https://a@v16.tiktokcdn.com/x", False),
    "odd port": ("https://v16.tiktokcdn.com:8443/x", False),
    "trailing dot": ("https://v16.tiktokcdn.com./x", False),
    "loopback": ("https://127.0.0.1/x", False),
    "IPv6": ("https://[::1]/x", False),
    "backslash": ("https://evil.example\\.tiktokcdn.com/x", False),
    "backslash in path": ("https://v16.tiktokcdn.com\\@evil.example/x", False),
    "blank": ("https://v16.tiktokcdn.com/x y", False),
    "line end": ("https://v16.tiktokcdn.com/x\r\nX: y", False),
    "final line end": ("https://v16.tiktokcdn.com/x\n", False),
    "fragment": ("https://v16.tiktokcdn.com/x#y", False),
    "not ASCII": ("https://v16.tiktokcdn.com/é", False),
    "no path": ("https://v16.tiktokcdn.com", False),
    "file": ("file:///etc/passwd", False),
    "endless": ("https://v16.tiktokcdn.com/" + "x" * 5000, False),
    "number": (3, False),
    "nothing": ("", False),
}


@pytest.mark.parametrize(("address", "kept"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_addresses_we_may_use(address: Any, *, kept: bool) -> None:
    assert bool(renditions(playAddr=address)) is kept
    assert bool(renditions(bitrateInfo=[gear("h264", UrlList=[address])])) is kept


@pytest.mark.parametrize(
    ("address", "unix"),
    [
        (f"{HOST}/x/?a=1&expire=1788747946&l=2", 1788747946),
        (f"{HOST}/x/?x-expires=1790262000&x-signature=A", 1790262000),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 32}/6ab53c54/video/x/?a=1", 0x6AB53C54),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 31}/6ab53c54/video/x/", None),
        (f"https://v45.tiktokcdn-eu.com/{'0' * 32}/00000001/video/x/", None),
        (f"{HOST}/x/?notexpire=1788747946", None),
        (f"{HOST}/x/?expire=soon", None),
        (f"{HOST}/x/?expire=99999999999", None),
        (f"{HOST}/x/", None),
    ],
    ids=[
        "expire",
        "x-expires",
        "hex",
        "not hex",
        "hex of 1970",
        "other name",
        "words",
        "far",
        "none",
    ],
)
def test_expiry(address: str, unix: int | None) -> None:
    (variant,) = renditions(playAddr=address)
    assert variant.expires_at == (None if unix is None else datetime.fromtimestamp(unix, UTC))


def test_earliest_mirror_sets_the_expiry() -> None:
    urls = [f"{HOST}/x/?expire=1788747946", f"{HOST}/x/", f"{HOST}/x/?expire=1788747000"]
    (variant,) = renditions(bitrateInfo=[gear("h264", UrlList=urls)])
    assert variant.expires_at == datetime.fromtimestamp(1788747000, UTC)


def test_lists_of_renditions_and_mirrors_are_bounded() -> None:
    many = [gear("h264", path=str(number)) for number in range(5000)]
    assert len(renditions(bitrateInfo=many)) <= wire.MAX_RENDITIONS + 1
    (variant,) = renditions(
        bitrateInfo=[gear("h264", UrlList=[f"{HOST}/x/?a={n}" for n in range(5000)])]
    )
    assert len(variant.urls) <= wire.MAX_MIRRORS


@pytest.mark.parametrize(
    ("told", "seconds"),
    [(18, 18.0), ("92", 92.0), (1.5, 1.5), (0, None), (-1, None), (1e9, None), (None, None)],
)
def test_duration(told: Any, seconds: float | None) -> None:
    (story,) = read(listing(story_item(video={"playAddr": f"{HOST}/x/", "duration": told}))).stories
    assert story.media[0].duration_s == seconds


@pytest.mark.parametrize(
    ("told", "caption"),
    [
        ("  Ünïcode 🔭\nsecond line ", "Ünïcode 🔭\nsecond line"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("nul\x00 bell\x07 \x9b esc\x1b", "nul bell  esc"),
        ("half \ud83d pair", "half  pair"),
        ("x" * 100_000, "x" * wire.MAX_CAPTION),
        (None, ""),
        (["x"], ""),
        ("../../etc/passwd", "../../etc/passwd"),
    ],
    ids=["unicode", "line ends", "controls", "surrogate", "endless", "none", "list", "path"],
)
def test_caption(told: Any, caption: str) -> None:
    (story,) = read(listing(story_item(desc=told))).stories
    assert story.caption == caption
    story.caption.encode()


# --- single items -----------------------------------------------------------------------------


def detail(item: Any, key: str = "webapp.video-detail", **changes: Any) -> bytes:
    return scope(key, {"statusCode": 0, "itemInfo": {"itemStruct": item}, **changes})


def test_recorded_photo_page() -> None:
    story = wire.page_item(page(sample("page_photo_2_images")), PHOTO_ID, now=NOW)
    assert (story.kind, story.is_story, story.leaves_at) == (StoryKind.CAROUSEL, False, None)
    assert story.posted_at == datetime.fromtimestamp(1788540697, UTC)
    assert story.caption == "Sample caption 🔭"
    assert story.song is None, "its address was cut from the recording"
    assert story.source_url == f"https://www.tiktok.com/@sample.user/photo/{PHOTO_ID}"
    assert [media.variants[0].height for media in story.media] == [1436, 1424]


def test_recorded_video_page() -> None:
    story = wire.page_item(page(sample("page_video_captions")), "7686905692303510270", now=NOW)
    (media,) = story.media
    clean, marked = media.variants
    assert (clean.codec, clean.width, clean.height) == ("h264", 720, 1280)
    assert (clean.size_bytes, clean.bitrate, media.duration_s) == (10727129, 926049, 92.0)
    assert (clean.watermarked, marked.watermarked) == (False, True)
    assert story.author.id == USER_ID
    assert story.source_url.endswith("/@sample.user/video/7686905692303510270")


def test_recorded_gears_page_without_author_id_or_time() -> None:
    html = page(sample("page_video_bitrateinfo_h264_only"))
    story = wire.page_item(html, "7047596189440589551", now=NOW)
    assert story.author == Author(id="", name="sample.user", nickname="Sample Name")
    assert story.posted_at == datetime.fromtimestamp(7047596189440589551 >> 32, UTC)
    ranked = rank(story.media[0])
    assert [choice.variant.size_bytes for choice in ranked] == [5076682, 2969386]
    assert [len(choice.variant.urls) for choice in ranked] == [2, 2]


def test_recorded_missing_item() -> None:
    with pytest.raises(errors.Unavailable, match="10204"):
        wire.page_item(page(sample("page_video_10204")), VIDEO_ID, now=NOW)


def test_story_page_of_a_story() -> None:
    for key in ("webapp.video-detail", "webapp.reflow.video.detail"):
        story = wire.page_item(detail(story_item(), key), STORY_ID, now=NOW)
        assert (story.is_story, story.leaves_at) == (True, LEAVES)
        assert story.source_url.endswith(f"/@sample.user/story/{STORY_ID}")


AUTHOR = {"id": USER_ID, "uniqueId": "sample.user"}

ITEM_ERRORS: dict[str, tuple[bytes, type[StoriesError]]] = {
    "expired": (detail(story_item(story={"ExpiredAt": 1775589638000})), errors.Gone),
    "private post": (detail(story_item(privateItem=True)), errors.PrivatePost),
    "private author": (
        detail(story_item(author={**AUTHOR, "privateAccount": True})),
        errors.PrivateAccount,
    ),
    "age gate": (detail(story_item(video=None, isContentClassified=True)), errors.AgeRestricted),
    "slides not listed": (detail(story_item(imagePost={"images": []})), errors.MediaUnavailable),
    "no media": (detail(story_item(video={})), errors.UpstreamChanged),
    "another item": (detail(story_item(id=VIDEO_ID)), errors.UpstreamChanged),
    "no item": (detail(None), errors.UpstreamChanged),
    "no author": (detail(story_item(author={})), errors.UpstreamChanged),
    "no time at all": (detail(story_item(createTime=None, id="1")), errors.UpstreamChanged),
    "no detail": (scope("other", {}), errors.UpstreamChanged),
    "page not found": (scope("webapp.video-detail", {"statusCode": 10202}), errors.Unavailable),
    "unknown code": (scope("webapp.video-detail", {"statusCode": 77}), errors.UpstreamChanged),
    "under review": (scope("webapp.video-detail", {"statusCode": 10215}), errors.PrivatePost),
    "private code": (scope("webapp.video-detail", {"statusCode": 10216}), errors.PrivatePost),
    "region": (scope("webapp.video-detail", {"statusCode": 10231}), errors.RegionLocked),
    "region, other": (scope("webapp.video-detail", {"statusCode": 10219}), errors.RegionLocked),
    "login": (scope("webapp.video-detail", {"statusCode": 10102}), errors.LoginRequired),
    "captcha": (scope("webapp.video-detail", {"statusCode": 10101}), errors.Refused),
}


@pytest.mark.parametrize(("html", "kind"), ITEM_ERRORS.values(), ids=ITEM_ERRORS.keys())
def test_item_errors(html: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind) as failure:
        wire.page_item(html, STORY_ID, now=NOW)
    assert type(failure.value) is kind


def embed_page(**changes: Any) -> bytes:
    """Constructed from the described embed dialect; none was recorded."""
    found = {
        "itemInfos": {
            "id": STORY_ID,
            "text": "story test",
            "createTime": "1775589637",
            "video": {
                "urls": [f"{HOST}/x/?a=1", f"{HOST}/x/?a=2"],
                "videoMeta": {"width": 576, "height": 1024, "duration": 9},
            },
        },
        "authorInfos": {"userId": USER_ID, "uniqueId": "Sample.User", "nickName": "x"},
        "musicInfos": {"playUrl": [f"{HOST}/song/"]},
    }
    return embed(
        {"source": {"data": {f"/embed/v2/{STORY_ID}": {"videoData": {**found, **changes}}}}}
    )


def test_embedded_video() -> None:
    post = wire.embed_item(embed_page(), STORY_ID, now=NOW)
    assert (post.is_story, post.leaves_at, post.caption) == (False, None, "story test")
    assert (post.author.id, post.author.name) == (USER_ID, "sample.user")
    (media,) = post.media
    (variant,) = media.variants
    assert (len(variant.urls), variant.width, variant.codec) == (2, 576, None)
    assert media.duration_s == 9.0
    story = wire.embed_item(embed_page(), STORY_ID, now=NOW, is_story=True)
    assert (story.is_story, story.leaves_at) == (True, LEAVES)
    with pytest.raises(errors.Gone):
        wire.embed_item(embed_page(), STORY_ID, now=LEAVES, is_story=True)


def test_embedded_pictures() -> None:
    images = [{"urlList": [f"{HOST}/p.jpeg"], "width": 1080, "height": 1436}, {"urlList": []}]
    html = embed_page(imagePostInfo={"displayImages": images})
    story = wire.embed_item(html, STORY_ID, now=NOW)
    assert story.kind is StoryKind.CAROUSEL
    assert story.media[0].variants[0].height == 1436
    assert story.media[1].variants == ()


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (embed_page(itemInfos=None), errors.Unavailable),
        (embed_page(itemInfos={"id": VIDEO_ID}), errors.UpstreamChanged),
        (embed_page(itemInfos={"id": STORY_ID, "video": {}}), errors.UpstreamChanged),
        (embed_page(authorInfos=None), errors.UpstreamChanged),
        (embed_page(authorInfos={**AUTHOR, "secret": True}), errors.PrivateAccount),
        (embed_page(imagePostInfo={"displayImages": []}), errors.MediaUnavailable),
        (embed({"source": {"data": {"/embed/v2/1": {}}}}), errors.UpstreamChanged),
    ],
    ids=["nothing", "other item", "no media", "no author", "private", "no slides", "no entry"],
)
def test_embedded_item_errors(html: bytes, kind: type[StoriesError]) -> None:
    with pytest.raises(kind):
        wire.embed_item(html, STORY_ID, now=NOW)


# --- pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        '<script id="{}" type="application/json">',
        '<script type="application/json" id="{}">',
        "<script id='{}'>",
        "<script id={}>",
        '<SCRIPT nonce="x" id="{}" >',
        '<script\n  id = "{}">',
    ],
)
def test_script_is_found_however_its_tag_is_written(tag: str) -> None:
    opening = tag.format("__UNIVERSAL_DATA_FOR_REHYDRATION__")
    html = f"<html>{opening}{json.dumps(sample('page_profile_ok'))}</script>".encode()
    assert wire.profile_author(html, ASKED).id == USER_ID


def test_script_name_inside_other_things_is_passed_over() -> None:
    name = "__UNIVERSAL_DATA_FOR_REHYDRATION__"
    noise = f'<p id="{name}">{{}}</p><script data-id="{name}">{{}}</script>{name} > ' * 3
    html = noise.encode() + page(sample("page_profile_ok"))
    assert wire.profile_author(html, ASKED).id == USER_ID


def test_unclosed_script_is_malformed() -> None:
    html = page(sample("page_profile_ok"))
    cut = html[: html.index(b"privateAccount")]
    with pytest.raises(errors.UpstreamChanged, match="malformed"):
        wire.profile_author(cut, ASKED)


# --- whatever comes ---------------------------------------------------------------------------

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=20),
        st.sampled_from([STORY_ID, "sample.user", f"{HOST}/x/", "0", "1e9", "\ud800", 10**30]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a JSON document sits."""
    if path:
        yield path
    if isinstance(node, dict | list):
        keys = node if isinstance(node, dict) else range(len(node))
        for key in keys:
            yield from places(node[key], (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


def read_all(document: Any) -> None:
    """Every reader over one document; only our own errors may come out."""
    readers: list[Callable[[], object]] = [
        lambda: read(body(document)),
        lambda: wire.profile_author(page(document), ASKED),
        lambda: wire.page_item(page(document), STORY_ID, now=NOW),
        lambda: wire.page_item(page(document), PHOTO_ID, now=NOW),
        lambda: wire.embed_author(embed(document), "sample.user"),
        lambda: wire.embed_item(embed(document), STORY_ID, now=NOW),
    ]
    for reader in readers:
        with suppress(StoriesError):
            result = reader()
            stories = [result] if isinstance(result, Story) else getattr(result, "stories", ())
            for story in stories:
                rank(*story.media[:1])
                f"{story.caption}{story.author.nickname}{story.source_url}".encode()


def documents() -> list[Any]:
    found = [
        {"statusCode": 0, "itemList": [story_item(), photo_item()], "HasMoreAfter": True},
        sample("page_profile_ok"),
        sample("page_photo_2_images"),
        sample("embed_profile"),
        {"__DEFAULT_SCOPE__": {"webapp.video-detail": {"itemInfo": {"itemStruct": story_item()}}}},
    ]
    state = json.loads(embed_page().split(b'application/json">')[1].split(b"</script>")[0])
    return [*found, state]


DOCUMENTS = documents()
PLACES = [(index, path) for index, found in enumerate(DOCUMENTS) for path in places(found)]


@pytest.mark.parametrize(
    "value",
    [None, True, -1, 1e400, 10**400, "", "x", "\ud800", [], {}, [[[]]], [None], {"": None}],
    ids=lambda value: repr(value)[:12],
)
def test_every_value_replaced(value: Any) -> None:
    """One value at a time, anywhere a reader looks, turned into something else."""
    for index, path in PLACES:
        if len(path) <= 9:
            read_all(changed(DOCUMENTS[index], path, value))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_anything_anywhere(place: tuple[int, tuple[Any, ...]], value: Any) -> None:
    index, path = place
    read_all(changed(DOCUMENTS[index], path, value))


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    script = b'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">'
    for answer in (raw, b"{" + raw, script + raw, script + b"{" + raw + b"}</script>"):
        with suppress(StoriesError):
            read(answer)
        with suppress(StoriesError):
            wire.profile_author(answer, ASKED)
        with suppress(StoriesError):
            wire.embed_author(answer, "sample.user")
