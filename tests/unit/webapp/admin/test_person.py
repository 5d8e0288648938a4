"""The admin's pages about people: what they show, what they do, and whom they refuse."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from accounts import invitations, signin, tokens
from accounts.models import ApiToken
from jobs.models import Artifact, Item, Job, Quota
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db
LIST = "/admin/auth/user/"
NO_LIMITS = {f"quota-0-{name}": "" for name in ("active_items", "items_per_day", "stored_bytes")}


@pytest.fixture
def root() -> User:
    """Runs the instance."""
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(root: User) -> Client:
    """The admin's."""
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def alice() -> User:
    """A member with something saved."""
    alice = make_user("alice")
    story = make_story(make_item(make_job(alice), state=ItemState.DONE))
    make_artifact(story, content=b"x" * 3_000)
    tokens.create(alice, "phone")
    return alice


def plain(page: bytes) -> str:
    """With ordinary spaces."""
    return page.decode().replace("\xa0", " ")


def act(browser: Client, name: str, *users: User, sure: bool = True) -> str:
    """Choose an action in the list, and say yes; what the page then says."""
    given = {"action": name, "_selected_action": [user.pk for user in users]}
    if sure:
        given |= {"sure": "yes", "post": "yes"}
    return plain(browser.post(LIST, given, follow=True).content)


def change(browser: Client, user: User, **given: str) -> str:
    """Send someone's form; what the page then says."""
    form = {"username": user.username, "email": "", "initial-email": user.email}
    form |= {"quota-TOTAL_FORMS": "1", "quota-INITIAL_FORMS": "0"} | given
    return plain(browser.post(f"{LIST}{user.pk}/change/", form, follow=True).content)


def test_the_list_says_what_everyone_uses(
    browser: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        make_user(f"user{number}")
    Quota.objects.create(owner=alice, active_items=4, stored_bytes=5_000_000_000)
    with django_assert_max_num_queries(11):
        text = plain(browser.get(LIST).content)
    assert "3 kB of 5.0 GB" in text
    assert "0 of 4" in text
    for query in ("?role=admin", "?role=blocked", "?o=5.8", "?q=ali", "?role=nonsense"):
        assert browser.get(LIST + query).status_code == 200


def test_last_active_is_the_latest_sign(browser: Client, alice: User) -> None:
    long_ago = timezone.now() - timedelta(days=300)
    User.objects.filter(pk=alice.pk).update(date_joined=long_ago, last_login=None)
    Job.objects.update(created_at=long_ago)
    used = timezone.now() - timedelta(days=3)
    ApiToken.objects.update(last_used_at=used)
    row = browser.get(f"{LIST}?q=alice").context["cl"].queryset.get()
    assert row.active_at == used


def test_members_and_staff_see_nothing(alice: User) -> None:
    staff = make_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    for user in (alice, staff):
        client = Client()
        client.force_login(user)
        assert client.get(LIST).status_code in {302, 403}
        client.post(f"{LIST}{user.pk}/change/", {"username": user.username, "role": "admin"})
        assert not User.objects.get(pk=user.pk).is_superuser


def test_nobody_is_added_here(browser: Client) -> None:
    assert browser.get(f"{LIST}add/").status_code == 403


def test_roles(browser: Client, root: User, alice: User) -> None:
    assert "Make admin: 1 user." in act(browser, "make_admin", alice)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (True, True)
    assert "nobody to do that to" in act(browser, "make_admin", alice)
    assert "Make member: 1 user." in act(browser, "make_member", alice)
    alice.refresh_from_db()
    assert (alice.is_superuser, alice.is_staff) == (False, False)


def test_what_was_done_is_noted_in_one_language(browser: Client, alice: User) -> None:
    browser.cookies["django_language"] = "de"
    with translation.override("en"):  # a request leaves its language behind
        act(browser, "block", alice)
    assert LogEntry.objects.get().change_message == "Block: end sessions and tokens"


def test_a_persons_page_has_their_acts_and_comes_back(browser: Client, alice: User) -> None:
    address = f"{LIST}{alice.pk}/change/"
    page = plain(browser.get(address).content)
    offered = re.findall(r'name="action" value="(\w+)"', page)
    assert offered == ["make_admin", "block", "sign_out", "password_link", "forget_factors"]
    given = {"action": "block", "_selected_action": alice.pk, "back": "row"}
    asked = plain(browser.post(LIST, given).content)
    assert "1 user:" in asked
    assert f'href="{address}"' in asked
    assert User.objects.get(pk=alice.pk).is_active
    done = browser.post(LIST, given | {"sure": "yes"})
    assert done.headers["Location"] == address
    alice.refresh_from_db()
    assert not alice.is_active
    assert not ApiToken.objects.exists()
    offered = re.findall(r'name="action" value="(\w+)"', plain(browser.get(address).content))
    assert "unblock" in offered
    assert "block" not in offered


def test_an_old_page_gives_nobody_an_address_back(browser: Client, alice: User) -> None:
    change(browser, alice, email="alice@example.org")
    page = browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    assert 'name="initial-email" value="alice@example.org"' in page
    signin.set_address(alice, "")  # she removes it meanwhile
    seen = {"email": "alice@example.org", "initial-email": "alice@example.org"}
    change(browser, alice, **seen, **{"quota-0-active_items": "3"})
    alice.refresh_from_db()
    assert alice.email == ""
    assert not EmailAddress.objects.exists()
    assert Quota.objects.get().active_items == 3


def test_an_address_is_one_persons(browser: Client, alice: User) -> None:
    change(browser, alice, email="Alice@Example.org")
    alice.refresh_from_db()
    assert alice.email == "alice@example.org"
    bob = make_user("bob")
    assert "Someone else here has this address." in change(browser, bob, email="ALICE@example.org")
    change(browser, alice, email="")
    change(browser, bob, email="alice@example.org")
    bob.refresh_from_db()
    assert bob.email == "alice@example.org"


def test_the_form_takes_no_other_field(browser: Client, alice: User) -> None:
    before = User.objects.get(pk=alice.pk).password
    more = {"role": "admin", "blocked": "on"}
    change(browser, alice, password="x", is_superuser="on", is_staff="on", is_active="", **more)
    alice.refresh_from_db()
    assert alice.password == before
    assert not alice.is_staff
    assert alice.is_active


def test_the_last_admin_stays_one(browser: Client, root: User) -> None:
    assert "only admin" in act(browser, "make_member", root)
    root.refresh_from_db()
    assert root.is_superuser
    assert root.is_active


def test_actions_ask_first(browser: Client, alice: User) -> None:
    for name in ("block", "sign_out", "delete_selected"):
        text = act(browser, name, alice, sure=False)
        assert "alice" in text
        assert "sure" in text.lower()
    alice.refresh_from_db()
    assert alice.is_active


def test_blocking_and_unblocking(browser: Client, alice: User) -> None:
    phone = Client()
    phone.force_login(alice)
    assert "Block: 1 user." in act(browser, "block", alice)
    assert phone.get("/account/").status_code == 302
    assert "nobody to do that to" in act(browser, "block", alice)
    assert "Unblock: 1 user." in act(browser, "unblock", alice)
    alice.refresh_from_db()
    assert alice.is_active


def test_nothing_is_fetched_for_somebody_who_is_blocked(browser: Client, alice: User) -> None:
    bob = make_user("bob")
    open_jobs = [make_job(alice, links=2), make_job(alice, links=1, state=ItemState.RUNNING)]
    theirs = make_job(bob, links=1)
    assert "cancelled" in act(browser, "block", alice, sure=False)
    assert Item.objects.filter(state=ItemState.CANCELLED).count() == 0
    act(browser, "block", alice)
    states = Item.objects.filter(job__in=open_jobs).values_list("state", flat=True)
    assert set(states) == {ItemState.CANCELLED}
    assert theirs.items.get().state == ItemState.QUEUED
    assert Artifact.objects.filter(owner=alice, removed_at=None).count() == 1


def test_signing_out(browser: Client, alice: User) -> None:
    phone = Client()
    phone.force_login(alice)
    act(browser, "sign_out", alice)
    assert phone.get("/account/").status_code == 302


def test_the_last_admin_is_not_blocked(browser: Client, root: User, alice: User) -> None:
    text = act(browser, "block", root, alice)
    assert "someone has to run this instance. (root)" in text
    assert "Block: 1 user." in text
    root.refresh_from_db()
    assert root.is_active


def test_deleting_says_what_goes_and_takes_it(browser: Client, alice: User) -> None:
    page = plain(browser.get(f"{LIST}{alice.pk}/delete/").content)
    assert "alice: 1 job, 1 file (3 kB), 1 API token" in page
    assert "author1" not in page  # what she saved is hers to name
    browser.post(f"{LIST}{alice.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(username="alice").exists()
    assert not Job.objects.exists()


def test_deleting_an_admin_says_what_they_did_here(
    browser: Client, root: User, alice: User
) -> None:
    act(browser, "make_admin", alice)
    invitations.create(alice)
    mine = Client()
    mine.force_login(alice)
    act(mine, "sign_out", root)
    browser.force_login(root)
    page = plain(browser.get(f"{LIST}{alice.pk}/delete/").content)
    assert "1 API token, 1 open invitation, 1 entry of the log" in page
    assert "1 open invitation" in plain(mine.get("/account/data/").content)


def test_deleting_several(browser: Client, alice: User) -> None:
    bob = make_user("bob")
    asked = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk]}
    page = plain(browser.post(LIST, asked).content)
    assert "bob: 0 jobs, 0 files (0 B), 0 API tokens" in page
    act(browser, "delete_selected", alice, bob)
    assert [user.username for user in User.objects.all()] == ["root"]


def test_why_the_last_admin_stays_is_said_plainly(browser: Client, root: User, alice: User) -> None:
    page = plain(browser.get(f"{LIST}{root.pk}/delete/").content)
    assert "This is the only admin, and someone has to run this instance. Nothing was" in page
    assert "protected" not in page
    chosen = {"action": "delete_selected", "_selected_action": [root.pk, alice.pk]}
    page = plain(browser.post(LIST, chosen).content)
    assert "No admin would be left, and someone has to run this instance. Nothing was" in page
    assert "protected" not in page
    assert "Are you sure" not in page


def test_the_last_admin_is_not_deleted(browser: Client, root: User, alice: User) -> None:
    assert "only admin" in browser.get(f"{LIST}{root.pk}/delete/").content.decode()
    browser.post(f"{LIST}{root.pk}/delete/", {"post": "yes"})
    act(browser, "delete_selected", root, alice)
    assert User.objects.filter(username="root").exists()
    assert User.objects.filter(username="alice").exists()  # all or nothing


def test_a_quota_is_set_and_taken_away(browser: Client, alice: User) -> None:
    assert "Write a size" in change(browser, alice, **{"quota-0-stored_bytes": "lots"})
    change(browser, alice, **{"quota-0-stored_bytes": "5GB", "quota-0-items_per_day": "0"})
    quota = Quota.objects.get()
    assert (quota.owner, quota.stored_bytes, quota.items_per_day) == (alice, 5 * 1000**3, 0)
    assert quota.active_items is None
    assert 'value="5GB"' in browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    held = {"quota-INITIAL_FORMS": "1", "quota-0-owner": str(alice.pk)}
    change(browser, alice, **held, **{"quota-0-stored_bytes": "1500MB"})
    assert Quota.objects.get().stored_bytes == 1_500_000_000
    change(browser, alice, **held, **NO_LIMITS)
    assert Quota.objects.get().stored_bytes is None


def test_a_quota_is_emptied_not_deleted(browser: Client, alice: User) -> None:
    """Its row also knows what was sent today and is gone already."""
    today = timezone.now().date()
    Quota.objects.create(owner=alice, active_items=4, forgotten_on=today, forgotten_items=26)
    page = browser.get(f"{LIST}{alice.pk}/change/").content.decode()
    assert "quota-0-DELETE" not in page
    assert "quota: alice" not in page  # one heading is enough
    assert "js-inline" not in page  # no script adds or removes rows
    assert "Empty: as for everyone on this instance. 0: no limit." in page
    held = {"quota-INITIAL_FORMS": "1", "quota-0-owner": str(alice.pk), "quota-0-DELETE": "on"}
    change(browser, alice, **held, **NO_LIMITS)
    quota = Quota.objects.get()
    assert (quota.active_items, quota.forgotten_items) == (None, 26)
    assert "quota: alice" in browser.get(f"{LIST}{alice.pk}/history/").content.decode()


@pytest.mark.parametrize(
    "guess", ["password__startswith=pbkdf2", "last_login__gte=2026-01-01", "email=a", "id__gt=0",
              "quota__active_items=4", "is_staff=1"],
)  # fmt: skip
def test_no_filter_but_those_shown(browser: Client, alice: User, guess: str) -> None:
    assert browser.get(f"{LIST}?{guess}").status_code == 400


@pytest.mark.parametrize("bad", ["zz", "9" * 30, "\0", ""])
def test_ids_that_are_none(browser: Client, bad: str) -> None:
    given = {"action": "block", "_selected_action": bad}
    assert browser.post(LIST, given).status_code in {302, 400}
    for query in ({"role": bad}, {"p": bad}, {"o": bad}, {"e": "1"}):
        assert browser.get(LIST, query).status_code in {200, 302}
    for page in ("change", "delete", "history"):
        assert browser.get(f"{LIST}{quote(bad)}/{page}/").status_code in {302, 404}


def test_keys_and_sessions_are_nobodys_to_look_at(browser: Client) -> None:
    for path in ("mfa/authenticator/", "usersessions/usersession/", "account/emailaddress/"):
        assert browser.get(f"/admin/{path}").status_code == 404
    assert b"Authenticators" not in browser.get("/admin/").content


def test_a_link_for_a_new_password(browser: Client, alice: User) -> None:
    assert "/password/" not in act(browser, "password_link", alice, sure=False)
    page = act(browser, "password_link", alice)
    found = re.search(r"alice: (http://testserver(/password/[^<]+))</code>", page)
    assert found
    form = Client().get(found[2], follow=True)
    assert b"password1" in form.content
    assert "/password/" not in browser.get(LIST).content.decode()
