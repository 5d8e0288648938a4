"""Settings of where saved files are kept: a part of webapp.env.Env."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

PREFIX: Final = "STORYKEEP_"
SECRETS: Final[tuple[str, ...]] = ("artifact_store_key_id", "artifact_store_secret_key")
"""Settings of these that can also come from a file."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_KEY_PREFIX: Final = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*", re.ASCII)


def _check_store(address: str) -> str:
    address = address.rstrip("/")
    scheme, _separator, rest = address.partition("://")
    bucket, _slash, prefix = rest.partition("/")
    if scheme != "s3" or not _BUCKET.fullmatch(bucket):
        raise ValueError("write it as s3://bucket or s3://bucket/prefix")
    if prefix and (not _KEY_PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/"))):
        raise ValueError("a prefix is made of letters, digits, `_`, `.`, `-` and `/`")
    return address


def _check_endpoint(url: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (asked for only to have it checked)
    except ValueError:
        raise ValueError("that is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("write it as https://host or http://host:port")
    if parts.username is not None or parts.query or parts.fragment or parts.path.strip("/"):
        raise ValueError("write it without a user, a path and a query")
    return url.rstrip("/")


StoreAddress = Annotated[str, Field(max_length=300), AfterValidator(_check_store)]
"""`s3://bucket/prefix`, kept without a slash at its end; the prefix may be missing."""

Endpoint = Annotated[str, Field(max_length=300), AfterValidator(_check_endpoint)]
"""`https://host` or `http://host:port`, without a path."""


class StorageSettings(BaseModel):
    """The store of saved files."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    artifact_store: StoreAddress | None = Field(
        None,
        description="Object store for saved files, `s3://bucket/prefix`, so that several machines "
        "share them; the folder when unset. What is being fetched is in the folder either way.",
    )
    artifact_store_endpoint: Endpoint | None = Field(
        None,
        description="Address of that store's S3 interface, e.g. `https://s3.example.org`; Amazon's "
        "when unset.",
    )
    artifact_store_region: str = Field(
        "us-east-1",
        max_length=60,
        pattern=r"^[a-z0-9-]+$",
        description="Region of that store; most others than Amazon's take any.",
    )
    artifact_store_key_id: SecretStr | None = Field(
        None, description="Access key id for that store."
    )
    artifact_store_secret_key: SecretStr | None = Field(
        None, description="Secret access key for that store."
    )
    artifact_redirect: bool = Field(
        False,
        description="Downloads are answered with an address of the store that works for a minute, "
        "instead of through this server; people have to reach the store then.",
    )


def combination_errors(env: StorageSettings) -> dict[tuple[str, ...], str]:
    """A line for each set of these settings that is wrong only in combination, by their names."""
    lines: dict[tuple[str, ...], str] = {}
    keys = ("artifact_store_key_id", "artifact_store_secret_key")
    for name in keys:
        if env.artifact_store and getattr(env, name) is None:
            lines["artifact_store", name] = f"{PREFIX}ARTIFACT_STORE: needs {PREFIX}{name.upper()}"
    for name in ("artifact_store_endpoint", *keys, "artifact_redirect"):
        if getattr(env, name) and not env.artifact_store:
            lines[name, "artifact_store"] = f"{PREFIX}{name.upper()}: needs {PREFIX}ARTIFACT_STORE"
    return lines
