"""The way by gallery-dl: what a program printed and showed, read as anything else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from stories.client import StoryClient
from stories.errors import (
    AgeRestricted,
    Challenged,
    Gone,
    LoginRequired,
    NoSuchAccount,
    NotAStory,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    Unavailable,
    UpstreamChanged,
    UpstreamDown,
)
from stories.helper.answers import ShownAnswer
from stories.helper.cookies_file import site_cookie
from stories.helper.endings import Ending, RunReading
from stories.helper.gallery_dl import GalleryDl, HelperRun
from stories.helper_way import HelperWay, asked_as
from stories.left_out import LeftOutReason
from stories.structures import Author, Target, TargetKind
from stories.ways import READY, LookupResult, Question, Readiness, WayFailed
from tests.fake_tiktok import Account, FakeStory, FakeTikTok

pytestmark = pytest.mark.anyio

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
        self.tiktok, self.program = tiktok, Scripted()
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


@pytest.fixture
def desk(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> Desk:
    return Desk(client, tiktok)


def ids(result: LookupResult) -> list[str]:
    return [story.id for story in result.stories]


# --- what it is -----------------------------------------------------------------------------------


async def test_it_is_a_way_with_a_name_and_a_price(desk: Desk) -> None:
    assert (desk.way.name, desk.way.cost) == ("gallery-dl", 3)
    assert await desk.way.ready() == READY


async def test_it_does_not_follow_short_links(desk: Desk) -> None:
    short = Target(kind=TargetKind.SHORT, short_url="https://vm.tiktok.com/ZMa/")
    async with desk.way.visit() as visit:
        with pytest.raises(WayFailed):
            await visit.expand(short)
    assert desk.program.asked == []


async def test_a_name_of_digits_alone_is_not_asked_for(desk: Desk) -> None:
    """The program takes it for an id, which may be somebody else's."""
    assert isinstance(await desk.failure(lambda: desk.listing("123456")), WayFailed)
    assert desk.program.asked == []


@pytest.mark.parametrize(
    ("target", "url"),
    [
        ({"name": "alice"}, "https://www.tiktok.com/@alice/stories"),
        ({"name": "", "user_id": "680022"}, "https://www.tiktok.com/@680022/stories"),
        ({"name": "", "sec_uid": "MS4wLjABx"}, "https://www.tiktok.com/@MS4wLjABx/stories"),
    ],
)
async def test_an_account_is_asked_for_as_the_target_names_it(
    desk: Desk, target: dict[str, str], url: str
) -> None:
    await desk.failure(lambda: desk.listing(**target))
    assert desk.program.asked == [url]


# --- a list ---------------------------------------------------------------------------------------


async def test_the_list_it_shows_is_the_list(desk: Desk, alice: Account) -> None:
    stories = [alice.video(), alice.photo(), alice.carousel(3)]
    desk.ends(Ending.QUIET, answers=[desk.profile("alice"), desk.list_page(alice)])
    found = await desk.listing()
    assert ids(found) == [story.id for story in stories]
    assert (found.author.id, found.author.name) == (alice.id, "alice")
    assert [author.id for author in desk.authors] == [alice.id]
    assert (found.left_out, found.error, found.refusal) == ({}, None, None)
    assert await found.session.identity() == asked_as(desk.way._client)
    assert [cookie.name for cookie in found.session._jar] == ["tt_chain_token"]


async def test_the_items_it_prints_are_the_list_too(desk: Desk, alice: Account) -> None:
    stories = [alice.video(), alice.photo()]
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    found = await desk.listing()
    assert ids(found) == [story.id for story in stories]
    assert found.author.id == alice.id
    assert found.stories[0].media
    assert not found.left_out


async def test_what_it_prints_twice_is_one_story(desk: Desk, alice: Account) -> None:
    alice.video()
    lines = desk.lines(alice)
    desk.ends(Ending.LISTED, lines=lines * 3, answers=[desk.list_page(alice)])
    assert len((await desk.listing()).stories) == 1


async def test_items_of_others_are_left_out_and_said(
    desk: Desk, tiktok: FakeTikTok, alice: Account
) -> None:
    mine = alice.video()
    mallory = tiktok.account("mallory")
    mallory.video()
    desk.ends(Ending.LISTED, lines=[*desk.lines(alice), *desk.lines(mallory)])
    found = await desk.listing()
    assert ids(found) == [mine.id]
    assert found.left_out == {LeftOutReason.FOREIGN: 1}


async def test_the_same_name_with_another_id_is_somebody_else(desk: Desk, alice: Account) -> None:
    alice.video()
    posed = json.loads(desk.lines(alice)[0])
    posed |= {"id": str(int(posed["id"]) + 1), "author": {**posed["author"], "id": "6800999"}}
    lines = [json.dumps(posed).encode(), *desk.lines(alice)]
    desk.ends(Ending.LISTED, lines=lines, answers=[desk.profile("alice")])
    found = await desk.listing()
    assert found.author.id == alice.id
    assert found.left_out == {LeftOutReason.FOREIGN: 1}


async def test_only_others_items_are_not_no_story(desk: Desk, tiktok: FakeTikTok) -> None:
    mallory = tiktok.account("mallory")
    mallory.video()
    desk.ends(Ending.LISTED, lines=desk.lines(mallory))
    assert isinstance((await desk.listing()).error, UpstreamChanged)


@pytest.mark.parametrize("line", [b"No stories!", b"[]", b"{", b"\xff\xfe", b"1", b"[" * 10**5])
async def test_prose_is_a_way_that_failed(desk: Desk, alice: Account, line: bytes) -> None:
    alice.video()
    desk.ends(Ending.LISTED, lines=[*desk.lines(alice), line])
    assert isinstance(await desk.failure(desk.listing), WayFailed)


@pytest.mark.parametrize("line", [b"{}", b'{"id": "x"}', b'{"id": null, "author": []}'])
async def test_an_item_without_an_id_is_unreadable(desk: Desk, line: bytes) -> None:
    desk.ends(Ending.LISTED, lines=[line])
    failed = await desk.failure(desk.listing)
    assert isinstance(failed, WayFailed)


async def test_items_it_could_not_get_are_named(desk: Desk, alice: Account) -> None:
    story = alice.video()
    kept = ["7713520281729458200", story.id]
    desk.ends(Ending.PARTIAL, lines=desk.lines(alice), kept_ids=tuple(kept))
    found = await desk.listing()
    assert ids(found) == [story.id]
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}
    assert found.left_out_ids == {kept[0]: LeftOutReason.HELD_BACK}
    assert found.error is None


@pytest.mark.parametrize(
    ("turned_away", "error"), [(Ending.KEPT, Refused), (Ending.RATE_LIMITED, RateLimited)]
)
async def test_a_list_that_breaks_off_keeps_its_stories_and_says_so(
    desk: Desk, alice: Account, turned_away: Ending, error: type[StoriesError]
) -> None:
    story = alice.video()
    desk.ends(Ending.PARTIAL, lines=desk.lines(alice), turned_away=turned_away)
    found = await desk.listing()
    assert ids(found) == [story.id]
    assert found.left_out == {LeftOutReason.BROKEN_OFF: 1}
    assert isinstance(found.refusal, error)


async def test_a_page_refused_after_one_with_stories_breaks_the_list_off(
    desk: Desk, alice: Account
) -> None:
    for _ in range(3):
        alice.video(ago_s=3600)
    first = desk.list_page(alice, count=2)
    second = replace(first, status=403, body=b"no")
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), first, second])
    found = await desk.listing()
    assert len(found.stories) == 2
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}
    assert isinstance(found.refusal, Refused)


async def test_a_program_that_stops_half_way_does_not_have_the_whole_list(
    desk: Desk, alice: Account
) -> None:
    for _ in range(3):
        alice.video(ago_s=3600)
    desk.ends(Ending.QUIET, answers=[desk.profile("alice"), desk.list_page(alice, count=2)])
    found = await desk.listing()
    assert len(found.stories) == 2
    assert found.left_out == {LeftOutReason.HELD_BACK: 1}


# --- an empty list --------------------------------------------------------------------------------


async def test_empty_is_believed(desk: Desk, alice: Account) -> None:
    desk.ends(Ending.EMPTY)
    found = await desk.listing()
    assert (found.stories, found.error, found.left_out) == ((), None, {})
    assert found.author.name == "alice"
    desk.ends(Ending.EMPTY, answers=[desk.profile("alice"), desk.list_page(alice)])
    assert (await desk.listing()).author.id == alice.id


async def test_empty_is_not_believed_against_the_count_on_the_list(
    desk: Desk, tiktok: FakeTikTok, alice: Account
) -> None:
    tiktok.fault({"endpoint": "list"}, "withheld", total=3)
    for ending in (Ending.EMPTY, Ending.KEPT, Ending.QUIET):
        desk.ends(ending, answers=[desk.profile("alice"), desk.list_page(alice)])
        found = await desk.listing()
        assert isinstance(found.error, UpstreamDown)
        assert found.left_out == {LeftOutReason.HELD_BACK: 3}


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("code", {"code": 10101}, Refused),
        ("captcha", {}, Refused),
        ("empty", {}, Refused),
        ("unsolvable", {}, Challenged),
        ("changed", {}, UpstreamChanged),
    ],
)
async def test_empty_is_not_believed_against_a_list_that_was_refused(
    desk: Desk,
    tiktok: FakeTikTok,
    alice: Account,
    kind: str,
    options: dict[str, Any],
    error: type[StoriesError],
) -> None:
    tiktok.fault({"endpoint": "list"}, kind, **options)
    for ending in (Ending.EMPTY, Ending.QUIET, Ending.KEPT):
        desk.ends(ending, answers=[desk.list_page(alice)])
        assert type(await desk.failure(desk.listing)) is error


async def test_a_list_without_stories_that_it_gave_up_on_is_read_here(
    desk: Desk, alice: Account
) -> None:
    """It stumbles over an empty list without a cursor, and says what it says when refused."""
    desk.ends(Ending.KEPT, answers=[desk.profile("alice"), desk.list_page(alice)])
    found = await desk.listing()
    assert (found.stories, found.error) == ((), None)


async def test_a_list_without_stories_and_without_a_count_is_kept_from_us(
    desk: Desk, alice: Account
) -> None:
    page = desk.list_page(alice)
    told = json.loads(page.body)
    del told["TotalCount"]
    page = replace(page, body=json.dumps(told).encode())
    desk.ends(Ending.KEPT, answers=[page])
    assert isinstance(await desk.failure(desk.listing), Refused)
    desk.ends(Ending.QUIET, answers=[page])
    assert isinstance(await desk.failure(desk.listing), WayFailed)
    desk.ends(Ending.EMPTY, answers=[page])
    assert (await desk.listing()).error is None


@pytest.mark.parametrize("ending", list(Ending))
async def test_nothing_but_empty_makes_no_story_of_nothing(desk: Desk, ending: Ending) -> None:
    desk.ends(ending)
    if ending is Ending.EMPTY:
        assert (await desk.listing()).error is None
    else:
        assert not isinstance(await desk.failure(desk.listing), Gone)


# --- other endings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "error"),
    [
        (Ending.PRIVATE, PrivateAccount),
        (Ending.UNKNOWN, NoSuchAccount),
        (Ending.RATE_LIMITED, RateLimited),
        (Ending.LOGIN_WALL, LoginRequired),
        (Ending.CHALLENGED, Challenged),
        (Ending.KEPT, Refused),
        (Ending.NO_ANSWER, UpstreamDown),
        (Ending.QUIET, WayFailed),
        (Ending.BROKEN, WayFailed),
    ],
)
async def test_each_ending_means_its_error(
    desk: Desk, ending: Ending, error: type[Exception]
) -> None:
    desk.ends(ending)
    assert type(await desk.failure(desk.listing)) is error


@pytest.mark.parametrize("ending", [Ending.PRIVATE, Ending.UNKNOWN])
async def test_a_word_on_an_account_that_it_shows_otherwise_is_not_believed(
    desk: Desk, alice: Account, ending: Ending
) -> None:
    desk.ends(ending, answers=[desk.profile("alice")])
    assert isinstance(await desk.failure(desk.listing), WayFailed)
    alice.video()
    desk.ends(ending, answers=[desk.list_page(alice)])
    assert isinstance(await desk.failure(desk.listing), WayFailed)


async def test_a_profile_that_it_cannot_use_is_read_here(desk: Desk, tiktok: FakeTikTok) -> None:
    tiktok.fault({"endpoint": "profile"}, "code", code=10101)
    desk.ends(Ending.BROKEN, answers=[desk.profile("alice")])
    assert isinstance(await desk.failure(desk.listing), Refused)


async def test_an_item_that_says_its_author_is_private_ends_the_list(
    desk: Desk, alice: Account
) -> None:
    alice.video()
    item = json.loads(desk.lines(alice)[0])
    item["author"]["privateAccount"] = True
    desk.ends(Ending.LISTED, lines=[json.dumps(item).encode()])
    assert isinstance(await desk.failure(desk.listing), PrivateAccount)


# --- an item --------------------------------------------------------------------------------------


async def test_the_item_of_a_link(desk: Desk, alice: Account) -> None:
    story = alice.video()
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    found = await desk.item(story)
    assert ids(found) == [story.id]
    assert [author.id for author in desk.authors] == [alice.id]
    assert desk.program.asked == [f"https://www.tiktok.com/@alice/video/{story.id}"]


async def test_another_item_than_was_asked_for_is_a_way_that_failed(
    desk: Desk, alice: Account
) -> None:
    alice.video()
    desk.ends(Ending.LISTED, lines=desk.lines(alice))
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert isinstance(failed, WayFailed)
    desk.ends(Ending.LISTED, lines=[b"prose"])
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert isinstance(failed, WayFailed)


async def test_an_ordinary_post_is_one(desk: Desk, alice: Account) -> None:
    post = alice.post()
    page = ShownAnswer(
        place="@alice_video_1.txt", status=200, body=desk.body(f"/@alice/video/{post.id}")
    )
    desk.ends(Ending.KEPT, answers=[page])
    assert isinstance(await desk.failure(lambda: desk.item(post)), NotAStory)
    assert ids(await desk.item(post, posts=True)) == [post.id]


async def test_a_story_that_is_over_is_gone(desk: Desk, alice: Account) -> None:
    story = alice.video()
    lines = desk.lines(alice)
    desk.tiktok.advance(timedelta(hours=30).total_seconds())
    desk.way._client.clock.learn(desk.question().now)
    desk.ends(Ending.LISTED, lines=lines)
    assert isinstance(await desk.failure(lambda: desk.item(story)), Gone)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (10204, "item doesn't exist", Unavailable),
        (10204, "", Unavailable),
        (10204, "status_deleted", Gone),
        (10222, "", PrivateAccount),
        (10101, "", Refused),
        (10204, "content_classification", AgeRestricted),
    ],
)
async def test_the_page_it_shows_says_why_there_is_no_item(
    desk: Desk, alice: Account, code: int, message: str, error: type[StoriesError]
) -> None:
    story = alice.video()
    story.page_code, story.page_message = code, message
    page = ShownAnswer(
        place="@alice_video_1.txt", status=200, body=desk.body(f"/@alice/video/{story.id}")
    )
    desk.ends(Ending.KEPT, answers=[page])
    assert type(await desk.failure(lambda: desk.item(story))) is error


@pytest.mark.parametrize("ending", list(Ending))
async def test_no_ending_alone_makes_a_story_gone(desk: Desk, ending: Ending) -> None:
    desk.ends(ending)
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert not isinstance(failed, Gone | Unavailable)
    refused = ShownAnswer(place="@alice_video_1.txt", status=403, body=b"")
    desk.ends(ending, answers=[refused])
    failed = await desk.failure(lambda: desk.item("7713520281729458200"))
    assert not isinstance(failed, Gone | Unavailable)
