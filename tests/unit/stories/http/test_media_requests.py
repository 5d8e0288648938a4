"""Requests for files: redirects, cookies and errors on the way to the bytes."""

import httpx
import pytest

from stories.errors import MediaUnavailable, UpstreamChanged, UpstreamDown
from stories.http.addresses import MAX_REDIRECTS
from tests.unit.stories.http.mock_session import FILE, answering, read, session_on

pytestmark = pytest.mark.anyio

ELSEWHERE = "https://v19.tiktokcdn-us.com/x"


async def test_each_redirect_is_checked_and_the_last_answer_is_read() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if len(asked) == 1:
            return httpx.Response(302, headers={"Location": ELSEWHERE}, content=b"moved")
        assert request.headers["range"] == "bytes=5-8"
        return httpx.Response(206, headers={"Content-Range": "bytes 5-8/10"}, content=b"body")

    assert await read(session_on(handler), start=5, end=9) == b"body"
    assert asked == ["v16-webapp-prime.tiktok.com", "v19.tiktokcdn-us.com"]


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("https://evil.example/", UpstreamChanged),
        ("http://v19.tiktokcdn-us.com/x", UpstreamChanged),
        ("https://10.0.0.1/", UpstreamChanged),
        ("https://www.tiktok.com/login?next=x", MediaUnavailable),
        ("", UpstreamChanged),
    ],
)
async def test_a_redirect_that_leads_nowhere_good(location: str, error: type[Exception]) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": location})

    with pytest.raises(error):
        await read(session_on(handler))
    assert asked == [FILE]


async def test_endless_redirects_end() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(302, headers={"Location": f"{ELSEWHERE}{len(asked)}"})

    with pytest.raises(MediaUnavailable, match="redirects"):
        await read(session_on(handler))
    assert len(asked) == MAX_REDIRECTS + 1


async def test_cookies_of_an_answer_are_kept_and_go_where_they_belong() -> None:
    sent: list[str | None] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("cookie"))
        cookie = "seen=1; Domain=.tiktok.com; Path=/; Secure"
        return httpx.Response(200, headers={"Set-Cookie": cookie}, content=b"x")

    session = session_on(handler)
    for url in (FILE, FILE, ELSEWHERE):
        await read(session, url)
    assert sent == [None, "seen=1", None]


async def test_what_breaks_off_is_the_networks_fault() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("nothing arrived in time", request=request)

    with pytest.raises(UpstreamDown, match="ReadTimeout"):
        await read(session_on(handler))
    with pytest.raises(MediaUnavailable, match="403"):
        await read(session_on(answering(403)))
