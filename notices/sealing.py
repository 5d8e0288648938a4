"""Texts that are kept encrypted in the database: addresses with passwords in them, secrets, keys.

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
    """It was sealed with another secret key, for another use, or is damaged."""


def seal(text: str, use: str = "") -> str:
    """The text, encrypted and signed; another one each time.

    use: what it is for, and whose; for another one it cannot be read, so that a row that somebody
    swaps for another is of no use to them.
    """
    return _box(str(settings.SECRET_KEY), use).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str, use: str = "") -> str:
    """What was sealed for this use. Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return _box(str(settings.SECRET_KEY), use).decrypt(sealed.encode()).decode()
    except (InvalidToken, UnicodeDecodeError) as error:
        raise Unreadable from error


@lru_cache(maxsize=16)
def _box(secret_key: str, use: str) -> Fernet:
    # Loaded with the first one: some 10 MiB that the web process does without otherwise.
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    info = f"storykeep notices 1 {use}".rstrip().encode()
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=info)
    return Fernet(urlsafe_b64encode(derive.derive(secret_key.encode())))
