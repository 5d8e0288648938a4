"""The log of admins who are gone: their acts stay, and their name does not."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.utils import translation

from accounts import admin_log, people
from jobs.admin import confirmed_actions
from tests.factories import make_job, make_user

pytestmark = pytest.mark.django_db


def make_admin(name: str) -> User:
    return make_user(name, is_staff=True, is_superuser=True)


def log(by: User, about: User | None = None, text: str = "Cancel: 3") -> LogEntry:
    """An entry of what an admin did, to a person or to a job."""
    row = about or make_job()
    return LogEntry.objects.create(
        user=by,
        action_flag=CHANGE,
        content_type=ContentType.objects.get_for_model(type(row)),
        object_id=str(row.pk),
        object_repr=str(row),
        change_message=text,
    )


def test_two_admins_leave_and_what_they_did_stays() -> None:
    root, ann, bea = (make_admin(name) for name in ("root", "ann", "bea"))
    kept = [log(ann, text="1"), log(bea, text="2"), log(root, text="3")]
    people.remove(ann)
    people.remove(bea)
    assert set(LogEntry.objects.values_list("pk", flat=True)) == {entry.pk for entry in kept}
    names = LogEntry.objects.order_by("change_message").values_list("user__username", flat=True)
    assert list(names) == [admin_log.FORMER, admin_log.FORMER, "root"]
    assert User.objects.count() == 3, "root, the owner of the jobs, and one row for both"


def test_what_others_did_to_a_person_loses_the_name_as_well() -> None:
    root, ann, bob = make_admin("root"), make_admin("ann"), make_user("bob")
    about, other = log(root, about=ann), log(root, about=bob)
    people.remove(ann)
    about.refresh_from_db()
    other.refresh_from_db()
    assert (about.object_repr, about.user) == (admin_log.FORMER, root)
    assert other.object_repr == "bob"


def test_a_member_who_leaves_leaves_no_row_behind() -> None:
    make_admin("root")
    people.remove(make_user("bob"))
    assert [user.username for user in User.objects.all()] == ["root"]


def test_the_last_admin_keeps_the_log_with_the_name() -> None:
    root = make_admin("root")
    entry = log(root)
    with pytest.raises(people.LastAdmin):
        people.remove(root)
    entry.refresh_from_db()
    assert entry.user == root
    assert not User.objects.filter(username=admin_log.FORMER).exists()


def test_nobody_is_or_becomes_the_row_of_those_who_left() -> None:
    ann = make_admin("ann")
    make_admin("root")
    log(ann)
    people.remove(ann)
    former = User.objects.get(username=admin_log.FORMER)
    assert not former.is_active
    assert not former.has_usable_password()
    assert authenticate(username=admin_log.FORMER, password="") is None
    with pytest.raises(ValidationError):
        User(username=admin_log.FORMER, password="x").full_clean()


def test_pages_about_jobs_know_the_name_of_that_row() -> None:
    assert confirmed_actions.FORMER_ADMIN == admin_log.FORMER
    with translation.override("en"):
        assert confirmed_actions._shown_name(User(username=admin_log.FORMER)) == "deleted user"
        assert confirmed_actions._shown_name(User(username="ann")) == "ann"
