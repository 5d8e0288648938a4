"""Without any fault everything is as it should be: what the other tests compare with."""

from __future__ import annotations

import pytest

from tests.chaos.ledger import Ledger
from tests.fake_tiktok import FakeTikTok


@pytest.mark.short
def test_without_a_fault(ledger: Ledger, tiktok: FakeTikTok) -> None:
    mixed = tiktok.account("corner.bakery")
    mixed.video(seconds=1)
    mixed.photo()
    mixed.carousel(3)
    others = [tiktok.account(f"night.trains{number}") for number in range(3)]
    for account in others:
        account.photo()
    ledger.submit("alice", mixed)
    ledger.submit("bob", *others)
    ledger.submit("carol", mixed, others[0])
    ledger.check()
    assert ledger.instance.stop() == 0
    ledger.instance.start()
    ledger.forget(ledger.jobs[0])
    ledger.check()
