"""The environment, read once into one frozen settings object, all mistakes reported together."""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "STORYKEEP_"
PROJECT_DIR = Path(__file__).resolve().parent.parent

_DURATION = re.compile(
    r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII | re.IGNORECASE
)
_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,9})?)\s*(?:([KMGT])(I)?)?B?", re.ASCII | re.IGNORECASE)
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9/._~-]*", re.ASCII)
_LONGEST = timedelta(days=3650)
_LARGEST = 10**18
_SOCKET_PATH_MAX = 100  # Linux allows 107 bytes, others 103


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return _HOST.fullmatch(name) is not None
    return True


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


class BadSettings(Exception):
    """Some settings cannot be used; str() lists every one of them, a line each."""


def parse_duration(text: object) -> object:
    """`2h`, `30d`, `90s`, `1h30m` or `0` → timedelta; anything else raises ValueError."""
    if not isinstance(text, str):
        return text
    found = _DURATION.fullmatch(text.strip())
    if text.strip() == "0":
        return timedelta()
    if not found or not any(found.groups()):
        raise ValueError("write a duration like 90s, 15m, 2h or 30d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    if days > _LONGEST.days:
        raise ValueError("that is longer than ten years")
    whole = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if whole > _LONGEST:
        raise ValueError("that is longer than ten years")
    return whole


def parse_size(text: object) -> object:
    """`500MB`, `10GB`, `1GiB` or plain bytes → int; anything else raises ValueError."""
    if not isinstance(text, str):
        return text
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("write a size like 500MB, 10GB or 1GiB")
    number, unit, binary = found.groups()
    step = 1024 if binary else 1000
    whole = int(float(number) * step ** " KMGT".index((unit or " ").upper()))
    if whole > _LARGEST:
        raise ValueError("that is larger than any disk")
    return whole


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]


def _secret_in(path: str) -> str | None:
    """What the file holds, without the newline at its end; None when there is nothing to read."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError):
        return None


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files named in `STORYKEEP_…_FILE`, for secrets mounted as files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (_secret_in(path) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name in SECRETS:
            value, _, _ = self.get_field_value(self.settings_cls.model_fields[name], name)
            if value is not None:
                values[name] = value
        return values


SECRETS = (
    "database_url",
    "redis_url",
    "secret_key",
    "admin_user",
    "admin_password",
    "proxy",
    "email_url",
)
_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def _parts(url: SecretStr | str | None) -> SplitResult | None:
    """The URL taken apart; None when unset. An impossible one raises ValueError without quoting it,
    since it may hold a password."""
    if url is None:
        return None
    try:
        parts = urlsplit(url if isinstance(url, str) else url.get_secret_value())
        parts.port  # noqa: B018 (asked for only to have it checked)
    except ValueError:
        raise ValueError("that is not a URL") from None
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in. starttls: encrypted after a greeting; tls: from the first byte."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    starttls: bool
    tls: bool


class Env(BaseSettings):
    """Every setting, read from `STORYKEEP_<NAME>`. docs/settings.md shows the same list."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, env_ignore_empty=True, extra="ignore"
    )

    data_dir: Path = Field(
        PROJECT_DIR / "data", description="Folder for the database, the secret key and sockets."
    )
    artifact_dir: Path | None = Field(
        None, description="Folder for saved files; `artifacts` in the data folder when unset."
    )
    database_url: SecretStr | None = Field(
        None, description="`postgres://…` or `sqlite:///…`; SQLite in the data folder when unset."
    )
    redis_url: SecretStr | None = Field(
        None,
        description="`redis://…`, `rediss://…` or `unix://…`; an embedded server when unset.",
    )
    artifact_ttl: Duration = Field(
        timedelta(hours=2), description="How long a file is kept after it is ready."
    )
    artifact_ttl_max: Duration = Field(
        timedelta(hours=24), description="The longest a file can be kept by extending."
    )
    job_retention: Duration = Field(
        timedelta(days=30),
        description="How long a settled job's record is kept; 0 = it goes with its files.",
    )
    disk_max: Size = Field(
        10 * 1000**3, description="Most bytes of saved files on this instance; 0 = no limit."
    )
    disk_min_free: Size = Field(
        500 * 1000**2, description="Free disk space below which new work is refused."
    )
    api_rate: int = Field(
        600,
        ge=0,
        le=1_000_000,
        description="Requests one API token may make in a minute; 0 = no limit.",
    )
    quota_active: int = Field(
        0, ge=0, description="Most lines one user may have queued or running; 0 = no limit."
    )
    quota_daily: int = Field(
        0, ge=0, description="Most lines one user may send in a day (UTC); 0 = no limit."
    )
    quota_bytes: Size = Field(
        0, description="Most bytes of saved files one user may have; 0 = no limit."
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs sessions and links; made once in the data folder when unset.",
    )
    public_url: str | None = Field(
        None,
        description="Address people use, e.g. `https://stories.example.org` or with a sub-path; "
        "sets allowed hosts, CSRF origins, secure cookies and links.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=5,
        description="How many reverse proxies in front add X-Forwarded-For and -Proto.",
    )
    admin_user: str | None = Field(
        None,
        max_length=150,
        pattern=r"^[\w.@+-]+$",
        description="Name of the first admin, made at start when missing.",
    )
    admin_password: SecretStr | None = Field(
        None, min_length=8, description="Password of that first admin, 8 characters or more."
    )
    email_url: SecretStr | None = Field(
        None,
        description="Mail server, so that people can reset their password by mail: "
        "`smtp+tls://user:password@host:587`, `smtps://…:465`, or `smtp://…:25` without "
        "encryption. Needs `EMAIL_FROM` and `PUBLIC_URL`.",
    )
    email_from: str | None = Field(
        None,
        max_length=320,
        description="Sender of those mails, e.g. `Storykeep <stories@example.org>`.",
    )
    proxy: SecretStr | None = Field(
        None, description="Outbound HTTP proxy for everything sent to TikTok and its CDN."
    )
    ca_bundle: Path | None = Field(
        None, description="PEM file with an extra authority for outbound TLS."
    )
    page_transport: Literal["curl", "httpx"] = Field(
        "curl",
        description="How pages and lists are asked for: `curl` looks like a browser on the wire, "
        "`httpx` is plain.",
    )
    list_rate: float = Field(
        0.5,
        ge=0,
        le=1000,
        description="Page and list requests to TikTok per second; 0 = unlimited.",
    )
    list_burst: int = Field(
        10, ge=1, le=10_000, description="How many such requests may go at once before the rate."
    )
    fetch_concurrency: int = Field(
        24, ge=1, le=256, description="Parallel file transfers per worker."
    )
    item_concurrency: int = Field(10, ge=1, le=64, description="Lines one worker works on at once.")
    batch_max: int = Field(50, ge=1, le=10_000, description="Most lines in one job.")
    file_max: Size = Field(500 * 1000**2, description="Largest single file that is fetched.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
    )
    instance_note: str = Field(
        "",
        max_length=300,
        description="A line shown on top of every page, e.g. whom to ask or what is special here.",
    )
    show_targets: bool = Field(
        False,
        description="Admin pages show what people fetched: lines, accounts, captions, file names. "
        "States and codes are shown either way.",
    )
    bind: str = Field(
        "127.0.0.1", description="Address the web server listens on; `0.0.0.0` for the network."
    )
    port: int = Field(8000, ge=1, le=65535, description="Port the web server listens on.")
    web_threads: int = Field(
        48, ge=4, le=512, description="Requests answered at once; each download holds one."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the files it names."""
        return init_settings, env_settings, _FileSource(settings_cls)

    @field_validator("data_dir", "artifact_dir", "ca_bundle", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path.expanduser().resolve() if path else None

    @field_validator("ca_bundle", mode="after")
    @classmethod
    def _readable(cls, path: Path | None) -> Path | None:
        if path and not path.is_file():
            raise ValueError("there is no such file")
        try:
            if path:
                ssl.create_default_context(cafile=path)
        except (ssl.SSLError, OSError) as error:
            raise ValueError("the file holds no certificate in PEM form") from error
        return path

    @field_validator("proxy", mode="after")
    @classmethod
    def _is_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        parts = _parts(url)
        if parts and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError("write it as http://host:port")
        return url

    @field_validator("redis_url", mode="after")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        parts = _parts(url)
        if not parts:
            return url
        needed = {"redis": parts.hostname, "rediss": parts.hostname, "unix": parts.path}
        if not needed.get(parts.scheme):
            raise ValueError("write it as redis://host:6379/0 or unix:///path")
        return url

    @field_validator("database_url", mode="after")
    @classmethod
    def _is_database(cls, url: SecretStr | None) -> SecretStr | None:
        parts = _parts(url)
        if parts and (
            parts.scheme not in {"sqlite", "postgres", "postgresql"} or not parts.path.strip("/")
        ):
            raise ValueError("write it as postgres://user:password@host/name or sqlite:///path")
        return url

    @field_validator("email_url", mode="after")
    @classmethod
    def _is_mail_server(cls, url: SecretStr | None) -> SecretStr | None:
        parts = _parts(url)
        if not parts:
            return url
        if parts.scheme not in _MAIL_PORTS or not parts.hostname or parts.path.strip("/"):
            raise ValueError("write it as smtp+tls://user:password@host:587 or smtps://…")
        if parts.password and parts.scheme == "smtp" and not _is_loopback(parts.hostname):
            raise ValueError("a password would travel in the clear; use smtp+tls:// or smtps://")
        return url

    @field_validator("email_from", mode="after")
    @classmethod
    def _is_sender(cls, sender: str | None) -> str | None:
        if sender is None:
            return None
        address = parseaddr(sender)[1]
        box, at, host = address.rpartition("@")
        if not sender.isprintable() or not (box and at and _is_host(host)) or " " in address:
            raise ValueError("write it as name@host or Name <name@host>")
        return sender

    @field_validator("public_url", mode="after")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = _parts(url)
        odd = not parts or parts.query or parts.fragment or parts.username
        if odd or not parts or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("write it as https://host or https://host/path")
        if not _is_host(parts.hostname) or not _PATH.fullmatch(parts.path):
            raise ValueError("it holds characters an address cannot have")
        return url.rstrip("/")

    @field_validator("bind", mode="after")
    @classmethod
    def _is_address(cls, bind: str) -> str:
        try:
            ipaddress.ip_address(bind)
        except ValueError:
            if not _HOST.fullmatch(bind) or not bind.rpartition(".")[2].strip("0123456789"):
                raise ValueError("write an address such as 127.0.0.1 or 0.0.0.0") from None
        return bind

    @property
    def mail(self) -> MailServer | None:
        """How to send mail; None when this instance cannot."""
        parts = _parts(self.email_url)
        if not parts:
            return None
        return MailServer(
            host=parts.hostname or "",
            port=parts.port or _MAIL_PORTS[parts.scheme],
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            starttls=parts.scheme == "smtp+tls",
            tls=parts.scheme == "smtps",
        )

    @property
    def artifacts(self) -> Path:
        """Where saved files live."""
        return self.artifact_dir or self.data_dir / "artifacts"

    @property
    def embedded_redis(self) -> bool:
        """True when `up` starts a Redis of its own."""
        return self.redis_url is None

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens: in the data folder unless its path is too long."""
        path = self.run_dir / "redis.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
            return path
        tag = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"storykeep-{tag}" / "redis.sock"  # noqa: S108 (`up` makes it private)

    @property
    def run_dir(self) -> Path:
        """Sockets, locks and the scheduler's notes: what only a running instance needs."""
        return self.data_dir / "run"

    @property
    def redis_address(self) -> str:
        """The URL redis-py takes."""
        if self.redis_url:
            return self.redis_url.get_secret_value()
        return f"unix://{quote(str(self.redis_socket))}"

    @property
    def broker_url(self) -> str:
        """The same server as Celery's transport writes it."""
        return re.sub(r"^unix://", "redis+socket://", self.redis_address)


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for one in error.errors():
        name = "_".join(str(part) for part in one["loc"][:1]).upper()
        said = one["msg"].removeprefix("Value error, ")
        lines.append(f"{PREFIX}{name}: {said[:1].lower()}{said[1:]}")
    return lines


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {f"{PREFIX}{name.upper()}" for name in Env.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS}
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name}: no such setting" + (f"; {close[0]}?" if close else ""))
    return lines


def _files(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with secrets that come from files."""
    lines = []
    for name in (f"{PREFIX}{secret.upper()}" for secret in SECRETS):
        path = environ.get(f"{name}_FILE")
        if path and environ.get(name):
            lines.append(f"{name}: set here and through {name}_FILE; keep one")
        elif path and _secret_in(path) is None:
            lines.append(f"{name}_FILE: there is no such file, or it is empty or cannot be read")
    return lines


def _together(env: Env) -> dict[tuple[str, ...], str]:
    """What is wrong only in combination: the settings concerned, and the words."""
    found: dict[tuple[str, ...], str] = {}
    if env.artifact_ttl <= timedelta():
        found["artifact_ttl",] = f"{PREFIX}ARTIFACT_TTL: must be longer than 0"
    if env.artifact_ttl_max < env.artifact_ttl:
        found["artifact_ttl", "artifact_ttl_max"] = (
            f"{PREFIX}ARTIFACT_TTL_MAX: must not be shorter than {PREFIX}ARTIFACT_TTL"
        )
    if bool(env.admin_user) != bool(env.admin_password):
        found["admin_user", "admin_password"] = (
            f"{PREFIX}ADMIN_USER and {PREFIX}ADMIN_PASSWORD: set both or neither"
        )
    if env.email_from and not env.email_url:
        found["email_from", "email_url"] = f"{PREFIX}EMAIL_FROM: needs {PREFIX}EMAIL_URL"
    for name in ("email_from", "public_url"):
        if env.email_url and not getattr(env, name):
            found["email_url", name] = f"{PREFIX}EMAIL_URL: needs {PREFIX}{name.upper()}"
    return found


def load() -> Env:
    """Read the environment. Raises BadSettings that lists every mistake at once."""
    wrong = _unknown(os.environ) + _files(os.environ)
    bad: set[str] = set()
    try:
        env = Env()
    except ValidationError as error:
        wrong += _problems(error)
        bad = {str(one["loc"][0]) for one in error.errors()}
        # Once more with those left at their defaults, to see what is wrong with the others.
        env = Env(**{name: Env.model_fields[name].default for name in bad})
    wrong += [line for names, line in _together(env).items() if bad.isdisjoint(names)]
    if wrong:
        raise BadSettings("\n".join(wrong))
    return env


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a process we start: our own, and what is not set there yet."""
    return {**more, **os.environ}
