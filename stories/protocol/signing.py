"""Signed documents: an envelope that holds the exact text, the name of the key, and the signature.

Ed25519, by `cryptography`, which is loaded when a signature is made or checked and not before.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Final

from stories.protocol import floor
from stories.protocol.keys import key_id
from stories.protocol.reading import PackRefused, Reader, load

SALT: Final = b"storykeep protocol pack\n"
"""Stands before what is signed, so that a signature for something else is none for a pack."""
MAX_ENVELOPE_BYTES: Final = floor.MAX_BYTES

_KEY_ID: Final = re.compile(r"[0-9a-f]{16}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{86}==")
_ANYTHING: Final = re.compile(r".+", re.DOTALL)


def open_envelope(envelope: bytes, keys: Mapping[str, bytes]) -> bytes:
    """The document in an envelope that one of these keys has signed. Raises PackRefused.

    keys: name -> public key, as `keys.trusted_keys` gives them.
    """
    outer = Reader(load(envelope, MAX_ENVELOPE_BYTES))
    if outer.has("format") and not outer.has("signature"):  # the document itself
        raise PackRefused("unsigned", "it is not signed")
    outer.only("pack", "key", "signature")
    name = outer.text("key", 16, 16, _KEY_ID)
    signature = outer.text("signature", 88, 88, _BASE64)
    try:
        document = outer.text("pack", 2, floor.MAX_BYTES, _ANYTHING).encode("utf-8")
    except UnicodeEncodeError:
        raise PackRefused("not_json", "it is not JSON") from None
    if name not in keys:
        raise PackRefused("unknown_key", f"its key is not trusted here: {name}")
    if not _is_signed(document, keys[name], signature):
        raise PackRefused("bad_signature", "its signature does not fit: it was changed")
    return document


def _is_signed(document: bytes, key: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        raw = base64.b64decode(signature, validate=True)
        Ed25519PublicKey.from_public_bytes(key).verify(raw, SALT + document)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def new_private_key() -> bytes:
    """A new private key, 32 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """The public half of a private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def seal(document: str, private: bytes) -> str:
    """The envelope of a document, signed; JSON on several lines."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    signature = Ed25519PrivateKey.from_private_bytes(private).sign(SALT + document.encode("utf-8"))
    envelope = {
        "key": key_id(public_key(private)),
        "signature": base64.b64encode(signature).decode("ascii"),
        "pack": document,
    }
    return json.dumps(envelope, indent=1, ensure_ascii=False) + "\n"
