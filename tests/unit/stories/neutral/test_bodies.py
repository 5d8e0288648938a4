"""A body that is taken apart and put together again is read like the one that came."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stories import challenge, wire
from stories.errors import StoriesError
from stories.neutral.bodies import neutral_body
from stories.neutral.substitutes import REFERENCE, Substitutes
from stories.structures import Author, Target, TargetKind
from tests.fake_tiktok import pages
from tests.neutral_samples import render
from tests.unit.stories.neutral.outcomes import shape, texts
from tests.unit.stories.wire.payloads import (
    NOW,
    PHOTO_ID,
    STORY_ID,
    USER_ID,
    VIDEO_ID,
    body,
    embed,
    page,
    sample,
    story_item,
)
from tests.unit.stories.wire.test_hostile_input import changed, places

SAMPLES = Path(__file__).parents[3] / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))


def substitutes() -> Substitutes:
    subs = Substitutes(NOW)
    subs.name("sample.user")
    return subs


def readers(name: str, item_ids: list[str], now: datetime) -> list[Callable[[bytes], object]]:
    """Every reader, asked for this account and these items."""
    asked = Target(kind=TargetKind.USER, name=name)
    author = Author(id="", name=name)
    made: list[Callable[[bytes], object]] = [
        lambda data: wire.profile_author(data, asked),
        lambda data: wire.embed_author(data, name),
        lambda data: wire.story_page(data, author, now=now),
        lambda data: wire.oembed_author_name(data),
    ]
    for item_id in item_ids:
        made.append(partial(wire.page_item, item_id=item_id, now=now))
        made.append(partial(wire.page_clue, item_id=item_id))
        made.append(partial(wire.embed_item, item_id=item_id, now=now))
    return made


def told(read: Callable[[bytes], object], data: bytes) -> object:
    """What a reader makes of it, without words, ids and times."""
    try:
        found = read(data)
    except StoriesError as error:
        return type(error).__name__, error.code
    match found:
        case wire.StoryPage():
            stories = tuple(map(shape, found.stories))
            return stories, dict(found.dropped), found.has_more, found.total
        case Author():
            return bool(found.id), bool(found.nickname), found.private, len(found.avatar_urls)
        case wire.ItemClue():
            return found.is_story, found.exists, found.author is None
        case str():
            return "a name"
    return shape(found)  # type: ignore[arg-type]  # a story


def outcomes(data: bytes, made: bytes, subs: Substitutes) -> Iterator[tuple[object, object]]:
    """What every reader makes of a body, and of its sample."""
    ids = [STORY_ID, PHOTO_ID, VIDEO_ID, "7047596189440589551"]
    before = readers("sample.user", ids, NOW)
    after = readers(subs.name("sample.user"), [subs.item_id(i) for i in ids], REFERENCE)
    for old, new in zip(before, after, strict=True):
        yield told(old, data), told(new, made)


def bodies_of(data: Any) -> list[bytes]:
    return [page(data), embed(data), body(data)]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_read_as_before(name: str) -> None:
    for data in bodies_of(sample(name)):
        if data.startswith(b"{") and challenge.is_challenge(data):
            continue  # a challenge before it is JSON
        subs = substitutes()
        made = render(json.loads(json.dumps(neutral_body(data, subs))))
        for before, after in outcomes(data, made, subs):
            assert after == before


@pytest.mark.parametrize("name", [name for name in NAMES if name != "waf_challenge_shape"])
def test_nobodys_words_are_left_in_it(name: str) -> None:
    """But in the one that is a description, in our own words."""
    for data in bodies_of(sample(name)):
        subs = substitutes()
        text = json.dumps(neutral_body(data, subs))
        for key, private in texts(sample(name)):
            if len(private) < 6 or key in {"", "GearName"}:
                continue
            if key.lower().endswith(("id", "nickname", "name", "desc", "title", "signature")):
                assert f'"{private}"' not in text, key
            _, mark, query = private.partition("?")
            for parameter in query.split("&") if mark else ():
                value = parameter.partition("=")[2]
                if len(value) > 9 and set(value) != {"0"}:
                    assert value in {"tt_chain_token", "video_mp4", "audio_mpeg"} or (
                        value not in text
                    ), parameter
        assert USER_ID not in text
        assert "sample.user" not in text
        assert "Sample" not in text


def test_every_value_replaced_by_another_type_is_read_as_before() -> None:
    document = {
        **sample("story_item_PARTIAL"),
        "itemList": [story_item()],
        "statusCode": 0,
        "TotalCount": "1",
        "HasMoreAfter": False,
        "extra": {"now": 1775589700000},
    }
    values: Iterator[Any] = cycle((None, 7, "text", "", True, [], {}, "0", 10**12, "https://x.y/"))
    author = Author(id="", name="sample.user")
    for path in list(places(document)):
        for value in islice(values, 3):
            with changed(document, path, value) as odd:
                data = body(odd)
            subs = substitutes()
            made = render(json.loads(json.dumps(neutral_body(data, subs))))
            before = told(partial(wire.story_page, author=author, now=NOW), data)
            known = Author(id="", name=subs.name("sample.user"))
            after = told(partial(wire.story_page, author=known, now=REFERENCE), made)
            assert after == before, (path, value)


HOSTILE = [
    b"",
    b" \n",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"\xff\xfe\x00",
    b"{}" * 3,
    b'{"statusCode":0,"statusCode":10204,"itemList":[]}',
    b'{"statusCode":NaN}',
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"[" + b"1," * 500_000 + b"1]",
    b"<html><body>Access denied</body></html>",
    b"<html>mssdk</html>",
    b"<html>bdturing-verify</html>",
    b"<html>bdturing-verify" + b" " * 20_000,
    b"SlardarWAF Please wait...",
    b'<p id="wci" class="x"></p><p id="cs" class="!!"></p>',
    b'<p id="wci"></p><p id="cs" class="eyJ2IjoxfQ"></p>',
    b'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">{"__DEFAULT_SCOPE__":{"x":{}}}</script>',
    b'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">{</script>mssdk',
    b'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__">[1]</script>',
    b'<script id="__FRONTITY_CONNECT_STATE__">{"source":5}',
    b'{"statusCode":0,"itemList":[{"desc":"\\ud800"}]}',
    b'{"statusCode":0,"itemList":[{"desc":"\xff\xfe"}]}',
    b'{"verify_event":"x"}',
    b"\xef\xbb\xbf" + b'{"statusCode":0}',
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_are_read_as_before_and_stay_small(data: bytes) -> None:
    subs = substitutes()
    text = json.dumps(neutral_body(data, subs))
    assert len(text) < 400_000
    for before, after in outcomes(data, render(json.loads(text)), subs):
        assert after == before
    made = render(json.loads(text))
    assert challenge.is_challenge(made) == challenge.is_challenge(data)
    assert bool(made) == bool(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_before(data: bytes) -> None:
    subs = substitutes()
    made = render(json.loads(json.dumps(neutral_body(data, subs))))
    for before, after in outcomes(data, made, subs):
        assert after == before


def test_a_puzzle_is_not_the_one_that_was_set_and_can_be_solved() -> None:
    puzzle = pages.puzzle(random.Random(1), 1e9, 100, "second-secret", solvable=True)
    made = neutral_body(puzzle.page().encode(), substitutes())
    text = json.dumps(made)
    raw = json.loads(puzzle.raw)
    assert made["kind"] == "challenge"
    assert made["elements"]["solvable"]
    for secret in (raw["v"]["a"], raw["v"]["c"], raw["s"], "second-secret"):
        assert secret not in text
    (name, _), (second, _) = challenge.solve(render(made))
    assert (name, second) == ("_wafchallengeid", "waforiginalreid")


def test_filler_of_a_page_is_left_out() -> None:
    scope = {
        "webapp.app-context": {
            "config": {f"k{n}": {"deep": {"deeper": [n] * 9}} for n in range(50)}
        },
        "seo.abtest": {"vidList": [str(n) for n in range(1000)]},
        "webapp.user-detail": {"statusCode": 10221},
    }
    data = page({"__DEFAULT_SCOPE__": scope}) + b"<script>filler</script>" * 10_000
    made = neutral_body(data, substitutes())
    assert made["script"] == "__UNIVERSAL_DATA_FOR_REHYDRATION__"
    assert made["data"]["__DEFAULT_SCOPE__"]["webapp.user-detail"] == {"statusCode": 10221}
    assert len(made["data"]["__DEFAULT_SCOPE__"]["seo.abtest"]["vidList"]) == 2
    assert len(json.dumps(made)) < 5000
