"""The JSON inside a page or an answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from stories import errors, wire
from stories.errors import StoriesError
from stories.wire.bodies import script_text
from tests.unit.stories.wire.payloads import (
    ASKED,
    CHALLENGE,
    NOW,
    STORY_ID,
    USER_ID,
    listing,
    page,
    read,
    sample,
)


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        (b"", errors.Refused),
        (b" \n ", errors.Refused),
        (b'<html><meta id="tiktok-environment"></html>', errors.Refused),
        (b"<html><script src=mssdk.js></script></html>", errors.Refused),
        (CHALLENGE, errors.Challenged),
        (b"<html><p>Please wait...</p></html>", errors.Challenged),
        (b'<html><script>{"verify_event":""}</script></html>', errors.Challenged),
        (b"<html><div id=bdturing-verify></div></html>", errors.Challenged),
        (b"<html>captcha, captcha</html>", errors.UpstreamChanged),
        (b"<html>verify_event" + b" " * 20_000 + b"</html>", errors.UpstreamChanged),
    ],
    ids=[
        "nothing",
        "blank",
        "shell",
        "shell script",
        "challenge",
        "one mark",
        "verify event",
        "captcha header",
        "the word alone",
        "too long for a check",
    ],
)
def test_pages_without_their_data(html: bytes, kind: type[StoriesError]) -> None:
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


def test_the_text_of_a_script_is_found_or_nothing() -> None:
    assert script_text(b'<script id="x" type="y">{"a":1}</script>', b"x") == b'{"a":1}'
    assert script_text(b"<script id=x>cut off", b"x") == b"cut off"
    assert script_text(b"<p id=x>no script</p>", b"x") is None
