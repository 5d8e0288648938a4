"""Texts that are kept encrypted in the database: addresses with passwords in them, secrets.

The key comes of the secret key, so a copy of the database alone opens none of them. With another
secret key they are lost, and have to be entered again.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


class Unreadable(Exception):
    """It was sealed with another secret key, or is damaged."""


def seal(text: str) -> str:
    """The text, encrypted and signed; another one each time."""
    return _box(str(settings.SECRET_KEY)).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """What was sealed. Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return _box(str(settings.SECRET_KEY)).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeDecodeError) as error:
        raise Unreadable from error


@lru_cache(maxsize=2)
def _box(secret_key: str) -> Fernet:
    # Loaded with the first one: some 10 MiB that the web process does without otherwise.
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"storykeep notices 1")
    return Fernet(urlsafe_b64encode(derive.derive(secret_key.encode())))
