"""Addresses that may be requested, and where a redirect leads."""

from contextlib import suppress
from urllib.parse import urlsplit

import pytest

from stories.errors import StoriesError, UnknownMediaHost, UpstreamChanged
from stories.hosts import is_allowed_host
from stories.http.addresses import (
    MAX_URL,
    allowed_host,
    followed,
    is_login_page,
    redirect_target,
    without_query,
)
from stories.wire.addresses import read_addresses
from tests.attack.hostile_addresses import hostile_addresses
from tests.attack.reach import Names, session, trap, try_everything

PAGE = "https://www.tiktok.com/@corner.bakery"
FILE = "https://v16-webapp-prime.tiktok.com/video/x?signature=s"


def test_hosts_of_pages_and_of_files() -> None:
    assert allowed_host(PAGE, page=True) == "www.tiktok.com"
    assert allowed_host(FILE, page=False) == "v16-webapp-prime.tiktok.com"
    with pytest.raises(UpstreamChanged):
        allowed_host(FILE, page=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://www.tiktok.com/",
        "https://www.tiktok.com:444/",
        "https://me@www.tiktok.com/",
        "https://www.tiktok.com\\@evil.example/",
        "https://www.tiktok.com/\u00e9",
        "https://127.0.0.1/",
        "https://[::1",
        f"https://www.tiktok.com/{'x' * MAX_URL}",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UpstreamChanged):
        allowed_host(url, page=False)


@pytest.mark.parametrize("page", [True, False])
def test_of_three_hundred_hostile_addresses_none_is_allowed(page: bool) -> None:
    """As they are, as a redirect leads to them, and as a list names them."""
    for address in hostile_addresses(8443):
        with pytest.raises(UpstreamChanged):
            allowed_host(address, page=page)
        with suppress(StoriesError):
            target = followed(PAGE, redirect_target(PAGE, 302, address) or "")
            assert is_allowed_host(allowed_host(target, page=page)), address
        for url in read_addresses([address]).urls:
            parts = urlsplit(url)
            assert (parts.scheme, parts.port, parts.username) == ("https", None, None), address
            assert is_allowed_host(parts.hostname or ""), address


@pytest.mark.anyio
async def test_none_of_them_is_reached_without_a_proxy() -> None:
    """A listener on this machine counts whoever arrives; every name is said to be here."""
    names = Names(["127.0.0.1", "::1"])
    async with trap() as found, session(names.resolve) as (here, _, _):
        for address in hostile_addresses(found.port):
            await try_everything(address, here)
        assert found.reached == 0
    assert all(is_allowed_host(name) for name in names.asked)


def test_a_host_of_files_that_nobody_knows_is_named() -> None:
    with pytest.raises(UnknownMediaHost) as caught:
        allowed_host("https://cdn.new-name.example/x", page=False)
    assert caught.value.hosts == ("cdn.new-name.example",)


@pytest.mark.parametrize(
    ("status", "location", "target"),
    [
        (302, "/login", "https://www.tiktok.com/login"),
        (307, "https://evil.example/", "https://evil.example/"),
        (200, "/login", None),
        (404, "", None),
    ],
)
def test_where_a_redirect_leads(status: int, location: str, target: str | None) -> None:
    assert redirect_target(PAGE, status, location) == target


@pytest.mark.parametrize("location", ["", "x" * (MAX_URL + 1), "https://[::1"])
def test_a_redirect_to_nowhere(location: str) -> None:
    with pytest.raises(UpstreamChanged, match="redirect"):
        redirect_target(PAGE, 302, location)


def test_a_regions_host_is_asked_for_on_our_own() -> None:
    assert followed(PAGE, "https://us.tiktok.com/x") == "https://www.tiktok.com/x"
    with pytest.raises(UpstreamChanged, match="only on"):
        followed("https://www.tiktok.com/x", "https://us.tiktok.com/x")


def test_what_an_error_may_name() -> None:
    assert without_query(FILE) == "v16-webapp-prime.tiktok.com/video/x"
    assert is_login_page("https://www.tiktok.com/Login/phone")
    assert not is_login_page("https://www.tiktok.com/loginx")
