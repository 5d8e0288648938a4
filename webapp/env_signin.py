"""Settings of sign-in by somebody else's word: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

SECRETS: Final[tuple[str, ...]] = ()
"""Settings of these that can also come from a file."""


class SignInSettings(BaseModel):
    """An identity provider, or a proxy that signs people in."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)


def combination_errors(_env: SignInSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
