"""The clock that nobody sets."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jobs.ephemeral import steady


def test_it_only_goes_forward_and_is_not_the_system_clock() -> None:
    assert steady.now() <= steady.now()
    assert steady.now() != time.time()


def test_every_process_of_a_machine_knows_it_by_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    if steady._BOOT_ID.exists():
        assert steady._boot() == steady._boot() == steady.BOOT
    monkeypatch.setattr(steady, "_BOOT_ID", Path("/nowhere"))
    assert steady._boot() != steady._boot()
