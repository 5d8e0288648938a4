"""Packs that are put in use are taken out again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stories.protocol.current import use


@pytest.fixture(autouse=True)
def _built_in_again() -> Iterator[None]:
    """The built-in pack, whatever a test puts in its place."""
    yield
    use(None)
