"""The key this instance signs push messages with, in a file of the data folder.

Browsers are told its public half when they subscribe, and take messages that are signed with it
alone: a new key means that every device has to be set up again.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from django.conf import settings

from notices import key_file

KEY_FILE: Final = "push-key"
"""Name of the file in the data folder: the public key in a line, then the private one as PEM."""
_MAX_BYTES: Final = 4096
_PUBLIC: Final = re.compile(r"[A-Za-z0-9_-]{87}")


class NoKey(Exception):
    """There is no usable key, and none can be made. str(): why, without a path."""


@dataclass(frozen=True, slots=True)
class PushKey:
    """public: in base64url, as browsers take it. private_pem: PKCS#8."""

    public: str
    private_pem: str = field(repr=False)


def find() -> PushKey | None:
    """The key of this data folder; None while there is none. Raises NoKey for one that is broken or
    cannot be read."""
    try:
        with _path().open("r", encoding="ascii") as file:
            text = file.read(_MAX_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise NoKey(type(error).__name__) from error
    public, _, pem = text.partition("\n")
    if not _PUBLIC.fullmatch(public) or "PRIVATE KEY" not in pem:
        raise NoKey(f"{KEY_FILE} holds no key")
    return PushKey(public, pem)


def find_or_make() -> PushKey:
    """The key, made on first use. Of several processes at once, one makes it. Raises NoKey."""
    key_file.remove_begun(_path())
    if (found := find()) is not None:
        return found
    try:
        key_file.make(_path(), _new)
    except OSError as error:
        raise NoKey(type(error).__name__) from error
    if (made := find()) is None:
        raise NoKey(f"{KEY_FILE} was removed")
    return made


def _new() -> str:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    key = ec.generate_private_key(ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return f"{urlsafe_b64encode(point).rstrip(b'=').decode()}\n{pem.decode()}"


def _path() -> Path:
    return Path(settings.STORYKEEP.data_dir) / KEY_FILE
