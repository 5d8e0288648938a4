"""The public keys whose signatures count: the one in the code, and one that an operator adds."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

KEY_BYTES: Final = 32

PROJECT_KEYS: Final = ("gXBKh/krWdKiRiJ0rQ4mXpHzKbqhuv7TWZ3cx7zPkLo=",)
"""Ed25519 public keys of whoever publishes Storykeep, 32 bytes each in Base64."""


def read_key(text: str) -> bytes:
    """The bytes of a public key in Base64. Raises ValueError, with words for whoever set it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("write the public key as tools/protocol_sign.py prints it")
    return key


def key_id(key: bytes) -> str:
    """The name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(key).hexdigest()[:16]


def trusted_keys(added: Iterable[str] = ()) -> Mapping[str, bytes]:
    """Name -> public key of those whose packs are taken. added: further ones, in Base64."""
    keys = map(read_key, (*PROJECT_KEYS, *added))
    return {key_id(key): key for key in keys}
