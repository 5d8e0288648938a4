"""Settings of telling people: a part of webapp.env.Env."""

from __future__ import annotations

import re
from email.utils import parseaddr
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from webapp.env_types import is_host

SECRETS: Final[tuple[str, ...]] = ()
"""Settings of these that can also come from a file."""


def _check_contact(address: str) -> str:
    address = address.removeprefix("mailto:")
    mailbox, _, host = address.rpartition("@")
    plain = parseaddr(address)[1] == address and re.fullmatch(r"[!-~]+", address)
    if not plain or not mailbox or "." not in host or not is_host(host):
        raise ValueError("write it as name@example.org")
    return address


def _split_hosts(text: Any) -> Any:
    """`a, b:8123` as a tuple; other types pass."""
    if not isinstance(text, str):
        return text
    return tuple(host for part in text.split(",") if (host := part.strip().lower()))


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        matched = re.fullmatch(
            r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[^][:\s]+))(?::(?P<port>[0-9]{1,5}))?", host
        )
        v6, name, port = matched.group("v6", "name", "port") if matched else ("", "", "0")
        is_known = ":" in v6 and is_host(v6) if v6 else is_host(name)
        if not is_known or not 1 <= int(port or 1) <= 65535:
            raise ValueError("write hosts as name or name:port, with commas")
    return hosts


class NoticeSettings(BaseModel):
    """Push messages and webhooks."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    push_contact: Annotated[str, AfterValidator(_check_contact)] | None = Field(
        None,
        max_length=200,
        description="A mail address of whoever runs this instance, e.g. `me@example.org`, which "
        "push services are told with each message; Apple's takes none without a real one. There "
        "are no push messages when unset.",
    )
    webhook_hosts: Annotated[
        tuple[str, ...], BeforeValidator(_split_hosts), AfterValidator(_check_hosts)
    ] = Field(
        (),
        description="Hosts that members' webhooks may also be at, by http and without a public "
        "address: `homeassistant.lan:8123`, several with commas. Any public https address may be "
        "used without being named here.",
    )


def combination_errors(_env: NoticeSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    return {}
