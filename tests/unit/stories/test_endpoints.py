"""The addresses that TikTok is asked under."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stories import endpoints
from stories.protocol.current import built_in, use
from stories.protocol.parsing import parse
from stories.structures import Author, Target, TargetKind
from tests import packs


@pytest.fixture(autouse=True)
def _built_in_again() -> Iterator[None]:
    yield
    use(None)


AUTHOR = Author(id="7", name="nora", nickname="Nora", sec_uid="MS4w_x-1")


def test_the_built_in_addresses() -> None:
    assert endpoints.profile(Target(kind=TargetKind.USER, name="nora")) == (
        "https://www.tiktok.com/@nora"
    )
    assert endpoints.profile(Target(kind=TargetKind.USER, sec_uid="MS4wLjABAA")) == (
        "https://www.tiktok.com/@MS4wLjABAA"
    )
    assert endpoints.profile(Target(kind=TargetKind.USER)) == "https://www.tiktok.com/@_"
    assert endpoints.profile_embed("nora") == "https://www.tiktok.com/embed/@nora"
    assert endpoints.item("12") == "https://www.tiktok.com/@_/video/12"
    assert endpoints.item_embed("12") == "https://www.tiktok.com/embed/v2/12"
    assert endpoints.oembed("https://www.tiktok.com/@_/video/12") == (
        "https://www.tiktok.com/oembed?url=https%3A%2F%2Fwww.tiktok.com%2F%40_%2Fvideo%2F12"
    )
    assert endpoints.clock() == "https://www.tiktok.com/robots.txt"
    assert endpoints.story_list(AUTHOR, "40") == (
        "https://www.tiktok.com/api/story/item_list/?aid=1988&authorId=7&count=20&cursor=40"
        "&device_platform=web_pc&loadBackward=false"
    )


def test_a_pack_says_where_they_are_and_what_the_list_is_asked_with() -> None:
    def change(facts: dict[str, object]) -> None:
        facts["endpoints"] = {
            "profile": "https://m.tiktok.com/u/{name}/home",
            "profile_embed": "https://m.tiktok.com/e/{name}",
            "item": "https://m.tiktok.com/v/{id}.html",
            "item_embed": "https://m.tiktok.com/embed/v3/{id}",
            "oembed": "https://m.tiktok.com/oe",
            "clock": "https://m.tiktok.com/",
            "story_list": {
                "url": "https://m.tiktok.com/api/v2/stories/",
                "query": [["from", "{cursor}"], ["secUid", "{sec_uid}"], ["x", "a-b"]],
                "page_size": 10,
            },
        }

    use(parse(packs.text(change), built_in()))
    assert endpoints.profile(Target(kind=TargetKind.USER, name="n")) == (
        "https://m.tiktok.com/u/n/home"
    )
    assert endpoints.profile_embed("n") == "https://m.tiktok.com/e/n"
    assert endpoints.item("1") == "https://m.tiktok.com/v/1.html"
    assert endpoints.item_embed("1") == "https://m.tiktok.com/embed/v3/1"
    assert endpoints.oembed("x") == "https://m.tiktok.com/oe?url=x"
    assert endpoints.clock() == "https://m.tiktok.com/"
    assert endpoints.story_list(AUTHOR, "0") == (
        "https://m.tiktok.com/api/v2/stories/?from=0&secUid=MS4w_x-1&x=a-b"
    )
