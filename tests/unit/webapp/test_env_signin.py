"""Settings of sign-in by a provider or a proxy: what they take, and what goes together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from webapp import env
from webapp.env import BadSettings, load

PROVIDER = {
    "OIDC_ISSUER": "https://auth.example.org/realms/home",
    "OIDC_CLIENT_ID": "storykeep",
    "OIDC_CLIENT_SECRET": "hunter2",
    "PUBLIC_URL": "https://stories.example.org",
}
PROXY = {
    "REMOTE_USER_HEADER": "Remote-User",
    "TRUSTED_PROXIES": "1",
    "PROXY_NETWORKS": "172.18.0.2, 10.0.5.0/28 fd00::/64",
}


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(env.PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


def set_all(put: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        put.setenv(f"STORYKEEP_{name}", value)


def mistakes() -> list[str]:
    with pytest.raises(BadSettings) as caught:
        load()
    return str(caught.value).splitlines()


def test_a_provider(put: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_all(put, PROVIDER)
    found = load()
    assert found.oidc_issuer == PROVIDER["OIDC_ISSUER"]
    assert (found.oidc_signup, found.oidc_only) == ("invited", False)
    assert "hunter2" not in repr(found)
    put.delenv("STORYKEEP_OIDC_CLIENT_SECRET")
    (tmp_path / "secret").write_text("from a file\n")
    put.setenv("STORYKEEP_OIDC_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    secret = load().oidc_client_secret
    assert secret is not None
    assert secret.get_secret_value() == "from a file"


@pytest.mark.parametrize("name", ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "PUBLIC_URL"])
def test_what_a_provider_needs(put: pytest.MonkeyPatch, name: str) -> None:
    set_all(put, {key: value for key, value in PROVIDER.items() if key != name})
    assert mistakes() == [f"STORYKEEP_OIDC_ISSUER: needs STORYKEEP_{name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OIDC_CLIENT_ID", "x"),
        ("OIDC_CLIENT_SECRET", "hunter2"),
        ("OIDC_NAME", "Home"),
        ("OIDC_ADMIN_GROUP", "admins"),
        ("OIDC_MEMBER_GROUP", "family"),
        ("OIDC_SIGNUP", "anyone"),
        ("OIDC_ONLY", "true"),
    ],
)
def test_what_is_nothing_without_one(put: pytest.MonkeyPatch, name: str, value: str) -> None:
    put.setenv(f"STORYKEEP_{name}", value)
    assert mistakes() == [f"STORYKEEP_{name}: needs STORYKEEP_OIDC_ISSUER"]


def test_sign_up_by_group_needs_a_group(put: pytest.MonkeyPatch) -> None:
    set_all(put, PROVIDER | {"OIDC_SIGNUP": "group"})
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_OIDC_SIGNUP: group needs STORYKEEP_OIDC_MEMBER_GROUP")
    put.setenv("STORYKEEP_OIDC_ADMIN_GROUP", "admins")
    assert load().oidc_signup == "group"


@pytest.mark.parametrize(
    "issuer",
    [
        "auth.example.org",
        "http://auth.example.org",
        "https://auth.example.org/?realm=1",
        "https://auth.example.org/#x",
        "https://someone:hunter2@auth.example.org",
        "https://auth.example.org:port",
        "https://",
        "https://" + "a" * 200,
    ],
)
def test_an_issuer_that_is_none(put: pytest.MonkeyPatch, issuer: str) -> None:
    set_all(put, PROVIDER | {"OIDC_ISSUER": issuer})
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_OIDC_ISSUER:")
    assert "hunter2" not in line


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9000", "http://localhost/x", "http://[::1]"])
def test_one_on_this_machine_may_speak_plain_http(put: pytest.MonkeyPatch, issuer: str) -> None:
    set_all(put, PROVIDER | {"OIDC_ISSUER": issuer})
    assert load().oidc_issuer == issuer


def test_a_header(put: pytest.MonkeyPatch) -> None:
    set_all(put, PROXY)
    assert load().proxy_networks == ("172.18.0.2", "10.0.5.0/28", "fd00::/64")


@pytest.mark.parametrize("name", ["TRUSTED_PROXIES", "PROXY_NETWORKS"])
def test_what_a_header_needs(put: pytest.MonkeyPatch, name: str) -> None:
    set_all(put, {key: value for key, value in PROXY.items() if key != name})
    assert mistakes() == [f"STORYKEEP_REMOTE_USER_HEADER: needs STORYKEEP_{name}"]


@pytest.mark.parametrize(
    "header",
    ["Remote_User", "Remote User", "Remote-User:", "X-Forwarded-For", "cookie", "Authorization"],
)
def test_a_header_that_is_none_or_another(put: pytest.MonkeyPatch, header: str) -> None:
    set_all(put, PROXY | {"REMOTE_USER_HEADER": header})
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_REMOTE_USER_HEADER:")


@pytest.mark.parametrize("networks", ["proxy", "10.0.5.7/28", "10.0.0.0/40", "10.0.5.7;10.0.5.8"])
def test_networks_that_are_none(put: pytest.MonkeyPatch, networks: str) -> None:
    set_all(put, PROXY | {"PROXY_NETWORKS": networks})
    (line,) = mistakes()
    assert line.startswith("STORYKEEP_PROXY_NETWORKS: write addresses or networks")


def test_a_header_and_a_provider_at_once(put: pytest.MonkeyPatch) -> None:
    set_all(put, PROVIDER | PROXY)
    (line,) = mistakes()
    assert "keep one" in line
