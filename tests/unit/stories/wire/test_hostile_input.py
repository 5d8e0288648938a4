"""Whatever bytes come, only a StoriesError comes out of any reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stories import wire
from stories.errors import StoriesError
from stories.renditions import rank
from stories.structures import Story
from tests.unit.stories.wire.payloads import (
    ASKED,
    HOST,
    NOW,
    PHOTO_ID,
    STORY_ID,
    embed,
    embed_page,
    page,
    photo_item,
    read,
    sample,
    story_item,
)

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


@contextmanager
def changed(document: Any, path: tuple[Any, ...], value: Any) -> Iterator[Any]:
    """The document with one value in place of another, which comes back afterwards."""
    node = document
    for key in path[:-1]:
        node = node[key]
    before, node[path[-1]] = node[path[-1]], value
    try:
        yield document
    finally:
        node[path[-1]] = before


def read_all(document: Any) -> None:
    """Every reader over one document; only our own errors may come out."""
    text = json.dumps(document)
    shown, framed = page(text), embed(text)
    readers: list[Callable[[], object]] = [
        lambda: read(text.encode()),
        lambda: wire.profile_author(shown, ASKED),
        lambda: wire.page_item(shown, STORY_ID, now=NOW),
        lambda: wire.page_item(shown, PHOTO_ID, now=NOW),
        lambda: wire.page_clue(shown, STORY_ID),
        lambda: wire.embed_author(framed, "sample.user"),
        lambda: wire.embed_item(framed, STORY_ID, now=NOW),
        lambda: wire.embed_clue(framed, STORY_ID),
        lambda: wire.oembed_author_name(text.encode()),
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
            with changed(DOCUMENTS[index], path, value) as document:
                read_all(document)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_anything_anywhere(place: tuple[int, tuple[Any, ...]], value: Any) -> None:
    index, path = place
    with changed(DOCUMENTS[index], path, value) as document:
        read_all(document)


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
