"""Settings of what others see of this instance: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

SECRETS: Final[tuple[str, ...]] = ()
"""Settings of these that can also come from a file."""


class OutsideSettings(BaseModel):
    """Metrics, the form of the log, file names."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)


def combination_errors(_env: OutsideSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
