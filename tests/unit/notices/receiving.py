"""The other end: a browser that decrypts what a push service was handed, and members to tell.

The decryption is written from RFC 8188 and RFC 8291 with nothing but primitives, so it shares no
line with what encrypts.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth.models import User

from notices import outbox, planning, subscriptions, vapid
from notices.kinds import Kind
from notices.models import Delivery, Preference, PushSubscription
from notices.outbox import News
from notices.wire import Answer, Request


def b64(data: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of base64url."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _expand(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 for at most one block, by the book: extract, then expand."""
    extracted = hmac.digest(salt, secret, sha256)
    return hmac.digest(extracted, info + b"\x01", sha256)[:length]


class Browser:
    """A browser's half of a subscription: its key pair and its secret."""

    def __init__(
        self,
        endpoint: str = "https://fcm.googleapis.com/fcm/send/abc",
        *,
        private: int | None = None,
        auth: bytes = b"0123456789abcdef",
    ) -> None:
        self.endpoint, self.auth = endpoint, auth
        curve = ec.SECP256R1()
        self._key = (
            ec.generate_private_key(curve)
            if private is None
            else ec.derive_private_key(private, curve)
        )
        self.point = self._key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    def told(self) -> dict[str, Any]:
        """What `PushSubscription.toJSON()` says."""
        keys = {"p256dh": b64(self.point), "auth": b64(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def subscribe(
        self, user: User, *, device: str = "Phone", base: str = "https://stories.example.org/"
    ) -> PushSubscription:
        """Have this browser take messages for a member."""
        Preference.objects.get_or_create(owner=user)
        key = vapid.find_or_make()
        return subscriptions.subscribe(
            user.pk, self.told(), server_key=key.public, base=base, device=device
        )

    def decrypt(self, body: bytes) -> bytes:
        """The text of a message with `Content-Encoding: aes128gcm`."""
        salt, record_size, id_length = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, sealed = body[21 : 21 + id_length], body[21 + id_length :]
        assert len(sealed) <= record_size
        shared = self._key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        info = b"WebPush: info\x00" + self.point + sender
        secret = _expand(shared, self.auth, info, 32)
        key = _expand(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
        nonce = _expand(secret, salt, b"Content-Encoding: nonce\x00", 12)
        padded = AESGCM(key).decrypt(nonce, sealed, None)
        text, end, padding = padded.rpartition(b"\x02")
        assert end
        assert not padding.strip(b"\x00")
        return text

    def read(self, request: Request) -> dict[str, Any]:
        """The notification in a request to the push service."""
        content: dict[str, Any] = json.loads(self.decrypt(request.body))
        assert content["web_push"] == 8030
        notification: dict[str, Any] = content["notification"]
        return notification


@dataclass
class Network:
    """Takes requests in the place of the network. answers: statuses, the last one for good; or what
    is raised."""

    answers: list[int | Exception] = field(default_factory=lambda: [201])
    requests: list[Request] = field(default_factory=list)
    retry_after_s: float | None = None

    def post(self, request: Request) -> Answer:
        """As `notices.wire.Post`."""
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Answer(status=answer, retry_after_s=self.retry_after_s)


class Killed(BaseException):
    """The process ends here."""


def tell(owner: User, clock: Callable[[], datetime], key: str = "job:1") -> None:
    """A job of theirs settled, and what there is to tell was put together."""
    outbox.add(
        News(
            owner_id=owner.pk,
            kind=Kind.SAVED,
            key=key,
            facts={"count": 5, "authors": ["cats"], "failed": 0},
            path="jobs/1/",
            topic="a" * 32,
            kept_until=clock() + timedelta(hours=2),
        )
    )
    planning.plan(clock())


def ended() -> tuple[str, str]:
    """State and reason of the only delivery."""
    row = Delivery.objects.get()
    return row.state, row.reason
