"""The fake TikTok itself: what it insists on, what it serves, and how it fails when told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fake_tiktok import HEVC_720, Account, FakeTikTok, media
from tests.fake_tiktok.exchange import FAULTS
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.fake_tiktok.scenarios import SCENARIOS

SAMPLES = Path(__file__).parents[1] / "samples"
ROOT = Path(__file__).parents[2]
UA = "Mozilla/5.0 (X11; Linux x86_64) test"
REFERER = "https://www.tiktok.com/"


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok(page_bytes=2_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    return tiktok.account("sample.user")


@pytest.fixture
def web(tiktok: FakeTikTok) -> Iterator[httpx.Client]:
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(transport=tiktok.transport(), headers=headers) as client:
        yield client


def listed(web: httpx.Client, account: Account, **more: Any) -> dict[str, Any]:
    asked = {"aid": "1988", "authorId": account.id, "count": "20", "cursor": "0", **more}
    found: dict[str, Any] = web.get(
        "https://www.tiktok.com/api/story/item_list/", params=asked
    ).json()
    return found


def data_in(page: httpx.Response) -> dict[str, Any]:
    found = re.search(r'id="__UNIVERSAL_DATA_FOR_REHYDRATION__"[^>]*>(.*?)</script>', page.text)
    assert found is not None
    scope: dict[str, Any] = json.loads(found[1])["__DEFAULT_SCOPE__"]
    return scope


def play_addr(web: httpx.Client, account: Account) -> str:
    address: str = listed(web, account)["itemList"][0]["video"]["playAddr"]
    return address


# --- shapes -------------------------------------------------------------------------------------


def differences(made: Any, recorded: Any, path: str = "") -> list[str]:
    """Where a made value has a field or a type that the recording has not."""
    if isinstance(made, dict) and isinstance(recorded, dict):
        found = [f"{path}.{name} is new" for name in made.keys() - recorded.keys()]
        for name in made.keys() & recorded.keys():
            found += differences(made[name], recorded[name], f"{path}.{name}")
        return found
    if isinstance(made, list) and isinstance(recorded, list):
        return differences(made[0], recorded[0], f"{path}[]") if made and recorded else []
    same = type(made) is type(recorded)
    return [] if same else [f"{path}: {type(made).__name__} for {type(recorded).__name__}"]


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def test_items_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    alice.video(0.5, gears=(HEVC_720,), song="mp3")
    recorded = sample("web_item_video_720hevc_540h264.json")["itemList"][0]
    story = sample("story_item_PARTIAL.json")["itemList"][0]["story"]
    made = listed(web, alice)["itemList"][0]
    assert differences(made, {**recorded, "story": story}) == []


def test_pages_have_strings_where_the_list_has_numbers(web: httpx.Client, alice: Account) -> None:
    post = alice.post("carousel")
    page = data_in(web.get(f"https://www.tiktok.com/@sample.user/video/{post.id}"))
    made = page["webapp.video-detail"]["itemInfo"]["itemStruct"]
    recorded = sample("page_photo_2_images.json")["__DEFAULT_SCOPE__"]["webapp.video-detail"]
    item = recorded["itemInfo"]["itemStruct"]
    assert isinstance(made["createTime"], str)
    assert differences(made["imagePost"], item["imagePost"]) == []
    assert differences(made["video"], item["video"]) == []


def test_profiles_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    made = data_in(web.get(alice.url))["webapp.user-detail"]
    recorded = sample("page_profile_ok.json")["__DEFAULT_SCOPE__"]["webapp.user-detail"]
    assert differences(made, recorded) == []
    missing = data_in(web.get("https://www.tiktok.com/@nobody.here"))["webapp.user-detail"]
    recorded = sample("page_profile_10221.json")["__DEFAULT_SCOPE__"]["webapp.user-detail"]
    assert missing == recorded


def test_embeds_have_the_fields_and_types_of_the_recording(
    web: httpx.Client, alice: Account
) -> None:
    page = web.get("https://www.tiktok.com/embed/@sample.user").text
    found = re.search(r'id="__FRONTITY_CONNECT_STATE__"[^>]*>(.*?)</script>', page)
    assert found is not None
    assert differences(json.loads(found[1]), sample("embed_profile.json")) == []


def test_a_profile_page_is_as_large_as_a_real_one_and_sets_the_cookies() -> None:
    tiktok = FakeTikTok()
    alice = tiktok.account("sample.user")
    with httpx.Client(transport=tiktok.transport()) as web:
        page = web.get(alice.url)
        assert 370_000 < len(page.content) < 420_000
        assert {"ttwid", "tt_csrf_token", "tt_chain_token"} <= set(dict(web.cookies))


def test_ids_are_snowflakes(alice: Account) -> None:
    story = alice.photo(ago_s=100)
    assert int(story.id) >> 32 == int(story.created)


# --- the list -----------------------------------------------------------------------------------


def test_the_list_pages_forward_in_time(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    made = [alice.nothing(ago_s=5000 - number).id for number in range(7)]
    tiktok.most_per_page = 3
    seen: list[str] = []
    cursor, more = "0", True
    while more:
        page = listed(web, alice, cursor=cursor)
        seen += [item["id"] for item in page["itemList"]]
        cursor, more = str(page["MaxCursor"]), page["HasMoreAfter"]
        assert page["TotalCount"] == "7"
    assert seen == made


def test_the_list_has_no_items_key_when_there_is_no_story(
    web: httpx.Client, alice: Account
) -> None:
    page = listed(web, alice)
    assert "itemList" not in page
    assert (page["statusCode"], page["TotalCount"]) == (0, "0")


def test_the_list_refuses_what_the_site_refuses(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.account("locked", private=True, id="77")
    assert listed(web, alice, count="51")["statusCode"] == 10201
    assert listed(web, alice, authorId="")["statusCode"] == 10201
    assert listed(web, alice, authorId="12345")["statusCode"] == 10202
    assert listed(web, alice, authorId="77")["statusCode"] == 10222


def test_expired_stories_may_be_listed_but_have_no_page(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    old = alice.expired()
    item = listed(web, alice)["itemList"][0]
    assert item["story"]["ExpiredAt"] / 1000 < tiktok.now()
    detail = data_in(web.get(f"{alice.url}/video/{old.id}"))["webapp.video-detail"]
    assert detail == sample("page_video_10204.json")["__DEFAULT_SCOPE__"]["webapp.video-detail"]


# --- the CDN ------------------------------------------------------------------------------------


def test_media_is_served_to_the_session_that_listed_it(web: httpx.Client, alice: Account) -> None:
    story = alice.video(song="m4a")
    video = listed(web, alice)["itemList"][0]["video"]
    for url in video["PlayAddrStruct"]["UrlList"]:
        assert web.get(url, follow_redirects=True).content == story.files[0].body
    assert story.watermarked is not None
    assert web.get(video["downloadAddr"]).content == story.watermarked.body
    song = listed(web, alice)["itemList"][0]["music"]["playUrl"]
    assert web.get(song).headers["content-type"] == "audio/mp4"
    assert web.get(video["cover"]).content[:3] == b"\xff\xd8\xff"


def test_video_needs_the_referer_the_token_and_the_same_agent(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    alice.video()
    url = play_addr(web, alice)
    assert web.get(url, headers={"Referer": ""}).headers["x-fake-reason"] == "referer"
    assert web.get(url, headers={"User-Agent": "other"}).headers["x-fake-reason"] == "user agent"
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(transport=tiktok.transport(), headers=headers) as stranger:
        assert stranger.get(url).headers["x-fake-reason"] == "signature"
        tiktok.needs_token = False
        assert stranger.get(url).status_code == 200


def test_pictures_need_no_session(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    story = alice.photo()
    urls = listed(web, alice)["itemList"][0]["imagePost"]["images"][0]["imageURL"]["urlList"]
    with httpx.Client(transport=tiktok.transport()) as stranger:
        assert {stranger.get(url).content for url in urls} == {story.files[0].body}


def test_a_changed_parameter_is_a_403(web: httpx.Client, alice: Account) -> None:
    alice.video(song="mp3")
    alice.photo()
    items = listed(web, alice)["itemList"]
    urls = [
        items[0]["video"]["playAddr"],
        items[0]["music"]["playUrl"],
        items[1]["imagePost"]["images"][0]["imageURL"]["urlList"][0],
    ]
    for url in urls:
        assert web.get(url).status_code == 200
        bare, _, query = url.partition("?")
        pairs = query.split("&")
        for number, pair in enumerate(pairs):
            others = [one for at, one in enumerate(pairs) if at != number]
            if not pair.startswith("tk="):
                assert web.get(f"{bare}?{'&'.join(others)}").status_code == 403, pair
        assert web.get(f"{url}&more=1").status_code == 403
        moved = re.sub(r"(expire=|x-expires=)\d", r"\g<1>9", url)
        assert moved == url or web.get(moved).status_code == 403


def test_addresses_run_out(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    alice.video(song="mp3")
    item = listed(web, alice)["itemList"][0]
    tiktok.advance(7 * 3600)
    assert web.get(item["music"]["playUrl"]).status_code == 403
    assert web.get(item["video"]["playAddr"]).status_code == 200
    tiktok.advance(48 * 3600)
    assert web.get(item["video"]["playAddr"]).status_code == 403


@pytest.mark.parametrize(
    ("asked", "status", "where"),
    [
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=5-9", 206, slice(5, 10)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=100-99999999", 206, slice(100, None)),
        ("bytes=99999999-", 416, slice(0, 0)),
        ("bytes=9-5", 416, slice(0, 0)),
        ("items=1-2", 200, slice(0, None)),
    ],
)
def test_ranges(web: httpx.Client, alice: Account, asked: str, status: int, where: slice) -> None:
    body = alice.video().files[0].body
    answer = web.get(play_addr(web, alice), headers={"Range": asked})
    assert (answer.status_code, answer.content) == (status, body[where])
    if status == 206:
        start = len(body) - len(body[where]) if where.start < 0 else where.start
        end = start + len(answer.content) - 1
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(body)}"


def test_if_range(web: httpx.Client, alice: Account) -> None:
    alice.video()
    url = play_addr(web, alice)
    tag = web.head(url).headers["etag"]
    ranged = {"Range": "bytes=5-9"}
    assert web.get(url, headers={**ranged, "If-Range": tag}).status_code == 206
    assert web.get(url, headers={**ranged, "If-Range": '"other"'}).status_code == 200


def test_files_made_alike_still_differ(alice: Account) -> None:
    made = [alice.video(label="same").files[0] for _ in range(3)]
    made += [alice.photo(label="same").files[0] for _ in range(3)]
    assert len({hashlib.sha256(thing.body).digest() for thing in made}) == 6
    assert len({thing.etag for thing in made}) == 6


# --- links --------------------------------------------------------------------------------------


def test_short_links(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.nothing()

    def follow(url: str) -> list[str]:
        steps = []
        while True:
            answer = web.get(url)
            if not answer.is_redirect:
                return steps
            url = answer.headers["location"]
            steps.append(url)

    assert follow(tiktok.short_link("ZM1", to=clip)) == [clip.shared_url]
    assert "story_type=1" in clip.shared_url
    assert len(follow(tiktok.short_link("ZM3", to=clip, hops=3))) == 3
    assert follow(tiktok.short_link("ZM0", to=None)) == ["https://www.tiktok.com/?_r=1"]
    assert follow("https://vt.tiktok.com/ZMunknown/") == ["https://www.tiktok.com/?_r=1"]
    assert follow(tiktok.short_link("ZMt", to=alice, host="www.tiktok.com"))[0].startswith(
        alice.url
    )
    tiktok.fault("short", "login", times=1)
    assert follow("https://vm.tiktok.com/ZM1/")[0].startswith("https://www.tiktok.com/login")


def test_other_hosts_are_strays(tiktok: FakeTikTok, web: httpx.Client) -> None:
    for url in ("https://www.tiktok.com.evil.example/", "http://www.tiktok.com/"):
        with pytest.raises(httpx.ConnectError):
            web.get(url)
    assert tiktok.strays == ["www.tiktok.com.evil.example", "www.tiktok.com"]


# --- the challenge ------------------------------------------------------------------------------


def answered(page: str) -> dict[str, str]:
    packed = re.search(r'id="cs" class="([^"]*)"', page)
    second = re.search(r'id="rs" class="([^"]*)"', page)
    assert packed is not None
    assert second is not None
    asked = json.loads(base64.b64decode(packed[1] + "==="))
    prefix, digest = (base64.b64decode(asked["v"][name]) for name in "ac")
    number = next(
        n for n in range(1_000_001) if hashlib.sha256(prefix + b"%d" % n).digest() == digest
    )
    asked["d"] = base64.b64encode(b"%d" % number).decode()
    raw = json.dumps(asked, separators=(",", ":")).encode()
    return {"_wafchallengeid": base64.b64encode(raw).decode(), "waforiginalreid": second[1]}


def cookies(values: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in values.items())}


def test_a_challenge_wants_exactly_the_right_answer(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    fault = tiktok.fault(alice, "challenge", times=1, second="again")
    page = web.get(alice.url).text
    assert "Please wait..." in page
    assert len(page) < 2000
    right = answered(page)
    missing = {**right, "waforiginalreid": "no"}
    assert "Please wait..." in web.get(alice.url, headers=cookies(missing)).text
    right = answered(web.get(alice.url).text)
    unpadded = right["_wafchallengeid"].rstrip("=")
    other = json.loads(base64.b64decode(right["_wafchallengeid"]))
    spaced = base64.b64encode(json.dumps(other).encode()).decode()
    for wrong in {unpadded, spaced} - {right["_wafchallengeid"]}:
        page = web.get(alice.url, headers=cookies({**right, "_wafchallengeid": wrong})).text
        assert "Please wait..." in page
    right = answered(page)
    assert fault.hits == 0
    assert "webapp.user-detail" in web.get(alice.url, headers=cookies(right)).text
    assert fault.hits == 1
    assert "webapp.user-detail" in web.get(alice.url).text


def test_a_challenge_can_be_endless_or_without_answer(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    tiktok.fault("profile", "challenge_again")
    right = answered(web.get(alice.url).text)
    assert "Please wait..." in web.get(alice.url, headers=cookies(right)).text


def test_our_own_client_solves_it(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    from stories import challenge

    tiktok.fault(alice, "challenge", times=1)
    page = web.get(alice.url).content
    assert challenge.is_challenge(page)
    found = dict(challenge.solve(page))
    assert "webapp.user-detail" in web.get(alice.url, headers=cookies(found)).text


# --- faults -------------------------------------------------------------------------------------


def test_media_faults(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.video()
    body, url = clip.files[0].body, play_addr(web, alice)
    ranged = {"Range": "bytes=100-"}

    def get(kind: str | int, headers: dict[str, str] | None = None, **options: Any) -> Any:
        fault = tiktok.fault(clip, kind, times=1, **options)
        try:
            return web.get(url, headers=headers)
        except httpx.TransportError as error:
            return error
        finally:
            assert fault.hits == 1

    assert isinstance(get("drop", after=500), httpx.RemoteProtocolError)
    assert isinstance(get("stall", after=500), httpx.ReadTimeout)
    assert isinstance(get("silent"), httpx.RemoteProtocolError)
    assert get("truncated", after=700).content == body[:700]
    assert get("hole", after=700, length=50).content == body[:700] + bytes(50) + body[750:]
    assert get("empty").content == b""
    assert get("html").headers["content-type"].startswith("text/html")
    assert get(403).status_code == 403
    assert get("expired").status_code == 403
    assert get(429, retry_after=30).headers["retry-after"] == "30"
    assert get("no_ranges", ranged).status_code == 200
    assert get("wrong_range", ranged).headers["content-range"].startswith("bytes 7-")
    assert get("etag_changes").headers["etag"] != get("etag_changes").headers["etag"]
    assert get("mislabelled").headers["content-type"] == "application/octet-stream"
    assert get("redirect", to="https://elsewhere.example/").has_redirect_location
    assert web.get(url).content == body


def test_page_and_list_faults(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    alice.nothing()
    alice.nothing()

    def list_with(kind: str, **options: Any) -> Any:
        tiktok.fault("list", kind, times=1, **options)
        return listed(web, alice, count="1")

    assert "itemList" not in list_with("withheld")
    stuck = list_with("stuck")
    assert (stuck["HasMoreAfter"], stuck["MaxCursor"]) == (True, 0)
    assert list_with("repeat")["HasMoreAfter"]
    assert list_with("code", code=10101)["statusCode"] == 10101
    assert list_with("captcha")["code"] == "10000"
    assert "itemList" not in list_with("changed")
    tiktok.fault("profile", "changed", times=1)
    assert "REHYDRATION" not in web.get(alice.url).text
    tiktok.fault("profile", "empty", times=1)
    assert web.get(alice.url).content == b""
    tiktok.fault("profile", "system_error", times=1)
    assert web.get(alice.url).headers["x-tt-system-error"] == "3"
    tiktok.fault("profile", "huge", times=1, size=3_000_000)
    assert len(web.get(alice.url).content) > 3_000_000
    tiktok.fault("profile", "deep", times=1, depth=5000)
    assert "[[[[" in web.get(alice.url).text


def test_faults_find_their_target(tiktok: FakeTikTok, web: httpx.Client, alice: Account) -> None:
    clip = alice.video()
    alice.photo()
    bob = tiktok.account("bob")
    first, second = listed(web, alice)["itemList"][0]["video"]["PlayAddrStruct"]["UrlList"][:2]
    tiktok.fault("v16-", 403, times=1)
    assert [web.get(url).status_code for url in (first, second, first)] == [403, 200, 200]
    low = next(one for one in clip.renditions if one.gear_name == "lowest_540_0")
    tiktok.fault(low, 404)
    assert web.get(first).status_code == 200
    tiktok.fault({"endpoint": "profile", "account": "bob"}, 500)
    assert web.get(alice.url).status_code == 200
    assert web.get(bob.url).status_code == 500
    with pytest.raises(ValueError, match="no fault"):
        tiktok.fault(bob, "sulks")
    with pytest.raises(ValueError, match="cannot match"):
        tiktok.fault({"mood": "bad"}, 500)


def test_requests_are_logged_and_counted(
    tiktok: FakeTikTok, web: httpx.Client, alice: Account
) -> None:
    clip = alice.video()
    web.get(play_addr(web, alice), headers={"Range": "bytes=0-5"})
    assert [one.endpoint for one in tiktok.seen()] == ["list", "video"]
    assert tiktok.count("video", item=clip, ranged=True) == 1
    assert tiktok.count(account=alice) == 2
    assert tiktok.seen("video")[0].headers["referer"] == REFERER
    tiktok.forget_requests()
    assert tiktok.count() == 0


def test_every_fault_is_explained() -> None:
    assert all(FAULTS.values())


# --- the proxy ----------------------------------------------------------------------------------


@pytest.fixture
def proxy(tiktok: FakeTikTok, tmp_path: Path) -> Iterator[FakeProxy]:
    with running_proxy(tiktok, tmp_path) as running:
        yield running


@pytest.fixture
def tunnel(proxy: FakeProxy) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=proxy.ca_path)
    headers = {"User-Agent": UA, "Referer": REFERER}
    with httpx.Client(
        proxy=proxy.url, verify=context, trust_env=False, headers=headers, timeout=20
    ) as client:
        yield client


def test_the_proxy_serves_the_same_site(
    tiktok: FakeTikTok, alice: Account, tunnel: httpx.Client, proxy: FakeProxy
) -> None:
    story = alice.video()
    for _ in range(3):
        assert tunnel.get(alice.url).status_code == 200
    url = play_addr(tunnel, alice)
    assert tunnel.get(url).content == story.files[0].body
    assert tunnel.head(url).headers["content-length"] == str(story.files[0].size)
    assert tunnel.get(url, headers={"Range": "bytes=3-8"}).content == story.files[0].body[3:9]
    assert tiktok.count("profile") == 3
    assert proxy.peak_connections == 2  # kept alive: one for the pages, one for the CDN


def test_proxy_faults_reach_the_wire(
    tiktok: FakeTikTok, alice: Account, tunnel: httpx.Client
) -> None:
    clip = alice.video()
    url = play_addr(tunnel, alice)
    for kind, options in (("drop", {"after": 900}), ("drop", {"after": 0}), ("silent", {})):
        tiktok.fault(clip, kind, times=1, **options)
        with pytest.raises(httpx.RemoteProtocolError):
            tunnel.get(url)
    tiktok.fault(clip, "stall", times=1, after=900)
    with pytest.raises(httpx.ReadTimeout):
        tunnel.get(url, timeout=httpx.Timeout(20, read=0.2))
    assert tunnel.get(url).content == clip.files[0].body


def test_the_proxy_reaches_nobody_else(proxy: FakeProxy, tunnel: httpx.Client) -> None:
    for url in ("https://example.com/", "http://example.com/", "https://www.tiktok.com:8443/"):
        try:
            status = tunnel.get(url).status_code
        except httpx.ProxyError:
            status = 403
        assert status == 403
    assert proxy.strays == ["example.com", "example.com", "www.tiktok.com:8443"]


def test_the_curl_transport_gets_through(alice: Account, proxy: FakeProxy) -> None:
    from curl_cffi import CurlOpt
    from httpx_curl_cffi import AsyncCurlTransport

    async def ask() -> httpx.Response:
        options = {CurlOpt.CAINFO: proxy.ca_path, CurlOpt.PROXY_CAINFO: proxy.ca_path}
        transport = AsyncCurlTransport(
            impersonate="chrome",
            proxy=proxy.url,
            curl_options={**options, CurlOpt.NOPROXY: ""},
        )
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(alice.url)

    assert "webapp.user-detail" in asyncio.run(ask()).text


def test_it_is_steered_over_plain_http(tiktok: FakeTikTok, proxy: FakeProxy) -> None:
    with httpx.Client(base_url=proxy.url, trust_env=False) as control:
        assert control.get("/health").json() == {"ok": True}
        control.post("/account", json={"name": "far.away"})
        made = control.post("/photo", json={"account": "far.away", "caption": "hi"}).json()
        link = control.post("/short_link", json={"code": "ZM9", "to": made["id"]}).json()
        assert link == {"url": "https://vm.tiktok.com/ZM9/"}
        control.post("/fault", json={"match": "list", "kind": "429", "retry_after": 5})
        assert control.get("/faults").json()[0]["options"] == {"status": 429, "retry_after": 5}
        assert control.post("/fault", json={"match": "list", "kind": "sulk"}).status_code == 400
        assert [one["item"] for one in control.get("/media").json()["files"]] == [made["id"]]
        control.post("/reset", json={})
        assert control.get("/faults").json() == []
    assert tiktok.strays == []


def test_as_a_process_it_says_when_it_listens_and_stops_with_its_parent(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fake_tiktok", "--dir", str(tmp_path), "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        listing = httpx.get(f"{ready['control']}/media", trust_env=False).json()
        headers = listing["headers"]
        context = ssl.create_default_context(cafile=ready["ca"])
        with httpx.Client(
            proxy=ready["proxy"], verify=context, trust_env=False, headers=headers
        ) as client:
            for file in listing["files"]:
                body = client.get(file["url"]).content
                assert hashlib.sha256(body).hexdigest() == file["sha256"]
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_the_benchmark_casts_are_as_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without drawing a thing: the sizes asked for are what is looked at."""

    def blank(*_: object, min_bytes: int | None = None, **__: object) -> bytes:
        return b"\0\0\0\x08ftyp" + bytes(min_bytes or 0)

    monkeypatch.setattr(media, "video", blank)
    monkeypatch.setattr(media, "picture", blank)
    one, many = FakeTikTok(), FakeTikTok()
    SCENARIOS["bench-a"](one)
    SCENARIOS["bench-b"](many)
    (author,) = one.accounts.values()
    assert [len(story.files) for story in author.stories] == [1] * 8 + [10] * 2
    assert [story.kind for story in author.stories][5:7] == ["video", "photo"]
    assert sorted(many.accounts) == [f"bench{number:02}" for number in range(1, 21)]
    for account in many.accounts.values():
        assert [len(story.files) for story in account.stories] == [1, 1, 1, 4]
    for site, size in ((one, 8 * 2**20), (many, 2 * 2**20)):
        videos = [s.files[0].size for s in site.stories.values() if s.kind == "video"]
        assert all(size <= found < size + 1000 for found in videos)
