"""Who asks, for which row, and how any call may fail: shared by the calls of the API."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.http import Http404, HttpRequest

from jobs.api.schemas import ErrorBody

EVERYWHERE: Final = dict.fromkeys((401, 429, 500, 503), ErrorBody)
"""Errors any call may be answered with."""
ERRORS: Final = {404: ErrorBody, 422: ErrorBody, **EVERYWHERE}
CHANGES: Final = {403: ErrorBody, 411: ErrorBody, **ERRORS}
"""Answers of calls that change something, for which a read-only token is refused."""


def user_of(request: HttpRequest) -> User:
    """The owner of the request's token. Raises Http404 where the API's authentication put none."""
    if isinstance(request.user, AnonymousUser):
        raise Http404
    return request.user


def parsed_id(text: str) -> UUID:
    """An id in its canonical spelling. Raises Http404 for any other text, as for an unknown id."""
    try:
        parsed = UUID(text)
    except ValueError:
        raise Http404 from None
    if str(parsed) != text.lower():
        raise Http404
    return parsed
