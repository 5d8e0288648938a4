"""The button that leads to the provider, on the pages that have one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

from django.http import HttpResponseBase

from accounts.oidc import client, configured
from accounts.oidc.errors import ProviderAway

WAIT_S: Final = 1.5
"""Seconds a page waits for the provider's description, when this process has none yet."""

Response = TypeVar("Response", bound=HttpResponseBase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a page needs for the button.

    name: of the provider. only: there is no other way in. is_away: it does not answer. origin:
    where its form leads, "" when that is not known.
    """

    name: str
    only: bool
    is_away: bool
    origin: str


def look() -> Door:
    """The button as it is now."""
    try:
        origin = client.provider_metadata(WAIT_S).authorization_origin
    except ProviderAway:
        origin = ""
    return Door(
        name=configured.name(), only=configured.is_only(), is_away=not origin, origin=origin
    )


def allow(response: Response, door: Door) -> Response:
    """The response, whose page may send its forms on to the provider: browsers look at where a
    form's redirects lead (webapp/middleware.py)."""
    response.form_action = door.origin  # type: ignore[attr-defined]
    return response
