"""The browser that requests claim to come from."""

import httpx
import pytest

from stories.http.headers import Purpose
from stories.identity import identity_ladder
from tests.unit.stories.http.mock_session import PROFILE, read, session_on

pytestmark = pytest.mark.anyio

USUAL = identity_ladder("curl")[0]


async def test_one_user_agent_and_always_a_referer_for_media() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x")

    session = session_on(handler)
    await session.get_page(PROFILE)
    await session.get_page(PROFILE, Purpose.LIST, referer=PROFILE)
    await read(session, start=5, end=10, validator='"e"')
    await session.get_page(PROFILE, Purpose.PREVIEW)
    page, listing, media, preview = (request.headers for request in seen)
    assert {head["user-agent"] for head in (page, listing, media)} == {USUAL.user_agent}
    assert page["sec-fetch-mode"] == "navigate"
    assert "referer" not in page
    assert listing["sec-fetch-mode"] == "cors"
    assert listing["referer"] == PROFILE
    assert "upgrade-insecure-requests" not in listing
    assert media["referer"] == "https://www.tiktok.com/"
    assert media["range"] == "bytes=5-9"
    assert media["if-range"] == '"e"'
    assert media["accept-encoding"] == "identity"
    assert preview["user-agent"] == "facebookexternalhit/1.1"
    assert "sec-ch-ua" not in preview
    # A forged address is answered with a captcha.
    for head in (page, listing, media, preview):
        assert not [name for name in head if "forwarded" in name or name.startswith("x-")]
