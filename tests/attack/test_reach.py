"""Nothing outside the list is reached: every hostile address, in every role, on every way out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.hosts import is_allowed_host
from stories.http import resolver
from tests.attack.hostile_addresses import ANSWERS, hostile_addresses
from tests.attack.reach import (
    FILE,
    PAGE,
    SHORT,
    Names,
    ask_by_name,
    look_up_pasted,
    off_the_list,
    redirecting,
    refused,
    session,
    trap,
    try_everything,
)
from tests.unit.stories.http.loopback import loopback

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300), pytest.mark.short]


@pytest.fixture(params=[True, False], ids=["curl", "httpx"])
def curl(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_there_are_enough_of_them() -> None:
    found = hostile_addresses(443)
    assert len(found) == len(set(found)) > 200


async def test_no_hostile_address_is_asked_for_directly(curl: bool) -> None:
    """Whatever a name server says; and no name but listed ones is even looked up."""
    names = Names(["127.0.0.1", "::1"])
    async with trap() as found, session(names.resolve, curl=curl) as (here, _, _):
        for address in hostile_addresses(found.port):
            names.asked.clear()
            await try_everything(address, here)
            assert all(is_allowed_host(name) for name in names.asked), address
        assert found.reached == 0


async def test_no_hostile_address_is_asked_for_through_a_proxy(tmp_path: Path, curl: bool) -> None:
    """The proxy would look names up, and reach whatever is inside."""
    names = Names()
    async with (
        trap() as found,
        loopback(tmp_path, redirecting(["https://elsewhere.example/"])) as server,
        session(names.resolve, proxy=server.proxy, ca=server.ca_path, curl=curl) as (here, _, _),
    ):
        for address in hostile_addresses(found.port):
            await try_everything(address, here)
            assert off_the_list(server) == [], address
        await try_everything(PAGE, here)
        assert server.connects, "the proxy does count"
        assert found.reached == 0
        assert names.asked == []


async def test_no_redirect_leads_off_the_list(tmp_path: Path, curl: bool) -> None:
    names, locations = Names(), [PAGE]
    async with (
        trap() as found,
        loopback(tmp_path, redirecting(locations)) as server,
        session(names.resolve, proxy=server.proxy, ca=server.ca_path, curl=curl) as (here, _, _),
    ):
        for address in hostile_addresses(found.port):
            locations.append(address)
            for url in (PAGE, SHORT):
                await refused(here.get_page(url))
            await refused(here.fetch_media(FILE, lambda _: bytearray().extend))
            assert off_the_list(server) == [], address
        assert len(server.asked) > 600, "each was led astray"
        assert found.reached == 0
        assert names.asked == []


async def test_no_pasted_link_leads_off_the_list(tmp_path: Path) -> None:
    """Pasted as it is, and behind a short link."""
    locations = [PAGE]
    async with trap() as found, loopback(tmp_path, redirecting(locations)) as server:
        config = ClientConfig(proxy=server.proxy, ca_bundle=server.ca_path, connect_timeout_s=3)
        async with StoryClient(config) as client:
            for address in hostile_addresses(found.port):
                locations.append(address)
                for line in (address, f"@alice {address}", SHORT):
                    await look_up_pasted(line, client)
                assert off_the_list(server) == [], address
        assert len(server.asked) > 200
        assert found.reached == 0


async def test_no_answer_of_a_name_server_leads_inside(curl: bool) -> None:
    """A listed name, past the list and on the trap's own port."""
    async with trap() as found:
        for answer in ANSWERS:
            names = Names([answer])
            async with session(names.resolve, curl=curl) as (_, pages, media):
                url = f"https://v16.tiktokcdn.com:{found.port}/"
                ended = await ask_by_name(url, pages, media, curl=curl)
                assert None not in ended, answer
                assert names.asked, answer
        assert found.reached == 0


async def test_addresses_in_numbers_lead_nowhere_past_the_list_either(curl: bool) -> None:
    async with trap() as found:
        async with session(resolver.system_resolve, curl=curl) as (_, pages, media):
            for host in ("127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.1", "[::1]",
                         "[::ffff:127.0.0.1]", "localhost"):  # fmt: skip
                url = f"https://{host}:{found.port}/"
                assert None not in await ask_by_name(url, pages, media, curl=curl), host
        assert found.reached == 0


async def test_a_name_that_changes_between_look_up_and_connection(
    curl: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Public at first, inside from then on: nobody is there, and inside is never asked."""
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.9.9.9")
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("127.9.9.9",) if len(asked) == 1 else ("127.0.0.1",)

    async with trap() as found:
        async with session(rebinding, curl=curl) as (_, pages, media):
            url = f"https://v16.tiktokcdn.com:{found.port}/"
            for _ in range(4):
                await ask_by_name(url, pages, media, curl=curl)
        assert found.reached == 0
        assert len(asked) > 1


async def test_the_trap_does_count(curl: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the check of addresses gone, it would be seen."""
    monkeypatch.setattr(resolver, "is_public", lambda _: True)
    async with (
        trap() as found,
        session(Names(["127.0.0.1"]).resolve, curl=curl) as (_, pages, media),
    ):
        await ask_by_name(f"https://v16.tiktokcdn.com:{found.port}/", pages, media, curl=curl)
        assert found.reached >= 2
