"""Sign-in by a proxy's header: from the proxy alone, and only for people there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from accounts import invitations, people, proxy_signin, tokens
from jobs.queries import feed
from tests.factories import make_user
from tests.unit.accounts.browsing import FORM, is_signed_in

pytestmark = pytest.mark.django_db

PROXY = "10.0.5.7"
MIDDLEWARE = "accounts.proxy_signin.sign_in"


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings: Any, set_env: Callable[..., None]) -> None:
    set_env(
        remote_user_header="Remote-User",
        trusted_proxies=1,
        proxy_networks=("10.0.5.0/28", "fd00::7"),
    )
    before = settings.MIDDLEWARE
    place = before.index("django.contrib.auth.middleware.AuthenticationMiddleware") + 1
    settings.MIDDLEWARE = [*before[:place], MIDDLEWARE, *before[place:]]


class Proxy:
    """A browser behind the proxy, which names a person in each request."""

    def __init__(self, peer: str = PROXY) -> None:
        self.client = Client(REMOTE_ADDR=peer)

    def get(self, path: str, name: str | None = "alice", **headers: str) -> Any:
        if name is not None:
            headers["Remote-User"] = name.encode().decode("latin-1")
        return self.client.get(path, headers=headers)

    def post(self, path: str, name: str | None = "alice", **form: str) -> Any:
        headers = {} if name is None else {"Remote-User": name}
        return self.client.post(path, form, headers=headers)


@pytest.fixture
def proxy() -> Proxy:
    return Proxy()


class TestWhoIsNamed:
    def test_is_signed_in(self, proxy: Proxy, alice: User) -> None:
        assert proxy.get("/account/").status_code == 200
        assert b"alice" in proxy.get("/account/").content

    def test_one_session_serves_all_requests(self, proxy: Proxy, alice: User) -> None:
        proxy.get("/account/")
        key = proxy.client.session.session_key
        proxy.get("/account/")
        assert proxy.client.session.session_key == key

    def test_a_name_in_any_script_is_read(self, proxy: Proxy) -> None:
        make_user("søren")
        assert "søren" in proxy.get("/account/", "søren").content.decode()

    def test_an_accent_may_be_written_apart(self, proxy: Proxy) -> None:
        make_user("andr\u00e9")
        assert proxy.get("/account/", "andre\u0301").status_code == 200

    @pytest.mark.parametrize("name", ["\uff41lice", "\u24d0lice", "ali\u2170e", "\u1d43lice"])
    def test_somebody_whose_name_only_folds_into_anothers_is_not_them(
        self, proxy: Proxy, alice: User, name: str
    ) -> None:
        make_user("aliie")
        assert proxy.get("/account/", name).status_code == 403
        assert not is_signed_in(proxy.client)

    def test_nobody_gets_an_account_by_the_header_alone(self, proxy: Proxy) -> None:
        response = proxy.get("/", "mallory")
        assert response["Location"].startswith("/login/")
        page = proxy.get(response["Location"], "mallory").content
        assert b"mallory" in page
        assert b'name="password"' not in page
        assert not User.objects.exists()

    def test_an_invitation_makes_one(self, proxy: Proxy) -> None:
        token = invitations.create(None)
        address = reverse("join", args=[token])
        assert b"password1" not in proxy.get(address, "nora").content
        assert proxy.post(address, "nora").status_code == 302
        nora = User.objects.get()
        assert (nora.username, nora.has_usable_password()) == ("nora", False)
        assert proxy.get("/account/", "nora").status_code == 200

    def test_an_invitation_makes_no_look_alike(self, proxy: Proxy, alice: User) -> None:
        address = reverse("join", args=[invitations.create(None)])
        assert proxy.post(address, "Alice").status_code == 422
        assert User.objects.count() == 1

    def test_a_blocked_person_is_not(self, proxy: Proxy, alice: User) -> None:
        proxy.get("/account/")
        people.block(alice)
        assert proxy.get("/account/")["Location"] == reverse("account_inactive")
        assert proxy.get(reverse("account_inactive")).status_code == 200

    def test_another_name_ends_the_session(self, proxy: Proxy, alice: User) -> None:
        proxy.get("/account/")
        key = proxy.client.session.session_key
        make_user("bob")
        assert b"bob" in proxy.get("/account/", "bob").content
        assert proxy.client.session.session_key != key
        assert proxy.get("/account/", "mallory").status_code == 302

    def test_without_the_name_the_session_counts_for_nothing(
        self, proxy: Proxy, alice: User
    ) -> None:
        proxy.get("/account/")
        assert proxy.get("/account/", None).status_code == 302
        assert proxy.get("/account/").status_code == 200

    def test_a_session_of_the_proxys_does_not_go_on_past_it(
        self, proxy: Proxy, alice: User
    ) -> None:
        proxy.get("/account/")
        past = Proxy("192.0.2.1")
        past.client.cookies = proxy.client.cookies
        assert past.get("/account/").status_code == 302

    def test_signing_out_says_that_the_proxy_goes_on(self, proxy: Proxy, alice: User) -> None:
        proxy.get("/account/")
        response = proxy.post("/logout/")
        assert response.status_code == 200
        assert b"still signed in at the proxy" in response.content
        assert "_auth_user_id" not in proxy.client.session


class TestWhoseWordItIs:
    @pytest.mark.parametrize(
        "peer",
        [
            "192.0.2.1",
            "10.0.5.16",
            "10.0.6.7",
            "::1",
            "fd00::8",
            "fd00:1::7",
            "::ffff:10.0.5.16",
            pytest.param("::10.0.5.7", id="compatible-is-not-mapped"),
            pytest.param("64:ff9b::10.0.5.7", id="translated-is-not-mapped"),
            pytest.param("2002:a00:507::", id="tunnelled-is-not-mapped"),
            pytest.param("", id="unix-socket"),
            pytest.param("/run/storykeep.sock", id="unix-socket-with-a-name"),
            pytest.param("not an address", id="no-address"),
            pytest.param("10.0.5.7:4711", id="with-a-port"),
            pytest.param("010.0.5.7", id="octal"),
            pytest.param("167773447", id="a-number"),
            pytest.param("%eth0", id="a-zone-alone"),
        ],
    )
    def test_a_strangers_does_not_count(self, alice: User, peer: str) -> None:
        assert Proxy(peer).get("/account/").status_code == 302

    @pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
    def test_a_peer_without_an_address_is_in_no_network(
        self, alice: User, set_env: Callable[..., None], network: str
    ) -> None:
        set_env(proxy_networks=(network,))
        assert Proxy("").get("/account/").status_code == 302

    @pytest.mark.parametrize(
        "peer",
        [
            "10.0.5.0",
            "10.0.5.15",
            "fd00::7",
            "fd00:0:0::7%eth0",
            "::ffff:10.0.5.7",
            "::ffff:a00:507",
        ],
    )
    def test_the_proxys_does(self, alice: User, peer: str) -> None:
        assert Proxy(peer).get("/account/").status_code == 200

    def test_the_connection_counts_and_no_header_about_it(self, alice: User) -> None:
        stranger = Proxy("192.0.2.1")
        told = {"X-Forwarded-For": PROXY, "X-Real-IP": PROXY, "Forwarded": f"for={PROXY}"}
        assert stranger.get("/account/", **told).status_code == 302

    def test_the_session_of_a_password_goes_on_past_the_proxy(self, alice: User) -> None:
        client = Client(REMOTE_ADDR="192.0.2.1")
        client.post("/login/", FORM)
        assert client.get("/account/", headers={"Remote-User": "root"}).status_code == 200

    def test_a_password_does_not_make_two_people_of_one(self, proxy: Proxy, alice: User) -> None:
        make_user("bob")
        proxy.client.force_login(alice)
        assert b"bob" in proxy.get("/account/", "bob").content


class TestWhatItMayHold:
    @pytest.mark.parametrize(
        "value",
        [
            pytest.param("alice,bob", id="two of them"),
            pytest.param("alice,alice", id="the same one twice"),
            pytest.param("alice bob", id="a space"),
            pytest.param("ali\x00ce", id="a zero"),
            pytest.param("<b>alice", id="markup"),
            pytest.param("a" * 151, id="no end"),
        ],
    )
    def test_what_is_no_name_is_refused(self, proxy: Proxy, alice: User, value: str) -> None:
        response = proxy.get("/account/", value)
        assert response.status_code == 403
        assert not is_signed_in(proxy.client)

    def test_bytes_that_are_no_text_are_refused(self, proxy: Proxy) -> None:
        response = proxy.client.get("/account/", headers={"Remote-User": "\xff\xfe"})
        assert response.status_code == 403

    def test_an_empty_one_is_none(self, proxy: Proxy, alice: User) -> None:
        assert proxy.get("/account/", "").status_code == 302


def test_a_feed_reader_begins_no_session(proxy: Proxy, alice: User) -> None:
    answer = proxy.get(f"/feed/{feed.renew(alice.pk)}.atom")
    assert answer.status_code == 200
    assert not answer.cookies
    assert not Session.objects.exists()


class TestTheApi:
    def test_takes_tokens_alone(self, proxy: Proxy, alice: User) -> None:
        assert proxy.get("/api/v1/me").status_code == 401
        token = tokens.create(make_user("bob"), "script")
        response = proxy.get("/api/v1/me", Authorization=f"Bearer {token}")
        assert response.json()["user"]["name"] == "bob"

    def test_a_probe_begins_no_session(self, proxy: Proxy, alice: User) -> None:
        assert proxy.get("/manifest.webmanifest").status_code == 200
        assert "_auth_user_id" not in proxy.client.session


class TestWhoseHeaderIsTakenOff:
    def test_is_told_once(
        self, alice: User, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Mostly it is the proxy, by another address than the settings have."""
        monkeypatch.setattr(proxy_signin, "_told", set())
        for peer in ("172.18.0.1", "172.18.0.1", "172.18.0.9"):
            Proxy(peer).get("/account/")
        assert [record.getMessage() for record in caplog.records] == [
            f"Remote-User from {peer} was taken off: it is not in STORYKEEP_PROXY_NETWORKS"
            for peer in ("172.18.0.1", "172.18.0.9")
        ]

    def test_is_one_of_a_few(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(proxy_signin, "_told", set())
        for number in range(proxy_signin.MOST_TOLD + 5):
            Proxy(f"172.18.0.{number}").get("/login/")
        assert len(caplog.records) == proxy_signin.MOST_TOLD
