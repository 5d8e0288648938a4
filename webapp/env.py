"""The environment, read once into one frozen settings object, all mistakes reported together."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import ByteSize, ConfigDict, Field, SecretStr, ValidationError

from webapp import (
    env_backup,
    env_library,
    env_notices,
    env_outside,
    env_signin,
    env_storage,
    env_watch,
)
from webapp.env_backup import BackupSettings
from webapp.env_library import LibrarySettings
from webapp.env_notices import NoticeSettings
from webapp.env_outside import OutsideSettings
from webapp.env_signin import SignInSettings
from webapp.env_tiktok import TikTokSettings
from webapp.env_types import (
    AbsolutePath,
    BindAddress,
    DatabaseUrl,
    Duration,
    MailSender,
    MailServer,
    MailUrl,
    PublicUrl,
    PublishedPort,
    RedisUrl,
    Size,
    TimeZone,
    mail_server,
    system_zone_name,
)
from webapp.env_watch import WatchSettings

if TYPE_CHECKING:
    from django.http import HttpRequest

PREFIX: Final = "STORYKEEP_"
PROJECT_DIR: Final = Path(__file__).resolve().parent.parent

_SOCKET_PATH_MAX: Final = 100  # Linux allows 107 bytes, others 103

SECRETS: Final = (
    "database_url",
    "redis_url",
    "secret_key",
    "admin_user",
    "admin_password",
    "proxy",
    "browser",
    "email_url",
    *env_storage.SECRETS,
    *env_backup.SECRETS,
    *env_signin.SECRETS,
    *env_outside.SECRETS,
    *env_notices.SECRETS,
)
"""Settings that can also come from the file named in `STORYKEEP_<NAME>_FILE`."""


COMPOSE_ONLY: Final = frozenset({f"{PREFIX}IMAGE"})
"""Variables of the compose files, which hand their whole `.env` on, that are no settings."""


class BadSettings(Exception):
    """The environment cannot be used; str() lists every mistake, a line each."""


def _read_secret(path: str) -> str | None:
    """The file's text without the newline at its end; None when empty or unreadable."""
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError):
        return None


def _read_values(environ: Mapping[str, str]) -> dict[str, str]:
    """Setting name -> text, for those that are set and not empty: in the environment, whatever the
    case of its letters, or else in the file that `STORYKEEP_…_FILE` names."""
    texts = {name.lower(): text for name, text in environ.items() if text}
    values = {}
    for name in Env.model_fields:
        text = texts.get(f"{PREFIX}{name}".lower())
        if text is None and name in SECRETS:
            path = environ.get(f"{PREFIX}{name.upper()}_FILE")
            text = _read_secret(path) if path else None
        if text is not None:
            values[name] = text
    return values


class Env(
    WatchSettings,
    NoticeSettings,
    OutsideSettings,
    SignInSettings,
    BackupSettings,
    LibrarySettings,
    TikTokSettings,
):
    """Every setting, read from `STORYKEEP_<NAME>`. docs/settings.md shows the same list.

    Not by pydantic-settings, which reads command lines and files of many kinds as well: it would
    cost every process 4 MiB.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    data_dir: AbsolutePath = Field(
        PROJECT_DIR / "data", description="Folder for the database, the secret key and sockets."
    )
    artifact_dir: AbsolutePath | None = Field(
        None, description="Folder for saved files; `artifacts` in the data folder when unset."
    )
    database_url: DatabaseUrl | None = Field(
        None, description="`postgres://…` or `sqlite:///…`; SQLite in the data folder when unset."
    )
    redis_url: RedisUrl | None = Field(
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
        ByteSize(10 * 1000**3),
        description="Most bytes of saved files on this instance; 0 = no limit.",
    )
    disk_min_free: Size = Field(
        ByteSize(500 * 1000**2), description="Free disk space below which new work is refused."
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
        ByteSize(0),
        description="Most bytes of saved files one user may have, to which previews are added; 0 = "
        "no limit.",
    )
    secret_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Signs sessions and links; made once in the data folder when unset.",
    )
    public_url: PublicUrl | None = Field(
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
    email_url: MailUrl | None = Field(
        None,
        description="Mail server, so that people can reset their password by mail: "
        "`smtp+tls://user:password@host:587`, `smtps://…:465`, or `smtp://…:25` without "
        "encryption. Needs `EMAIL_FROM` and `PUBLIC_URL`.",
    )
    email_from: MailSender | None = Field(
        None,
        description="Sender of those mails, e.g. `Storykeep <stories@example.org>`.",
    )
    fetch_concurrency: int = Field(
        24, ge=1, le=256, description="Parallel file transfers per worker."
    )
    workers: int = Field(
        1,
        ge=1,
        le=16,
        description="Worker processes that `up` runs; containers are scaled instead.",
    )
    item_concurrency: int = Field(20, ge=1, le=64, description="Lines one worker works on at once.")
    batch_max: int = Field(50, ge=1, le=10_000, description="Most lines in one job.")
    file_max: Size = Field(
        ByteSize(500 * 1000**2), description="Largest single file that is fetched."
    )
    time_zone: TimeZone | None = Field(
        None,
        description="Time zone of this instance, e.g. `Europe/Berlin`: for file names and ZIPs "
        "where the person's own is not known, and for the log; the system's (`TZ`) when unset.",
    )
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
    bind: BindAddress = Field(
        "127.0.0.1", description="Address the web server listens on; `0.0.0.0` for the network."
    )
    port: int = Field(8000, ge=1, le=65535, description="Port the web server listens on.")
    published_port: PublishedPort | None = Field(
        None,
        description="Port people use where it is another, as that of a container: `9000` or "
        "`127.0.0.1:9000`; for links that are printed while there is no `PUBLIC_URL`.",
    )
    web_threads: int = Field(
        48,
        ge=4,
        le=512,
        description="Requests answered at once. Slow senders and downloads hold none of them.",
    )
    web_processes: int = Field(
        1,
        ge=1,
        le=16,
        description="Web server processes that `up` runs, each with so many threads; containers "
        "are scaled instead.",
    )

    def __init__(self, **values: Any) -> None:
        """Read the environment; values given here stand above it. Raises ValidationError."""
        super().__init__(**(_read_values(os.environ) | values))

    def absolute_url(self, path: str) -> str | None:
        """The public address of a path, as others can open it; None without `public_url`.

        path: as `reverse()` returns it, so it begins with the sub-path if there is one.
        """
        if self.public_url is None:
            return None
        public = urlsplit(self.public_url)
        return f"{public.scheme}://{public.netloc}{path}"

    def absolute_url_for(self, request: HttpRequest, path: str) -> str:
        """`absolute_url`; without `public_url`, by the request's Host header.

        For links that leave this instance: in a mail, in a QR code, in a message an admin sends.
        """
        return self.absolute_url(path) or request.build_absolute_uri(path)

    @property
    def mail(self) -> MailServer | None:
        """The server mail is handed to; None when this instance sends none."""
        return mail_server(self.email_url) if self.email_url else None

    @property
    def zone_name(self) -> str:
        """IANA name of the instance's time zone: as set, else the system's, else UTC."""
        return self.time_zone or system_zone_name(os.environ.get("TZ"))

    @property
    def artifacts(self) -> Path:
        """Folder of saved files."""
        return self.artifact_dir or self.data_dir / "artifacts"

    @property
    def backups(self) -> Path:
        """Folder of backups."""
        return self.backup_dir or self.data_dir / "backups"

    @property
    def helpers_dir(self) -> Path:
        """Folder of programs that an admin had installed to ask TikTok with."""
        return self.data_dir / "helpers"

    @property
    def embedded_redis(self) -> bool:
        """True when `up` starts a Redis server of this instance."""
        return self.redis_url is None

    @property
    def redis_socket(self) -> Path:
        """Unix socket of the embedded Redis: in the data folder unless its path is too long."""
        path = self.run_dir / "redis.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_MAX:
            return path
        tag = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"storykeep-{tag}" / "redis.sock"  # noqa: S108  # nosec B108  # `up` makes it private

    @property
    def run_dir(self) -> Path:
        """Folder of sockets, locks and the Redis dump, which only a running instance needs."""
        return self.data_dir / "run"

    @property
    def redis_address(self) -> str:
        """URL of the Redis server, as redis-py takes it."""
        if self.redis_url:
            return self.redis_url.get_secret_value()
        return f"unix://{quote(str(self.redis_socket))}"

    @property
    def broker_url(self) -> str:
        """URL of the Redis server, as Celery's transport takes it."""
        # What is sent goes by `redis_address`: both have to name one database.
        parts = urlsplit(self.redis_address)
        query = dict(parse_qsl(parts.query))
        database = query.pop("db", None)
        scheme, path = parts.scheme, parts.path
        if scheme == "unix":
            scheme = "redis+socket"
            query |= {"virtual_host": database} if database else {}
        elif database:
            path = f"/{database}"
        options = f"?{urlencode(query)}" if query else ""
        return f"{scheme}://{parts.netloc}{path}{options}"


def _field_errors(error: ValidationError) -> list[str]:
    """A line for each setting whose value is refused."""
    lines = []
    for detail in error.errors():
        name = "_".join(str(part) for part in detail["loc"][:1]).upper()
        message = detail["msg"].removeprefix("Value error, ")
        lines.append(f"{PREFIX}{name}: {message[:1].lower()}{message[1:]}")
    return lines


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable with our prefix that is no setting, with the closest one that is."""
    known = {f"{PREFIX}{name.upper()}" for name in Env.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in SECRETS}
    lines = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known | COMPOSE_ONLY:
            close = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name}: no such setting" + (f"; {close[0]}?" if close else ""))
    return lines


def _secret_file_errors(environ: Mapping[str, str]) -> list[str]:
    """A line for each secret that is given twice, or whose file has nothing to read."""
    lines = []
    for name in (f"{PREFIX}{secret.upper()}" for secret in SECRETS):
        path = environ.get(f"{name}_FILE")
        if path and environ.get(name):
            lines.append(f"{name}: set here and through {name}_FILE; keep one")
        elif path and _read_secret(path) is None:
            lines.append(f"{name}_FILE: there is no such file, or it is empty or cannot be read")
    return lines


def _combination_errors(env: Env) -> dict[tuple[str, ...], str]:
    """A line for each set of settings that is wrong only in combination, by their names."""
    lines: dict[tuple[str, ...], str] = {}
    if env.artifact_ttl <= timedelta():
        lines["artifact_ttl",] = f"{PREFIX}ARTIFACT_TTL: must be longer than 0"
    if env.artifact_ttl_max < env.artifact_ttl:
        lines["artifact_ttl", "artifact_ttl_max"] = (
            f"{PREFIX}ARTIFACT_TTL_MAX: must not be shorter than {PREFIX}ARTIFACT_TTL"
        )
    if bool(env.admin_user) != bool(env.admin_password):
        lines["admin_user", "admin_password"] = (
            f"{PREFIX}ADMIN_USER and {PREFIX}ADMIN_PASSWORD: set both or neither"
        )
    if env.protocol_updates != "off" and not env.protocol_url:
        lines["protocol_updates", "protocol_url"] = (
            f"{PREFIX}PROTOCOL_UPDATES: needs {PREFIX}PROTOCOL_URL"
        )
    if env.email_from and not env.email_url:
        lines["email_from", "email_url"] = f"{PREFIX}EMAIL_FROM: needs {PREFIX}EMAIL_URL"
    for name in ("email_from", "public_url"):
        if env.email_url and not getattr(env, name):
            lines["email_url", name] = f"{PREFIX}EMAIL_URL: needs {PREFIX}{name.upper()}"
    for part in (env_storage, env_backup, env_signin, env_outside, env_notices, env_watch):
        lines |= part.combination_errors(env)
    return lines | env_library.combination_errors(env, env.artifacts)


def load() -> Env:
    """Read the environment. Raises BadSettings that lists every mistake at once."""
    lines = _unknown_names(os.environ) + _secret_file_errors(os.environ)
    refused: set[str] = set()
    try:
        env = Env()
    except ValidationError as error:
        lines += _field_errors(error)
        refused = {str(detail["loc"][0]) for detail in error.errors()}
        # Once more with those left at their defaults, to see what is wrong with the others.
        env = Env(**{name: Env.model_fields[name].default for name in refused})
    combinations = _combination_errors(env)
    lines += [line for names, line in combinations.items() if refused.isdisjoint(names)]
    if lines:
        raise BadSettings("\n".join(lines))
    return env


def is_json_wanted() -> bool:
    """Whether the log is to be JSON; can be asked while other settings are wrong."""
    return _read_values(os.environ).get("log_format") == "json"


def sources() -> dict[str, str]:
    """Setting name → `environment`, or `file` for a secret read from one; defaults are left out."""
    texts = {name.lower() for name, text in os.environ.items() if text}
    return {
        name: "environment" if f"{PREFIX}{name}".lower() in texts else "file"
        for name in _read_values(os.environ)
    }


def texts_without_secrets() -> dict[str, str]:
    """Variable → its text, for settings that are set and are no secrets."""
    texts = _read_values(os.environ)
    return {f"{PREFIX}{name.upper()}": texts[name] for name in texts if name not in SECRETS}


def child_environment(**defaults: str) -> dict[str, str]:
    """The environment for a child process: our own, with defaults for variables not set in it."""
    return {**defaults, **os.environ}
