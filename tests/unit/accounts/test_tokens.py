"""API tokens: shown once, kept hashed, refused when they should be."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models.sql.compiler import SQLCompiler
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts import tokens
from accounts.models import ApiToken, Scope
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_token_opens_its_owners_door() -> None:
    alice = make_user("alice")
    token = tokens.create(alice, "laptop")
    found = tokens.authenticate(token)
    assert found
    assert found.owner == alice
    assert found.name == "laptop"


def test_the_token_itself_is_not_kept() -> None:
    token = tokens.create(make_user("alice"), "laptop")
    row = ApiToken.objects.values().get()
    assert token.startswith("sk_")
    assert len(token) > 40
    assert not any(token in str(value) or token[3:] in str(value) for value in row.values())


@pytest.mark.parametrize(
    "token", ["", "sk_", "sk_wrong", "wrong", "sk_" + "x" * 10_000, "sk_\x00é"]
)
def test_unknown_tokens(token: str) -> None:
    tokens.create(make_user("alice"), "laptop")
    assert tokens.authenticate(token) is None


def test_an_expired_token() -> None:
    alice = make_user("alice")
    now = timezone.now()
    assert tokens.authenticate(tokens.create(alice, "old", now - timedelta(seconds=1))) is None
    assert tokens.authenticate(tokens.create(alice, "new", now + timedelta(hours=1)))


def test_a_blocked_owner() -> None:
    alice = make_user("alice")
    token = tokens.create(alice, "laptop")
    alice.is_active = False
    alice.save()
    assert tokens.authenticate(token) is None


def test_one_query_and_once_a_minute_a_second(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    token = tokens.create(make_user("alice"), "laptop")
    with django_assert_num_queries(2):
        first = tokens.authenticate(token)
    with django_assert_num_queries(1):
        again = tokens.authenticate(token)
        assert again
        assert again.owner.is_active
    assert first
    assert first.last_used_at
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    with django_assert_num_queries(2):
        tokens.authenticate(token)


def test_a_look_up_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = make_user("alice"), make_user("bob")
    hers, his = tokens.create(alice, "laptop"), tokens.create(bob, "phone")
    for token in (hers, his):
        tokens.authenticate(token)  # its first use is noted, and the look-up compiled
    compiled = []
    monkeypatch.setattr(SQLCompiler, "as_sql", lambda self: compiled.append(self))
    found = [tokens.authenticate(token) for token in (hers, his, "sk_unknown")]
    assert [row and (row.name, row.owner.username) for row in found] == [
        ("laptop", "alice"),
        ("phone", "bob"),
        None,
    ]
    assert compiled == []


def test_a_row_is_what_the_orm_reads() -> None:
    alice = make_user("alice", email="alice@example.org")
    token = tokens.create(alice, "laptop", timezone.now() + timedelta(hours=1), scope=Scope.READ)
    found = tokens.authenticate(token)
    row = ApiToken.objects.select_related("owner").get()
    assert found
    for read, same in ((found, row), (found.owner, row.owner)):
        names = [field.attname for field in same._meta.concrete_fields]
        assert [getattr(read, name) for name in names] == [getattr(same, name) for name in names]


def test_a_revoked_token_opens_nothing_from_then_on() -> None:
    alice = make_user("alice")
    token = tokens.create(alice, "laptop")
    found = tokens.authenticate(token)
    assert found
    assert tokens.revoke(alice, found.pk)
    assert tokens.authenticate(token) is None


def test_the_command_prints_a_working_token() -> None:
    alice = make_user("alice")
    out = StringIO()
    call_command("token", "alice", "--name", "script", stdout=out)
    found = tokens.authenticate(out.getvalue().strip())
    assert found
    assert (found.owner, found.name) == (alice, "script")


def test_the_command_refuses_an_unknown_user() -> None:
    with pytest.raises(CommandError, match="no user named 'nobody'") as caught:
        call_command("token", "nobody")
    assert caught.value.returncode == 2
    assert not ApiToken.objects.exists()


def test_the_command_refuses_a_blocked_user() -> None:
    make_user("alice", is_active=False)
    with pytest.raises(CommandError, match="blocked"):
        call_command("token", "alice")


def test_the_command_makes_tokens_that_look_only_and_end() -> None:
    make_user("alice")
    out = StringIO()
    call_command("token", "alice", "--read-only", "--days", "2", stdout=out)
    found = tokens.authenticate(out.getvalue().strip())
    assert found
    assert found.scope == Scope.READ
    assert found.expires_at
    assert timedelta(days=1) < found.expires_at - timezone.now() <= timedelta(days=2)


@pytest.mark.parametrize("days", ["0", "-1", "999999999999"])
def test_the_command_refuses_a_time_that_is_none(days: str) -> None:
    make_user("alice")
    with pytest.raises(CommandError, match="--days takes"):
        call_command("token", "alice", f"--days={days}")
    assert not ApiToken.objects.exists()


def test_only_its_owner_can_end_a_token() -> None:
    alice, bob = make_user("alice"), make_user("bob")
    token = tokens.create(alice, "laptop")
    row = ApiToken.objects.get()
    assert not tokens.revoke(bob, row.pk)
    assert tokens.authenticate(token)
    assert tokens.revoke(alice, row.pk)
    assert tokens.authenticate(token) is None
    assert not tokens.revoke(alice, row.pk)
