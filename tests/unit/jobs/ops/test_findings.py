"""Findings: every part and every file format has a name, and how they are worded."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobs.ops import checks, findings
from jobs.ops.findings import Finding, Report, Verdict
from stories.media import decoders
from stories.probe import Step


def test_every_part_and_form_has_a_name() -> None:
    forms = [value for value in vars(decoders).values() if isinstance(value, decoders.FileFormat)]
    sampled = {form.description for form in forms if form.family in {"picture", "mp4"}}
    assert sampled == set(findings.FORMS)
    named = {*checks.CHECKS, *map(str, Step)}
    assert named | {"tiktok"} == set(findings.PARTS)


def test_a_printed_report_names_every_part_in_words() -> None:
    said = {
        "database": "up to date", "dbclock": "agrees with this server's",
        "siteclock": "This server's clock is 2 h behind TikTok's",
    }  # fmt: skip
    lines = tuple(Finding(part, Verdict.OK, message, "Do.") for part, message in said.items())
    report = Report(at=datetime.now(UTC), about="Storykeep", findings=lines)
    assert str(report).splitlines() == [
        "Storykeep",
        "ok    database           up to date",
        "                         Do.",
        "ok    clock (PostgreSQL) agrees with this server's",
        "                         Do.",
        "ok    clock (TikTok)     This server's clock is 2 h behind TikTok's",
        "                         Do.",
    ]


@pytest.mark.parametrize(
    ("ahead_s", "whose", "agrees_s", "said"),
    [
        (None, "TikTok", 180.0, None),
        (180.0, "TikTok", 180.0, None),
        (181.0, "TikTok", 180.0, "This server's clock is 3 min ahead of TikTok's"),
        (-181.0, "Redis", 180.0, "This server's clock is 3 min behind Redis's"),
        (-31.0, "PostgreSQL", 30.0, "This server's clock is 31 s behind PostgreSQL's"),
    ],
)
def test_a_difference_between_clocks_is_one_sentence(
    ahead_s: float | None, whose: str, agrees_s: float, said: str | None
) -> None:
    sentence = findings.clock_difference(ahead_s, whose, agrees_s)
    assert (sentence and str(sentence)) == said
