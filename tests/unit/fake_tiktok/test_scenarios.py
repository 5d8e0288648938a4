"""Casts are as announced."""

from __future__ import annotations

import pytest

from tests.fake_tiktok import FakeTikTok, media, real_media
from tests.fake_tiktok.scenarios import SCENARIOS


def test_the_benchmark_casts_are_as_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without drawing a thing: the sizes asked for are what is looked at."""

    def blank(*_: object, min_bytes: int | None = None, **__: object) -> bytes:
        return b"\0\0\0\x08ftyp" + bytes(min_bytes or 0)

    monkeypatch.setattr(media, "video", blank)
    monkeypatch.setattr(media, "picture", blank)
    single, many = FakeTikTok(), FakeTikTok()
    SCENARIOS["bench-a"](single)
    SCENARIOS["bench-b"](many)
    (author,) = single.accounts.values()
    assert [len(story.files) for story in author.stories] == [1] * 8 + [10] * 2
    assert [story.kind for story in author.stories][5:7] == ["video", "photo"]
    assert sorted(many.accounts) == [f"bench{number:02}" for number in range(1, 21)]
    for account in many.accounts.values():
        assert [len(story.files) for story in account.stories] == [1, 1, 1, 4]
    for site, size in ((single, 8 * 2**20), (many, 2 * 2**20)):
        videos = [s.files[0].size for s in site.stories.values() if s.kind == "video"]
        assert all(size <= video_bytes < size + 1000 for video_bytes in videos)


def test_the_heavy_casts_post_what_the_light_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def blank(*_: object, **__: object) -> bytes:
        return b"\0\0\0\x08ftyp"

    for module, name in ((media, "video"), (media, "picture"), (real_media, "clip")):
        monkeypatch.setattr(module, name, blank)
    monkeypatch.setattr(real_media, "shot", blank)
    for letter in "ab":
        light, heavy = FakeTikTok(), FakeTikTok()
        SCENARIOS[f"bench-{letter}"](light)
        SCENARIOS[f"bench-real-{letter}"](heavy)
        assert [
            [(story.kind, len(story.files)) for story in account.stories]
            for account in heavy.accounts.values()
        ] == [
            [(story.kind, len(story.files)) for story in account.stories]
            for account in light.accounts.values()
        ]


def test_every_file_of_a_heavy_cast_has_bytes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_media, "clip", lambda _: b"\0\0\0\x08ftyp")
    monkeypatch.setattr(real_media, "shot", lambda _: b"\xff\xd8\xff\xd9")
    monkeypatch.setattr(media, "picture", lambda *_, **__: b"\xff\xd8\xff\xd9")
    many = FakeTikTok()
    SCENARIOS["bench-real-b"](many)
    files = [file for story in many.stories.values() for file in story.files]
    assert len({file.body for file in files}) == len(files) == 140
