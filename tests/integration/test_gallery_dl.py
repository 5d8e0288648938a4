"""The real gallery-dl: installed by the command, shut in, behind the guard, at the fake TikTok."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.ops import helper_install
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import (
    AgeRestricted,
    Challenged,
    LoginRequired,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from stories.helper.gallery_dl import GalleryDl, installed_command
from stories.helper_way import HelperWay, asked_as
from stories.http.guard import Guard
from stories.http.resolver import system_resolve
from stories.left_out import LeftOutReason
from stories.structures import Target, TargetKind
from stories.ways import LookupResult, Question, WayFailed
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.real_gallery_dl import VERSION, install_once

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


@pytest.fixture(scope="session")
def helpers() -> Path:
    """The folder where gallery-dl is installed."""
    return install_once()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[FakeProxy]:
    """The fake TikTok behind its proxy, with one account."""
    tiktok = FakeTikTok(page_bytes=20_000)
    tiktok.account("alice")
    with running_proxy(tiktok, tmp_path / "proxy") as proxy:
        yield proxy


@dataclass
class Desk:
    """A client, its guard, and the way over the real program."""

    client: StoryClient
    guard: Guard
    way: HelperWay
    tiktok: FakeTikTok
    runs: Path

    def _question(self, posts: bool) -> Question:
        now = datetime.fromtimestamp(self.tiktok.now(), UTC)
        return Question(posts=posts, now=now, fresh=False, on_author=lambda _: None)

    async def listing(self, name: str = "alice") -> LookupResult:
        async with self.way.visit() as visit:
            target = Target(kind=TargetKind.USER, name=name)
            return await visit.listing(target, self._question(posts=False))

    async def item(self, item_id: str, *, posts: bool = False) -> LookupResult:
        async with self.way.visit() as visit:
            target = Target(kind=TargetKind.STORY, name="alice", item_id=item_id)
            return await visit.item(target, self._question(posts), author_is_certain=False)


@asynccontextmanager
async def at_desk(site: FakeProxy, helpers: Path, runs: Path) -> AsyncIterator[Desk]:
    config = ClientConfig(proxy=site.url, ca_bundle=site.ca_path)
    guard = Guard(config, system_resolve)
    async with StoryClient(config) as client:
        program = GalleryDl(
            installed_command(helpers),
            guard=guard,
            user_agent=asked_as(client).user_agent,
            ca_file=config.ca_bundle,
            folder=runs,
        )
        assert (await program.ready()).ok
        try:
            yield Desk(client, guard, HelperWay(client, program), site.tiktok, runs)
        finally:
            await guard.aclose()


@pytest.fixture
async def desk(site: FakeProxy, helpers: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_desk(site, helpers, tmp_path / "runs") as made:
        yield made


async def test_every_story_comes_with_two_requests_and_its_files_can_be_had(
    desk: Desk, site: FakeProxy
) -> None:
    alice = site.tiktok.accounts["alice"]
    stories = [alice.video(song="mp3"), alice.photo(), alice.carousel(3, song="m4a")]
    site.tiktok.forget_requests()
    found = await desk.listing()
    assert [story.id for story in found.stories] == [story.id for story in stories]
    assert (found.author.id, found.error, found.left_out) == (alice.id, None, {})
    assert [seen.endpoint for seen in site.tiktok.seen()] == ["profile", "list"]
    assert {seen.headers["user-agent"] for seen in site.tiktok.seen()} == {
        asked_as(desk.client).user_agent
    }
    for story in found.stories:
        for media in story.media:
            got = await desk.client.fetch(
                media.variants[0], io.BytesIO(), found.session, kind=media.kind
            )
            assert got.size_bytes
    assert site.strays == []
    assert list(desk.guard.refused) == []
    assert list(desk.runs.iterdir()) == []


async def test_a_list_of_many_pages_is_whole(desk: Desk, site: FakeProxy) -> None:
    """It asks for five at a time."""
    alice = site.tiktok.accounts["alice"]
    stories = [alice.photo(ago_s=3600 * 12 - n * 60, size=(90, 160)) for n in range(17)]
    found = await desk.listing()
    assert [story.id for story in found.stories] == [story.id for story in stories]
    assert (found.error, found.left_out) == (None, {})
    assert site.tiktok.count("list") == 4
    assert site.tiktok.count("page") == 0


async def test_no_story_is_an_answer(desk: Desk) -> None:
    found = await desk.listing()
    assert (found.stories, found.error, found.author.name) == ((), None, "alice")


@pytest.mark.parametrize(
    ("endpoint", "kind", "options", "error"),
    [
        ("profile", "status", {"status": 403}, Refused),
        ("profile", "status", {"status": 429}, RateLimited),
        ("profile", "status", {"status": 503}, UpstreamDown),
        ("profile", "silent", {}, UpstreamDown),
        ("profile", "empty", {}, Refused),
        ("profile", "captcha", {}, StoriesError),
        ("profile", "login", {}, LoginRequired),
        ("profile", "unsolvable", {}, Challenged),
        ("profile", "changed", {}, Refused),
        ("profile", "code", {"code": 10101}, Refused),
        ("list", "status", {"status": 403}, Refused),
        ("list", "status", {"status": 429}, RateLimited),
        ("list", "status", {"status": 503}, UpstreamDown),
        ("list", "silent", {}, UpstreamDown),
        ("list", "empty", {}, Refused),
        ("list", "captcha", {}, Refused),
        ("list", "login", {}, LoginRequired),
        ("list", "unsolvable", {}, Challenged),
        ("list", "changed", {}, UpstreamChanged),
        ("list", "code", {"code": 10101}, Refused),
    ],
)
async def test_kept_out_is_never_no_story(
    desk: Desk,
    site: FakeProxy,
    endpoint: str,
    kind: str,
    options: dict[str, Any],
    error: type[StoriesError],
) -> None:
    site.tiktok.accounts["alice"].video()
    site.tiktok.fault({"endpoint": endpoint}, kind, **options)
    with pytest.raises(error):
        await desk.listing()


async def test_a_list_held_back_is_not_no_story(desk: Desk, site: FakeProxy) -> None:
    site.tiktok.fault({"endpoint": "list"}, "withheld", total=3)
    found = await desk.listing()
    assert isinstance(found.error, UpstreamDown)
    assert found.left_out == {LeftOutReason.HELD_BACK: 3}


async def test_it_answers_the_challenge_by_itself(desk: Desk, site: FakeProxy) -> None:
    story = site.tiktok.accounts["alice"].video()
    site.tiktok.fault({"endpoint": "profile"}, "challenge", times=1)
    assert [found.id for found in (await desk.listing()).stories] == [story.id]


async def test_accounts_that_are_not_for_us(desk: Desk, site: FakeProxy) -> None:
    site.tiktok.account("locked", private=True)
    with pytest.raises(PrivateAccount):
        await desk.listing("locked")
    with pytest.raises(NoSuchAccount):
        await desk.listing("nobody")


async def test_the_item_of_a_link(desk: Desk, site: FakeProxy) -> None:
    alice = site.tiktok.accounts["alice"]
    for story in (alice.video(), alice.carousel(3, song="m4a")):
        found = await desk.item(story.id)
        assert [one.id for one in found.stories] == [story.id]
        assert len(found.stories[0].media) == len(story.files)
    assert [one.id for one in (await desk.item(alice.post().id, posts=True)).stories]
    with pytest.raises(Unavailable):
        await desk.item("7713520281729458200")


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("status", {"status": 403}, Refused),
        ("status", {"status": 429}, RateLimited),
        ("status", {"status": 503}, UpstreamDown),
        ("silent", {}, UpstreamDown),
        ("login", {}, LoginRequired),
        ("unsolvable", {}, Challenged),
        ("empty", {}, Challenged),
        ("code", {"code": 10204, "message": "content_classification"}, AgeRestricted),
    ],
)
async def test_an_item_that_is_kept_from_us_is_never_gone(
    desk: Desk, site: FakeProxy, kind: str, options: dict[str, Any], error: type[StoriesError]
) -> None:
    story = site.tiktok.accounts["alice"].video()
    site.tiktok.fault({"endpoint": "page"}, kind, **options)
    with pytest.raises(error):
        await desk.item(story.id)


async def test_without_the_guard_it_reaches_nobody(
    site: FakeProxy, helpers: Path, tmp_path: Path
) -> None:
    """A guard that lets nothing through leaves it without an answer, and with no way round."""

    class Nobody:
        url = "http://127.0.0.1:9"

        async def start(self) -> None:
            pass

    async with StoryClient(ClientConfig()) as client:
        program = GalleryDl(
            installed_command(helpers), guard=Nobody(), user_agent="x", folder=tmp_path
        )
        async with HelperWay(client, program).visit() as visit:
            question = Question(
                posts=False, now=datetime.now(UTC), fresh=False, on_author=lambda _: None
            )
            with pytest.raises((UpstreamDown, WayFailed)):
                await visit.listing(Target(kind=TargetKind.USER, name="alice"), question)
    assert site.tiktok.seen() == []


def test_it_was_installed_with_the_sums_of_its_files(helpers: Path) -> None:
    (current, *_) = helper_install.versions(helpers)
    assert (current.version, current.current) == (VERSION, True)
    assert {"gallery_dl", "requests", "urllib3"} <= {wheel.name for wheel in current.wheels}
    assert all(len(wheel.sha256) == 64 for wheel in current.wheels)
