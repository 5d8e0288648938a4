"""A page as the transport of today's client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from stories.browser import visit as visits
from stories.browser.agent import agent_of
from stories.browser.cdp import Connection
from stories.browser.visit import BrowserVisit
from stories.http.body import BodyTooLarge
from stories.http.headers import Purpose
from stories.ways import WayFailed
from tests.fake_tiktok.pages import puzzle
from tests.unit.stories.browser.scripted import GETS_NO_ANSWER, Loads, ScriptedPage

pytestmark = pytest.mark.anyio

SITE = "https://www.tiktok.com"
PAGE = f"{SITE}/@a"
LIST = f"{SITE}/api/story/item_list/?aid=1988&authorId=7&count=20&cursor=0"
CHALLENGE = b'<script id="slardar-config">SlardarWAF</script>Please wait...'
COOKIE = {"name": "ttwid", "value": "1", "domain": ".tiktok.com", "path": "/", "secure": True}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("CHALLENGE_S", 0.3), ("LOAD_S", 0.1), ("SETTLE_S", 0.03)):
        monkeypatch.setattr(visits, name, seconds)
    for name in ("SEND_S", "SIGN_S"):
        monkeypatch.setattr(visits, name, 0.1)


@dataclass
class Opened:
    """A visit, and the browser behind it."""

    browser: ScriptedPage
    visit: BrowserVisit

    async def get(self, url: str, purpose: Purpose | None = None, **headers: str) -> httpx.Response:
        """The answer to one request."""
        extensions: dict[str, Any] = {} if purpose is None else {"purpose": purpose}
        return await self.visit.handle_async_request(
            httpx.Request("GET", url, headers=headers, extensions=extensions)
        )

    @property
    def loaded(self) -> list[str]:
        """The addresses that were navigated to."""
        return [command["url"] for command in self.browser.commands("Page.navigate")]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    browser = ScriptedPage(Storage_getCookies={"cookies": [COOKIE]})
    connection = Connection(browser)
    agent = agent_of("Mozilla/5.0 (X11; Linux) HeadlessChrome/156.0.0.0", "Chrome/156.0.1.2")
    visit = BrowserVisit(
        connection, agent, allowed=lambda host: host.endswith("tiktok.com"), max_body=1000
    )
    await visit.open("http://127.0.0.1:9999")
    yield Opened(browser, visit)
    await connection.aclose()


def test_the_identity_is_the_browsers_own() -> None:
    identity = visits.browser_identity("Chrome/156")
    assert (identity.name, identity.user_agent) == ("browser", "Chrome/156")
    assert identity.runs_scripts
    assert identity.tls_target == "chrome150"


# --- pages ----------------------------------------------------------------------------------------


async def test_a_page_is_its_last_document(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(headers={"Date": "x"}, status=404)
    answer = await opened.get(PAGE, referer="https://www.tiktok.com/")
    assert (answer.status_code, answer.content) == (404, b"<p>page</p>")
    assert answer.headers["date"] == "x"
    assert answer.headers["set-cookie"].startswith("ttwid=1")
    assert opened.browser.commands("Page.navigate") == [{"url": PAGE, "referrer": f"{SITE}/"}]


async def test_a_challenge_is_waited_out(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(CHALLENGE, b"<p>passed</p>"))
    assert (await opened.get(PAGE)).content == b"<p>passed</p>"


async def test_a_challenge_that_stays_is_handed_on(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(CHALLENGE,))
    began = asyncio.get_running_loop().time()
    assert (await opened.get(PAGE)).content == CHALLENGE
    assert 0.25 < asyncio.get_running_loop().time() - began < 2


async def test_challenge_upon_challenge_has_one_limit(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(CHALLENGE,) * 5)
    began = asyncio.get_running_loop().time()
    assert (await opened.get(PAGE)).content == CHALLENGE
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_visit_waits_no_longer_for_all_its_challenges_together(opened: Opened) -> None:
    for name in "abc":
        opened.browser.pages[f"{SITE}/@{name}"] = Loads(bodies=(CHALLENGE,))
    began = asyncio.get_running_loop().time()
    for name in "abc":
        assert (await opened.get(f"{SITE}/@{name}")).content == CHALLENGE
    assert asyncio.get_running_loop().time() - began < 0.6


async def test_a_page_that_leads_on_and_on_comes_to_an_end(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(b"<p>again</p>",) * 50)
    answer = await opened.get(PAGE)
    assert answer.content == b"<p>again</p>"


async def test_where_it_ended_is_a_redirect_and_asking_for_it_costs_nothing(
    opened: Opened,
) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(b"one", b"two"), urls=(PAGE, f"{SITE}/login?x=1#y"))
    answer = await opened.get(PAGE)
    assert (answer.status_code, answer.headers["location"]) == (302, f"{SITE}/login?x=1")
    assert "set-cookie" in answer.headers
    assert (await opened.get(f"{SITE}/login?x=1")).content == b"two"
    assert opened.loaded == [PAGE]
    opened.browser.pages[f"{SITE}/login?x=1"] = Loads(bodies=(b"anew",))
    assert (await opened.get(f"{SITE}/login?x=1")).content == b"anew", "once only"


async def test_another_page_than_where_it_ended_is_loaded(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(b"one",), urls=(f"{SITE}/@b",))
    opened.browser.pages[f"{SITE}/@c"] = Loads(bodies=(b"c",))
    # The first request of a navigation is what was asked, however the browser spells it.
    assert (await opened.get(PAGE)).status_code == 200
    assert (await opened.get(f"{SITE}/@c")).content == b"c"


async def test_a_page_that_leads_away_says_where(opened: Opened) -> None:
    def away(_: dict[str, Any]) -> dict[str, str]:
        facts = {"requestId": "1", "frameId": "main", "type": "Document"}
        for url in (PAGE, "https://evil.example/x"):
            request = {"url": url, "method": "GET"}
            opened.browser.event("Network.requestWillBeSent", "page", request=request, **facts)
        error = "net::ERR_BLOCKED_BY_CLIENT"
        opened.browser.event("Network.loadingFailed", "page", errorText=error, **facts)
        return {"errorText": error}

    opened.browser.replies["Page.navigate"] = away
    answer = await opened.get(PAGE)
    assert (answer.status_code, answer.headers["location"]) == (302, "https://evil.example/x")


async def test_an_error_of_the_network_is_one(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(b"",), error="net::ERR_TUNNEL_CONNECTION_FAILED")
    with pytest.raises(httpx.ConnectError):
        await opened.get(PAGE)


async def test_a_page_that_is_not_even_asked_for_is_an_error(opened: Opened) -> None:
    with pytest.raises(httpx.ConnectError):
        await opened.get(f"{SITE}/@nowhere")
    opened.browser.pages[PAGE] = Loads(bodies=())
    with pytest.raises(httpx.ReadError):
        await opened.get(PAGE)


async def test_a_body_beyond_the_limit_is_too_large(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads(bodies=(bytes(2000),))
    with pytest.raises(BodyTooLarge):
        await opened.get(PAGE)


# --- data -----------------------------------------------------------------------------------------


async def test_the_pages_own_list_is_handed_out_once(opened: Opened) -> None:
    own = f"{SITE}/api/story/item_list?authorId=7&cursor=0&count=30&X-Bogus=1"
    opened.browser.pages[PAGE] = Loads(early={own: b'{"own": 1}'})
    opened.browser.data[LIST] = b'{"asked": 1}'
    await opened.get(PAGE)
    assert (await opened.get(LIST, Purpose.LIST)).content == b'{"own": 1}'
    assert (await opened.get(LIST, Purpose.LIST)).content == b'{"asked": 1}'
    assert opened.loaded == [PAGE]


async def test_a_list_is_asked_for_from_within_the_page_which_may_sign_it(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads()
    opened.browser.data[LIST] = b'{"asked": 1}'
    opened.browser.signed = "&X-Bogus=abc"
    await opened.get(PAGE)
    answer = await opened.get(LIST, Purpose.LIST)
    assert (answer.status_code, answer.content) == (200, b'{"asked": 1}')
    assert not answer.headers.get("location")


async def test_a_page_is_opened_first_where_none_is(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads()
    opened.browser.data[LIST] = b"{}"
    await opened.get(LIST, Purpose.LIST, referer=PAGE)
    assert opened.loaded == [PAGE]
    await opened.get(LIST, Purpose.LIST, referer=f"{SITE}/@other")
    assert opened.loaded == [PAGE], "any page of the site will do"


async def test_data_behind_a_challenge_is_opened_so_that_its_script_runs(opened: Opened) -> None:
    opened.browser.pages |= {PAGE: Loads(), LIST: Loads(bodies=(CHALLENGE, b"{}"))}
    opened.browser.data |= {LIST: CHALLENGE, f"{LIST}0": b'{"next": 1}'}
    await opened.get(PAGE)
    assert (await opened.get(LIST, Purpose.LIST, referer=PAGE)).content == b"{}"
    assert (await opened.get(f"{LIST}0", Purpose.LIST, referer=PAGE)).content == b'{"next": 1}'
    assert opened.loaded == [PAGE, LIST, PAGE]


async def test_a_page_that_cannot_be_opened_for_it_is_an_error_of_the_network(
    opened: Opened,
) -> None:
    opened.browser.data[LIST] = b"{}"
    with pytest.raises(httpx.ConnectError):
        await opened.get(LIST, Purpose.LIST, referer=f"{SITE}/@nowhere")
    assert not opened.browser.commands("Runtime.evaluate")


async def test_a_page_that_asks_nothing_has_failed(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads()
    await opened.get(PAGE)
    with pytest.raises(WayFailed, match="sends no request"):
        await opened.get(LIST, Purpose.LIST)


async def test_a_page_that_cannot_ask_has_failed(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads()
    await opened.get(PAGE)
    opened.browser.replies["Runtime.evaluate"] = {"exceptionDetails": {"text": "no fetch"}}
    with pytest.raises(WayFailed, match="cannot ask"):
        await opened.get(LIST, Purpose.LIST)


async def test_a_request_that_fails_is_an_error_of_the_network(opened: Opened) -> None:
    opened.browser.pages[PAGE] = Loads()
    opened.browser.data[LIST] = "net::ERR_CONNECTION_RESET"
    await opened.get(PAGE)
    with pytest.raises(httpx.ReadError):
        await opened.get(LIST, Purpose.LIST)


@pytest.mark.parametrize(
    ("url", "headers", "purpose", "data"),
    [
        (LIST, {}, None, True),
        (f"{SITE}/oembed?url=x", {"sec-fetch-mode": "cors"}, None, True),
        (f"{SITE}/oembed?url=x", {"accept": "application/json, text/plain, */*"}, None, True),
        (f"{SITE}/oembed?url=x", {}, Purpose.LIST, True),
        (LIST, {}, Purpose.NAVIGATE, False),
        (PAGE, {"accept": "text/html"}, None, False),
        ("https://vm.tiktok.com/ZM1/", {}, Purpose.PREVIEW, False),
        ("https://m.tiktok.com/api/x", {}, Purpose.LIST, True),
        ("https://m.tiktok.com/api/x", {"referer": f"{SITE}/@a"}, Purpose.LIST, True),
    ],
)
async def test_what_is_asked_for_from_within_a_page(
    opened: Opened, url: str, headers: dict[str, str], purpose: Purpose | None, data: bool
) -> None:
    opened.browser.pages |= {f"{SITE}/": Loads(), "https://m.tiktok.com/": Loads(), url: Loads()}
    opened.browser.data[url] = b"{}"
    await opened.get(url, purpose, **headers)
    assert bool(opened.browser.commands("Runtime.evaluate")) is data


# --- the end --------------------------------------------------------------------------------------


async def test_a_browser_that_ends_in_the_middle_has_failed(opened: Opened) -> None:
    opened.browser.replies["Page.navigate"] = GETS_NO_ANSWER
    asking = asyncio.create_task(opened.get(PAGE))
    await asyncio.sleep(0.01)
    opened.browser.die()
    with pytest.raises(WayFailed, match="the browser ended"):
        await asking


async def test_a_visit_that_was_ended_says_why(opened: Opened) -> None:
    opened.browser.replies["Page.navigate"] = GETS_NO_ANSWER
    asking = asyncio.create_task(opened.get(PAGE))
    await asyncio.sleep(0.01)
    opened.visit.trouble = "took more than 25 s"
    opened.browser.die()
    for request in (asking, opened.get(PAGE)):
        with pytest.raises(WayFailed, match="took more than 25 s"):
            await request


async def test_a_command_that_the_browser_refuses_is_a_failure(opened: Opened) -> None:
    opened.browser.replies["Page.navigate"] = {"error": "no such session"}
    with pytest.raises(WayFailed, match="no such session"):
        await opened.get(PAGE)


async def test_a_page_that_cannot_be_opened_is_a_failure() -> None:
    browser = ScriptedPage(Target_createTarget={"error": "no"})
    connection = Connection(browser)
    agent = agent_of("Chrome/156.0.0.0", "Chrome/156.0.1.2")
    visit = BrowserVisit(connection, agent, allowed=lambda _: True, max_body=1)
    with pytest.raises(WayFailed, match="createTarget"):
        await visit.open("http://127.0.0.1:9999")
    await connection.aclose()


async def test_the_real_challenge_is_one_of_those_waited_for(opened: Opened) -> None:
    import random

    page = puzzle(random.Random(1), 0.0, 10, "", solvable=True).page().encode()
    opened.browser.pages[PAGE] = Loads(bodies=(page[:999], b"<p>passed</p>"))
    assert (await opened.get(PAGE)).content == b"<p>passed</p>"
