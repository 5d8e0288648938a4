"""Short links, asked of the fake TikTok."""

from urllib.parse import quote

import httpx
import pytest

from stories.client import StoryClient
from stories.errors import (
    Advert,
    DeadShortLink,
    InputError,
    LoginRequired,
    RateLimited,
    Refused,
    StoriesError,
    UnsupportedLink,
    UpstreamChanged,
    UpstreamDown,
)
from tests.fake_tiktok import Account, FakeTikTok
from tests.mock_transport import MockTransport
from tests.unit.stories.lookups import failure, find, ids

pytestmark = pytest.mark.anyio


async def test_short_links(client: StoryClient, tiktok: FakeTikTok, alice: Account) -> None:
    story = alice.photo()
    for link in (
        tiktok.short_link("ZMa", to=story),
        tiktok.short_link("ZMb", to=story, host="vt.tiktok.com"),
        tiktok.short_link("ZMc", to=story, host="www.tiktok.com"),
        tiktok.short_link("ZMd", to=story, hops=4),
        tiktok.short_link("ZMe", to=alice),
    ):
        found = await find(client, link)
        assert ids(found) == [story.id], link
    agents = {seen.headers["user-agent"] for seen in tiktok.seen("short")}
    assert agents == {"facebookexternalhit/1.1"}


async def test_a_short_link_of_the_light_app(
    client: StoryClient, tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    shared = f"https://t.tiktok.com/i18n/share/video/{story.id}/?_d=x&story_type=1"
    link = tiktok.short_link("ZSa", to=shared, host="lite.tiktok.com")
    assert link == "https://lite.tiktok.com/t/ZSa/"
    assert ids(await find(client, link)) == [story.id]
    assert {seen.host for seen in tiktok.requests} == {"lite.tiktok.com", "www.tiktok.com"}


@pytest.mark.parametrize(
    "target",
    [
        "https://www.tiktok.com/tiktoklite?_r=1",
        "https://www.tiktok.com/download",
        "https://lite.tiktok.com/",
        "https://lite.tiktok.com/download?from=share",
        "https://play.google.com/store/apps/details?id=com.zhiliaoapp.musically.go",
        "https://apps.apple.com/tr/app/tiktok-lite/id1234567890",
        "https://go.onelink.me/bIdt/abc?pid=share",
        "market://details?id=com.zhiliaoapp.musically.go",
    ],
)
@pytest.mark.parametrize("hops", [1, 2])
async def test_a_short_link_to_where_the_app_is_offered_is_an_advert(
    client: StoryClient, tiktok: FakeTikTok, target: str, hops: int
) -> None:
    link = tiktok.short_link("ZSapp", to=target, host="vt.tiktok.com", hops=hops)
    assert await failure(client, link) is Advert
    assert len(tiktok.requests) == hops, "nobody asks for the advert itself"


async def test_a_short_link_to_the_sign_in_page_of_a_region(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    link = tiktok.short_link("ZMa", to="https://us.tiktok.com/login?x=1")
    assert await failure(client, link) is LoginRequired
    assert await failure(client, tiktok.short_link("ZMb", to="https://us.tiktok.com/?_r=1")) is (
        DeadShortLink
    )


async def test_dead_short_links(client: StoryClient, tiktok: FakeTikTok) -> None:
    assert await failure(client, "https://vm.tiktok.com/ZMnobody/") is DeadShortLink
    for code, target in {
        "home": "https://www.tiktok.com/",
        "bare": "https://www.tiktok.com",
        "query": "https://www.tiktok.com/?_r=1&lang=en",
    }.items():
        assert await failure(client, tiktok.short_link(code, to=target)) is DeadShortLink
    tiktok.fault("short", 404)
    assert await failure(client, "https://vm.tiktok.com/ZMgone/") is DeadShortLink


async def test_a_short_link_in_a_circle(client: StoryClient, tiktok: FakeTikTok) -> None:
    link = tiktok.short_link("ZMloop", to="https://vm.tiktok.com/ZMloop/")
    assert await failure(client, link) is DeadShortLink
    assert tiktok.count("short") == 5


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("https://evil.example/@alice", UnsupportedLink),
        ("https://www.tiktok.com/tag/cats", UnsupportedLink),
        ("https://shop.tiktok.com/x", UnsupportedLink),
    ],
)
async def test_short_links_that_lead_elsewhere(
    client: StoryClient, tiktok: FakeTikTok, target: str, error: type[StoriesError]
) -> None:
    assert await failure(client, tiktok.short_link("ZMx", to=target)) is error
    assert tiktok.count() == 1
    assert tiktok.strays == []


async def test_a_short_link_to_the_sign_in_page_is_tried_as_a_browser_and_as_another(
    client: StoryClient, tiktok: FakeTikTok
) -> None:
    login = "https://www.tiktok.com/login?redirect_url=x"
    assert await failure(client, tiktok.short_link("ZMx", to=login)) is LoginRequired
    assert tiktok.count() == 3


async def test_a_short_link_that_answers_a_preview_with_a_page(
    tiktok: FakeTikTok, alice: Account
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=story)
    usual = tiktok.transport()

    def answer(request: httpx.Request) -> httpx.Response:
        if "facebook" in request.headers["user-agent"]:
            return httpx.Response(200, content=b"<html>an app page")
        return usual.handle_request(request)

    transport = MockTransport(answer)
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        assert ids(await find(client, link)) == [story.id]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "https://evil.example/login",
        "https://evil.example/x https://www.tiktok.com/@alice",
        "https://evil.example/?u=https://www.tiktok.com/@alice",
        "https://www.tiktok.com:8443/@alice",
        "https://www.tiktok.com@evil.example/@alice",
        "snssdk1233://user/profile/1",
    ],
)
async def test_a_short_link_to_another_site_is_that(
    client: StoryClient, tiktok: FakeTikTok, target: str
) -> None:
    assert await failure(client, tiktok.short_link("ZMx", to=target)) is UnsupportedLink
    assert tiktok.count() == 1


@pytest.mark.parametrize(
    "target",
    [
        "https://www.tiktok.com/x https://www.tiktok.com/@alice",
        "https://www.tiktok.com/@alice https://www.tiktok.com/@bob",
        "https://www.tiktok.com/@zo\u0308e",
    ],
)
async def test_where_a_short_link_leads_is_one_address(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, target: str
) -> None:
    with pytest.raises(InputError):
        await find(client, tiktok.short_link("ZMx", to=quote(target, safe=":/@ ")))
    assert tiktok.count() == 1


@pytest.mark.parametrize(
    ("preview", "browser", "error"),
    [
        (403, None, None),
        ("empty", None, None),
        ("html", None, None),
        ("system_error", None, None),
        (403, 403, Refused),
        ("empty", "empty", Refused),
        ("html", "empty", Refused),
        ("empty", "html", UpstreamChanged),
        ("html", "html", UpstreamChanged),
        (403, 404, DeadShortLink),
        (404, None, None),
        (404, 404, DeadShortLink),
        (404, 403, Refused),
        (429, None, RateLimited),
        (503, None, UpstreamDown),
    ],
)
async def test_a_short_link_is_asked_as_a_preview_then_as_a_browser(
    client: StoryClient,
    tiktok: FakeTikTok,
    alice: Account,
    preview: str | int,
    browser: str | int | None,
    error: type[StoriesError] | None,
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=story)
    tiktok.fault("short", preview, times=1)
    if browser is not None:
        tiktok.fault("short", browser)
    if error is None:
        assert ids(await find(client, link)) == [story.id]
    else:
        assert await failure(client, link) is error
    agents = [seen.headers["user-agent"][:8] for seen in tiktok.seen("short")]
    last = preview in {429, 503}
    browsers = 0 if last else 2 if error is Refused else 1
    assert agents == ["facebook", *["Mozilla/"] * browsers]


@pytest.mark.parametrize("host", ["www.tiktok.com", "us.tiktok.com"])
async def test_a_short_link_to_the_sign_in_page_of_a_story_names_the_story(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, host: str
) -> None:
    story = alice.photo()
    login = f"https://{host}/login?lang=en&redirect_url={quote(story.url, safe='')}"
    assert ids(await find(client, tiktok.short_link("ZMx", to=login))) == [story.id]
    assert tiktok.count("short") == 1


@pytest.mark.parametrize(
    "beyond", ["https://evil.example/@alice", "https://www.tiktok.com/", "https://[::1", ""]
)
async def test_a_sign_in_page_before_nothing_of_use_is_a_sign_in_page(
    client: StoryClient, tiktok: FakeTikTok, beyond: str
) -> None:
    login = f"https://www.tiktok.com/login?redirect_url={quote(beyond, safe='')}"
    assert await failure(client, tiktok.short_link("ZMx", to=login)) is LoginRequired


@pytest.mark.parametrize(
    "path",
    ["en/", "zh-Hant-TW", "404?_r=1", "notfound", "hk/notfound?_r=1", "en/not-found"],
)
async def test_a_short_link_to_a_home_page_or_to_no_page_is_dead(
    client: StoryClient, tiktok: FakeTikTok, path: str
) -> None:
    link = tiktok.short_link("ZMx", to=f"https://www.tiktok.com/{path}")
    assert await failure(client, link) is DeadShortLink


@pytest.mark.parametrize("home", ["https://www.tiktok.com/?_r=1", "https://us.tiktok.com/404"])
async def test_a_short_link_that_leads_a_preview_home_leads_a_browser_on(
    tiktok: FakeTikTok, alice: Account, home: str
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=story)
    usual = tiktok.transport()
    agents = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "vm.tiktok.com":
            agents.append(request.headers["user-agent"][:8])
        if "facebook" in request.headers["user-agent"]:
            return httpx.Response(301, headers={"Location": home})
        return usual.handle_request(request)

    transport = MockTransport(answer)
    async with StoryClient(page_transport=transport, media_transport=transport) as client:
        assert ids(await find(client, link)) == [story.id]
    assert agents == ["facebook", "Mozilla/"]


@pytest.mark.parametrize("form", ["/@alice", "/@alice/story/{id}"])
async def test_a_short_link_with_an_address_of_the_same_host_leads_to_the_site(
    client: StoryClient, tiktok: FakeTikTok, alice: Account, form: str
) -> None:
    story = alice.photo()
    link = tiktok.short_link("ZMx", to=f"https://vm.tiktok.com{form.format(id=story.id)}")
    assert ids(await find(client, link)) == [story.id]
