"""Links that leave this instance: in a mail, in a message an admin sends, in a script."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def full(request: HttpRequest, path: str) -> str:
    """The path as others can open it; by the configured address where there is one."""
    public = urlsplit(settings.STORYKEEP.public_url or "")
    if public.netloc:
        return f"{public.scheme}://{public.netloc}{path}"
    return request.build_absolute_uri(path)
