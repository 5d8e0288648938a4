"""Files on hosts that are on no list: not asked, and named for who runs the instance."""

from typing import Any

import pytest

from stories.client import StoryClient
from stories.errors import UnknownMediaHost
from stories.events import Listed, MediaFailed, StoryFinished, UnknownHosts
from stories.probe import Step, probe
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok, cdn
from tests.unit.stories.harvests import SMALL_H264, TINY, Folder, saved

pytestmark = pytest.mark.anyio

ROW = "v16.tiktokcdn-row.com"
ELSEWHERE: dict[str, Any] = {
    "video": {
        "bitrateInfo": None,
        "PlayAddrStruct": None,
        "downloadAddr": "",
        "playAddr": f"https://{ROW}/video/tos/a/two/?expire=4102444800",
    }
}


async def test_a_video_on_an_unknown_host_is_refused_and_the_host_is_named(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    good, other = alice.video(1), alice.video(1)
    other.item = ELSEWHERE
    log = await saved(client, folder)
    (listed,) = log.of(Listed)
    assert [story.id for story in listed.stories] == [good.id, other.id]
    assert [known.hosts for known in log.of(UnknownHosts)] == [(ROW,)]
    (failed,) = log.of(MediaFailed)
    assert isinstance(failed.error, UnknownMediaHost)
    assert (failed.error.code, failed.error.detail) == (
        "upstream_changed",
        f"unknown media host: {ROW}",
    )
    assert {finished.story_id: finished.saved for finished in log.of(StoryFinished)} == {
        good.id: 1,
        other.id: 0,
    }
    assert tiktok.count("list") == 1, "no fresh link mends it"
    assert not [seen for seen in tiktok.requests if ROW in seen.url]


async def test_a_mirror_on_an_unknown_host_is_named_and_the_file_saved(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, low=False)
    clip.item = {"video": {"playAddr": f"https://{ROW}/video/"}}
    log = await saved(client, folder)
    assert len(log.files()) == 1
    assert [known.hosts for known in log.of(UnknownHosts)] == [(ROW,)]


async def test_a_redirect_to_an_unknown_host_is_named(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(**TINY)
    tiktok.fault("media", "redirect", to=f"https://{ROW}/elsewhere?secret=1")
    log = await saved(client, folder)
    hosts = {host for known in log.of(UnknownHosts) for host in known.hosts}
    assert hosts == {ROW}
    (failed,) = log.of(MediaFailed)
    assert "secret" not in failed.error.detail


async def test_a_sound_on_an_unknown_host_is_missing_and_not_silence(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    clip = alice.video(1, gears=[SMALL_H264], low=False, watermark=False)
    alice.add_dash(clip, (288, 512))
    del clip.renditions[0]
    sound = {"FileId": "a1", "UrlList": {"MainUrl": f"https://{ROW}/sound/"}}
    clip.item = {"video": {"bitrateAudioInfo": [sound]}}
    log = await saved(client, folder)
    (ready,), (finished,) = log.files(), log.of(StoryFinished)
    assert ready.labels == ("no_sound", "sound_missing")
    assert isinstance(finished.lacks, UnknownMediaHost)
    assert finished.lacks.hosts == (ROW,)
    assert {host for known in log.of(UnknownHosts) for host in known.hosts} == {ROW}
    assert not [seen for seen in tiktok.requests if ROW in seen.url]


async def test_nothing_is_said_when_all_hosts_are_known(
    client: StoryClient, alice: Account, folder: Folder
) -> None:
    alice.video(1)
    assert (await saved(client, folder)).of(UnknownHosts) == []


async def test_the_look_for_a_diagnosis_names_the_host(client: StoryClient, alice: Account) -> None:
    alice.video(1).item = ELSEWHERE
    last = (await probe(client, parse_line("alice"))).steps[-1]
    assert last.step is Step.MEDIA
    assert isinstance(last.error, UnknownMediaHost)


async def test_the_look_names_every_host_also_beside_files_it_can_have(
    client: StoryClient, alice: Account
) -> None:
    alice.video(1).item = ELSEWHERE
    alice.photo(**TINY)
    listed, media = (await probe(client, parse_line("alice"))).steps[-2:]
    assert (listed.step, listed.error, listed.unknown_hosts) == (Step.LIST, None, (ROW,))
    assert (media.step, media.error) == (Step.MEDIA, None)


async def test_an_address_without_its_scheme_is_asked_over_https(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    photo = alice.photo(**TINY)
    signed = cdn.picture_urls(photo.files[0], tiktok.now(), 3600 * 24)
    urls = [url.removeprefix("https:") for url in signed]
    photo.item = {"imagePost": {"images": [{"imageURL": {"urlList": urls}}]}}
    (ready,) = (await saved(client, folder)).files()
    assert folder.content(ready) == photo.files[0].body
    assert all(seen.url.startswith("https://") for seen in tiktok.seen("picture"))
