"""Sign-in links: one sign-in each, for minutes, from the command line alone."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import people, signin_links
from accounts.models import SignInLink
from tests.factories import make_user
from tests.unit.accounts.browsing import is_signed_in


def path_of(token: str) -> str:
    return reverse("signin_link", args=[token])


@pytest.mark.django_db
class TestTheLink:
    def test_signs_in_once(self, client: Client, alice: User) -> None:
        path = path_of(signin_links.create(alice))
        assert "alice" in client.get(path).content.decode()
        assert not is_signed_in(client)
        assert client.post(path).status_code == 302
        assert is_signed_in(client)
        other = Client()
        assert other.get(path).status_code == 404
        assert other.post(path).status_code == 404
        assert not is_signed_in(other)

    def test_is_listed_as_a_device(self, client: Client, alice: User) -> None:
        client.post(path_of(signin_links.create(alice)), headers={"user-agent": "Link/1"})
        assert b"Link/1" in client.get(reverse("usersessions_list")).content

    def test_takes_a_person_without_a_password(self, client: Client, alice: User) -> None:
        alice.set_unusable_password()
        alice.save()
        client.post(path_of(signin_links.create(alice)))
        assert is_signed_in(client)

    def test_ends_the_session_of_somebody_else(self, client: Client, alice: User) -> None:
        client.force_login(make_user("bob"))
        client.post(path_of(signin_links.create(alice)))
        assert client.session["_auth_user_id"] == str(alice.pk)

    def test_works_for_ten_minutes(self, client: Client, alice: User) -> None:
        token = signin_links.create(alice)
        SignInLink.objects.update(created_at=timezone.now() - timedelta(minutes=9, seconds=50))
        assert signin_links.find(token) == alice
        SignInLink.objects.update(created_at=timezone.now() - timedelta(minutes=10, seconds=1))
        assert client.post(path_of(token)).status_code == 404

    def test_a_new_one_replaces_the_one_before(self, client: Client, alice: User) -> None:
        first = signin_links.create(alice)
        second = signin_links.create(alice)
        assert signin_links.use(first) is None
        assert signin_links.use(second) == alice

    def test_expired_ones_of_others_go_with_the_next(self, alice: User) -> None:
        signin_links.create(make_user("bob"))
        SignInLink.objects.update(created_at=timezone.now() - timedelta(hours=1))
        signin_links.create(alice)
        assert SignInLink.objects.get().user == alice

    def test_blocking_ends_it(self, client: Client, alice: User) -> None:
        token = signin_links.create(alice)
        people.block(alice)
        people.unblock(alice)
        assert client.post(path_of(token)).status_code == 404

    def test_the_token_itself_is_not_kept(self, alice: User) -> None:
        token = signin_links.create(alice)
        assert token not in str(SignInLink.objects.values().get())


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_sign_one_in(alice: User) -> None:
    token = signin_links.create(alice)
    start, taken = threading.Barrier(2), []

    def use() -> None:
        start.wait(10)
        taken.append(signin_links.use(token))
        connection.close()

    tabs = [threading.Thread(target=use) for _ in range(2)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join(30)
    assert sorted(taken, key=bool) == [None, alice]


@pytest.mark.django_db
class TestTheCommand:
    def run(self, name: str) -> str:
        out = StringIO()
        call_command("signin-link", name, stdout=out)
        return out.getvalue().strip()

    def test_prints_a_working_link(self, client: Client, alice: User, set_env: Any) -> None:
        set_env(public_url="https://home.example.org/stories")
        link = urlsplit(self.run("alice"))
        assert link.netloc == "home.example.org"
        token = link.path.rstrip("/").rpartition("/")[2]
        assert signin_links.find(token) == alice

    def test_names_nobody_who_is_not_there(self) -> None:
        with pytest.raises(CommandError, match="there is no user named 'nobody'"):
            self.run("nobody")

    def test_lets_nobody_in_who_is_blocked(self, alice: User) -> None:
        people.block(alice)
        with pytest.raises(CommandError, match="'alice' is blocked"):
            self.run("alice")
