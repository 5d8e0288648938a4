"""Key wrapping: the keys of an instance, encrypted with a passphrase of its admin.

scrypt makes a key of the passphrase, and AES-256-GCM encrypts with it. What else the backup holds
is authenticated along: a database that was exchanged does not open with the passphrase.
"""

from __future__ import annotations

import base64
import os
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from webapp.backups.failures import wrong_passphrase

MIN_LENGTH: Final = 8
"""Characters of a passphrase, at least."""
_COST, _BLOCK, _PARALLEL = 2**15, 8, 3
"""scrypt's: 32 MiB of memory and a few tenths of a second, as OWASP has it for 2^15."""
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32


class Wrapping(BaseModel):
    """How keys were encrypted; bytes in base64. What costs more than our own is not tried."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kdf: str = Field("scrypt", pattern="^scrypt$")
    n: int = Field(_COST, ge=2**14, le=2**20)
    r: int = Field(_BLOCK, ge=1, le=16)
    p: int = Field(_PARALLEL, ge=1, le=8)
    salt: str = Field(max_length=64)
    cipher: str = Field("AES-256-GCM", pattern="^AES-256-GCM$")
    nonce: str = Field(max_length=64)


def wrap(content: bytes, passphrase: str, bound_to: bytes) -> tuple[Wrapping, bytes]:
    """Encrypt content; the parameters, and the encrypted bytes with their tag.

    bound_to: what has to be the same when it is opened.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    parameters = Wrapping(
        salt=base64.b64encode(salt).decode(), nonce=base64.b64encode(nonce).decode()
    )
    key = _derive(passphrase, salt, parameters)
    return parameters, AESGCM(key).encrypt(nonce, content, bound_to)


def unwrap(wrapped: bytes, parameters: Wrapping, passphrase: str, bound_to: bytes) -> bytes:
    """What `wrap` was given. Raises RestoreRefused for a wrong passphrase, or where anything was
    changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        salt = base64.b64decode(parameters.salt, validate=True)
        nonce = base64.b64decode(parameters.nonce, validate=True)
        key = _derive(passphrase, salt, parameters)
        return AESGCM(key).decrypt(nonce, wrapped, bound_to)
    except (InvalidTag, ValueError) as error:
        raise wrong_passphrase() from error


def _derive(passphrase: str, salt: bytes, parameters: Wrapping) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    kdf = Scrypt(salt=salt, length=_KEY_BYTES, n=parameters.n, r=parameters.r, p=parameters.p)
    return kdf.derive(passphrase.encode())
