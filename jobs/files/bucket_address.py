"""Where the bucket of the settings is, and who we are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from django.conf import settings

AMAZON: Final = "https://s3.{region}.amazonaws.com"
"""The endpoint where none is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAddress:
    """A bucket and our keys for it.

    prefix: before the key of every object, without a slash at its end; "" for none. endpoint:
    `https://host`. authority: a file of certificates in PEM form to trust besides; "" for none.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    authority: str = ""

    def path_of(self, key: str) -> str:
        """The path of an object at the endpoint; of the bucket itself for ""."""
        whole = "/".join(filter(None, (self.prefix, key))) if key else ""
        return f"/{self.bucket}/{whole}" if whole else f"/{self.bucket}"


def is_set() -> bool:
    """Whether saved files are in a bucket."""
    return settings.STORYKEEP.artifact_store is not None


def address() -> BucketAddress:
    """The address of the settings. Only where `is_set`."""
    env = settings.STORYKEEP
    key_id, secret_key = env.artifact_store_key_id, env.artifact_store_secret_key
    if env.artifact_store is None or key_id is None or secret_key is None:
        raise RuntimeError("no bucket is set")
    bucket, _slash, prefix = env.artifact_store.removeprefix("s3://").partition("/")
    return BucketAddress(
        bucket=bucket,
        prefix=prefix,
        endpoint=env.artifact_store_endpoint or AMAZON.format(region=env.artifact_store_region),
        region=env.artifact_store_region,
        key_id=key_id.get_secret_value(),
        secret_key=secret_key.get_secret_value(),
        authority=str(env.ca_bundle or ""),
    )
