"""What every template may use."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def instance(_request: HttpRequest) -> dict[str, str]:
    """`instance_note`: the line whoever runs this instance wants on every page, or ""."""
    return {"instance_note": settings.STORYKEEP.instance_note}
