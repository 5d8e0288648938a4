"""Signing in and out, and who must not: guesses, forged links, foreign addresses, old sessions."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.account import app_settings as account_settings
from allauth.core.internal import ratelimit
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from accounts import invitations, people, signin, tokens
from accounts.templatetags.devices import device
from tests.factories import make_user

pytestmark = pytest.mark.django_db
FORM = {"login": "alice", "password": "alicealice"}
FRESH = "correct horse 42"


@pytest.fixture
def alice() -> User:
    """A member."""
    return make_user("alice")


def sign_in(client: Client, **more: Any) -> Any:
    """Send the form."""
    return client.post("/login/", FORM | more)


def is_in(client: Client) -> bool:
    """Does the account page open?"""
    return client.get("/account/").status_code == 200


def code_for(secret: str) -> str:
    """What an authenticator app shows now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


class TestTheDoor:
    def test_opens_and_closes(self, client: Client, alice: User) -> None:
        assert sign_in(client).headers["Location"] == "/"
        assert is_in(client)
        assert client.get("/login/").headers["Location"] == "/"
        assert client.get("/logout/").status_code == 200
        assert is_in(client)
        assert client.post("/logout/").headers["Location"] == "/login/"
        assert not is_in(client)

    def test_stays_open_for_a_month(self, client: Client, alice: User) -> None:
        sign_in(client)
        assert client.session.get_expiry_age() == 30 * 24 * 3600

    @pytest.mark.parametrize(
        "wrong", [{"password": "x"}, {"login": "bob"}, {"login": ""}, {"login": "alice\x00"}]
    )
    def test_stays_closed(self, client: Client, alice: User, wrong: dict[str, str]) -> None:
        answer = sign_in(client, **wrong)
        assert answer.status_code == 200
        assert not is_in(client)
        assert b"alicealice" not in answer.content

    def test_says_the_same_for_a_wrong_name_and_a_wrong_password(
        self, client: Client, alice: User
    ) -> None:
        name = sign_in(client, login="nobody").context["form"].non_field_errors()
        password = sign_in(client, password="x").context["form"].non_field_errors()
        assert name == password

    @pytest.mark.parametrize(
        "path", ["/signup/", "/account/signup/", "/accounts/signup/", "/account/email/"]
    )
    def test_there_is_no_way_to_sign_up(self, client: Client, path: str) -> None:
        assert client.get(path).status_code == 404
        given = {"username": "eve", "password1": FRESH, "password2": FRESH}
        assert client.post(path, given).status_code == 404

    def test_forged_forms_sign_nobody_in(self, alice: User) -> None:
        assert sign_in(Client(enforce_csrf_checks=True)).status_code == 403

    def test_a_planted_session_is_not_taken_over(self, client: Client, alice: User) -> None:
        session = client.session
        session["planted"] = True
        session.save()
        planted = session.session_key
        client.cookies["sessionid"] = planted
        sign_in(client)
        assert client.session.session_key != planted
        eve = Client()
        eve.cookies["sessionid"] = planted
        assert not is_in(eve)

    def test_the_admins_own_sign_in_is_this_one(self, client: Client) -> None:
        root = make_user("root", is_staff=True, is_superuser=True)
        answer = client.get("/admin/")
        assert answer.status_code == 302
        answer = client.get(answer.headers["Location"])
        assert urlsplit(answer.headers["Location"]).path == "/login/"
        given = {"username": "root", "password": "rootroot"}
        assert client.post("/admin/login/", given).status_code == 302
        assert not is_in(client)
        client.force_login(root)
        assert client.get("/admin/").status_code == 200
        changed = client.get("/admin/password_change/")
        assert changed.headers["Location"] == "/account/password/"


class TestWhereItLeads:
    def test_what_was_typed_survives(self, client: Client, alice: User) -> None:
        wanted = "/?text=%40nora%20%40ben"
        answer = client.get(f"/login/?next={wanted.replace('%', '%25')}")
        assert escape(wanted).encode() in answer.content
        assert sign_in(client, next=wanted).headers["Location"] == wanted

    @pytest.mark.parametrize(
        "evil",
        [
            "https://evil.example/",
            "//evil.example/",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "http://testserver@evil.example/",
            "https://testserver.evil.example/",
            " https://evil.example",
            "\thttps://evil.example",
            "data:text/html,x",
        ],
    )
    @pytest.mark.parametrize("where", ["form", "query"])
    def test_never_elsewhere(self, client: Client, alice: User, evil: str, where: str) -> None:
        if where == "form":
            answer = sign_in(client, next=evil)
        else:
            answer = client.post("/login/", FORM, query_params={"next": evil})
        assert answer.headers["Location"] == "/"
        answer = client.post("/logout/", {"next": evil})
        assert answer.headers["Location"] == "/login/"
        client.force_login(alice)
        answer = client.get("/login/", {"next": evil})
        assert answer.headers["Location"] == "/"


class TestGuessing:
    def guess(self, times: int, **more: Any) -> list[int]:
        """Wrong passwords, each from a browser of its own; whether each was looked at (200)."""
        return [
            Client().post("/login/", FORM | {"password": f"no{n}"}, **more).status_code
            for n in range(times)
        ]

    def test_is_over_after_five(self, client: Client, alice: User) -> None:
        self.guess(5)
        answer = sign_in(client)
        said = b"Too many wrong attempts. Wait five minutes, then try again."
        assert said in answer.content
        assert not is_in(client)
        # A name nobody has is told the same.
        for number in range(6):
            answer = Client().post("/login/", {"login": "nobody", "password": f"no{number}"})
        assert said in answer.content

    def test_lasts_as_long_as_is_said(self) -> None:
        limits = account_settings.RATE_LIMITS["login_failed"]
        assert max(rate.duration for rate in ratelimit.parse_rates(limits)) == 5 * 60

    def test_from_many_addresses_is_over_as_well(self, client: Client, alice: User) -> None:
        for number in range(5):
            self.guess(1, REMOTE_ADDR=f"203.0.113.{number}")
        sign_in(client)
        assert not is_in(client)

    def test_under_other_names_of_this_server_is_over_as_well(
        self, client: Client, alice: User, settings: Any
    ) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        for number in range(5):
            host = f"name{number}.example"
            self.guess(1, REMOTE_ADDR=f"203.0.113.{number}", headers={"host": host})
        sign_in(client)
        assert not is_in(client)

    def test_in_capitals_is_the_same_name(self, client: Client, alice: User) -> None:
        for number, name in enumerate(["alice", "ALICE", "Alice", " alice", "aLICE"]):
            Client().post("/login/", {"login": name, "password": f"no{number}"})
        sign_in(client)
        assert not is_in(client)

    def test_a_forged_address_does_not_help(self, client: Client, alice: User) -> None:
        names = [f"user{number}" for number in range(12)]
        for number, name in enumerate(names):
            Client().post(
                "/login/",
                {"login": name, "password": "x"},
                headers={"x-forwarded-for": f"198.51.100.{number}"},
            )
        sign_in(client)
        assert not is_in(client)

    def test_does_not_lock_out_others(self, client: Client, alice: User) -> None:
        for number in range(5):
            given = {"login": "bob", "password": f"no{number}"}
            Client().post("/login/", given, REMOTE_ADDR="203.0.113.9")
        sign_in(client)
        assert is_in(client)

    def test_many_tries_get_a_plain_page(self, client: Client) -> None:
        began = time.time()
        answers = self.guess(31)
        assert answers[-1] == 429
        answer = Client().post("/login/", FORM)
        assert time.time() + int(answer["Retry-After"]) >= began + 60
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert b"Wait 1 minute, then try again." in answer.content

    def test_the_limit_that_is_full_says_how_long(
        self, client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sign_in(client)
        began = time.time()
        given = {"oldpassword": "no", "password1": FRESH, "password2": FRESH}
        for number in range(5):
            monkeypatch.setattr(time, "time", lambda at=began + 10 * number: at)
            assert client.post("/account/password/", given).status_code == 200
        answer = client.post("/account/password/", given)
        assert answer.status_code == 429
        assert answer["Retry-After"] == "20"
        monkeypatch.setattr(time, "time", lambda: began + 61)
        assert client.post("/account/password/", given).status_code == 200

    def test_codes_are_limited_as_well(self, client: Client, alice: User) -> None:
        secret = "JBSWY3DPEHPK3PXP"
        TOTP.activate(alice, secret)
        sign_in(client)
        for _ in range(6):
            client.post("/account/security/authenticate/", {"code": "000000"})
        client.post("/account/security/authenticate/", {"code": code_for(secret)})
        assert not is_in(client)


class TestPasswords:
    def test_changing_ends_other_sessions_not_this_one(self, client: Client, alice: User) -> None:
        other = Client()
        sign_in(other)
        sign_in(client)
        given = {"oldpassword": "alicealice", "password1": FRESH, "password2": FRESH}
        assert client.post("/account/password/", given).headers["Location"] == "/account/"
        assert is_in(client)
        assert not is_in(other)
        alice.refresh_from_db()
        assert alice.check_password(FRESH)

    @pytest.mark.parametrize(
        "wrong", [{"oldpassword": "x"}, {"password1": "12345678", "password2": "12345678"}]
    )
    def test_not_without_the_old_one_nor_to_a_weak_one(
        self, client: Client, alice: User, wrong: dict[str, str]
    ) -> None:
        sign_in(client)
        given = {"oldpassword": "alicealice", "password1": FRESH, "password2": FRESH}
        assert client.post("/account/password/", given | wrong).status_code == 200
        alice.refresh_from_db()
        assert alice.check_password("alicealice")

    def choose(self, client: Client, path: str) -> Any:
        """Follow the link, choose a password."""
        page = client.get(path, follow=True)
        form = page.request["PATH_INFO"]
        return client.post(form, {"password1": FRESH, "password2": FRESH})

    def test_a_link_sets_a_new_one_once(self, client: Client, alice: User) -> None:
        phone = Client()
        sign_in(phone)
        alice.refresh_from_db()
        path = signin.password_path(alice)
        answer = self.choose(client, path)
        assert answer.status_code == 302
        assert client.get(answer.headers["Location"]).status_code == 200
        assert not is_in(client)
        assert not is_in(phone)
        alice.refresh_from_db()
        assert alice.check_password(FRESH)
        again = Client().get(path, follow=True)
        assert b"This link does not work" in again.content
        assert b"password1" not in again.content

    def test_a_link_dies_when_its_person_signs_in(self, client: Client, alice: User) -> None:
        path = signin.password_path(alice)
        sign_in(Client())
        assert b"This link does not work" in client.get(path, follow=True).content

    def test_a_link_is_its_persons_alone(self, client: Client, alice: User) -> None:
        root = make_user("root", is_staff=True, is_superuser=True)
        key = signin.password_path(alice).split("/")[3]
        uid = signin.password_path(root).split("/")[2]
        page = client.get(f"/password/{uid}/{key}/", follow=True)
        assert b"This link does not work" in page.content
        for forged in (
            f"/password/{uid}/set-password/",
            "/password/zzzzzzzzzzzzzzzz/x/",
            "/password/-1/x/",
        ):
            answer = client.post(forged, {"password1": FRESH, "password2": FRESH}, follow=True)
            assert b"This link does not work" in answer.content
        assert not User.objects.get(username="root").check_password(FRESH)

    def test_an_old_link(self, client: Client, alice: User, settings: Any) -> None:
        path = signin.password_path(alice)
        settings.PASSWORD_RESET_TIMEOUT = -1
        assert b"This link does not work" in client.get(path, follow=True).content

    def test_a_link_does_not_go_round_the_second_step(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
        self.choose(client, signin.password_path(alice))
        sign_in(client, password=FRESH)
        assert not is_in(client)

    def test_a_link_lets_no_blocked_person_in(self, client: Client, alice: User) -> None:
        path, opened = signin.password_path(alice), signin.password_path(alice)
        form = client.get(opened, follow=True).request["PATH_INFO"]
        people.block(alice)
        assert b"This link does not work" in Client().get(path, follow=True).content
        answer = client.post(form, {"password1": FRESH, "password2": FRESH}, follow=True)
        assert b"This link does not work" in answer.content
        assert User.objects.get(pk=alice.pk).check_password("alicealice")
        answer = sign_in(client)
        assert answer.headers["Location"] == "/account/blocked/"
        assert b"blocked" in client.get("/account/blocked/").content
        assert not is_in(client)


class TestDevices:
    AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Safari/604.1"

    def test_each_is_listed_and_can_be_signed_out(self, client: Client, alice: User) -> None:
        phone = Client(headers={"user-agent": self.AGENT})
        sign_in(phone)
        sign_in(client)
        page = client.get("/account/sessions/")
        assert b"Safari on iPhone" in page.content
        assert page.content.count(b"This device") == 1
        row = UserSession.objects.exclude(session_key=client.session.session_key).get()
        assert client.post(f"/account/sessions/{row.pk}/end/").status_code == 302
        assert not is_in(phone)
        assert is_in(client)
        assert b"Safari on iPhone" not in client.get("/account/sessions/").content

    def test_nobodys_are_kept_once_their_session_is_gone(self, client: Client, alice: User) -> None:
        sign_in(Client())
        long_ago = timezone.now() - timedelta(days=2)
        UserSession.objects.update(created_at=long_ago)
        kept, gone = UserSession.objects.get(), make_user("bob")
        UserSession.objects.create(user=gone, ip="::1", session_key="gone", user_agent="x")
        UserSession.objects.filter(user=gone).update(created_at=long_ago)
        carol = UserSession.objects.create(user=gone, ip="::1", session_key="new", user_agent="x")
        sign_in(client)
        left = set(UserSession.objects.values_list("pk", flat=True))
        assert {kept.pk, carol.pk} < left  # a session that has just begun may not be stored yet
        assert len(left) == 3

    def test_this_one_too(self, client: Client, alice: User) -> None:
        sign_in(client)
        row = UserSession.objects.get()
        assert client.post(f"/account/sessions/{row.pk}/end/").headers["Location"] == "/login/"
        assert not is_in(client)

    def test_one_that_came_in_by_a_link_is_listed_as_well(self, client: Client) -> None:
        new = {"username": "bob", "password1": FRESH, "password2": FRESH}
        client.post(f"/join/{invitations.create(None)}/", new)
        assert b"This device" in client.get("/account/sessions/").content
        other = Client()
        other.post("/login/", {"login": "bob", "password": FRESH})
        other.post("/account/sessions/")
        assert is_in(other)
        assert not is_in(client)

    def test_all_others_at_once(self, client: Client, alice: User) -> None:
        others = [Client(), Client()]
        for one in [*others, client]:
            sign_in(one)
        client.post("/account/sessions/")
        assert [is_in(one) for one in others] == [False, False]
        assert is_in(client)

    def test_others_sessions_are_not_mine_to_end(self, client: Client, alice: User) -> None:
        bob = make_user("bob")
        his = Client()
        his.post("/login/", {"login": "bob", "password": "bobbob"})
        sign_in(client)
        row = UserSession.objects.get(user=bob)
        assert client.post(f"/account/sessions/{row.pk}/end/").status_code == 404
        assert client.get(f"/account/sessions/{row.pk}/end/").status_code == 405
        assert is_in(his)

    def test_blocking_clears_the_list(self, client: Client, alice: User) -> None:
        sign_in(client)
        people.block(alice)
        people.unblock(alice)
        sign_in(Client())
        assert UserSession.objects.filter(user=alice).count() == 1

    @pytest.mark.parametrize(
        ("agent", "said"),
        [
            (AGENT, "Safari on iPhone"),
            ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36", "Chrome on Linux"),
            ("Mozilla/5.0 (Windows NT 10.0) Chrome/1 Safari/1 Edg/140", "Edge on Windows"),
            ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Firefox/140.0", "Firefox on Android"),
            ("curl/8.0", "curl/8.0"),
            ("<script>" * 99, ("<script>" * 99)[:60]),
            ("", "Unknown device"),
        ],
    )
    def test_browsers_have_names(self, agent: str, said: str) -> None:
        assert device(agent) == said


class TestTheSecondStep:
    SECRET = "JBSWY3DPEHPK3PXP"

    def confirm(self, client: Client) -> None:
        """Say who it is."""
        client.post("/account/confirm/", {"password": "alicealice"})

    def test_setting_up_an_app_and_using_it(self, client: Client, alice: User) -> None:
        sign_in(client)
        answer = client.get("/account/security/totp/activate/")
        assert answer.status_code == 302  # who is it?
        self.confirm(client)
        page = client.get("/account/security/totp/activate/")
        secret = page.context["form"].secret
        wrong = client.post("/account/security/totp/activate/", {"code": "000000"})
        assert wrong.status_code == 200
        assert not Authenticator.objects.exists()
        done = client.post("/account/security/totp/activate/", {"code": code_for(secret)})
        assert done.headers["Location"] == "/account/security/recovery-codes/"
        codes = client.get("/account/security/recovery-codes/").context["unused_codes"]
        assert len(codes) == 10

        phone = Client()
        answer = sign_in(phone, next="/history/")
        assert urlsplit(answer.headers["Location"]).path == "/account/security/authenticate/"
        assert not is_in(phone)
        assert phone.get("/account/security/authenticate/").status_code == 200
        phone.post("/account/security/authenticate/", {"code": "000000"})
        assert not is_in(phone)
        answer = phone.post("/account/security/authenticate/", {"code": codes[0]})
        assert answer.headers["Location"] == "/history/"
        assert is_in(phone)
        again = Client()
        sign_in(again)
        again.post("/account/security/authenticate/", {"code": codes[0]})
        assert not is_in(again)  # each works once

    def test_the_password_alone_opens_nothing(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, self.SECRET)
        sign_in(client)
        for path in ("/", "/account/", "/account/tokens/", "/account/security/", "/history/"):
            assert client.get(path).status_code == 302
        answer = client.post("/account/tokens/", {"name": "x", "scope": "write", "days": 0})
        assert answer.status_code == 302
        assert not alice.api_tokens.exists()

    def test_blocked_between_the_two_steps(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, self.SECRET)
        sign_in(client)
        people.block(alice)
        client.post("/account/security/authenticate/", {"code": code_for(self.SECRET)})
        assert not is_in(client)

    def test_taking_it_off_needs_a_second_look(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, self.SECRET)
        client.force_login(alice)
        client.post("/account/security/totp/deactivate/")
        assert Authenticator.objects.exists()
        client.post("/account/confirm/", {"password": "alicealice"})
        assert client.get("/account/security/totp/deactivate/").status_code == 200
        client.post("/account/security/totp/deactivate/")
        assert not Authenticator.objects.exists()

    def test_an_admin_can_take_it_off(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, self.SECRET)
        assert signin.forget_second_factors(alice) == 1
        sign_in(client)
        assert is_in(client)

    def test_every_page_of_it_opens(self, client: Client, alice: User) -> None:
        sign_in(client)
        self.confirm(client)
        assert client.get("/account/security/").status_code == 200
        assert client.get("/account/security/webauthn/add/").status_code == 200
        assert client.get("/account/security/webauthn/").headers["Location"] == "/account/security/"
        TOTP.activate(alice, self.SECRET)
        for name in ("totp/deactivate/", "recovery-codes/generate/", "reauthenticate/"):
            assert client.get(f"/account/security/{name}").status_code == 200, name
        client.post("/account/security/recovery-codes/generate/")
        page = client.get("/account/security/")
        assert b"10 are left" in page.content
        text = client.get("/account/security/recovery-codes/download/")
        assert text.headers["Content-Type"].startswith("text/plain")

    def test_tokens_do_not_open_these_pages(self, client: Client, alice: User) -> None:
        headers = {"authorization": f"Bearer {tokens.create(alice, 'x')}"}
        assert client.get("/account/security/", headers=headers).status_code == 302

    @pytest.mark.parametrize(
        "credential",
        [
            "",
            "{}",
            "[]",
            "null",
            "not json",
            "1",
            '{"id": 1}',
            '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
            (
                '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "MQ",'
                ' "clientDataJSON": "e30", "authenticatorData": "AA", "signature": "AA"}}'
            ),
            (
                '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {"userHandle": "_w",'
                ' "clientDataJSON": "AA", "attestationObject": "AA"}}'
            ),
        ],
    )
    def test_nonsense_for_a_passkey(self, client: Client, alice: User, credential: str) -> None:
        place = "/account/security/webauthn"
        given = {"credential": credential}
        client.get(f"{place}/login/", headers={"accept": "application/json"})
        assert client.post(f"{place}/login/", given).status_code == 302
        assert not is_in(client)
        sign_in(client)
        assert client.post(f"{place}/reauthenticate/", given).status_code == 302
        self.confirm(client)
        client.get(f"{place}/add/")
        assert client.post(f"{place}/add/", given | {"name": "x"}).status_code == 200
        assert not Authenticator.objects.exists()
        TOTP.activate(alice, self.SECRET)
        sign_in(other := Client())
        assert other.post("/account/security/authenticate/", given).status_code == 200
        assert not is_in(other)


@pytest.mark.django_db
def test_what_is_wrong_is_said_in_our_words() -> None:
    alice = make_user("alice")
    browser = Client()
    page = browser.post("/login/", {"login": "alice", "password": "wrong"}).content.decode()
    assert "That name and password do not go together." in page
    browser.force_login(alice)
    given = {"oldpassword": "wrong", "password1": "a new one 7", "password2": "a new one 7"}
    page = browser.post("/account/password/", given).content.decode()
    assert "That is not your current password." in page
    for label in ("Current password", "New password", "New password once more"):
        assert f">{label}</label>" in page
    page = browser.post("/account/confirm/", {"password": "wrong"}).content.decode()
    assert "That is not your password." in page
