"""Settings of where saved files and backups are kept: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict

SECRETS: Final[tuple[str, ...]] = ()
"""Settings of these that can also come from a file."""


class StorageSettings(BaseModel):
    """The store of saved files, and backups."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)


def combination_errors(_env: StorageSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
