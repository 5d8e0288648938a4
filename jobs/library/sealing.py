"""A member's key for Immich, encrypted in the database with one derived from the secret key."""

from __future__ import annotations

import base64
import binascii
import os
from typing import TYPE_CHECKING, Final

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = "1."
_PURPOSE: Final = b"storykeep library immich key"
_NONCE_BYTES: Final = 12


class Unreadable(Exception):
    """It was encrypted with another secret key, for another member, or is damaged."""


def seal(secret: str, owner_id: int) -> str:
    """A text as it is stored; another one each time. It can be read for this owner alone."""
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher().encrypt(nonce, secret.encode(), _bound_to(owner_id))
    return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()


def open_sealed(stored: str, owner_id: int) -> str:
    """The text that was sealed. Raises Unreadable."""
    from cryptography.exceptions import InvalidTag

    if not stored.startswith(_VERSION):
        raise Unreadable
    try:
        data = base64.urlsafe_b64decode(stored.removeprefix(_VERSION))
        nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        return bytes(_cipher().decrypt(nonce, sealed, _bound_to(owner_id))).decode()
    except (InvalidTag, ValueError, binascii.Error):
        raise Unreadable from None


def _cipher() -> AESGCM:
    # Loaded when a key is used, and not before.
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    secret = str(settings.SECRET_KEY).encode()
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret)
    return AESGCM(key)


def _bound_to(owner_id: int) -> bytes:
    return str(owner_id).encode()
