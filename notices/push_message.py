"""A push message: encrypted for one browser, signed by this instance, as a request that is ready to
be sent.

Its body is declarative (iOS 18.4 shows it without a script), and the service worker reads the same.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, Final

from notices.models import PushSubscription
from notices.vapid import PushKey
from notices.wire import Request
from notices.wording import Text

MAGIC: Final = 8030
"""By this number a browser knows a declarative message: RFC 8030 is that of web push."""
MAX_TTL: Final = timedelta(days=28)
"""A push service keeps a message for a device that is away for so long at most: FCM takes no
more."""
USUAL_TTL: Final = timedelta(days=1)
"""For so long it keeps one about nothing that goes by itself."""
MIN_TTL: Final = timedelta(minutes=1)
MAX_BODY_BYTES: Final = 3000
"""Of the text before it is encrypted: push services take 4096 bytes of all."""


class UnusableKeys(Exception):
    """The browser's keys are none, so nothing can be encrypted for it."""


def payload(text: Text, *, navigate: str, tag: str, language: str) -> bytes:
    """The message as JSON, short enough for a push service. navigate: the whole address of the page
    it opens. tag: a newer message with the same one takes its place."""
    body = text.body
    while True:
        notification: dict[str, Any] = {
            "title": text.title,
            "body": body,
            "navigate": navigate,
            "lang": language or "en",
            "tag": tag,
        }
        content = {"web_push": MAGIC, "notification": notification}
        encoded = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if len(encoded) <= MAX_BODY_BYTES or not body:
            return encoded
        body = body[: len(body) * 2 // 3].rstrip() + "…" if len(body) > 3 else ""


def build(
    content: bytes,
    subscription: PushSubscription,
    *,
    key: PushKey,
    contact: str,
    ttl: timedelta,
    topic: str,
) -> Request:
    """The request to the push service. contact: mail address of whoever runs the instance. ttl: how
    long the service keeps it, within bounds. topic: "" for none. Raises UnusableKeys."""
    # Loaded with the first message: where nobody subscribed, nothing of this is in memory.
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )
    from webpush import WebPush, WebPushSubscription

    private = key.private_pem.encode()
    public = load_pem_private_key(private, None).public_key()
    seconds = int(max(MIN_TTL, min(ttl, MAX_TTL)).total_seconds())
    # One for each message: it keeps what it was given last, and threads would share that.
    encryptor = WebPush(
        private_key=private,
        public_key=public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        subscriber=contact,
        ttl=seconds,
    )
    try:
        keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
        told = WebPushSubscription.model_validate({"endpoint": subscription.endpoint, "keys": keys})
        message = encryptor.get(content, told)
    except ValueError as error:  # no point of the curve, no address
        raise UnusableKeys from error
    headers = {
        "TTL": str(seconds),
        "Urgency": "normal",
        "Content-Encoding": message.headers["content-encoding"],
        "Content-Type": "application/octet-stream",
        "Authorization": message.headers["authorization"],
    }
    if topic:
        headers["Topic"] = topic
    return Request(url=subscription.endpoint, headers=headers, body=message.encrypted)
