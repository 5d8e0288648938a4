"""The environment, read once into one frozen settings object, all mistakes reported together."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "STORYKEEP_"
PROJECT_DIR = Path(__file__).resolve().parent.parent

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII | re.IGNORECASE)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(I?)B?", re.ASCII | re.IGNORECASE)
_LONGEST = timedelta(days=3650)


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
    if max(days, hours, minutes, seconds) > 10**9:
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
    return int(float(number) * step ** " KMGT".index(unit.upper() or " "))


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]


class _FileSource(PydanticBaseSettingsSource):
    """Values from the files named in `STORYKEEP_…_FILE`, for secrets mounted as files."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if not path:
            return None, field_name, False
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name in SECRETS:
            value, _, _ = self.get_field_value(self.settings_cls.model_fields[name], name)
            if value is not None:
                values[name] = value
        return values


SECRETS = ("database_url", "redis_url", "secret_key", "admin_user", "admin_password", "proxy")


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
        None, max_length=150, description="Name of the first admin, made at start when missing."
    )
    admin_password: SecretStr | None = Field(None, description="Password of that first admin.")
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
        16, ge=1, le=256, description="Parallel file transfers per worker."
    )
    item_concurrency: int = Field(8, ge=1, le=64, description="Lines one worker works on at once.")
    batch_max: int = Field(50, ge=1, le=10_000, description="Most lines in one job.")
    file_max: Size = Field(500 * 1000**2, description="Largest single file that is fetched.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="How much is logged."
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
        return path

    @field_validator("proxy", mode="after")
    @classmethod
    def _is_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url and urlsplit(url.get_secret_value()).scheme not in {"http", "https"}:
            raise ValueError("write it as http://host:port")
        return url

    @field_validator("redis_url", mode="after")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url and urlsplit(url.get_secret_value()).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError("write it as redis://host:6379/0")
        return url

    @field_validator("database_url", mode="after")
    @classmethod
    def _is_database(cls, url: SecretStr | None) -> SecretStr | None:
        known = {"sqlite", "postgres", "postgresql"}
        if url and urlsplit(url.get_secret_value()).scheme not in known:
            raise ValueError("write it as postgres://user:password@host/name or sqlite:///path")
        return url

    @field_validator("public_url", mode="after")
    @classmethod
    def _is_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        odd = parts.query or parts.fragment or parts.username
        if parts.scheme not in {"http", "https"} or not parts.hostname or odd:
            raise ValueError("write it as https://host or https://host/path")
        return url.rstrip("/")

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
        """Where the embedded Redis listens."""
        return self.data_dir / "run" / "redis.sock"

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


def _twice(environ: Mapping[str, str]) -> list[str]:
    names = [f"{PREFIX}{name.upper()}" for name in SECRETS]
    both = [name for name in names if environ.get(name) and environ.get(f"{name}_FILE")]
    gone = [
        f"{name}_FILE: there is no such file, or it cannot be read"
        for name in names
        if environ.get(f"{name}_FILE") and not os.access(environ[f"{name}_FILE"], os.R_OK)
    ]
    return [f"{name}: set here and through {name}_FILE; keep one" for name in both] + gone


def _together(env: Env) -> list[str]:
    """What is wrong only in combination."""
    lines = []
    if env.artifact_ttl <= timedelta():
        lines.append(f"{PREFIX}ARTIFACT_TTL: must be longer than 0")
    if env.artifact_ttl_max < env.artifact_ttl:
        lines.append(f"{PREFIX}ARTIFACT_TTL_MAX: must not be shorter than {PREFIX}ARTIFACT_TTL")
    if bool(env.admin_user) != bool(env.admin_password):
        lines.append(f"{PREFIX}ADMIN_USER and {PREFIX}ADMIN_PASSWORD: set both or neither")
    return lines


def load() -> Env:
    """Read the environment. Raises BadSettings that lists every mistake at once."""
    wrong = _unknown(os.environ) + _twice(os.environ)
    env = None
    try:
        env = Env()
    except ValidationError as error:
        wrong += _problems(error)
    except OSError:
        pass  # a file that cannot be read is listed above
    if env:
        wrong += _together(env)
    if wrong or env is None:
        raise BadSettings("\n".join(wrong))
    return env
