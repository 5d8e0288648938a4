"""One look at TikTok: how far it gets, and what it says when it gets no further."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import pytest

from stories import probe as module
from stories.client import StoryClient
from stories.errors import (
    MediaUnavailable,
    NoSuchAccount,
    PrivateAccount,
    Refused,
    StoriesError,
    TimedOut,
    UpstreamDown,
)
from stories.http.session import Session
from stories.probe import ProbeReport, Step, probe
from stories.structures import Target
from stories.targets import parse_line
from stories.ways import READY, LookupResult, Question, Readiness, Visit, Way, WayFailed
from tests.fake_tiktok import Account, FakeTikTok
from tests.mock_transport import MockTransport

pytestmark = pytest.mark.anyio


async def look(client: StoryClient) -> ProbeReport:
    return await probe(client, parse_line("@alice"))


async def test_every_step_works(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    alice.video(seconds=1, ago_s=7200)
    alice.photo(ago_s=60)
    seen = await look(client)
    profile, listed, media = seen.steps
    assert [one.step for one in seen.steps] == list(Step)
    assert not any(one.error or one.skipped for one in seen.steps)
    assert listed.stories == 2
    assert (media.sample_bytes, media.file_format, media.mirror) == (1024, "a JPEG picture", 1)
    assert profile.took_s >= 0
    asked = [seen.where.endpoint for seen in tiktok.requests]
    assert asked == ["profile", "list", "picture"]  # one look, no more


async def test_a_video_is_told_from_a_picture(client: StoryClient, alice: Account) -> None:
    alice.video(seconds=1)
    assert (await look(client)).steps[-1].file_format == "an MP4 file"


async def test_the_second_mirror_helps(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.video(seconds=1)
    tiktok.fault("media", 403, times=1)
    media = (await look(client)).steps[-1]
    assert (media.error, media.mirror) == (None, 2)


async def test_no_story_leaves_nothing_to_try(client: StoryClient, alice: Account) -> None:
    *_, listed, media = (await look(client)).steps
    assert (listed.stories, listed.error) == (0, None)
    assert media.skipped


@pytest.mark.parametrize(
    ("endpoint", "kind", "steps", "error"),
    [
        ("pages", 403, [Step.PROFILE], Refused),
        ("pages", 500, [Step.PROFILE], UpstreamDown),
        ("list", 403, [Step.PROFILE, Step.LIST], Refused),
        ("media", 403, list(Step), MediaUnavailable),
        ("media", "html", list(Step), MediaUnavailable),
    ],
)
async def test_the_step_that_fails_is_the_last(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    endpoint: str,
    kind: Any,
    steps: list[Step],
    error: type[StoriesError],
) -> None:
    alice.video(seconds=1)
    tiktok.fault(endpoint, kind)
    seen = await look(client)
    assert [one.step for one in seen.steps] == steps
    assert type(seen.steps[-1].error) is error


@pytest.mark.parametrize(
    ("facts", "error"), [({"private": True}, PrivateAccount), (None, NoSuchAccount)]
)
async def test_whom_it_cannot_be_tried_on(
    client: StoryClient, tiktok: FakeTikTok, facts: dict[str, Any] | None, error: type[StoriesError]
) -> None:
    if facts is not None:
        tiktok.account("alice", **facts)
    (only,) = (await look(client)).steps
    assert type(only.error) is error


async def test_a_step_has_its_time(
    client: StoryClient, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_TIMEOUT_S", 0)
    (only,) = (await look(client)).steps
    assert type(only.error) is TimedOut


# --- by a way -------------------------------------------------------------------------------------


class FakeWay:
    """A way in the manner of a test. session: what its visits ask over, None for one that has its
    own manner. broken: when it breaks: "", "start", "step" or "end"."""

    name, cost = "fake", 1

    def __init__(
        self,
        session: Session | None = None,
        *,
        listed: LookupResult | StoriesError | None = None,
        state: Readiness = READY,
        broken: str = "",
    ) -> None:
        self._session, self._listed = session, listed
        self._state, self._broken = state, broken
        self.asked: list[Question] = []

    async def ready(self) -> Readiness:
        return self._state

    @asynccontextmanager
    async def visit(self) -> AsyncIterator[Visit]:
        if self._broken == "start":
            raise WayFailed("does not start")
        yield cast("Visit", FakeVisit(self._session) if self._session else self)
        if self._broken == "end":
            raise WayFailed("crashed on its way out")

    async def listing(self, target: Target, question: Question) -> LookupResult:
        self.asked.append(question)
        if self._broken == "step":
            raise WayFailed("exit code 3")
        if isinstance(self._listed, StoriesError):
            raise self._listed
        assert self._listed is not None
        return self._listed


class FakeVisit:
    """A visit over a session of ours."""

    def __init__(self, session: Session) -> None:
        self.session = session


async def by(client: StoryClient, way: FakeWay) -> ProbeReport:
    return await probe(client, parse_line("@alice"), cast("Way", way))


async def test_a_way_over_a_session_of_ours_is_asked_step_by_step(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo(ago_s=60)
    seen = await by(client, FakeWay(client.session()))
    assert [one.step for one in seen.steps] == list(Step)
    assert not any(one.error or one.broke for one in seen.steps)
    assert [seen.where.endpoint for seen in tiktok.requests] == ["profile", "list", "picture"]


async def listed(client: StoryClient, **facts: Any) -> LookupResult:
    """What a way of its own manner brings of alice."""
    session = client.session()
    target = parse_line("@alice")
    author = await client.get_author(target, session)
    story_list = await client.get_story_list(author, session)
    return LookupResult(
        target=target,
        author=author,
        stories=tuple(story_list.stories),
        session=story_list.session,
        **facts,
    )


async def test_a_way_of_its_own_manner_tells_the_list_at_once(
    client: StoryClient, alice: Account
) -> None:
    alice.video(seconds=1, ago_s=60)
    way = FakeWay(listed=await listed(client))
    the_list, media = (await by(client, way)).steps
    assert (the_list.step, the_list.stories, the_list.error) == (Step.LIST, 1, None)
    assert (media.step, media.file_format) == (Step.MEDIA, "an MP4 file")
    (question,) = way.asked
    assert (question.posts, question.fresh) == (False, True)


@pytest.mark.usefixtures("alice")
async def test_no_story_is_no_failure_of_a_way_and_a_list_that_was_kept_back_is(
    client: StoryClient,
) -> None:
    the_list, media = (await by(client, FakeWay(listed=await listed(client)))).steps
    assert (the_list.stories, the_list.error, media.skipped) == (0, None, True)
    (only,) = (await by(client, FakeWay(listed=await listed(client, error=Refused())))).steps
    assert type(only.error) is Refused


async def test_what_tiktok_says_by_a_way(client: StoryClient) -> None:
    (only,) = (await by(client, FakeWay(listed=PrivateAccount("alice")))).steps
    assert (only.step, type(only.error)) == (Step.LIST, PrivateAccount)


async def test_a_way_that_is_not_ready_is_not_asked(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    state = Readiness(ok=False, reason="no Chromium on the PATH")
    seen = await by(client, FakeWay(client.session(), state=state))
    assert (seen.steps, seen.not_ready) == ((), "no Chromium on the PATH")
    assert tiktok.requests == []


async def test_a_way_that_breaks(client: StoryClient, alice: Account) -> None:
    (only,) = (await by(client, FakeWay(broken="start"))).steps
    assert (only.error, only.broke) == (None, "does not start")
    (only,) = (await by(client, FakeWay(broken="step"))).steps
    assert (only.step, only.error, only.broke) == (Step.LIST, None, "exit code 3")
    alice.photo(ago_s=60)
    seen = await by(client, FakeWay(client.session(), broken="end"))
    assert [one.step for one in seen.steps] == list(Step), "what it brought it has brought"


@pytest.mark.parametrize(
    ("date", "known"),
    [("Fri, 20 Nov 2026 10:00:00 GMT", True), ("soon", False), ("x" * 80, False), (None, False)],
)
async def test_the_clocks_are_compared(date: str | None, known: bool) -> None:
    headers = {"Date": date} if date else {}
    transport = MockTransport(lambda _: httpx.Response(404, headers=headers))
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        seen = await look(client)
    assert (seen.clock_ahead_s is not None) is known
