"""A way by gallery-dl over a scripted program, and the fake TikTok whose answers it hands on."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from stories.client import StoryClient
from stories.errors import StoriesError
from stories.helper.answers import ShownAnswer
from stories.helper.cookies_file import site_cookie
from stories.helper.endings import Ending, RunReading
from stories.helper.gallery_dl import GalleryDl, HelperRun
from stories.helper_way import HelperWay
from stories.structures import Author, Target, TargetKind
from stories.ways import READY, LookupResult, Question, Readiness, WayFailed
from tests.fake_tiktok import Account, FakeStory, FakeTikTok

LIST = "api_story_item_list_aid_1988.txt"
COOKIE = site_cookie(".tiktok.com", "/", "tt_chain_token", "abc", secure=True)


@dataclass
class Scripted:
    """In place of GalleryDl: the run that a test wants. asked: the addresses."""

    run_as: HelperRun = field(
        default_factory=lambda: HelperRun(
            reading=RunReading(ending=Ending.QUIET), lines=(), cookies=(), answers=()
        )
    )
    asked: list[str] = field(default_factory=list)
    user_agent: str = "x"

    async def ready(self) -> Readiness:
        return READY

    async def run(self, url: str) -> HelperRun:
        self.asked.append(url)
        return self.run_as


class Desk:
    """A way over a scripted program, and the fake TikTok whose answers it hands on."""

    def __init__(self, client: StoryClient, tiktok: FakeTikTok) -> None:
        self.client, self.tiktok, self.program = client, tiktok, Scripted()
        self.way = HelperWay(client, cast("GalleryDl", self.program))
        self.authors: list[Author] = []

    def body(self, path: str) -> bytes:
        """What the site answers."""
        parts = self.tiktok.handle("GET", "www.tiktok.com", path, {"host": "www.tiktok.com"}).parts
        return b"".join(bytes(part) for part in parts)

    def profile(self, name: str, status: int = 200) -> ShownAnswer:
        return ShownAnswer(place=f"@{name}.txt", status=status, body=self.body(f"/@{name}"))

    def list_page(self, account: Account, count: int = 20, status: int = 200) -> ShownAnswer:
        query = f"aid=1988&authorId={account.id}&count={count}&cursor=0"
        body = self.body(f"/api/story/item_list/?{query}")
        return ShownAnswer(place=LIST, status=status, body=body)

    def lines(self, account: Account) -> list[bytes]:
        """The items of an account as lines, as the program prints them."""
        items = json.loads(self.list_page(account).body).get("itemList", [])
        return [json.dumps({**item, "user": "x", "category": "tiktok"}).encode() for item in items]

    def ends(
        self,
        ending: Ending,
        *,
        lines: Sequence[bytes] = (),
        answers: Sequence[ShownAnswer] = (),
        **reading: Any,
    ) -> None:
        """How the next run ends."""
        assert COOKIE is not None
        self.program.run_as = HelperRun(
            reading=RunReading(ending=ending, **reading),
            lines=tuple(lines),
            cookies=(COOKIE,),
            answers=tuple(answers),
        )

    def question(self, posts: bool = False) -> Question:
        now = datetime.fromtimestamp(self.tiktok.now(), UTC)
        return Question(posts=posts, now=now, fresh=False, on_author=self.authors.append)

    async def listing(self, name: str = "alice", **target: Any) -> LookupResult:
        asked = Target(kind=TargetKind.USER, name=name or None, **target)
        async with self.way.visit() as visit:
            return await visit.listing(asked, self.question())

    async def item(self, story: FakeStory | str, *, posts: bool = False) -> LookupResult:
        item_id = story if isinstance(story, str) else story.id
        asked = Target(kind=TargetKind.STORY, name="alice", item_id=item_id)
        async with self.way.visit() as visit:
            return await visit.item(asked, self.question(posts), author_is_certain=False)

    async def failure(self, make: Callable[[], Any]) -> BaseException:
        with pytest.raises((StoriesError, WayFailed)) as caught:
            await make()
        return caught.value
