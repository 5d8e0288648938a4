"""Downloads that go straight from the bucket: who is answered with an address there.

A script of ours may not reach another origin, and what a page shows has to come from its own: those
are served here in any case, so no page's policy changes.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseRedirect

from jobs.files import bucket_store
from jobs.models import Artifact

WORKS_S: Final = 60
"""Seconds for which the address works, for whoever has it. A download may last longer."""
LONGEST_URL: Final = 2000


def is_wanted(request: HttpRequest) -> bool:
    """Whether a request is better answered with an address of the bucket: a download that a browser
    saves, or a program's with an API token. Of a browser that says nothing of itself, no."""
    if not settings.STORYKEEP.artifact_redirect or request.META["REQUEST_METHOD"] != "GET":
        return False
    mode = request.headers.get("Sec-Fetch-Mode")
    return mode == "navigate" or (mode is None and "Authorization" in request.headers)


def redirect(artifact: Artifact, *, disposition: str) -> HttpResponseRedirect | None:
    """The answer that leads to a file in the bucket; None where its address would be too long.

    disposition: the header that the bucket is to send.
    """
    url = bucket_store.download_url(
        artifact.pk,
        seconds=WORKS_S,
        disposition=disposition,
        content_type=artifact.content_type,
    )
    if len(url) > LONGEST_URL:
        return None
    response = HttpResponseRedirect(url)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
