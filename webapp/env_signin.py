"""Settings of sign-in by somebody else's word: a part of webapp.env.Env."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from webapp.env_types import is_host, is_loopback

SECRETS: Final[tuple[str, ...]] = ("oidc_client_secret",)
"""Settings of these that can also come from a file."""

_NEED_ISSUER: Final = (
    "oidc_client_id",
    "oidc_client_secret",
    "oidc_name",
    "oidc_admin_group",
    "oidc_member_group",
    "oidc_only",
)


def _check_issuer(url: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (asked for only to have it checked)
    except ValueError:
        raise ValueError("that is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_host(parts.hostname):
        raise ValueError("write it as https://host/path, as the provider names it")
    if parts.username is not None or parts.query or parts.fragment or not url.isascii():
        raise ValueError("write it without a user, a ? and a #")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("only a provider on this machine may be asked by plain http")
    return url


IssuerUrl = Annotated[str, Field(max_length=200), AfterValidator(_check_issuer)]
"""`https://host/path` exactly as the provider names itself; plain http on this machine alone."""


_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(-[A-Za-z0-9]+)*", re.ASCII)
_OTHERS_HEADERS: Final = re.compile(
    r"(?i:x-forwarded-(for|proto|host|port|prefix)|x-real-ip|forwarded|via|authorization|cookie|host"
    r"|origin|referer|user-agent|range|connection|upgrade|te|trailer|expect|dnt|priority"
    r"|accept.*|content-.*|if-.*|sec-.*|cache-control|pragma|transfer-encoding|x-csrftoken)"
)
"""Headers that browsers and proxies send for something else."""


def _check_header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise ValueError("write the name of a header, such as Remote-User")
    if _OTHERS_HEADERS.fullmatch(name):
        raise ValueError("that header is about something else")
    return name


def _split_networks(text: object) -> object:
    return text.replace(",", " ").split() if isinstance(text, str) else text


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise ValueError("write addresses or networks like 172.18.0.2 or 10.0.0.0/24") from None
    return networks


HeaderName = Annotated[str, Field(max_length=60), AfterValidator(_check_header)]
"""The name of a header that means nothing to browsers and other software."""

Networks = Annotated[
    tuple[str, ...], BeforeValidator(_split_networks), AfterValidator(_check_networks)
]
"""Addresses and networks, with commas or spaces between them."""


class SignInSettings(BaseModel):
    """An identity provider, or a proxy that signs people in."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    oidc_issuer: IssuerUrl | None = Field(
        None,
        description="Identity provider people sign in by (OpenID Connect), exactly as it names "
        "itself, e.g. `https://auth.example.org/application/o/storykeep/`. Needs "
        "`OIDC_CLIENT_ID`, `OIDC_CLIENT_SECRET` and `PUBLIC_URL`.",
    )
    oidc_client_id: str | None = Field(
        None, max_length=191, description="Client ID of this instance at the provider."
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="Client secret of this instance at the provider."
    )
    oidc_name: str | None = Field(
        None,
        max_length=40,
        description="Name of the provider on buttons; its host name when unset.",
    )
    oidc_admin_group: str | None = Field(
        None,
        max_length=200,
        description="Group at the provider whose people are admins here, looked at with each "
        "sign-in; an admin is always left. Roles are given here when unset.",
    )
    oidc_member_group: str | None = Field(
        None,
        max_length=200,
        description="Group at the provider that may sign in, besides the admins'; everyone may "
        "when unset.",
    )
    oidc_signup: Literal["invited", "group", "anyone"] = Field(
        "invited",
        description="Who gets an account with their first sign-in by the provider: `invited`, with "
        "an invitation's link; `group`, the groups above; `anyone` the provider knows.",
    )
    oidc_only: bool = Field(
        False,
        description="People sign in by the provider alone: no passwords, passkeys and links for a "
        "new password. `manage.py signin-link` works all the same.",
    )
    remote_user_header: HeaderName | None = Field(
        None,
        description="Header in which a sign-in proxy names who is signed in, e.g. `Remote-User`. "
        "Needs `TRUSTED_PROXIES` and `PROXY_NETWORKS`.",
    )
    proxy_networks: Networks = Field(
        (),
        description="Addresses of the proxy whose `REMOTE_USER_HEADER` is believed, e.g. "
        "`172.18.0.2` or `10.0.5.0/28`; several with commas. From everybody else the header is "
        "taken off.",
    )


def combination_errors(env: Any) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names.

    env: a webapp.env.Env.
    """
    lines = _header_errors(env)
    if env.oidc_issuer is None:
        for name in _NEED_ISSUER:
            if getattr(env, name):
                lines[name, "oidc_issuer"] = (
                    f"STORYKEEP_{name.upper()}: needs STORYKEEP_OIDC_ISSUER"
                )
        if env.oidc_signup != "invited":
            lines["oidc_signup", "oidc_issuer"] = (
                "STORYKEEP_OIDC_SIGNUP: needs STORYKEEP_OIDC_ISSUER"
            )
        return lines
    for name in ("oidc_client_id", "oidc_client_secret", "public_url"):
        if not getattr(env, name):
            lines["oidc_issuer", name] = f"STORYKEEP_OIDC_ISSUER: needs STORYKEEP_{name.upper()}"
    if env.oidc_signup == "group" and not (env.oidc_member_group or env.oidc_admin_group):
        lines["oidc_signup", "oidc_member_group", "oidc_admin_group"] = (
            "STORYKEEP_OIDC_SIGNUP: group needs STORYKEEP_OIDC_MEMBER_GROUP or"
            " STORYKEEP_OIDC_ADMIN_GROUP"
        )
    return lines


def _header_errors(env: Any) -> dict[tuple[str, ...], str]:
    lines: dict[tuple[str, ...], str] = {}
    name = "STORYKEEP_REMOTE_USER_HEADER"
    if env.remote_user_header is None:
        return lines
    for other in ("trusted_proxies", "proxy_networks"):
        if not getattr(env, other):
            lines["remote_user_header", other] = f"{name}: needs STORYKEEP_{other.upper()}"
    if env.oidc_issuer:
        lines["remote_user_header", "oidc_issuer"] = (
            f"{name}: people sign in by STORYKEEP_OIDC_ISSUER already; keep one"
        )
    return lines
