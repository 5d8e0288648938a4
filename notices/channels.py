"""Channels: addresses of Apprise that an admin has entered, and sending by them in a child process.

An address is sealed in the database, shown to nobody again, and handed to the child on its standard
input alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

import certifi
from django.conf import settings

from notices import apprise_child
from notices.kinds import Reason
from notices.models import Channel
from notices.sealing import seal, unseal
from notices.wire import NotSent
from notices.wording import Text

SEND_S: Final = 45.0
"""Seconds after which a child is ended."""
MAX_ADDRESS: Final = 1000
USER: Final = "{user}"
"""Stands in an address for the name of the member that is told."""
_ADDRESS: Final = re.compile(r"([a-z][a-z0-9+.-]{1,29})://[^\s,;]+", re.ASCII | re.IGNORECASE)
_ROOT: Final = Path(__file__).resolve().parent.parent


class AddressRefused(ValueError):
    """It is no address that Apprise knows."""


def scheme_of(address: str) -> str:
    """The first word of an address, as `ntfys`. Raises AddressRefused for what is not one single
    address."""
    matched = _ADDRESS.fullmatch(address)
    if matched is None or len(address) > MAX_ADDRESS:
        raise AddressRefused
    return matched[1].lower()


def set_address(channel: Channel, address: str) -> None:
    """Put an address into a channel, which is not saved yet. Raises AddressRefused.

    Apprise is asked whether it knows it, which takes about a second.
    """
    address = address.strip()
    scheme = scheme_of(address)
    try:
        code = _run({"url": address.replace(USER, "user")})
    except NotSent as error:
        raise AddressRefused from error
    if code != apprise_child.SENT:
        raise AddressRefused
    channel.address, channel.scheme = seal(address), scheme


def send(channel: Channel, text: Text, *, user: str) -> None:
    """Send to a member. user: their name. Raises NotSent, and sealing.Unreadable.

    With TOO_SLOW and INTERRUPTED, it may have arrived all the same.
    """
    address = unseal(channel.address).replace(USER, quote(user, safe=""))
    code = _run({"url": address, "title": text.title, "body": text.body or text.title})
    if code == apprise_child.NO_ADDRESS:
        raise NotSent(Reason.NOT_ALLOWED)
    if code != apprise_child.SENT:
        raise NotSent(Reason.NO_ANSWER)


def _run(asked: dict[str, str]) -> int:
    """The child's exit code. Raises NotSent when it takes too long, does not start, or is ended by
    somebody."""
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    try:
        with _authorities() as bundle:
            if bundle:
                environment["REQUESTS_CA_BUNDLE"] = bundle
            done = subprocess.run(
                [sys.executable, "-m", "notices.apprise_child"],
                input=json.dumps(asked).encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env=environment,
                timeout=SEND_S,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise NotSent(Reason.TOO_SLOW) from None
    except OSError as error:  # it never started
        raise NotSent(Reason.NO_ANSWER) from error
    if done.returncode < 0:  # with this server, or for want of memory; it may have sent by then
        raise NotSent(Reason.INTERRUPTED)
    return done.returncode


@contextmanager
def _authorities() -> Iterator[str]:
    """A file with the public authorities and that of STORYKEEP_CA_BUNDLE, for the child takes one
    file; "" where the public ones do."""
    extra = settings.STORYKEEP.ca_bundle
    if not extra:
        yield ""
        return
    # A folder that cannot be removed afterwards is no error: by then, the child has sent.
    with tempfile.TemporaryDirectory(prefix="storykeep-ca-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "authorities.pem"
        file.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + Path(extra).read_bytes())
        yield str(file)
