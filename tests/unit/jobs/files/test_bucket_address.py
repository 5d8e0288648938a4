"""Where the bucket of the settings is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from jobs.files import bucket_address
from tests import buckets


def test_an_address_has_a_bucket_a_prefix_and_an_endpoint(set_env: Callable[..., None]) -> None:
    assert not bucket_address.is_set()
    set_env(**buckets.settings_of("https://s3.example.org", "a/b"))
    assert bucket_address.is_set()
    where = bucket_address.address()
    assert (where.bucket, where.prefix, where.endpoint) == (
        "saved",
        "a/b",
        "https://s3.example.org",
    )
    assert where.path_of("ab/x") == "/saved/a/b/ab/x"
    assert where.path_of("") == "/saved"
    assert "secret'" not in repr(where)


def test_without_an_endpoint_it_is_amazons(set_env: Callable[..., None]) -> None:
    settings = buckets.settings_of("", artifact_store_region="eu-west-1")
    set_env(**{**settings, "artifact_store_endpoint": None})
    where = bucket_address.address()
    assert where.endpoint == "https://s3.eu-west-1.amazonaws.com"
    assert where.path_of("x") == "/saved/x"


def test_without_a_bucket_there_is_no_address() -> None:
    with pytest.raises(RuntimeError):
        bucket_address.address()
