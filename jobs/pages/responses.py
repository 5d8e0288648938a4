"""Helpers shared by the responses of several pages."""

from __future__ import annotations

from django.http import HttpResponse

from jobs.errors import explain
from stories.errors import StoriesError


def uncached(response: HttpResponse) -> HttpResponse:
    """A personal page that nothing may keep, so that going back after signing out shows nothing."""
    response.headers["Cache-Control"] = "private, no-store"
    return response


def error_words(error: StoriesError) -> dict[str, str]:
    """{message, hint, code} of an error, in the reader's language."""
    message, hint = explain(error)
    return {"message": message, "hint": hint, "code": error.code}
