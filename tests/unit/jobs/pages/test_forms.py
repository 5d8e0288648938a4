"""What is read from the box and its options."""

from __future__ import annotations

import pytest

from jobs.models import Audio, Prefer
from jobs.pages.forms import PasteForm
from jobs.queue.submission import Options


def test_only_text_is_needed() -> None:
    form = PasteForm({"text": "@nora @max\n\nhttps://www.tiktok.com/@zoe"})
    assert form.is_valid()
    assert form.lines() == ["@nora", "@max", "https://www.tiktok.com/@zoe"]
    assert form.options() == Options()


def test_options_are_read() -> None:
    form = PasteForm({"text": "x", "prefer": "highest", "audio": "mp3", "posts": "on"})
    assert form.is_valid()
    assert form.options() == Options(prefer=Prefer.HIGHEST, posts=True, audio=Audio.MP3)


@pytest.mark.parametrize(
    ("field", "value"),
    [("prefer", "best"), ("audio", "ogg"), ("note", "x" * 501), ("text", " "), ("text", "")],
)
def test_what_cannot_be_is_refused(field: str, value: str) -> None:
    form = PasteForm({"text": "@nora"} | {field: value})
    assert not form.is_valid() or form.lines() == []
