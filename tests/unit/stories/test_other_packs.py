"""What another protocol pack changes, from a pasted line to the saved file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from stories.challenge import is_challenge, is_check
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import Challenged, InputError, Refused, UnknownAnswer, UpstreamChanged
from stories.hosts import is_allowed_host, is_link_host
from stories.identity import LocalIdentityMemory
from stories.protocol.current import built_in, use
from stories.protocol.parsing import parse
from stories.renditions import no_player
from stories.structures import MediaKind
from stories.targets import parse_line
from stories.wire.bodies import json_answer
from stories.wire.media import read_video
from tests import packs
from tests.fake_tiktok import Account, FakeTikTok, cdn
from tests.mock_transport import MockTransport
from tests.unit.stories.harvests import TINY, Folder, saved
from tests.unit.stories.lookups import Said, failure, find, ids, scripted

pytestmark = pytest.mark.anyio

Facts = dict[str, Any]


@pytest.fixture(autouse=True)
def _built_in_again() -> Iterator[None]:
    """The built-in pack, whatever a test puts in its place."""
    yield
    use(None)


def use_changed(change: Callable[[Facts], object]) -> None:
    """Put a pack in use that says one thing otherwise."""
    use(parse(packs.text(change), built_in()))


def over(transport: MockTransport, **options: Any) -> StoryClient:
    return StoryClient(
        ClientConfig(), page_transport=transport, media_transport=transport, **options
    )


def moved(tiktok: FakeTikTok, theirs: str, ours: str, hosts: tuple[str, ...] = ()) -> MockTransport:
    """The fake with a part of its addresses written otherwise: in what it says, and when asked.

    hosts: all that stand for `theirs` in what it says.
    """
    usual = tiktok.transport()

    def answer(request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if theirs in url:
            return httpx.Response(404)
        request.url = httpx.URL(url.replace(ours, theirs))
        request.headers["host"] = request.url.host
        response: httpx.Response = usual.handler(request)  # type: ignore[assignment]
        if "/api/story/" not in request.url.path:
            return response
        text = response.read().decode()
        for host in hosts:
            text = text.replace(host, ours)
        return httpx.Response(response.status_code, content=text.encode())

    return MockTransport(answer)


# --- hosts ----------------------------------------------------------------------------------------

NEW_HOST = "v9.tiktokcdn-row.com"


async def test_files_on_a_new_host_are_saved_once_a_pack_names_it(
    tiktok: FakeTikTok, alice: Account, folder: Folder
) -> None:
    alice.photo(**TINY)
    transport = moved(tiktok, cdn.PICTURE_HOSTS[0], NEW_HOST, cdn.PICTURE_HOSTS)
    async with over(transport) as client:
        assert not (await saved(client, folder)).files()
        use_changed(lambda facts: facts["hosts"]["media"].append("tiktokcdn-row.com"))
        (file,) = (await saved(client, Folder())).files()
    assert file.size_bytes
    assert is_allowed_host(NEW_HOST)


def test_links_on_a_new_host_are_read_once_a_pack_names_it() -> None:
    link = "https://go.tiktokv.eu/share/video/7580000000000000001"
    with pytest.raises(InputError):
        parse_line(link)
    use_changed(lambda facts: facts["hosts"]["share"].append("go.tiktokv.eu"))
    assert parse_line(link).item_id == "7580000000000000001"
    assert not is_allowed_host("evil.example")


def test_a_subdomain_that_became_something_else_is_read_no_more() -> None:
    assert is_link_host("music.tiktok.com")
    use_changed(lambda facts: facts["hosts"]["other_services"].update(music="the shop"))
    assert not is_link_host("music.tiktok.com")


# --- codes ----------------------------------------------------------------------------------------


async def test_a_new_code_is_understood_once_a_pack_knows_it(
    tiktok: FakeTikTok, alice: Account
) -> None:
    alice.photo()
    answer: Said = {"statusCode": 10777, "itemList": None}
    async with over(scripted(tiktok, answer)) as client:
        assert await failure(client, "alice") is UnknownAnswer
        use_changed(
            lambda facts: facts["codes"]["accounts"]["numbers"].update({"10777": "refused"})
        )
        assert await failure(client, "alice", fresh=True) is Refused


async def test_so_are_new_words(tiktok: FakeTikTok, alice: Account) -> None:
    answer: Said = {"statusCode": 10777, "statusMsg": "status_bot_suspected", "itemList": None}
    async with over(scripted(tiktok, answer)) as client:
        assert await failure(client, "alice") is UnknownAnswer
        use_changed(
            lambda facts: facts["codes"]["accounts"]["words"].update(statusbot="challenged")
        )
        assert await failure(client, "alice", fresh=True) is Challenged


# --- identities -----------------------------------------------------------------------------------

SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.0 Safari/605.1.15"
)


def be_safari(facts: Facts) -> None:
    """The ladder begins with another browser."""
    facts["identities"]["curl"].insert(
        0,
        {
            "name": "safari260",
            "user_agent": SAFARI,
            "tls_target": "safari260",
            "client_hints": [],
            "browser": True,
            "always_referer": True,
        },
    )


async def test_a_client_that_is_open_goes_on_as_who_a_pack_says(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    for agent in ("Chrome/", "compatible"):
        tiktok.fault({"text": "https://www.tiktok.com/", "agent": agent}, 403)
    memory = LocalIdentityMemory()
    async with over(tiktok.transport(), identity_memory=memory) as client:
        assert await failure(client, "alice") is Refused
        await memory.put("a name that no pack has any more")
        use_changed(be_safari)
        assert ids(await find(client, "alice")) == [story.id]
        last = tiktok.seen("list")[-1].headers
        assert last["user-agent"] == SAFARI
        assert "sec-ch-ua" not in last
        use(None)
        assert await failure(client, "alice", fresh=True) is Refused


# --- endpoints ------------------------------------------------------------------------------------


async def test_a_list_that_moved_is_found_once_a_pack_says_where(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    transport = moved(tiktok, "/api/story/item_list/", "/api/v2/stories/")
    async with over(transport) as client:
        assert await failure(client, "alice") is UpstreamChanged

        def change(facts: Facts) -> None:
            request = facts["endpoints"]["story_list"]
            request["url"] = "https://www.tiktok.com/api/v2/stories/"
            request["query"].append(["region", "US"])
            request["page_size"] = 7

        use_changed(change)
        assert ids(await find(client, "alice", fresh=True)) == [story.id]
    asked = httpx.URL(tiktok.seen("list")[-1].url).params
    assert (asked["count"], asked["region"], asked["cursor"]) == ("7", "US", "0")


# --- marks and renditions -------------------------------------------------------------------------


def test_a_new_challenge_page_is_recognised_by_its_marks() -> None:
    page = b"<html><script src=new-waf.js></script><p class=just-a-moment>"
    assert not is_challenge(page)

    def change(facts: Facts) -> None:
        facts["marks"]["challenge"] += ["new-waf.js", "just-a-moment"]
        facts["marks"]["captcha"] = ["puzzle-piece"]

    use_changed(change)
    assert is_challenge(page)
    assert is_check(b"<p>puzzle-piece")
    assert is_check(b"<p>bdturing-verify"), "built in, and so not to be taken away"
    with pytest.raises(Challenged):
        json_answer(page)


def video(**gear: Any) -> Facts:
    address = {"UrlList": ["https://v1.tiktokcdn.com/a/one/"], "UrlKey": "v_x_540p"}
    return {"video": {"bitrateInfo": [{"PlayAddr": address, **gear}]}}


def test_a_new_codec_and_a_new_silent_format_are_known_by_a_pack() -> None:
    (media,) = read_video(video(CodecType="bytevc3", Format="cmaf"))
    assert media.kind is MediaKind.VIDEO
    assert [(variant.codec, variant.silent) for variant in media.variants] == [("bytevc3", False)]

    def change(facts: Facts) -> None:
        rules = facts["renditions"]
        rules["codecs"].append({"name": "h267", "words": ["bytevc3"], "beginnings": [], "keys": []})
        rules["no_player"].append("h267")
        rules["silent_formats"].append("cmaf")
        rules["silent_paths"].append("track-video-")

    use_changed(change)
    (media,) = read_video(video(CodecType="bytevc3", Format="cmaf"))
    assert [(variant.codec, variant.silent) for variant in media.variants] == [("h267", True)]
    assert no_player() == {"h266", "h267"}
    track: Facts = {"UrlList": ["https://v1.tiktokcdn.com/a/track-video-avc1/"]}
    (media,) = read_video({"video": {"PlayAddrStruct": track}})
    assert [variant.silent for variant in media.variants] == [True]


def test_a_document_says_all_that_the_code_knew() -> None:
    """Nothing in it is for nobody: each section is read by the code that it is about."""
    assert set(json.loads(packs.text())) == {
        "format",
        "version",
        "made_at",
        "identities",
        "endpoints",
        "hosts",
        "codes",
        "marks",
        "renditions",
    }
