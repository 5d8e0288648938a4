"""`python -m notices.apprise_child`: one message by Apprise, in a process that ends with it.

Neither the web server nor a worker carries that library. What is to be done comes on the standard
input as JSON, {url, title, body} or {url}, for an address is a secret: it is in no argument, and
nothing is printed. Exit codes are below.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from contextlib import suppress
from typing import Final

SENT: Final = 0
NOT_SENT: Final = 3
NO_ADDRESS: Final = 4
"""Apprise knows no service by this address."""

MAX_MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Of address space, which is several times what is used."""


def main() -> int:
    """Send, or with an address alone look whether Apprise knows it; an exit code."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the address
    logging.disable(logging.CRITICAL)
    asked = json.load(sys.stdin)

    import apprise

    ways = apprise.Apprise()
    if not ways.add(asked["url"]) or len(ways) != 1:
        return NO_ADDRESS
    if "body" not in asked:
        return SENT
    body_format = apprise.NotifyFormat.TEXT
    sent = ways.notify(title=asked["title"], body=asked["body"], body_format=body_format)
    return SENT if sent else NOT_SENT


if __name__ == "__main__":
    sys.exit(main())
