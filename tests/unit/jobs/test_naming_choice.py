"""A choice of names is called by its template."""

from __future__ import annotations

from jobs.models import NamingChoice


def test_it_says_what_was_chosen() -> None:
    assert str(NamingChoice(template="{caption}")) == "{caption}"
