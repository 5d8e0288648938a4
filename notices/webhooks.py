"""A member's webhook: its address, its secret, and requests signed with that.

The form is that of Standard Webhooks, which many receivers know: `webhook-id`, `webhook-timestamp`,
and `webhook-signature`, an HMAC-SHA256 over `<id>.<timestamp>.<body>`.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from base64 import b64decode, b64encode
from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from notices.models import Webhook
from notices.sealing import seal, unseal
from notices.wire import Request

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # nosec B105  # no secret
MAX_ADDRESS: Final = 1000
_INSIDE: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""Names that only a network of one's own gives."""


class AddressRefused(ValueError):
    """The address is none that may be posted to."""


def is_listed(parts: SplitResult, hosts: Collection[str]) -> bool:
    """Whether whoever runs the instance has listed this host: as `host` with a port that goes
    without saying, or as `host:port`. Raises ValueError."""
    host, port = _place(parts)
    port = port or (443 if parts.scheme == "https" else 80)
    listed = {_place(urlsplit(f"//{text}")) for text in hosts}
    return (host, port) in listed or ((host, None) in listed and port in {80, 443})


def _place(parts: SplitResult) -> tuple[str | IPv4Address | IPv6Address, int | None]:
    """Host and port apart, and an IP address as one, however it is written. Raises ValueError."""
    host = parts.hostname or ""
    try:
        return ip_address(host), parts.port
    except ValueError:
        return host, parts.port


def _may_be_public(parts: SplitResult) -> bool:
    """False for what is in no public network: an address of another one, or a name that such a
    network gives. Nothing is looked up."""
    host, _port = _place(parts)
    if not isinstance(host, str):
        return host.is_global and not host.is_multicast
    *above, last = host.rstrip(".").split(".")
    # No top-level domain begins with a digit: that is an IPv4 address, oddly written.
    return bool(above) and not host.rstrip(".").endswith(_INSIDE) and not last[:1].isdigit()


def check_address(address: str, hosts: Collection[str]) -> SplitResult:
    """The parts of an address that may be posted to. Raises AddressRefused.

    https to what may be public, or https or http to a listed host; no user, no fragment. Whether a
    name leads to a public address is looked at when something is sent. hosts: the listed ones,
    `host` or `host:port`, lower case, an IPv6 address in brackets.
    """
    try:
        parts = urlsplit(address)
        listed = is_listed(parts, hosts)
    except ValueError as error:
        raise AddressRefused from error
    plain = (
        bool(parts.hostname)
        and (listed or _may_be_public(parts))
        and parts.scheme in ({"https", "http"} if listed else {"https"})
        and parts.username is None
        and parts.password is None
        and not parts.fragment
        and len(address) <= MAX_ADDRESS
        and address.isascii()
        and not re.search(r"[\x00-\x20\x7f\\]", address)
    )
    if not plain:
        raise AddressRefused
    return parts


def put(owner_id: int, address: str, hosts: Collection[str]) -> str:
    """Set a member's webhook, with a new secret, which is returned and never shown again. Raises
    AddressRefused. hosts: as of check_address."""
    parts = check_address(address, hosts)
    secret = SECRET_PREFIX + b64encode(secrets.token_bytes(32)).decode()
    Webhook.objects.update_or_create(
        owner_id=owner_id,
        defaults={
            "address": seal(address),
            "secret": seal(secret),
            "host": (parts.hostname or "")[:255],
            "last_ok_at": None,
        },
    )
    return secret


def build(
    webhook: Webhook,
    content: Mapping[str, Any],
    *,
    event_id: str,
    now: datetime,
    hosts: Collection[str],
) -> Request:
    """The signed request. event_id: the same at each try. Raises sealing.Unreadable, and
    AddressRefused where the address may not be asked any more."""
    address, secret = unseal(webhook.address), unseal(webhook.secret)
    parts = check_address(address, hosts)
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    stamp = str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "webhook-id": event_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{signature(secret, event_id, stamp, body)}",
    }
    return Request(url=address, headers=headers, body=body, anywhere=is_listed(parts, hosts))


def signature(secret: str, event_id: str, stamp: str, body: bytes) -> str:
    """The HMAC-SHA256 in Base64. secret: as it was shown."""
    key = b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{event_id}.{stamp}.".encode() + body
    return b64encode(hmac.digest(key, signed, sha256)).decode()
