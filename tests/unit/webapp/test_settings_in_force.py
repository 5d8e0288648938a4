"""Settings in words; no form of a secret shows any of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from pydantic import ByteSize, SecretStr

from webapp import env
from webapp.settings_in_force import MASK, masked_address, settings_in_force

SECRET = "hunter2"


def values() -> dict[str, str]:
    return {
        setting.name.removeprefix("STORYKEEP_").lower(): setting.value.replace("\xa0", " ")
        for setting in settings_in_force()
    }


def test_every_setting_is_told() -> None:
    assert list(values()) == list(env.Env.model_fields)
    assert all(values().values())


def test_values_in_words(set_env: Callable[..., None]) -> None:
    set_env(
        artifact_ttl=timedelta(hours=2), job_retention=timedelta(), disk_max=ByteSize(10 * 10**9),
        quota_bytes=ByteSize(0), quota_active=0, show_targets=True, public_url=None,
        ca_bundle=Path("/etc/extra.pem"), instance_note="<b>ask Nora</b>",
        webhook_hosts=("ha.lan:8123", "10.0.0.5"),
    )  # fmt: skip
    told = values()
    assert told["webhook_hosts"] == "ha.lan:8123, 10.0.0.5"
    assert told["artifact_ttl"] == "2 hours"
    assert told["job_retention"] == "0"
    assert told["disk_max"] == "10.0 GB"
    assert (told["quota_bytes"], told["quota_active"]) == ("no limit", "no limit")
    assert (told["show_targets"], told["public_url"]) == ("yes", "–")
    assert told["ca_bundle"] == "/etc/extra.pem"
    assert told["instance_note"] == "<b>ask Nora</b>"
    assert told["artifact_dir"] == str(settings.STORYKEEP.artifacts)


def test_no_secret_is_told(set_env: Callable[..., None]) -> None:
    set_env(
        secret_key=SecretStr(SECRET * 5), admin_user=f"root{SECRET}",
        admin_password=SecretStr(SECRET), proxy=SecretStr(f"http://me:{SECRET}@proxy.example:3128"),
        database_url=SecretStr(f"postgres://keep:{SECRET}@db/keep?sslpassword={SECRET}"),
        redis_url=SecretStr(f"rediss://:{SECRET}@redis.example:6380/0"),
        email_url=SecretStr(f"smtps://me:{SECRET}@mail.example"),
    )  # fmt: skip
    told = values()
    assert SECRET not in str(told)
    assert told["secret_key"] == told["admin_password"] == told["admin_user"] == MASK
    assert told["proxy"] == f"http://{MASK}@proxy.example:3128"
    assert told["redis_url"] == f"rediss://{MASK}@redis.example:6380/{MASK}"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://redis:6379/0", f"redis://redis:6379/{MASK}"),
        ("redis://redis", "redis://redis"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("sqlite:////srv/keep.sqlite3", "sqlite:////srv/keep.sqlite3"),
        ("unix:///run/redis.sock?password=hunter2", "unix:///run/redis.sock"),
        ("postgres://keep@db/keep", f"postgres://{MASK}@db/{MASK}"),
        # What nobody encoded: the host ends too early, and the rest of the password follows.
        ("postgres://keep:hunt/er2@db/keep", f"postgres://{MASK}"),
        ("postgres://keep:1/hunter2@db/keep", f"postgres://{MASK}"),
        ("postgres://keep:1?hunter2@db/keep", f"postgres://{MASK}"),
        ("redis://:1#hunter2@redis", f"redis://{MASK}"),
        ("redis://hunter2:99999@redis/0", f"redis://{MASK}@redis/{MASK}"),
        ("redis://a/hunter2%40redis", f"redis://{MASK}"),
        ("http://me:hunter2@[proxy", f"http://{MASK}"),
        ("http://me:hunter2@b@proxy", f"http://{MASK}@proxy"),
        ("hunter2", MASK),
        ("hunter2@host://x", MASK),
        ("unix://hunter2@host/run", f"unix://{MASK}"),
        ("", MASK),
    ],
)
def test_an_address_with_a_password_written_in_any_way(url: str, told: str) -> None:
    assert masked_address(url) == told


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("off", "off"),
        ("local", "local"),
        ("http://127.0.0.1:9222", "http://127.0.0.1:9222"),
        ("wss://browser.example/chromium?token=hunter2", f"wss://browser.example/{MASK}"),
    ],
)
def test_a_browsers_address_without_what_opens_it(
    set_env: Callable[..., None], address: str, told: str
) -> None:
    set_env(browser=SecretStr(address))
    assert values()["browser"] == told


def test_where_a_value_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "proxy"
    secret.write_text("http://proxy.example:3128\n")
    monkeypatch.setenv("STORYKEEP_BATCH_MAX", "7")
    monkeypatch.setenv("STORYKEEP_PROXY_FILE", str(secret))
    monkeypatch.setenv("STORYKEEP_LIST_RATE", "")
    told = {setting.name: setting.source for setting in settings_in_force()}
    assert told["STORYKEEP_BATCH_MAX"] == "environment"
    assert told["STORYKEEP_PROXY"] == "file"
    assert told["STORYKEEP_LIST_RATE"] == "default"
    words = {setting.source_words for setting in settings_in_force()}
    assert words == {"default", "set", "from a file"}
