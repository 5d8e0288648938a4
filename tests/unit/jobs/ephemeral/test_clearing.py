"""What Redis holds of rows goes with them; what it knows of TikTok and of processes stays."""

from __future__ import annotations

import pytest

from jobs.ephemeral import clearing
from jobs.ephemeral.keys import TYPES


class Server:
    """Keys in memory."""

    def __init__(self, *keys: str) -> None:
        self.keys = set(keys)

    def scan_iter(self, _pattern: str, count: int) -> list[str]:
        assert count
        return [key for key in self.keys if key.startswith("storykeep:")]

    def delete(self, *keys: str) -> None:
        self.keys -= set(keys)


def test_rows_go_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ["storykeep:progress:1", "storykeep:identities", "storykeep:api-rate:7", "celery"]
    others = ["storykeep:breaker", "storykeep:workers", "storykeep:lease:x", "somebody:else"]
    server = Server(*rows, *others)
    monkeypatch.setattr(clearing, "write", lambda act: act(server))
    clearing.forget_rows(["celery", "aside"])
    assert server.keys == set(others)


def test_every_family_is_known() -> None:
    assert TYPES.keys() >= clearing.OF_ROWS


def test_without_redis_nothing_raises() -> None:
    clearing.forget_rows(["celery"])
