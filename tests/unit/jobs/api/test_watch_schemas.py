"""Tests for `jobs.api.watch_schemas`."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jobs.api.watch_schemas import WatchIn, WatchPatch


@pytest.mark.parametrize("name", ["nora", "@nora"])
def test_a_name_may_have_its_sign(name: str) -> None:
    assert WatchIn(name=name).asked() == "@nora"


def test_half_of_a_character_is_no_text() -> None:
    for field in ("name", "line", "note"):
        with pytest.raises(ValidationError):
            WatchIn.model_validate({"name": "nora", field: "\ud800"})


def test_a_null_changes_nothing() -> None:
    patch = WatchPatch.model_validate({"every_s": None, "note": None, "state": None})
    assert (patch.every_s, patch.note, patch.state, patch.renew) == (None, None, None, False)
