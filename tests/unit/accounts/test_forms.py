"""Forms for accounts, tokens and invitations: what they take, and what they make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from accounts import invitations
from accounts.forms import AccountForm, InvitationForm, TokenForm
from accounts.models import Scope

NOW = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
PASSWORD = "correct horse 42"
TOKEN = {"name": "phone", "scope": "read", "days": "30"}
INVITATION = {"whom": "Grandma", "role": "member", "days": "7"}


def account(name: str, **more: str) -> AccountForm:
    """The form, filled in."""
    given = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
    return AccountForm(given | more)


@pytest.mark.django_db
class TestAccounts:
    def test_a_name_is_saved_in_its_normal_form(self) -> None:
        form = account("\uff42\uff4f\uff42")  # wide letters
        assert form.is_valid()
        form.save()
        user = User.objects.get()
        assert user.username == "bob"
        assert user.check_password(PASSWORD)
        assert not user.is_superuser

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("\u0430lice", "letters of one alphabet only"),
            ("ALICE", "already exists"),
            ("\u0430\u04cf\u0456\u0441\u0435", "looks like this one is taken"),
            ("", "required"),
            ("al ice", "valid username"),
            ("x" * 151, "at most 150"),
            ("bob\0", "Null characters"),
        ],
        ids=[
            "two alphabets",
            "capitals",
            "all Cyrillic",
            "nothing",
            "a blank",
            "too long",
            "a NUL",
        ],
    )
    def test_a_name_that_will_not_do_is_said_once(self, alice: User, name: str, said: str) -> None:
        errors = account(name).errors
        assert list(errors) == ["username"]
        assert len(errors["username"]) == 1
        assert said in errors["username"][0]

    def test_no_other_field_is_taken(self) -> None:
        form = account("bob", is_superuser="on", is_staff="on", email="bob@example.org")
        form.save()
        user = User.objects.get()
        assert (user.is_superuser, user.is_staff, user.email) == (False, False, "")


class TestTokens:
    @pytest.mark.parametrize("days", [30, 90, 365])
    def test_it_expires_so_many_days_from_now(
        self, monkeypatch: pytest.MonkeyPatch, days: int
    ) -> None:
        monkeypatch.setattr(timezone, "now", lambda: NOW)
        form = TokenForm(TOKEN | {"days": str(days)})
        assert form.is_valid()
        assert form.expires_at() == NOW + timedelta(days=days)

    def test_zero_days_are_for_ever(self) -> None:
        form = TokenForm(TOKEN | {"days": "0"})
        assert form.is_valid()
        assert form.expires_at() is None

    def test_a_token_made_without_a_thought_can_save_and_expires(self) -> None:
        form = TokenForm()
        assert form["scope"].initial == Scope.WRITE
        assert form["days"].initial == 90

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", " "),
            ("name", "x" * 101),
            ("scope", "READ"),
            ("scope", ""),
            ("days", "-30"),
            ("days", "30.0"),
            ("days", ""),
        ],
    )
    def test_what_was_not_offered_is_refused(self, field: str, value: str) -> None:
        assert list(TokenForm(TOKEN | {field: value}).errors) == [field]

    def test_a_name_is_counted_in_characters(self) -> None:
        assert TokenForm(TOKEN | {"name": "é" * 100}).is_valid()


class TestInvitations:
    def test_nobody_need_be_named(self) -> None:
        form = InvitationForm(INVITATION | {"whom": ""})
        assert form.is_valid()
        assert form.cleaned_data == {"whom": "", "role": "member", "days": 7}

    def test_a_member_for_the_usual_time_is_chosen_at_first(self) -> None:
        form = InvitationForm()
        assert form["role"].initial == "member"
        assert form["days"].initial == invitations.DEFAULT_DAYS

    def test_every_time_offered_is_one_that_may_be(self) -> None:
        taken = [
            days
            for days in range(-1, 400)
            if InvitationForm(INVITATION | {"days": days}).is_valid()
        ]
        assert invitations.DEFAULT_DAYS in taken
        assert min(taken) >= 1
        assert max(taken) <= invitations.MAX_DAYS

    @pytest.mark.parametrize(
        ("field", "value"),
        [("role", "superuser"), ("role", ""), ("days", "0"), ("days", "90"), ("whom", "x" * 101)],
    )
    def test_what_was_not_offered_is_refused(self, field: str, value: str) -> None:
        assert list(InvitationForm(INVITATION | {field: value}).errors) == [field]
