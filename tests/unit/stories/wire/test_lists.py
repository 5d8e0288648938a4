"""The story list, one page at a time, kept to the trust rules."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from stories import errors, wire
from stories.errors import StoriesError
from stories.structures import Author
from tests.unit.stories.wire.payloads import (
    CHALLENGE,
    LEAVES,
    NOW,
    POSTED,
    SAMPLE,
    SEC_UID,
    STORY_ID,
    USER_ID,
    body,
    listing,
    read,
    sample,
    story_item,
)

ALICE = Author(id="7", name="alice")


def test_partly_recorded_story_as_it_is() -> None:
    """Its addresses were replaced by ones outside the allow-list: named, and not asked."""
    answer = body(sample("story_item_PARTIAL"))
    found = read(answer)
    (story,) = found.stories
    assert [(media.variants, media.unknown_hosts) for media in story.media] == [
        ((), ("cdn.example",))
    ]
    assert found.listed_ids == {STORY_ID}
    assert not found.has_more
    assert found.next_cursor == "1775589637000"
    assert read(answer, now=LEAVES).dropped == {"expired": 1}


DROPPED: dict[str, tuple[dict[str, Any], str | None]] = {
    "kept": ({}, None),
    "another author": ({"author": {"id": "1", "uniqueId": "sample.user"}}, "foreign"),
    "another name, no id": ({"author": {"uniqueId": "other"}}, "foreign"),
    "no author": ({"author": None}, "unreadable"),
    "an author who is nobody": ({"author": {"nickname": "Sample"}}, "unreadable"),
    "same name, no id": ({"author": {"uniqueId": "Sample.User"}}, None),
    "renamed": ({"author": {"id": USER_ID, "uniqueId": "new.name"}}, None),
    "private": ({"privateItem": True}, "private"),
    "secret": ({"secret": True}, "private"),
    "the author's own advertisement": ({"isAd": True}, None),
    "another author's advertisement": ({"isAd": True, "author": {"id": "1"}}, "foreign_ad"),
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
    assert found.dropped == {"unreadable": 1}


NOBODY: dict[str, Any] = {
    "no author": None,
    "an empty one": {},
    "one of empty fields": {"id": "", "uniqueId": "", "nickname": "", "secUid": ""},
    "one of zeros": {"id": "0", "uniqueId": None},
    "text": "nobody",
}
WITHHELD: dict[str, tuple[dict[str, Any], str]] = {
    "for adults": ({"isContentClassified": True}, "age_restricted"),
    "a photo for adults": ({"isContentClassified": "1", "imagePost": {}}, "age_restricted"),
    "private": ({"privateItem": True}, "private"),
    "under review": ({"isReviewing": 1}, "not_ready"),
    "taken down": ({"takeDown": 1}, "expired"),
}


@pytest.mark.parametrize("owner", NOBODY.values(), ids=NOBODY.keys())
@pytest.mark.parametrize(("flags", "reason"), WITHHELD.values(), ids=WITHHELD.keys())
@pytest.mark.parametrize("asked", [SAMPLE, Author(id=USER_ID, name="")], ids=["name", "id"])
def test_an_item_that_was_emptied_says_why(
    owner: Any, flags: dict[str, Any], reason: str, asked: Author
) -> None:
    emptied = {"id": STORY_ID, "createTime": "0", "desc": "", "video": {}, "author": owner, **flags}
    found = wire.story_page(listing(emptied), asked, now=NOW)
    assert (found.stories, found.left_out) == ((), {STORY_ID: reason})


def test_a_flag_of_nobody_does_not_end_the_list() -> None:
    emptied = {"id": STORY_ID, "video": {}, "author": {"privateAccount": True}}
    found = read(listing(emptied, story_item(id="7626099422044159983")))
    assert (len(found.stories), found.left_out) == (1, {STORY_ID: "private"})


def test_what_was_left_out_is_told_by_id() -> None:
    second = story_item(id="7626099422044159983", isAd=True, author={"id": "1"})
    found = read(listing(story_item(privateItem=True), second, None))
    assert found.left_out == {STORY_ID: "private", "7626099422044159983": "foreign_ad"}
    assert found.dropped == {"private": 1, "foreign_ad": 1, "unreadable": 1}


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
        ("foreign_ad", None),
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


def test_words_of_no_meaning_leave_a_list_empty() -> None:
    found = read(body({"statusCode": 0, "statusMsg": "success", "itemList": []}))
    assert (found.stories, found.dropped) == ((), {})


def test_of_an_endless_page_the_first_entries_are_read_and_the_rest_is_counted() -> None:
    found = read(listing(story_item(), *[{}] * 199, story_item(id="7626099422044159983")))
    assert [story.id for story in found.stories] == [STORY_ID]
    assert found.dropped == {"unreadable": 200}
    assert found.details == {"unreadable": "itemList holds 201 entries"}


@pytest.mark.parametrize("total", [2, "2", " 2 ", 2.0])
def test_a_count_is_a_number_however_it_is_written(total: Any) -> None:
    assert read(listing(story_item(), TotalCount=total)).total == 2


def test_without_any_time_a_listed_story_is_over_when_it_is_beyond_doubt() -> None:
    later, author = LEAVES + timedelta(days=3), Author(id=USER_ID, name="sample.user")
    answer = listing(story_item())
    for doubt, kept in ((0, 0), (4, 1), (2, 0)):
        found = wire.story_page(answer, author, now=later, doubt=timedelta(days=doubt))
        assert len(found.stories) == kept
    told = listing(story_item(), extra={"now": int(later.timestamp() * 1000)})
    found = wire.story_page(told, author, now=later, doubt=timedelta(days=4))
    assert found.dropped == {"expired": 1}


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


UNCLEAR: tuple[Any, ...] = ([1], [], {}, 2, -1, "yes", "more", 1.5)


@pytest.mark.parametrize(
    ("told", "more"),
    [
        *[(told, True) for told in (True, 1, "true", "1", "True")],
        *[(told, False) for told in (False, 0, "false", "0", "", " False ", None, 0.0)],
        # Nobody's yes or no: the end of a list is not read out of it.
        *[(told, True) for told in UNCLEAR],
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
    "words alone": (body({"statusCode": 0, "statusMsg": "author_secret"}), errors.PrivateAccount),
    "words beside nothing": (
        body({"statusCode": 0, "itemList": [], "TotalCount": 0, "status_msg": "author_status"}),
        errors.NoSuchAccount,
    ),
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
        ({"expired": 3, "foreign_ad": 2}, None),
        ({"expired": 3, "private": 1, "foreign_ad": 1}, errors.PrivatePost),
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


def test_what_is_wrong_with_an_item_that_is_not_kept_is_said() -> None:
    page = read(
        listing(
            story_item(id="7626983010000000001", author={"id": "6800151821600654792"}),
            {**story_item(id="7626983010000000002"), "video": {}},
            {**story_item(), "id": None},
        )
    )
    assert page.details["no_media"] == "itemList[].video holds no rendition"
    assert page.details["unreadable"] == "itemList[].id is missing"
    assert all("http" not in detail for detail in page.details.values())


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": 0, "stories": [{"id": "7531111111111111111", "desc": ""}]},
        {"statusCode": 0, "data": {"list": [{"id": "7531111111111111111", "video": {}}]}},
    ],
)
def test_a_list_that_goes_by_another_name_is_not_no_story(answer: dict[str, Any]) -> None:
    with pytest.raises(errors.UpstreamChanged, match="itemList is missing, and"):
        wire.story_page(json.dumps(answer).encode(), ALICE, now=NOW)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"log_pb": {"impr_id": "1"}, "extra": {"now": 1, "fatal_item_ids": []}},
        {"extra": {"fatal_item_ids": ["7531111111111111111"]}, "tags": [{"id": 1}]},
    ],
)
def test_an_answer_without_any_list_is_no_story(more: dict[str, Any]) -> None:
    page = wire.story_page(json.dumps({"statusCode": 0, **more}).encode(), ALICE, now=NOW)
    assert (page.stories, page.explicit) == ((), False)
