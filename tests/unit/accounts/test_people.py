"""Roles, blocking, removing; and whoever tries, an admin is left."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts import invitations, people, tokens
from accounts.models import ApiToken
from tests.factories import make_user

Act = Callable[[User], object]


def demote(user: User) -> None:
    """Make a member of them."""
    people.set_role(user, admin=False)


WAYS: list[Act] = [people.block, people.remove, demote]


def make_admin(name: str = "root") -> User:
    """Someone who runs the instance."""
    return make_user(name, is_staff=True, is_superuser=True)


@pytest.mark.django_db
@pytest.mark.parametrize("act", WAYS)
class TestTheLastAdmin:
    def test_stays(self, act: Act) -> None:
        root = make_admin()
        make_user("alice")
        token = tokens.create(root, "script")
        browser = Client()
        browser.force_login(root)
        with pytest.raises(people.LastAdmin):
            act(root)
        root.refresh_from_db()
        assert root.is_active
        assert root.is_superuser
        assert root.is_staff
        assert tokens.authenticate(token)  # nothing else happened either
        assert browser.get("/account/").status_code == 200

    def test_may_go_when_there_is_another(self, act: Act) -> None:
        root = make_admin()
        make_admin("second")
        act(root)
        assert [user.username for user in people.admins()] == ["second"]

    def test_a_blocked_one_does_not_count(self, act: Act) -> None:
        root = make_admin()
        make_user("second", is_staff=True, is_superuser=True, is_active=False)
        with pytest.raises(people.LastAdmin):
            act(root)

    def test_members_come_and_go(self, act: Act) -> None:
        make_admin()
        act(make_user("alice"))
        assert people.admins().count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", WAYS)
def test_admins_who_end_each_other_at_once(act: Act) -> None:
    admins = [make_admin(f"admin{n}") for n in range(4)]
    start = threading.Barrier(len(admins))
    refused: list[str] = []

    def end(user: User) -> None:
        start.wait()
        try:
            act(user)
        except people.LastAdmin:
            refused.append(user.username)
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=[user]) for user in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [user.username for user in people.admins()] == refused
    assert len(refused) == 1


@pytest.mark.django_db
class TestBlocking:
    def test_ends_sessions_and_tokens_at_once_and_for_good(self) -> None:
        alice = make_user("alice")
        phone, laptop, other = Client(), Client(), Client()
        phone.force_login(alice)
        laptop.force_login(alice)
        other.force_login(make_user("bob"))
        token = tokens.create(alice, "script")
        people.block(alice)
        for browser in (phone, laptop):
            answer = browser.get("/account/")
            assert answer.status_code == 302
            assert "/login/" in answer.headers["Location"]
        assert tokens.authenticate(token) is None
        headers = {"authorization": f"Bearer {token}"}
        assert Client().get("/api/v1/me", headers=headers).status_code == 401
        people.unblock(alice)
        assert phone.get("/account/").status_code == 302
        assert tokens.authenticate(token) is None
        assert other.get("/account/").status_code == 200

    def test_lets_nobody_sign_in(self, client: Client) -> None:
        alice = make_user("alice")
        people.block(alice)
        form = {"login": "alice", "password": "alicealice"}
        client.post("/login/", form)
        assert "_auth_user_id" not in client.session
        people.unblock(alice)
        client.post("/login/", form)
        assert client.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("act", WAYS)
def test_invitations_end_with_the_right_to_make_them(act: Act) -> None:
    root, second = make_admin(), make_admin("second")
    theirs, others = (invitations.create(admin, admin=True) for admin in (second, root))
    act(second)
    assert invitations.find(theirs) is None
    assert invitations.accept(theirs, "friend", "friendfriend") is None
    assert invitations.find(others) is not None


@pytest.mark.django_db
def test_sign_out_everywhere_ends_one_persons_sessions_alone() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    browsers = [Client() for _ in range(3)]
    browsers[0].force_login(alice)
    browsers[1].force_login(alice)
    browsers[2].force_login(bob)
    ApiToken.objects.create(owner=alice, name="x", digest="x")
    assert people.sign_out_everywhere(alice) == 2
    assert [browser.get("/account/").status_code for browser in browsers] == [302, 302, 200]
    assert ApiToken.objects.count() == 1


@pytest.mark.django_db
def test_a_role_is_both_flags() -> None:
    make_admin()
    alice = make_user("alice")
    people.set_role(alice, admin=True)
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (True, True)
    people.set_role(alice, admin=False)
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser) == (False, False)
