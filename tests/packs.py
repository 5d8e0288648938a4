"""Protocol packs for tests: the built-in document changed, and signed with a key of theirs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from stories.protocol.current import built_in_text
from stories.protocol.keys import key_id
from stories.protocol.signing import public_key, seal

NEWER: Final = "2099-01-01.1"

PRIVATE: Final = bytes(range(32))
"""A private key that everybody knows."""
PUBLIC: Final = public_key(PRIVATE)
KEYS: Final = {key_id(PUBLIC): PUBLIC}
PUBLIC_TEXT: Final = base64.b64encode(PUBLIC).decode()

Change = Callable[[dict[str, Any]], object]


def document(change: Change = lambda _: None, *, version: str = NEWER) -> dict[str, Any]:
    """The built-in document as a newer version, with a change made to it."""
    facts: dict[str, Any] = json.loads(built_in_text())
    facts["version"] = version
    change(facts)
    return facts


def text(change: Change = lambda _: None, *, version: str = NEWER) -> bytes:
    """That document as it is written."""
    return json.dumps(document(change, version=version)).encode()


def signed(
    change: Change = lambda _: None, *, version: str = NEWER, private: bytes = PRIVATE
) -> bytes:
    """That document, signed."""
    return seal(text(change, version=version).decode(), private).encode()


def public_text(private: bytes) -> str:
    """The public half of a private key, as it is set."""
    return base64.b64encode(public_key(private)).decode()
