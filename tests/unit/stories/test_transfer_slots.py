"""transfer_slots: the connections of a client, and whose turn it is."""

from __future__ import annotations

import pytest

from stories.transfer_slots import TransferSlots

pytestmark = pytest.mark.anyio


async def test_a_slot_is_taken_at_once_only_where_one_is_free() -> None:
    slots = TransferSlots(2)
    async with slots:
        taken = [await slots.try_acquire() for _ in range(2)]
    assert taken == [True, False]
    assert slots.available
