"""Addresses that are checked once and kept for a while."""

import asyncio
from collections.abc import Sequence

import pytest

from stories.http import pinning
from stories.http.pinning import PinnedAddresses, resolve_entry
from stories.http.resolver import NoPublicAddress

pytestmark = pytest.mark.anyio


class Resolver:
    """A resolver that answers when it is let. asked: the hosts, in order."""

    def __init__(self, *answers: tuple[str, ...] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.released = asyncio.Event()
        self.released.set()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.released.wait()
        if isinstance(answer, OSError):
            raise answer
        return answer


async def test_many_at_once_ask_once() -> None:
    resolver = Resolver(("1.1.1.1", "10.0.0.1", "2606:4700::1"))
    resolver.released.clear()
    pins = PinnedAddresses(resolver)
    tasks = [asyncio.create_task(pins.get("a.tiktokcdn.com", 443)) for _ in range(20)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    resolver.released.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [("1.1.1.1", "2606:4700::1")] * 19, "one that gives up ends it for none"
    assert resolver.asked == ["a.tiktokcdn.com"]


async def test_addresses_are_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver(("1.1.1.1",), ("1.0.0.1",))
    pins = PinnedAddresses(resolver)
    for _ in range(3):
        assert await pins.get("a.tiktokcdn.com", 443) == ("1.1.1.1",)
    clock = asyncio.get_running_loop().time
    monkeypatch.setattr(
        asyncio.get_running_loop(), "time", lambda: clock() + pinning.KEPT_S, raising=False
    )
    assert await pins.get("a.tiktokcdn.com", 443) == ("1.0.0.1",)
    assert len(resolver.asked) == 2


async def test_a_failure_is_not_kept() -> None:
    pins = PinnedAddresses(Resolver(OSError("no answer"), ("10.0.0.1",), ("1.1.1.1",)))
    with pytest.raises(OSError, match="no answer"):
        await pins.get("a.tiktokcdn.com", 443)
    with pytest.raises(NoPublicAddress):
        await pins.get("a.tiktokcdn.com", 443)
    assert await pins.get("a.tiktokcdn.com", 443) == ("1.1.1.1",)


async def test_addresses_where_nobody_answers_are_forgotten() -> None:
    pins = PinnedAddresses(Resolver(("1.1.1.1",), ("1.0.0.1",)))
    await pins.get("a.tiktokcdn.com", 443)
    pins.forget("b.tiktokcdn.com", 443)
    assert await pins.get("a.tiktokcdn.com", 443) == ("1.1.1.1",)
    pins.forget("a.tiktokcdn.com", 443)
    assert await pins.get("a.tiktokcdn.com", 443) == ("1.0.0.1",)


async def test_closing_ends_a_lookup() -> None:
    resolver = Resolver(("1.1.1.1",))
    resolver.released.clear()
    pins = PinnedAddresses(resolver)
    task = asyncio.create_task(pins.get("a.tiktokcdn.com", 443))
    await asyncio.sleep(0)
    await pins.aclose()
    with pytest.raises(OSError, match="ended"):
        await task


def test_what_curl_is_told() -> None:
    entry = resolve_entry("a.tiktokcdn.com", 443, ("1.1.1.1", "2606:4700::1"))
    assert entry == "a.tiktokcdn.com:443:1.1.1.1,[2606:4700::1]"
