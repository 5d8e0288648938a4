"""The library's adapter: it signs nobody up, and its requests are bounded."""

from __future__ import annotations

from allauth.socialaccount.adapter import get_adapter
from django.test import RequestFactory

from accounts.oidc.adapter import ProviderAdapter
from accounts.oidc.wire import BoundedSession


def test_it_is_the_one_in_use() -> None:
    assert isinstance(get_adapter(), ProviderAdapter)


def test_it_signs_nobody_up(rf: RequestFactory) -> None:
    assert not get_adapter().is_open_for_signup(rf.get("/"), None)


def test_codes_are_exchanged_over_a_bounded_session() -> None:
    with get_adapter().get_requests_session() as session:
        assert isinstance(session, BoundedSession)
