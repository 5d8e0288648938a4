"""Every reason why a pack is refused has words."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils import translation

from jobs.ops.pack_reasons import REASONS, at_the_end, in_words

ROOT = Path(__file__).parents[4]


def test_every_reason_there_is_has_words() -> None:
    given = set()
    for folder in ("stories/protocol", "jobs/upstream"):
        for path in (ROOT / folder).glob("protocol*.py" if "jobs" in folder else "*.py"):
            text = path.read_text(encoding="utf-8")
            given |= set(re.findall(r"PackRefused\(\s*\"(\w+)\"", text))
            given |= set(re.findall(r"reason=\"(\w+)\"", text))
    assert {"malformed", "unavailable", "dropped", "older_than_built_in"} <= given
    assert given == set(REASONS)


def test_a_reason_of_another_version_has_some() -> None:
    assert str(in_words("from_the_future")) == "Something in it is not as it should be."


def test_in_a_finding_a_reason_has_no_full_stop_in_any_language() -> None:
    said = at_the_end("too_large")
    assert str(said) == "It is too large"
    with translation.override("de"):
        assert str(said) == "Es ist zu groß"
