"""Settings of watched accounts: a part of webapp.env.Env."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from webapp.env_types import Duration

LEAST_EVERY: Final = timedelta(hours=1)
"""However the floor is set, nobody's watch looks more often."""
MOST_EVERY: Final = timedelta(hours=12)
MOST_KEPT: Final = timedelta(days=30)


class WatchSettings(BaseModel):
    """Who may watch accounts, how many, how often, and how long what was found is kept."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    watches: Literal["off", "admins", "members"] = Field(
        "admins", description="Who may watch accounts: nobody, admins, or every member."
    )
    watch_keep: Duration = Field(
        timedelta(days=3),
        description="How long files that a watch found wait to be collected; then, and once they "
        "were collected, they go as any other.",
    )
    watch_every_min: Duration = Field(
        timedelta(hours=3),
        description="The shortest rhythm a watch may have, `1h` to `12h`.",
    )
    watches_per_member: int = Field(
        5, ge=1, le=1000, description="Most accounts one member may watch."
    )
    watches_max: int = Field(50, ge=1, le=10_000, description="Most watches on this instance.")


def combination_errors(env: WatchSettings) -> dict[tuple[str, ...], str]:
    """A line for each of these settings that is out of bounds, by its name."""
    lines: dict[tuple[str, ...], str] = {}
    if not LEAST_EVERY <= env.watch_every_min <= MOST_EVERY:
        lines["watch_every_min",] = "STORYKEEP_WATCH_EVERY_MIN: must be between 1h and 12h"
    if not timedelta() < env.watch_keep <= MOST_KEPT:
        lines["watch_keep",] = "STORYKEEP_WATCH_KEEP: must be longer than 0, and 30d at most"
    return lines
