"""Types of the settings: how durations, sizes, URLs, hosts and files are written and checked.

Each type is an `Annotated` alias whose validators raise ValueError with the words shown to whoever
runs the instance. A value that may hold a password is never quoted in an error.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import SplitResult, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, SecretStr

from jobs import name_template
from stories.protocol.keys import read_key

# --- durations and sizes --------------------------------------------------------------------------

_DURATION: Final = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII | re.IGNORECASE
)
_LONGEST: Final = timedelta(days=3650)
_SIZE: Final = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*((?:[KMGT]I?)?)B?", re.ASCII | re.IGNORECASE)
_LARGEST_BYTES: Final = 10**18


def _parse_duration(text: object) -> object:
    """`2h`, `30d`, `90s`, `1h30m` or `0` as a timedelta; other types pass. Raises ValueError."""
    if not isinstance(text, str):
        return text
    text = text.strip()
    if text == "0":
        return timedelta()
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise ValueError("write a duration like 90s, 15m, 2h or 30d")
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    if days > _LONGEST.days:
        raise ValueError("that is longer than ten years")
    duration = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if duration > _LONGEST:
        raise ValueError("that is longer than ten years")
    return duration


def _whole_size(text: object) -> object:
    """The text as ByteSize reads it: that alone would let anything follow. Raises ValueError."""
    if not isinstance(text, str):
        return text
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError("write a size like 500MB, 10GB or 1GiB")
    number, unit = match.groups()
    return f"{number}{unit}B"


def _fits_a_disk(size: ByteSize) -> ByteSize:
    if size > _LARGEST_BYTES:
        raise ValueError("that is larger than any disk")
    return size


Duration = Annotated[timedelta, BeforeValidator(_parse_duration)]
"""`90s`, `15m`, `2h`, `30d`, `1h30m` or `0`; ten years at most."""

Size = Annotated[ByteSize, BeforeValidator(_whole_size), AfterValidator(_fits_a_disk)]
"""Bytes: `500MB`, `10GB`, `1GiB` or a plain number; 10^18 at most."""

# --- hosts and URLs -------------------------------------------------------------------------------

_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z0-9/._~-]*", re.ASCII)
_PUBLISHED: Final = re.compile(
    r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^][:\s]+):)?(?P<port>[0-9]{1,5})(?:-[0-9]{1,5})?"
)
_MAIL_PORTS: Final = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def is_host(name: str) -> bool:
    """Whether it is a host name or an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _HOST.fullmatch(name) is not None
    return True


def is_loopback(name: str) -> bool:
    """Whether it names this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _split(url: SecretStr | str) -> SplitResult:
    """The parts of a URL. An impossible one raises ValueError without quoting it."""
    try:
        parts = urlsplit(url if isinstance(url, str) else url.get_secret_value())
        parts.port  # noqa: B018 (asked for only to have it checked)
    except ValueError:
        raise ValueError("that is not a URL") from None
    return parts


def _check_proxy(url: SecretStr) -> SecretStr:
    parts = _split(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as http://host:port")
    return url


def _check_redis(url: SecretStr) -> SecretStr:
    parts = _split(url)
    required = {"redis": parts.hostname, "rediss": parts.hostname, "unix": parts.path}
    if not required.get(parts.scheme):
        raise ValueError("write it as redis://host:6379/0 or unix:///path")
    return url


def _check_browser(address: SecretStr) -> SecretStr:
    if address.get_secret_value() in {"off", "local"}:
        return address
    parts = _split(address)
    if parts.scheme not in {"http", "https", "ws", "wss"} or not parts.hostname:
        raise ValueError("write it as off, local, http://host:9222 or ws://host:port")
    return address


def _check_database(url: SecretStr) -> SecretStr:
    parts = _split(url)
    if parts.scheme not in {"sqlite", "postgres", "postgresql"} or not parts.path.strip("/"):
        raise ValueError("write it as postgres://user:password@host/name or sqlite:///path")
    return url


def _check_mail(url: SecretStr) -> SecretStr:
    parts = _split(url)
    if parts.scheme not in _MAIL_PORTS or not parts.hostname or parts.path.strip("/"):
        raise ValueError("write it as smtp+tls://user:password@host:587 or smtps://…")
    if parts.password and parts.scheme == "smtp" and not is_loopback(parts.hostname):
        raise ValueError("a password would travel in the clear; use smtp+tls:// or smtps://")
    return url


def _check_sender(sender: str) -> str:
    address = parseaddr(sender)[1]
    mailbox, at, host = address.rpartition("@")
    if not sender.isprintable() or not (mailbox and at and is_host(host)) or " " in address:
        raise ValueError("write it as name@host or Name <name@host>")
    return sender


def _check_public_url(url: str) -> str:
    parts = _split(url)
    odd = parts.query or parts.fragment or parts.username
    if odd or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://host or https://host/path")
    if not is_host(parts.hostname) or not _PATH.fullmatch(parts.path):
        raise ValueError("it holds characters an address cannot have")
    return url.rstrip("/")


def _check_bind(bind: str) -> str:
    try:
        ipaddress.ip_address(bind)
    except ValueError:
        if not _HOST.fullmatch(bind) or not bind.rpartition(".")[2].strip("0123456789"):
            raise ValueError("write an address such as 127.0.0.1 or 0.0.0.0") from None
    return bind


def split_published(text: str) -> tuple[str | None, int]:
    """Host, where one is named, and port of `[HOST:]PORT`, as a container's port is published; of a
    range of ports the first. Raises ValueError."""
    matched = _PUBLISHED.fullmatch(text)
    host = (matched["host"] or "").strip("[]") if matched else ""
    port = int(matched["port"]) if matched else 0
    if not 1 <= port <= 65535 or (host and not is_host(host)):
        raise ValueError("write it as 8000 or 127.0.0.1:8000")
    return host or None, port


def _check_published(text: str) -> str:
    split_published(text)
    return text


def _check_document(url: str) -> str:
    parts = _split(url)
    if parts.scheme != "https" or not parts.hostname or not is_host(parts.hostname):
        raise ValueError("write it as https://host/path")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("write it without a user and without a #")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it holds characters an address cannot have")
    return url


def _check_public_key(key: str) -> str:
    read_key(key)
    return key.strip()


DocumentUrl = Annotated[str, Field(max_length=500), AfterValidator(_check_document)]
"""`https://host/path` of a document that anybody may read; no user, no password."""

PublicKey = Annotated[str, AfterValidator(_check_public_key)]
"""An Ed25519 public key, 32 bytes in Base64."""

ProxyUrl = Annotated[SecretStr, AfterValidator(_check_proxy)]
"""`http://host:port` or `https://…`."""

BrowserAddress = Annotated[SecretStr, AfterValidator(_check_browser)]
"""`off`, `local`, or a sidecar's `http://host:port` or `ws://…`, which may hold a token."""

RedisUrl = Annotated[SecretStr, AfterValidator(_check_redis)]
"""`redis://…`, `rediss://…` or `unix:///path`."""

DatabaseUrl = Annotated[SecretStr, AfterValidator(_check_database)]
"""`postgres://user:password@host/name` or `sqlite:///path`."""

MailUrl = Annotated[SecretStr, AfterValidator(_check_mail)]
"""`smtp+tls://…`, `smtps://…` or `smtp://…`; the last without a password, or on this machine."""

MailSender = Annotated[str, Field(max_length=320), AfterValidator(_check_sender)]
"""`name@host` or `Name <name@host>`; 320 characters at most."""

PublicUrl = Annotated[str, AfterValidator(_check_public_url)]
"""`https://host` or `https://host/path`, kept without a slash at its end."""

BindAddress = Annotated[str, AfterValidator(_check_bind)]
"""An IP address or a host name to listen on, without a port."""

PublishedPort = Annotated[str, AfterValidator(_check_published)]
"""`8000` or `127.0.0.1:8000`, as compose files write where a port is published."""

# --- files ----------------------------------------------------------------------------------------


def _absolute(path: Path) -> Path:
    return path.expanduser().resolve()


def _check_certificates(path: Path) -> Path:
    if not path.is_file():
        raise ValueError("there is no such file")
    try:
        ssl.create_default_context(cafile=path)
    except (ssl.SSLError, OSError) as error:
        raise ValueError("the file holds no certificate in PEM form") from error
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
"""A path, made absolute; `~` is the home folder."""

CertificateFile = Annotated[AbsolutePath, AfterValidator(_check_certificates)]
"""A readable PEM file with at least one certificate."""

# --- the time zone --------------------------------------------------------------------------------

_ZONES: Final = "/zoneinfo/"
_LOCAL_TIME: Final = Path("/etc/localtime")


def _check_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder
        raise ValueError("there is no such time zone; write it like Europe/Berlin") from None


def system_zone_name(tz: str | None, local_time: Path = _LOCAL_TIME) -> str:
    """IANA name of the system's zone; UTC where it has none that can be named.

    tz: the variable TZ, where set; a name, a path, or rules (`CET-1CEST`), which have no name.
    local_time: the link that says it otherwise.
    """
    text = tz.removeprefix(":") if tz else str(local_time.resolve())
    name = text.rpartition(_ZONES)[2]
    for prefix in ("posix/", "right/"):
        name = name.removeprefix(prefix)
    try:
        return _check_zone(name)
    except ValueError:
        return "UTC"


TimeZone = Annotated[str, AfterValidator(_check_zone)]
"""The IANA name of a time zone, `Europe/Berlin`."""

# --- the mail server ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """The server mail is handed to.

    starttls: encrypted after a greeting; tls: from the first byte.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    starttls: bool
    tls: bool


def mail_server(url: SecretStr) -> MailServer:
    """The server named by a MailUrl; the scheme gives the port when the URL has none."""
    parts = _split(url)
    return MailServer(
        host=parts.hostname or "",
        port=parts.port or _MAIL_PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp+tls",
        tls=parts.scheme == "smtps",
    )


def written_size(size_bytes: int) -> str:
    """A size as one writes it in a setting: `5GB`, in the largest unit that needs no fraction."""
    for power, unit in ((4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        if size_bytes and size_bytes % 1000**power == 0:
            return f"{size_bytes // 1000**power}{unit}"
    return str(size_bytes)


# --- names of files -------------------------------------------------------------------------------


def _check_template(template: str) -> str:
    """The template as it is. Raises ValueError that says what is wrong with it."""
    name_template.parse(template)
    return template


FilenameTemplate = Annotated[str, AfterValidator(_check_template)]
"""A template of file names (jobs/name_template.py)."""
