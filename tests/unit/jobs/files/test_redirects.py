"""Downloads that go straight from the bucket."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import Http404, HttpResponseBase
from django.test import RequestFactory

from jobs.errors import Damaged, Expired
from jobs.files import deletion, redirects, serving, store
from jobs.models import Artifact
from tests.factories import make_artifact, make_user

pytestmark = pytest.mark.django_db

CONTENT = b"0123456789" * 500
NAVIGATES = {"Sec-Fetch-Mode": "navigate"}


@pytest.fixture(autouse=True)
def database_stays_open() -> Iterator[None]:
    """Closing a response ends the request, and with that the connection the test still needs."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


@pytest.fixture
def file(in_bucket: str, set_env: Callable[..., None]) -> Artifact:
    """A file in a bucket, with redirects switched on."""
    set_env(artifact_redirect=True)
    return make_artifact(content=CONTENT, name="é ann.mp4", content_type="video/mp4")


def ask(
    file: Artifact,
    headers: dict[str, str],
    user: Any = None,
    *,
    method: str = "GET",
    inline: bool = False,
) -> HttpResponseBase:
    """The answer to a request for a file."""
    request = RequestFactory().generic(method, "/", headers=headers)
    return serving.file_response(request, user or file.owner, file.pk, inline=inline)


def test_a_download_is_led_to_the_bucket_and_arrives_with_its_name(file: Artifact) -> None:
    response = ask(file, NAVIGATES)
    assert response.status_code == 302
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    with urllib.request.urlopen(response.headers["Location"], timeout=10) as arrived:
        assert arrived.read() == CONTENT
        assert arrived.headers["Content-Type"] == "video/mp4"
        assert arrived.headers["Content-Disposition"] == serving.disposition(
            file.name, attachment=True
        )
    assert f"X-Amz-Expires={redirects.WORKS_S}&" in response.headers["Location"]


def test_a_program_with_a_token_is_led_there_too(file: Artifact) -> None:
    assert ask(file, {"Authorization": "Bearer x"}).status_code == 302


@pytest.mark.parametrize(
    ("method", "inline", "headers"),
    [
        ("GET", False, {"Sec-Fetch-Mode": "cors"}),
        ("GET", False, {"Sec-Fetch-Mode": "same-origin", "Authorization": "Bearer x"}),
        ("GET", False, {}),
        ("GET", True, NAVIGATES),
        ("GET", True, {"Sec-Fetch-Mode": "no-cors"}),
        ("HEAD", False, NAVIGATES),
    ],
)
def test_scripts_and_what_a_page_shows_stay_here(
    file: Artifact, method: str, inline: bool, headers: dict[str, str]
) -> None:
    response = ask(file, headers, method=method, inline=inline)
    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(len(CONTENT))
    response.close()


def test_the_same_is_looked_at_as_ever(file: Artifact) -> None:
    with pytest.raises(Http404):
        ask(file, NAVIGATES, make_user("bob"))
    etag = f'"{file.pk}"'
    assert ask(file, NAVIGATES | {"If-None-Match": etag}).status_code == 304
    deletion.delete(Artifact.objects.filter(pk=file.pk))
    with pytest.raises(Expired):
        ask(file, NAVIGATES)


def test_a_file_that_the_bucket_lost_is_told_here(file: Artifact) -> None:
    store.remove(file.pk)
    with pytest.raises(Damaged):
        ask(file, NAVIGATES)


def test_a_name_too_long_for_an_address_is_served_here(
    file: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redirects, "LONGEST_URL", 100)
    response = ask(file, NAVIGATES)
    assert response.status_code == 200
    response.close()


def test_without_the_setting_downloads_go_through_this_server(
    file: Artifact, set_env: Callable[..., None]
) -> None:
    set_env(artifact_redirect=False)
    response = ask(file, NAVIGATES)
    assert response.status_code == 200
    response.close()
