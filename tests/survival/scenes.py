"""Scenes on the fake TikTok: what is there, the line that asks for it, and what is saved of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fake_tiktok import Account, FakeStory, FakeTikTok
from tests.fake_tiktok.accounts import Gear

NAME = "alice"
SMALL: dict[str, Any] = {"size": (90, 160)}
SMALL_H264: Gear = ("h264", (144, 256))


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A declared scene. line: as pasted. stories: those that are there and everyone may see.

    posts: an ordinary post is wanted too. joined: files are put together here, so that their bytes
    are no file's of TikTok's.
    """

    line: str
    stories: tuple[FakeStory, ...] = ()
    posts: bool = False
    joined: bool = False


def small_site() -> FakeTikTok:
    """A site of its own with small pages, though larger than a page that asks for a check."""
    return FakeTikTok(page_bytes=24_000)


def clip(account: Account, **options: Any) -> FakeStory:
    """A small video."""
    return account.video(1, gears=(SMALL_H264,), low=False, watermark=False, **options)


def photo(account: Account, **options: Any) -> FakeStory:
    """A small photo."""
    return account.photo(**SMALL, **options)


def usual(tiktok: FakeTikTok) -> Scene:
    """An account with a video, a photo and a carousel of two."""
    account = tiktok.account(NAME)
    return Scene(line=NAME, stories=(clip(account), photo(account), account.carousel(2, **SMALL)))


def linked(tiktok: FakeTikTok) -> Scene:
    """The link of one of an account's two stories, as the app shares it."""
    account = tiktok.account(NAME)
    photo(account)
    story = clip(account)
    return Scene(line=story.shared_url, stories=(story,))
