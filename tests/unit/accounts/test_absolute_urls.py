"""Links that leave the instance: by the public address, whatever the Host header says."""

from __future__ import annotations

from collections.abc import Callable

from django.test import RequestFactory

from accounts.absolute_urls import absolute_url


def test_the_public_address_is_believed_first(
    rf: RequestFactory, set_env: Callable[..., None]
) -> None:
    request = rf.get("/account/", headers={"host": "localhost"})
    assert absolute_url(request, "/keep/join/x/") == "http://localhost/keep/join/x/"
    set_env(public_url="https://stories.example.org/keep")
    assert absolute_url(request, "/keep/join/x/") == "https://stories.example.org/keep/join/x/"
