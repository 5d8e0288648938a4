"""The JSON inside a page or an answer, and the codes that come with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from stories import errors, wire
from stories.errors import StoriesError
from tests.unit.stories.wire.payloads import (
    ASKED,
    CHALLENGE,
    NOW,
    STORY_ID,
    USER_ID,
    body,
    listing,
    page,
    read,
    sample,
    scope,
)

# --- accounts ---------------------------------------------------------------------------------


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


# --- the list ---------------------------------------------------------------------------------


def test_byte_order_mark_and_blanks_are_skipped() -> None:
    assert read(b"\xef\xbb\xbf\r\n" + listing()).stories == ()


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
