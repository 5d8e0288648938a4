"""Settings of telling people: a part of webapp.env.Env."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from webapp.env_types import HostList, MailAddress

SECRETS: Final[tuple[str, ...]] = ()
"""Settings of these that can also come from a file."""


class NoticeSettings(BaseModel):
    """Push messages and webhooks."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    push_contact: MailAddress | None = Field(
        None,
        description="A mail address of whoever runs this instance, e.g. `me@example.org`: push "
        "services are told it with each message, and Apple's takes none without. There are no "
        "push messages when unset.",
    )
    webhook_hosts: HostList = Field(
        (),
        description="Hosts that members' webhooks may be at although they have no public address, "
        "or by http: `homeassistant.lan:8123`, several with commas. Any public https address may "
        "be used without being named here.",
    )


def combination_errors(_env: NoticeSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
