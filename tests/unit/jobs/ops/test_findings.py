"""Findings: every part and every file format has a name."""

from __future__ import annotations

from jobs.ops import checks, findings
from stories.media import decoders
from stories.probe import Step


def test_every_part_and_form_has_a_name() -> None:
    forms = [value for value in vars(decoders).values() if isinstance(value, decoders.FileFormat)]
    sampled = {form.description for form in forms if form.family in {"picture", "mp4"}}
    assert sampled == set(findings.FORMS)
    named = {*checks.CHECKS, *map(str, Step)}
    assert named | {"tiktok", "dbclock"} == set(findings.PARTS)
