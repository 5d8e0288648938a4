"""A code of an authenticator app, and a recovery code, open the door once."""

from __future__ import annotations

import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from accounts import totp
from tests.factories import make_user
from tests.unit.accounts.browsing import SECRET, confirm, is_signed_in, sign_in
from tests.unit.accounts.races import at_once

SECOND_STEP = "/account/security/authenticate/"
NOW = 1_795_000_020.0
"""The beginning of a period, in Unix seconds."""


def code_at(moment: float) -> str:
    """What the app shows at a moment."""
    return str(format_hotp_value(hotp_value(SECRET, int(moment) // 30)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is: `clock[0]`."""
    now = [NOW]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.fixture
def app(alice: User) -> Authenticator:
    """Alice's authenticator app."""
    instance: Authenticator = TOTP.activate(alice, SECRET).instance
    return instance


def opens(code: str) -> bool:
    """Whether a code signs alice in, in a browser of its own."""
    browser = Client()
    sign_in(browser)
    browser.post(SECOND_STEP, {"code": code})
    return is_signed_in(browser)


@pytest.mark.django_db
@pytest.mark.usefixtures("app")
class TestACode:
    @pytest.mark.parametrize("later_s", [0, 29, 31, 59])
    @pytest.mark.parametrize("shown_at", [-30, 0, 30])
    def test_opens_once_as_long_as_it_is_valid(
        self, clock: list[float], shown_at: int, later_s: int
    ) -> None:
        code = code_at(NOW + shown_at)
        assert opens(code)
        clock[0] += later_s
        assert not opens(code)

    def test_opens_once_whatever_became_of_the_counts(self, clock: list[float]) -> None:
        assert opens(code_at(NOW))
        cache.clear()  # as when another process is asked, or this one was started again
        assert not opens(code_at(NOW))

    def test_is_not_taken_after_a_later_one(self, clock: list[float]) -> None:
        assert opens(code_at(NOW + 30))
        assert not opens(code_at(NOW))
        clock[0] += 60
        assert opens(code_at(clock[0]))

    def test_is_written_in_groups_and_still_the_same(self, clock: list[float]) -> None:
        code = code_at(NOW)
        assert opens(f"{code[:3]} {code[3:]}")
        clock[0] += 31
        assert not opens(f"{code[:3]}-{code[3:]}")

    def test_that_confirmed_something_signs_nobody_in(self, clock: list[float]) -> None:
        browser = Client()
        sign_in(browser)
        browser.post(SECOND_STEP, {"code": code_at(NOW - 30)})
        browser.post("/account/security/reauthenticate/", {"code": code_at(NOW)})
        clock[0] += 31
        assert not opens(code_at(NOW))

    def test_of_a_clock_that_was_put_right_is_taken(self, clock: list[float]) -> None:
        clock[0] += 24 * 60 * 60
        assert opens(code_at(clock[0]))
        clock[0] = NOW
        assert opens(code_at(NOW))


@pytest.mark.django_db
def test_the_code_that_set_an_app_up_signs_nobody_in(
    client: Client, alice: User, clock: list[float], django_capture_on_commit_callbacks: object
) -> None:
    sign_in(client)
    confirm(client)
    page = client.get("/account/security/totp/activate/")
    secret = page.context["form"].secret
    code = str(format_hotp_value(hotp_value(secret, int(NOW) // 30)))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        client.post("/account/security/totp/activate/", {"code": code})
    assert Authenticator.objects.filter(user=alice, type=Authenticator.Type.TOTP).exists()
    clock[0] += 31
    assert not opens(code)


@pytest.mark.django_db
def test_only_an_app_has_codes(alice: User) -> None:
    recovery = RecoveryCodes.activate(alice).instance
    assert not totp.use(recovery.pk, "123456")
    assert not totp.use(0, "123456")


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_a_code_opens_once(self, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        instance = TOTP.activate(make_user("alice"), SECRET).instance
        # As in two processes of which neither knows what the other counts.
        monkeypatch.setattr(TOTP, "_mark_code_used", lambda _self, _code: True)
        assert sorted(at_once(lambda _: opens(code_at(NOW)), 4)) == [False, False, False, True]
        assert not totp.use(instance.pk, code_at(NOW))

    def test_a_recovery_code_opens_once(self) -> None:
        alice = make_user("alice")
        TOTP.activate(alice, SECRET)
        code = RecoveryCodes.activate(alice).generate_codes()[0]
        assert sorted(at_once(lambda _: opens(code), 4)) == [False, False, False, True]
        assert not opens(code)
