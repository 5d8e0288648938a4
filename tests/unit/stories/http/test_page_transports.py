"""Page transports: made when needed, shared by TLS target, closed when idle."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from stories.config import ClientConfig
from stories.http import page_transports
from stories.http.page_transports import GivenTransport, PageTransports, open_page_transports
from stories.http.resolver import system_resolve
from stories.http.tls import CaFile
from stories.identity import TlsTarget, identity_ladder

pytestmark = pytest.mark.anyio

USUAL, WITH_REFERER, OLDER, PLAIN = identity_ladder("curl")


class Recorded(httpx.AsyncBaseTransport):
    def __init__(self) -> None:
        self.closing = asyncio.Event()

    async def aclose(self) -> None:
        self.closing.set()

    @property
    def closed(self) -> bool:
        return self.closing.is_set()


class Maker:
    def __init__(self) -> None:
        self.made: list[tuple[TlsTarget | None, Recorded]] = []

    def __call__(self, target: TlsTarget | None) -> Recorded:
        self.made.append((target, Recorded()))
        return self.made[-1][1]

    @property
    def targets(self) -> list[TlsTarget | None]:
        return [target for target, _ in self.made]


async def test_only_the_usual_transport_is_there_before_another_is_needed() -> None:
    maker = Maker()
    pool = PageTransports(maker, usual=USUAL)
    await pool.open_usual()
    async with pool.lease(USUAL) as first, pool.lease(WITH_REFERER) as second:
        assert first is second, "a Referer needs no other handshake"
    assert maker.targets == ["chrome150"]
    async with pool.lease(OLDER), pool.lease(PLAIN):
        assert maker.targets == ["chrome150", "chrome146", None]
    await pool.aclose()
    assert all(transport.closed for _, transport in maker.made)
    assert not pool.open_targets


async def test_another_transport_closes_when_nobody_uses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_transports, "IDLE_S", 0.0)
    maker = Maker()
    pool = PageTransports(maker, usual=USUAL)
    async with pool.lease(USUAL):
        pass
    async with pool.lease(OLDER):
        async with pool.lease(OLDER):
            pass
        await asyncio.sleep(0.01)
        assert pool.open_targets == {"chrome150", "chrome146"}, "the first still uses it"
    await asyncio.wait_for(maker.made[1][1].closing.wait(), 5)
    assert pool.open_targets == {"chrome150"}
    async with pool.lease(OLDER):
        assert maker.targets == ["chrome150", "chrome146", "chrome146"]
    await pool.aclose()


async def test_a_transport_used_again_in_time_stays() -> None:
    maker = Maker()
    pool = PageTransports(maker, usual=USUAL)
    for _ in range(3):
        async with pool.lease(OLDER):
            pass
    assert maker.targets == ["chrome146"]
    await pool.aclose()


async def test_a_given_transport_serves_everybody_and_stays_open() -> None:
    given = Recorded()
    pool = GivenTransport(given)
    await pool.open_usual()
    async with pool.lease(USUAL) as first, pool.lease(PLAIN) as second:
        assert first is second is given
    await pool.aclose()
    assert not given.closed


@pytest.mark.parametrize("kind", ["curl", "httpx"])
async def test_real_transports_open_and_close(kind: str) -> None:
    config, ca_file = (
        ClientConfig(page_transport="curl" if kind == "curl" else "httpx"),
        CaFile(None),
    )
    async with open_page_transports(config, ca_file, system_resolve) as pool:
        assert len(pool.open_targets) == 1
        for identity in identity_ladder(config.page_transport):
            async with pool.lease(identity):
                pass
        expected = ["None", "chrome146", "chrome150"] if kind == "curl" else ["None"]
        assert sorted(map(str, pool.open_targets)) == expected
