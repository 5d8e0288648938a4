"""Deleting people: what goes is said first, and the last admin stays."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User
from django.test import Client

from accounts import admin_log, invitations
from jobs.models import Job
from tests.factories import make_user
from tests.unit.webapp.admin.pages import LIST, act, plain

pytestmark = pytest.mark.django_db


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
    assert (
        "1 API token, 1 open invitation, 1 entry of the audit log stays, without the name" in page
    )
    mine_page = plain(mine.get("/account/data/").content)
    assert "1 open invitation" in mine_page
    assert "Your admin actions stay in the log, without your name." in mine_page


def test_the_log_keeps_what_a_deleted_admin_did(browser: Client, root: User, alice: User) -> None:
    act(browser, "make_admin", alice)
    mine = Client()
    mine.force_login(alice)
    act(mine, "sign_out", root)
    browser.force_login(root)
    browser.post(f"{LIST}{alice.pk}/delete/", {"post": "yes"})
    entry = LogEntry.objects.get(change_message="Sign out everywhere")
    assert entry.user.get_username() == admin_log.FORMER
    browser.get(LIST)  # which says once who was deleted
    history = plain(browser.get(f"{LIST}{root.pk}/history/").content)
    assert "deleted user" in history
    assert "alice" not in history
    assert not LogEntry.objects.filter(object_repr__contains="alice").exists()
    deletion = LogEntry.objects.get(action_flag=DELETION)
    assert (deletion.user, deletion.object_repr) == (root, admin_log.FORMER)


def test_who_left_is_nobody_in_the_list_of_people(browser: Client, root: User, alice: User) -> None:
    act(browser, "make_admin", alice)
    mine = Client()
    mine.force_login(alice)
    act(mine, "sign_out", root)
    browser.force_login(root)
    browser.post(f"{LIST}{alice.pk}/delete/", {"post": "yes"})
    former = User.objects.get(username=admin_log.FORMER)
    assert admin_log.FORMER not in plain(browser.get(LIST).content)
    assert browser.get(f"{LIST}{former.pk}/change/").status_code == 302
    browser.post(f"{LIST}{former.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(pk=former.pk).exists()


def test_deleting_several(browser: Client, alice: User) -> None:
    bob = make_user("bob")
    asked = {"action": "delete_selected", "_selected_action": [alice.pk, bob.pk]}
    page = plain(browser.post(LIST, asked).content)
    assert "bob: 0 jobs, 0 files (0 B), 0 API tokens" in page
    act(browser, "delete_selected", alice, bob)
    assert [user.username for user in User.objects.all()] == ["root"]


def test_it_is_asked_in_our_own_words_and_once(browser: Client, alice: User) -> None:
    german = {"accept-language": "de"}
    page = plain(browser.get(f"{LIST}{alice.pk}/delete/", headers=german).content)
    assert "<bdi>alice</bdi></strong> löschen? Auch all das wird gelöscht" in page
    assert "Sind Sie sicher" not in page
    assert page.count("1 Auftrag, 1 Datei (3 kB)") == 1
    assert "Zusammenfassung" not in page


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
