"""A real Chromium as the carrier of today's client: pages, lists, walls and redirects."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stories.browser import visit
from stories.browser.browser import Browser
from stories.errors import (
    Challenged,
    LoginRequired,
    NoSuchAccount,
    PrivateAccount,
    RateLimited,
    Refused,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.http.headers import Purpose
from stories.links import parse_url
from stories.short_links import expand_short_link
from stories.structures import Author
from tests.fake_tiktok.exchange import Response
from tests.fake_tiktok.pages import puzzle, redirect
from tests.fake_tiktok.proxy import FakeProxy, running_proxy
from tests.integration.browser_site import IS_MISSING, ScriptedTikTok, browser_to, data, page, use

pytestmark = [
    pytest.mark.integration,
    pytest.mark.anyio,
    pytest.mark.skipif(IS_MISSING, reason="no Chromium here"),
]

LIST = "/api/story/item_list/"
NO_STORIES = {"statusCode": 0, "itemList": [], "HasMoreAfter": False, "TotalCount": "0"}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeProxy]:
    with running_proxy(ScriptedTikTok(), tmp_path_factory.mktemp("fake")) as running:
        yield running


@pytest.fixture(scope="module")
async def browser(proxy: FakeProxy) -> AsyncIterator[Browser]:
    async with browser_to(proxy) as browser:
        yield browser


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, as the browser lives on it."""
    return "asyncio"


@pytest.fixture
def site(proxy: FakeProxy) -> ScriptedTikTok:
    site = proxy.tiktok
    assert isinstance(site, ScriptedTikTok)
    site.start_anew()
    return site


async def test_a_list_over_several_pages_is_read_by_todays_client(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.most_per_page = 3
    account = site.account("many.pages")
    stories = [account.photo() for _ in range(17)]
    async with use(browser) as used:
        found = await used.stories("many.pages")
        assert {story.id for story in found.stories} == {story.id for story in stories}
        assert (found.missing, found.error) == (0, None)
        assert {cookie.name for cookie in used.session._jar} >= {"tt_chain_token", "ttwid"}
    assert site.count("list") == 6
    for seen in site.requests:
        assert "Headless" not in str(seen.headers)
        assert '"Chromium"' in seen.headers["sec-ch-ua"]
        assert seen.headers["accept-language"].startswith("en-US")


async def test_a_file_is_fetched_by_our_own_downloader_with_the_browsers_cookies(
    site: ScriptedTikTok, browser: Browser, tmp_path: Path
) -> None:
    clip = site.account("clip.owner").video(seconds=1)
    async with use(browser) as used:
        found = await used.stories("clip.owner")
        variants = [v for item in found.stories[0].media for v in item.variants]
        with (tmp_path / "clip.mp4").open("w+b") as sink:
            fetched = await used.client.fetch(variants[0], sink, used.session)
    bodies = {hashlib.sha256(r.thing.body).hexdigest() for r in clip.renditions}
    assert fetched.sha256 in bodies


async def test_the_pages_own_request_for_the_list_is_taken(
    site: ScriptedTikTok, browser: Browser
) -> None:
    account = site.account("asks.itself")
    story = account.photo()
    url = f"{LIST}?aid=1988&authorId={account.id}&count=30&cursor=0&signed=1"
    site.answers["/@asks.itself"] = site.with_script(
        f"setTimeout(() => fetch('{url}').then(a => a.json()), 200)"
    )
    async with use(browser) as used:
        found = await used.stories("asks.itself")
    assert [found.id for found in found.stories] == [story.id]
    assert [seen.path for seen in site.seen("list")] == [url]


async def test_a_page_signs_what_is_asked_for_from_within_it(
    site: ScriptedTikTok, browser: Browser
) -> None:
    account = site.account("signs.all")
    story = account.photo()
    site.answers["/@signs.all"] = site.with_script(
        "const real = window.fetch;"
        "window.fetch = (url, ...more) => real(url + '&X-Bogus=' + url.length, ...more)",
    )
    site.answers[LIST] = lambda request: (
        None if "X-Bogus" in request.parameters else data(NO_STORIES)
    )
    async with use(browser) as used:
        found = await used.stories("signs.all")
    assert [found.id for found in found.stories] == [story.id]


async def test_a_page_whose_fetch_lies_is_not_asked_what_came(
    site: ScriptedTikTok, browser: Browser
) -> None:
    account = site.account("fetch.lies")
    story = account.photo()
    site.answers["/@fetch.lies"] = site.with_script(
        "const real = window.fetch; window.fetch = (...all) => real(...all).then("
        '  () => new Response(\'{"statusCode":0,"itemList":[],"TotalCount":"0"}\'))',
    )
    async with use(browser) as used:
        found = await used.stories("fetch.lies")
    assert [found.id for found in found.stories] == [story.id]


async def test_a_wall_that_only_a_script_passes_is_waited_out(
    site: ScriptedTikTok, browser: Browser
) -> None:
    story = site.account("behind.wall").photo()
    wall = page(
        '<html><script id="slardar-config">{"slardarClient":"SlardarWAF"}</script>Please wait...'
        "<script>setTimeout(() => {document.cookie = 'passed=1; path=/'; location.reload()}, 1500)"
        "</script></html>"
    )
    site.answers["/@behind.wall"] = lambda request: None if "passed" in request.cookies else wall
    async with use(browser) as used:
        found = await used.stories("behind.wall")
        assert "passed" in {cookie.name for cookie in used.session._jar}
    assert [found.id for found in found.stories] == [story.id]


async def test_a_wall_without_a_known_mark_is_waited_out_too(
    site: ScriptedTikTok, browser: Browser
) -> None:
    story = site.account("odd.wall").photo()
    wall = page(
        "<html><script>setTimeout(() => {document.cookie = 'odd=1; path=/';"
        "location.reload()}, 1000)</script></html>"
    )
    site.answers["/@odd.wall"] = lambda request: None if "odd" in request.cookies else wall
    async with use(browser) as used:
        found = await used.stories("odd.wall")
    assert [found.id for found in found.stories] == [story.id]


async def test_a_wall_that_does_not_give_way_is_a_challenge(
    site: ScriptedTikTok, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "CHALLENGE_S", 1.0)
    wall = page(puzzle(site.rng, site.now(), 10, "", solvable=True).page())
    site.answers["/@stays.shut"] = wall
    async with use(browser) as used:
        with pytest.raises(Challenged):
            await used.get("/@stays.shut")
    assert site.seen_paths.count("www.tiktok.com/@stays.shut") < 10, "it reloads itself, to an end"


@pytest.mark.parametrize("by", ["redirect", "script"])
async def test_the_sign_in_page_is_a_login_wall(
    site: ScriptedTikTok, browser: Browser, by: str
) -> None:
    login = "https://www.tiktok.com/login?redirect_url=x"
    site.answers["/@walled.in"] = (
        redirect(login) if by == "redirect" else page(f"<script>location = '{login}'</script>")
    )
    async with use(browser) as used:
        with pytest.raises(LoginRequired):
            await used.get("/@walled.in")


async def test_where_a_page_leads_is_asked_for_once(site: ScriptedTikTok, browser: Browser) -> None:
    site.answers["/@old.name"] = redirect("https://www.tiktok.com/@new.name?lang=en#top")
    site.answers["/@new.name"] = page("<p>the new name</p>")
    async with use(browser) as used:
        assert "the new name" in await used.get("/@old.name")
    assert site.seen_paths.count("www.tiktok.com/@new.name?lang=en") == 1


@pytest.mark.parametrize("where", ["https://evil.example/x", "http://evil.example/plain"])
@pytest.mark.parametrize("by", ["redirect", "script"])
async def test_a_page_that_leads_away_from_tiktok_is_not_followed(
    site: ScriptedTikTok, browser: Browser, by: str, where: str
) -> None:
    site.answers["/@leads.away"] = (
        redirect(where) if by == "redirect" else page(f"<script>location = '{where}'</script>")
    )
    async with use(browser) as used:
        with pytest.raises(UpstreamChanged, match="not TikTok"):
            await used.get("/@leads.away")


async def test_a_short_link_leads_where_it_leads(site: ScriptedTikTok, browser: Browser) -> None:
    story = site.account("short.linked").photo()
    link = site.short_link("ZMabc123", to=story)
    async with use(browser) as used:
        target = await expand_short_link(parse_url(link), used.session)
    assert target.item_id == story.id


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Refused), (429, RateLimited), (503, UpstreamDown), (404, None)],
)
@pytest.mark.parametrize("body", ["", "<p>no</p>"])
@pytest.mark.parametrize("purpose", [Purpose.NAVIGATE, Purpose.LIST])
async def test_a_status_says_what_it_says(
    site: ScriptedTikTok,
    browser: Browser,
    status: int,
    error: type[StoriesError] | None,
    body: str,
    purpose: Purpose,
) -> None:
    path = "/oembed" if purpose is Purpose.LIST else "/@status.only"
    site.answers[path] = page(body, status)
    async with use(browser) as used:
        address = f"https://www.tiktok.com{path}"
        if error is None:
            answer = await used.session.get_page(address, purpose, allow_empty=True)
            assert not answer.found
        else:
            with pytest.raises(error):
                await used.session.get_page(address, purpose)


@pytest.mark.parametrize("kind", ["drop", "silent"])
@pytest.mark.parametrize("endpoint", ["profile", "list"])
async def test_a_network_that_breaks_is_a_network_failure(
    site: ScriptedTikTok, browser: Browser, kind: str, endpoint: str
) -> None:
    account = site.account("line.drops")
    account.photo()
    site.fault(endpoint, kind, **({"after": 10} if kind == "drop" else {}))
    path = "/@line.drops" if endpoint == "profile" else f"{LIST}?authorId={account.id}"
    purpose = Purpose.NAVIGATE if endpoint == "profile" else Purpose.LIST
    async with use(browser) as used:
        with pytest.raises(UpstreamDown):
            await used.get(path, purpose=purpose)


async def test_private_and_unknown_accounts_are_told_apart(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.account("locked.up", private=True)
    async with use(browser) as used:
        with pytest.raises(PrivateAccount):
            await used.stories("locked.up")
        with pytest.raises(NoSuchAccount):
            await used.stories("nobody.here")


async def test_an_empty_list_is_empty_and_zero_bytes_are_not(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.account("posts.nothing")
    async with use(browser) as used:
        found = await used.stories("posts.nothing")
        assert not found.stories
        assert not found.missing
    site.fault("list", "empty")
    async with use(browser) as used:
        with pytest.raises(Refused):
            await used.stories("posts.nothing")


async def test_two_look_ups_share_no_cookie(site: ScriptedTikTok, browser: Browser) -> None:
    site.account("first.visit").photo()
    tokens = []
    for _ in range(2):
        async with use(browser) as used:
            await used.stories("first.visit")
            tokens += [c.value for c in used.session._jar if c.name == "tt_chain_token"]
    first = site.seen("profile")
    assert all("cookie" not in seen.headers for seen in first)
    assert len(set(tokens)) == 2


async def test_data_is_asked_for_from_a_page_of_the_site_when_none_is_open(
    site: ScriptedTikTok, browser: Browser
) -> None:
    account = site.account("straight.on")
    account.photo()
    async with use(browser) as used:
        found = await used.client.get_story_list(
            Author(id=account.id, name=account.name), used.session
        )
    assert len(found.stories) == 1
    assert [seen.endpoint for seen in site.requests if "favicon" not in seen.path] == [
        "profile",
        "list",
    ]


async def test_no_part_of_a_page_says_that_it_is_headless(
    site: ScriptedTikTok, browser: Browser
) -> None:
    say = (
        "fetch('https://www.tiktok.com/said?by=NAME&agent=' + encodeURIComponent("
        "navigator.userAgent + JSON.stringify(navigator.userAgentData.toJSON())),"
        "{mode: 'no-cors'});"
    )

    def said(name: str) -> str:
        return say.replace("NAME", name)

    script = Response(
        200,
        [("Content-Type", "text/javascript")],
        [memoryview(said("service").encode())],
    )
    site.answers["/service.js"] = script
    site.answers["/shared.js"] = replace(script, parts=[memoryview(said("shared").encode())])
    site.answers["/frame"] = page(f"<script>{said('frame')}</script>")
    worker = said("worker").replace("'", "\\'")
    site.answers["/@says.all"] = page(
        f"<iframe src=/frame></iframe><iframe src=https://v16.tiktokcdn.com/frame></iframe>"
        f"<script>{said('page')}"
        f"new Worker(URL.createObjectURL(new Blob(['{worker}'])));"
        "new SharedWorker('/shared.js'); navigator.serviceWorker.register('/service.js')"
        "</script>"
    )
    async with use(browser) as used:
        await used.get("/@says.all")
        for _ in range(50):
            await asyncio.sleep(0.1)
            heard = [path for path in site.seen_paths if "/said" in path]
            if len(heard) >= 6:
                break
    told = {path.partition("by=")[2].partition("&")[0] for path in heard}
    assert told == {"page", "frame", "worker", "shared", "service"}
    assert not [path for path in site.seen_paths if "Headless" in path]
    assert not [seen.headers for seen in site.headers if "Headless" in str(seen.headers)]


async def test_the_carrier_is_used_by_one_request_at_a_time(
    site: ScriptedTikTok, browser: Browser
) -> None:
    site.answers["/@one"] = page("<p>one</p>")
    site.answers["/@two"] = page("<p>two</p>")
    async with use(browser) as used:
        got = await asyncio.gather(used.get("/@one"), used.get("/@two"))
    assert list(got) == ["<p>one</p>", "<p>two</p>"]
