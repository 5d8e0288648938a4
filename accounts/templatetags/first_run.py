"""The hint on the sign-in page of an instance without an admin: where its set-up link is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django import template
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError

from accounts import setup

register = template.Library()

_CONTAINERS: Final = {"docker": Path("/.dockerenv"), "podman": Path("/run/.containerenv")}
"""Files that an engine puts into each container of its own."""
_CHECKOUT: Final = Path(__file__).parents[2] / "Makefile"
"""The image has none: with it, `make run` was typed, also where that is in somebody's container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What is missing on this instance.

    commands: to be run on the server, each shows the link; the first is the likeliest. terminal:
    the link is also in the terminal in which Storykeep was started. nobody: there are no accounts
    at all, so nobody can sign in.
    """

    commands: tuple[str, ...]
    terminal: bool
    nobody: bool


@register.simple_tag
def first_run() -> FirstRun | None:
    """The hint, the same for everyone who asks and without the link; None with an admin."""
    try:
        if not setup.needs_admin():
            return None
        nobody = not get_user_model().objects.exists()
    except DatabaseError:
        return None  # the page says nothing that it does not know
    engine = next((name for name, path in _CONTAINERS.items() if path.exists()), None)
    if engine is None or _CHECKOUT.exists():
        return FirstRun(commands=("journalctl -u storykeep",), terminal=True, nobody=nobody)
    if settings.STORYKEEP.embedded_redis:
        command = f"{engine} logs storykeep"
    else:
        command = f"{engine} compose logs migrate"
    return FirstRun(commands=(command,), terminal=False, nobody=nobody)
