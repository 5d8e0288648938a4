"""Reading the environment: every setting is checked, every mistake is reported at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import RequestFactory

from webapp import env
from webapp.env import BadSettings, load

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"


def mistakes() -> list[str]:
    """What `load` has to say about the environment as it is."""
    with pytest.raises(BadSettings) as caught:
        load()
    return str(caught.value).splitlines()


def test_defaults_need_nothing(setting: pytest.MonkeyPatch) -> None:
    found = load()
    assert found.embedded_redis
    assert found.artifacts == found.data_dir / "artifacts"
    assert found.artifact_ttl == timedelta(hours=2)


def test_an_empty_value_is_no_value(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_PORT", "")
    setting.setenv("STORYKEEP_PUBLIC_URL", "")
    assert load().port == 8000
    assert load().public_url is None


def test_every_mistake_at_once(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "PORT": "99999",
        "ARTIFACT_TTL": "soon",
        "DISK_MAX": "lots",
        "LIST_RATE": "nan",
        "PROXY": "socks5://host:1",
        "PROXXY": "http://host:1",
        "REDIS_URL": "redis://",
        "DATABASE_URL": "mysql://host/name",
        "PUBLIC_URL": "stories.example.org",
        "CA_BUNDLE": str(tmp_path / "missing.pem"),
        "BIND": "0.0.0.0:80",
        "LOG_LEVEL": "LOUD",
        "SECRET_KEY": "short",
        "ADMIN_USER": "someone",
    }.items():
        setting.setenv(f"STORYKEEP_{name}", value)
    lines = mistakes()
    named = {re.split(r"[: ]", line)[0].removeprefix("STORYKEEP_") for line in lines}
    assert named == {
        *("PORT", "ARTIFACT_TTL", "DISK_MAX", "LIST_RATE", "PROXY", "PROXXY", "REDIS_URL"),
        *("DATABASE_URL", "PUBLIC_URL", "CA_BUNDLE", "BIND", "LOG_LEVEL", "SECRET_KEY"),
        "ADMIN_USER",
    }
    assert "STORYKEEP_PROXXY: no such setting; STORYKEEP_PROXY?" in lines


def test_what_the_compose_file_alone_asks_for_is_no_mistake(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_IMAGE", "registry.example.org/storykeep:1")
    load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://someone:hunter2@host:port/name"),
        ("DATABASE_URL", "mysql://someone:hunter2@host/name"),
        ("REDIS_URL", "http://:hunter2@host"),
        ("PROXY", "ftp://someone:hunter2@host"),
        ("SECRET_KEY", "hunter2"),
        ("PUBLIC_URL", "https://someone:hunter2@host"),
        ("EMAIL_URL", "smtp://someone:hunter2@mail.example.org"),
        ("EMAIL_URL", "imap://someone:hunter2@mail.example.org"),
        ("EMAIL_URL", "smtps://someone:hunter2@mail.example.org/inbox"),
    ],
)
def test_a_mistake_does_not_repeat_a_secret(
    setting: pytest.MonkeyPatch, name: str, value: str
) -> None:
    setting.setenv(f"STORYKEEP_{name}", value)
    (line,) = mistakes()
    assert line.startswith(f"STORYKEEP_{name}: ")
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ARTIFACT_TTL": "0"}, "longer than 0"),
        ({"ARTIFACT_TTL": "3h", "ARTIFACT_TTL_MAX": "2h"}, "not be shorter"),
        ({"ADMIN_USER": "a"}, "both or neither"),
        ({"ADMIN_PASSWORD": "alice-and-bob"}, "both or neither"),
        ({"EMAIL_FROM": "a@example.org"}, "needs STORYKEEP_EMAIL_URL"),
        (
            {"EMAIL_URL": "smtps://mail", "EMAIL_FROM": "a@example.org"},
            "needs STORYKEEP_PUBLIC_URL",
        ),
        (
            {"EMAIL_URL": "smtps://mail", "PUBLIC_URL": "https://a.example.org"},
            "needs STORYKEEP_EMAIL_FROM",
        ),
    ],
)
def test_what_does_not_go_together(
    setting: pytest.MonkeyPatch, wrong: dict[str, str], words: str
) -> None:
    for name, value in wrong.items():
        setting.setenv(f"STORYKEEP_{name}", value)
    (line,) = mistakes()
    assert words in line


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUBLIC_URL", "https://exa mple.org"),
        ("PUBLIC_URL", "https://stories.example.org/a b"),
        ("PUBLIC_URL", "https://stories.example.org/<x>"),
        ("ADMIN_USER", "bad name!<>"),
        ("ADMIN_PASSWORD", "short"),
        ("EMAIL_FROM", "nobody"),
        ("EMAIL_FROM", "a@b c"),
        ("EMAIL_FROM", "Story\nkeep <a@example.org>"),
    ],
)
def test_what_would_only_fail_later_is_refused_at_the_start(
    setting: pytest.MonkeyPatch, name: str, value: str
) -> None:
    for half in ("ADMIN_USER", "ADMIN_PASSWORD") if name.startswith("ADMIN") else ():
        setting.setenv(f"STORYKEEP_{half}", "alice-and-bob")
    setting.setenv(f"STORYKEEP_{name}", value)
    (line,) = mistakes()
    assert line.startswith(f"STORYKEEP_{name}: ")


@pytest.mark.parametrize(
    "url", ["https://stories.example.org/keep", "http://[::1]:8000", "http://192.168.1.5:8000"]
)
def test_addresses_people_use(setting: pytest.MonkeyPatch, url: str) -> None:
    setting.setenv("STORYKEEP_PUBLIC_URL", url)
    assert load().public_url == url


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (None, None),
        ("https://stories.example.org", "https://stories.example.org/keep/join/x/"),
        ("https://stories.example.org:8443/keep", "https://stories.example.org:8443/keep/join/x/"),
        ("http://[::1]:8000", "http://[::1]:8000/keep/join/x/"),
    ],
)
def test_a_path_has_a_public_address(url: str | None, link: str | None) -> None:
    settings = env.Env().model_copy(update={"public_url": url})
    assert settings.absolute_url("/keep/join/x/") == link


def test_the_public_address_is_believed_first(
    rf: RequestFactory, set_env: Callable[..., None]
) -> None:
    request = rf.get("/account/", headers={"host": "localhost"})
    assert (
        django_settings.STORYKEEP.absolute_url_for(request, "/keep/join/x/")
        == "http://localhost/keep/join/x/"
    )
    set_env(public_url="https://stories.example.org/keep")
    assert (
        django_settings.STORYKEEP.absolute_url_for(request, "/keep/join/x/")
        == "https://stories.example.org/keep/join/x/"
    )


def test_without_a_public_address_the_visitors_own_is_taken(set_env: Callable[..., None]) -> None:
    set_env(public_url=None)
    request = RequestFactory().get("/phone/", headers={"host": "10.0.0.7:8000"})
    assert (
        django_settings.STORYKEEP.absolute_url_for(request, "/jobs/1/")
        == "http://10.0.0.7:8000/jobs/1/"
    )


def test_the_public_address_goes_before_what_the_visitor_says(set_env: Callable[..., None]) -> None:
    set_env(public_url="https://keep.example/stories")
    request = RequestFactory().get("/phone/", headers={"host": "evil.example"})
    assert (
        django_settings.STORYKEEP.absolute_url_for(request, "/stories/jobs/1/")
        == "https://keep.example/stories/jobs/1/"
    )


@pytest.mark.parametrize(
    ("url", "port", "starttls", "tls"),
    [
        ("smtp+tls://a%40b:p%2Fw@mail.example.org", 587, True, False),
        ("smtps://a%40b:p%2Fw@mail.example.org", 465, False, True),
        ("smtp://a%40b:p%2Fw@localhost:2525", 2525, False, False),
    ],
)
def test_a_mail_server(
    setting: pytest.MonkeyPatch, url: str, port: int, starttls: bool, tls: bool
) -> None:
    setting.setenv("STORYKEEP_EMAIL_URL", url)
    setting.setenv("STORYKEEP_EMAIL_FROM", "Storykeep <stories@example.org>")
    setting.setenv("STORYKEEP_PUBLIC_URL", "https://stories.example.org")
    found = load().mail
    assert found is not None
    assert (found.port, found.starttls, found.tls) == (port, starttls, tls)
    assert (found.user, found.password) == ("a@b", "p/w")


@pytest.mark.parametrize(
    "address", ["off", "local", "http://browser:9222", "wss://b.example/chromium?token=x"]
)
def test_a_browser(setting: pytest.MonkeyPatch, address: str) -> None:
    assert load().browser.get_secret_value() == "off"
    setting.setenv("STORYKEEP_BROWSER", address)
    found = load()
    assert found.browser.get_secret_value() == address
    assert "token=" not in repr(found).replace("metrics_token=", "")


@pytest.mark.parametrize(
    "address", ["on", "chromium", "file:///x", "http://", "ws://[::1", "Local"]
)
def test_a_browser_that_is_none_stops_the_start(setting: pytest.MonkeyPatch, address: str) -> None:
    setting.setenv("STORYKEEP_BROWSER", address)
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_BROWSER: ")


def test_an_authority_that_is_none(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    setting.setenv("STORYKEEP_CA_BUNDLE", str(path))
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_CA_BUNDLE: the file holds no certificate")


def test_a_pair_is_not_blamed_for_a_malformed_half(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_ARTIFACT_TTL", "soon")
    setting.setenv("STORYKEEP_ARTIFACT_TTL_MAX", "1h")
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_ARTIFACT_TTL: ")


def test_a_secret_from_a_file(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 40 + "\n")
    setting.setenv("STORYKEEP_SECRET_KEY_FILE", str(path))
    key = load().secret_key
    assert key
    assert key.get_secret_value() == "k" * 40


def test_a_secret_set_twice(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("k" * 40)
    setting.setenv("STORYKEEP_SECRET_KEY", "j" * 40)
    setting.setenv("STORYKEEP_SECRET_KEY_FILE", str(path))
    assert mistakes() == [
        "STORYKEEP_SECRET_KEY: set here and through STORYKEEP_SECRET_KEY_FILE; keep one"
    ]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe\x00"])
def test_a_secret_file_that_cannot_be_used(
    setting: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    setting.setenv("STORYKEEP_SECRET_KEY_FILE", str(path))
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_SECRET_KEY_FILE: ")


def test_a_folder_is_no_secret_file(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting.setenv("STORYKEEP_SECRET_KEY_FILE", str(tmp_path))
    assert len(mistakes()) == 1


def test_a_ca_bundle_has_a_certificate(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("hello")
    setting.setenv("STORYKEEP_CA_BUNDLE", str(path))
    assert "no certificate" in mistakes()[0]


def test_secrets_are_not_shown(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_DATABASE_URL", "postgres://u:hunter2@host/name")
    setting.setenv("STORYKEEP_ADMIN_USER", "root")
    setting.setenv("STORYKEEP_ADMIN_PASSWORD", "hunter2hunter2")
    assert "hunter2" not in repr(load())


@pytest.mark.parametrize(
    "bind",
    ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost", "nas.local"],  # noqa: S104
)
def test_addresses_to_listen_on(setting: pytest.MonkeyPatch, bind: str) -> None:
    setting.setenv("STORYKEEP_BIND", bind)
    assert load().bind == bind


def test_a_deep_data_folder_gets_a_short_socket(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_DATA_DIR", "/srv/" + "deep/" * 30)
    found = load()
    assert len(str(found.redis_socket)) < 100
    setting.setenv("STORYKEEP_DATA_DIR", "/srv/" + "deep/" * 31)
    assert load().redis_socket != found.redis_socket


def test_the_socket_lies_in_the_data_folder(setting: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting.setenv("STORYKEEP_DATA_DIR", "/srv/stories kept")
    found = load()
    assert found.redis_address == "unix:///srv/stories%20kept/run/redis.sock"
    assert found.broker_url == "redis+socket:///srv/stories%20kept/run/redis.sock"


@pytest.mark.parametrize(
    ("address", "broker"),
    [
        ("redis://redis:6379/0", "redis://redis:6379/0"),
        ("redis://redis?db=4", "redis://redis/4"),
        (
            "rediss://a:b%40@redis/2?ssl_cert_reqs=none",
            "rediss://a:b%40@redis/2?ssl_cert_reqs=none",
        ),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
    ],
)
def test_the_broker_is_told_of_the_same_database(
    setting: pytest.MonkeyPatch, address: str, broker: str
) -> None:
    setting.setenv("STORYKEEP_REDIS_URL", address)
    assert load().redis_address == address
    assert load().broker_url == broker


def test_a_child_inherits_what_is_set(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_PORT", "8001")
    setting.setenv("SOMETHING", "set")
    given = env.child_environment(SOMETHING="default", OTHER="default")
    assert given["STORYKEEP_PORT"] == "8001"
    assert given["SOMETHING"] == "set"
    assert given["OTHER"] == "default"


def test_the_documentation_lists_every_setting() -> None:
    text = DOCS.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `STORYKEEP_([A-Z_]+)` \|", text, re.MULTILINE))
    assert documented == {name.upper() for name in env.Env.model_fields}
    for name, field in env.Env.model_fields.items():
        row = next(line for line in text.splitlines() if f"`STORYKEEP_{name.upper()}` |" in line)
        assert field.description, name
        assert field.description in row, f"{name}: the words differ from env.py"


def test_the_zone_is_the_one_that_is_set_else_the_systems(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("TZ", "Asia/Tokyo")
    assert load().zone_name == "Asia/Tokyo"
    setting.setenv("STORYKEEP_TIME_ZONE", "Europe/Berlin")
    assert load().zone_name == "Europe/Berlin"


@pytest.mark.parametrize("zone", ["Berlin", "CET-1CEST", "../../etc/passwd", "Europe", "/etc"])
def test_a_zone_that_is_none_stops_the_start(setting: pytest.MonkeyPatch, zone: str) -> None:
    setting.setenv("STORYKEEP_TIME_ZONE", zone)
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_TIME_ZONE: there is no such time zone")


def test_backups_lie_in_the_data_folder_unless_they_are_sent_elsewhere(
    setting: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert load().backups == load().data_dir / "backups"
    setting.setenv("STORYKEEP_BACKUP_DIR", str(tmp_path))
    assert load().backups == tmp_path


def test_daily_backups_of_which_none_is_kept_are_refused(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_BACKUP_DAILY", "true")
    assert load().backup_daily
    setting.setenv("STORYKEEP_BACKUP_KEEP", "0")
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_BACKUP_DAILY: needs STORYKEEP_BACKUP_KEEP")


def test_texts_that_are_set_without_secrets(setting: pytest.MonkeyPatch) -> None:
    setting.setenv("STORYKEEP_PORT", "9000")
    setting.setenv("STORYKEEP_BACKUP_PASSPHRASE", "hunter2 and more")
    assert env.texts_without_secrets() == {"STORYKEEP_PORT": "9000"}
