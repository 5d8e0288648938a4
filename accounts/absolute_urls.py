"""Links that leave this instance: in a mail, in a message an admin sends, in a script."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def absolute_url(request: HttpRequest, path: str) -> str:
    """The public address of a path; without STORYKEEP_PUBLIC_URL, by the request's Host header."""
    return settings.STORYKEEP.absolute_url(path) or request.build_absolute_uri(path)
