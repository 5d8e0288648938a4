"""The bucket is opened once, and anew when the settings name another one."""

from __future__ import annotations

from collections.abc import Callable

from jobs.files.bucket_access import bucket
from tests import buckets


def test_a_bucket_is_opened_once(set_env: Callable[..., None]) -> None:
    set_env(**buckets.settings_of("http://127.0.0.1:1", "a"))
    first = bucket()
    assert bucket() is first
    set_env(**buckets.settings_of("http://127.0.0.1:1", "b"))
    assert bucket() is not first
    assert bucket().address.prefix == "b"
