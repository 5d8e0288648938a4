"""Links for a new password: whose they are, and when they die."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.test import Client

from accounts import passwords, people, signin
from tests.factories import make_user
from tests.unit.accounts.browsing import (
    FRESH,
    SECRET,
    is_signed_in,
    sign_in,
)
from tests.unit.accounts.races import at_once


@pytest.mark.django_db
class TestLinks:
    def choose(self, client: Client, path: str) -> Any:
        """Follow the link, choose a password."""
        page = client.get(path, follow=True)
        form = page.request["PATH_INFO"]
        return client.post(form, {"password1": FRESH, "password2": FRESH})

    def test_a_link_sets_a_new_one_once(self, client: Client, alice: User) -> None:
        phone = Client()
        sign_in(phone)
        alice.refresh_from_db()
        path = signin.password_reset_path(alice)
        answer = self.choose(client, path)
        assert answer.status_code == 302
        assert client.get(answer.headers["Location"]).status_code == 200
        assert not is_signed_in(client)
        assert not is_signed_in(phone)
        alice.refresh_from_db()
        assert alice.check_password(FRESH)
        again = Client().get(path, follow=True)
        assert b"This link no longer works" in again.content
        assert b"password1" not in again.content

    def test_a_link_dies_when_its_person_signs_in(self, client: Client, alice: User) -> None:
        path = signin.password_reset_path(alice)
        sign_in(Client())
        assert b"This link no longer works" in client.get(path, follow=True).content

    def test_a_link_is_its_persons_alone(self, client: Client, alice: User) -> None:
        root = make_user("root", is_staff=True, is_superuser=True)
        key = signin.password_reset_path(alice).split("/")[3]
        uid = signin.password_reset_path(root).split("/")[2]
        page = client.get(f"/password/{uid}/{key}/", follow=True)
        assert b"This link no longer works" in page.content
        for forged in (
            f"/password/{uid}/set-password/",
            "/password/zzzzzzzzzzzzzzzz/x/",
            "/password/-1/x/",
        ):
            answer = client.post(forged, {"password1": FRESH, "password2": FRESH}, follow=True)
            assert b"This link no longer works" in answer.content
        assert not User.objects.get(username="root").check_password(FRESH)

    def test_guesses_at_the_same_address_do_not_stop_it(self, client: Client, alice: User) -> None:
        path = signin.password_reset_path(alice)
        forged = f"{path.rpartition('/')[0].rpartition('/')[0]}/set-password/"
        for _ in range(25):
            Client().post(forged, {"password1": FRESH, "password2": FRESH})
        assert self.choose(client, path).status_code == 302
        alice.refresh_from_db()
        assert alice.check_password(FRESH)

    def test_an_old_link(self, client: Client, alice: User, settings: Any) -> None:
        path = signin.password_reset_path(alice)
        settings.PASSWORD_RESET_TIMEOUT = -1
        assert b"This link no longer works" in client.get(path, follow=True).content

    def test_a_link_does_not_go_round_the_second_step(self, client: Client, alice: User) -> None:
        TOTP.activate(alice, SECRET)
        self.choose(client, signin.password_reset_path(alice))
        sign_in(client, password=FRESH)
        assert not is_signed_in(client)

    def test_a_link_lets_no_blocked_person_in(self, client: Client, alice: User) -> None:
        path, opened = signin.password_reset_path(alice), signin.password_reset_path(alice)
        form = client.get(opened, follow=True).request["PATH_INFO"]
        people.block(alice)
        assert b"This link no longer works" in Client().get(path, follow=True).content
        answer = client.post(form, {"password1": FRESH, "password2": FRESH}, follow=True)
        assert b"This link no longer works" in answer.content
        assert User.objects.get(pk=alice.pk).check_password("alicealice")
        answer = sign_in(client)
        assert answer.headers["Location"] == "/account/blocked/"
        assert b"blocked" in client.get("/account/blocked/").content
        assert not is_signed_in(client)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_set_one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, both = make_user("alice"), threading.Barrier(2)
    path, save = signin.password_reset_path(alice), passwords.NewPasswordForm.save

    def save_together(form: Any) -> None:
        both.wait(20)  # both have been told that the link is good
        save(form)

    monkeypatch.setattr(passwords.NewPasswordForm, "save", save_together)

    def choose(number: int) -> bytes:
        tab = Client()
        form = tab.get(path, follow=True).request["PATH_INFO"]
        chosen = {"password1": f"{FRESH} {number}", "password2": f"{FRESH} {number}"}
        return bytes(tab.post(form, chosen, follow=True).content)

    refused = [b"This link no longer works" in page for page in at_once(choose)]
    assert sorted(refused) == [False, True]
    alice.refresh_from_db()
    assert alice.check_password(f"{FRESH} {refused.index(False)}")
