"""Settings of backups: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from webapp.env_types import AbsolutePath

SECRETS: Final[tuple[str, ...]] = ("backup_passphrase",)
"""Settings of these that can also come from a file."""


class BackupSettings(BaseModel):
    """Where backups are kept, how many, and what wraps their keys."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    backup_dir: AbsolutePath | None = Field(
        None,
        description="Folder for backups; `backups` in the data folder when unset. Best on another "
        "disk.",
    )
    backup_daily: bool = Field(False, description="Make a backup every day.")
    backup_keep: int = Field(
        7,
        ge=0,
        le=1000,
        description="Backups of each kind that are kept: by hand, daily, before an upgrade; 0 = "
        "none is made by itself, also not before an upgrade.",
    )
    backup_passphrase: SecretStr | None = Field(
        None,
        min_length=8,
        description="Wraps the keys in backups that are made by themselves, 8 characters or more. "
        "Without one they hold no keys.",
    )


def combination_errors(env: BackupSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    if not env.backup_daily or env.backup_keep:
        return {}
    line = "STORYKEEP_BACKUP_DAILY: needs STORYKEEP_BACKUP_KEEP to be more than 0"
    return {("backup_daily", "backup_keep"): line}
