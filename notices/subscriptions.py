"""Browsers that take push messages: what they may be, adding one, removing it.

A browser names the address itself, so only hosts of known push services are taken; and they are
looked at again each time something is sent.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction

from notices.models import PushSubscription

HOSTS: Final = (
    "fcm.googleapis.com",
    "*.push.services.mozilla.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
"""Hosts of push services; `*.` stands for one or more names before it."""
MAX_DEVICES: Final = 20
"""Devices of one member; with a further one, the one that was added first goes."""
_MAX_ENDPOINT: Final = 1000
_P: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
"""The curve P-256: y² = x³ - 3x + b, modulo p."""


class SubscriptionRefused(ValueError):
    """It is none that messages can be sent to. str(): why, in English, for a log."""


def is_push_host(host: str) -> bool:
    """Whether it is a host of a push service."""
    host = host.lower()
    return all(host.split(".")) and any(
        host.endswith(known[1:]) if known.startswith("*.") else host == known for known in HOSTS
    )


def check_endpoint(endpoint: str) -> None:
    """Raise SubscriptionRefused for what is no address at a push service: https on its own port, no
    user, no characters that an address does not have."""
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise SubscriptionRefused("no address") from error
    plain = (
        parts.scheme == "https"
        and parts.username is None
        and parts.password is None
        and port in {None, 443}
        and not parts.fragment
        and len(endpoint) <= _MAX_ENDPOINT
        and endpoint.isascii()
        and not re.search(r"[\x00-\x20\x7f\\]", endpoint)
    )
    if not plain:
        raise SubscriptionRefused("no plain https address")
    if not is_push_host(parts.hostname or ""):
        raise SubscriptionRefused("not a push service that is known")


def subscribe(
    owner_id: int, told: Mapping[str, Any], *, server_key: str, base: str, device: str
) -> PushSubscription:
    """Keep a browser's subscription for this member. One that is known already is theirs from then
    on. Raises SubscriptionRefused.

    told: what the browser says, {endpoint, keys: {p256dh, auth}}. server_key: the public key it was
    asked to subscribe with. base: the address of this site there, with a slash at its end. device:
    its name for people.
    """
    endpoint, columns = _checked(told)
    with transaction.atomic():
        row, _ = PushSubscription.objects.update_or_create(
            endpoint=endpoint,
            defaults=columns
            | {
                "owner_id": owner_id,
                "server_key": server_key,
                "base": base[:300],
                "device": device[:100],
            },
        )
        newest = PushSubscription.objects.filter(owner_id=owner_id).order_by("-created_at", "-pk")
        surplus = list(newest.exclude(pk=row.pk).values_list("pk", flat=True)[MAX_DEVICES - 1 :])
        PushSubscription.objects.filter(pk__in=surplus).delete()
    return row


def renew(owner_id: int, told: Mapping[str, Any], *, old: str) -> bool:
    """Put what a browser made anew in the place of its subscription at the address `old`; False
    where this member has no such device. told: as for `subscribe`. Raises SubscriptionRefused."""
    endpoint, columns = _checked(told)
    with transaction.atomic():
        row = PushSubscription.objects.select_for_update().filter(owner_id=owner_id, endpoint=old)
        device = row.first()
        if device is None:
            return False
        PushSubscription.objects.filter(endpoint=endpoint).exclude(pk=device.pk).delete()
        return bool(row.update(endpoint=endpoint, **columns))


def unsubscribe(owner_id: int, subscription_id: int) -> bool:
    """Remove one of this member's devices; False when they have no such device."""
    rows = PushSubscription.objects.filter(owner_id=owner_id, pk=subscription_id)
    return bool(rows.delete()[0])


def _checked(told: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The address of a subscription as a browser tells it, and the columns of its keys."""
    keys = told.get("keys")
    endpoint, keys = told.get("endpoint"), keys if isinstance(keys, Mapping) else {}
    p256dh, auth = keys.get("p256dh"), keys.get("auth")
    if not (isinstance(endpoint, str) and isinstance(p256dh, str) and isinstance(auth, str)):
        raise SubscriptionRefused("something is missing")
    check_endpoint(endpoint)
    if not _is_point(_decoded(p256dh)):
        raise SubscriptionRefused("p256dh is no public key")
    if len(_decoded(auth)) != 16:
        raise SubscriptionRefused("auth does not have 16 bytes")
    return endpoint, {"p256dh": p256dh.rstrip("="), "auth": auth.rstrip("=")}


def _decoded(text: str) -> bytes:
    """The bytes of base64url, with or without padding; b"" for anything else."""
    text = text.rstrip("=")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,200}", text):
        return b""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""


def _is_point(data: bytes) -> bool:
    """Whether it is a point of the curve P-256, uncompressed.

    Reckoned here, so that the web process need not load a library for it.
    """
    if len(data) != 65 or data[0] != 4:
        return False
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    return x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0
