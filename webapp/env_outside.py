"""Settings of what others see of this instance: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from jobs import name_template
from webapp.env_types import FilenameTemplate

SECRETS: Final[tuple[str, ...]] = ("metrics_token",)
"""Settings of these that can also come from a file."""


class OutsideSettings(BaseModel):
    """Metrics, the form of the log, file names."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Opens `/metrics` for Prometheus to who sends it as a bearer token, 16 "
        "characters or more; without one there is no such page.",
    )
    log_format: Literal["line", "json"] = Field(
        "line",
        description="How the log is written: `line` for people, `json` for programs, one object a "
        "line.",
    )
    filename_template: FilenameTemplate = Field(
        name_template.DEFAULT,
        description="How saved files are named, where a person has chosen nothing else: a text "
        "with `{author}`, `{nickname}`, `{caption}`, `{date}`, `{time}`, `{number}`, `{kind}` and "
        "`{id}`; `{caption:40}` takes the first 40 characters.",
    )


def combination_errors(_env: OutsideSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
