"""One look at TikTok: how far it gets, and what it says when it gets no further."""

from __future__ import annotations

from typing import Any

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
from stories.probe import ProbeReport, Step, probe
from stories.targets import parse_line
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
