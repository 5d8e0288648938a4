"""How slow a transfer may be."""

import asyncio

import pytest

from stories.media.transfer_pace import SLOWEST_BYTES_PER_S, TransferPace

pytestmark = pytest.mark.anyio


async def test_the_average_over_a_while_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0], raising=False)
    pace = TransferPace(20)
    for second in (1, 10, 19):
        now[0] = second
        assert not pace.too_slow(1), "too early to say"
    now[0] = 20
    assert not pace.too_slow(20 * SLOWEST_BYTES_PER_S)
    now[0] = 30
    assert not pace.too_slow(1)
    now[0] = 40
    assert pace.too_slow(1), "what came before does not count for long"
