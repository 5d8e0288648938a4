"""HEAD wherever GET is: the same status and headers, no body, and nothing used up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse

from accounts import invitations, setup, signin
from jobs.models import Artifact, Job
from tests.factories import make_user
from tests.unit.jobs.api.scripts import Script, make_full_job
from tests.watched import make_watch

pytestmark = pytest.mark.django_db

_DIFFERENT: Final = {"Set-Cookie", "RateLimit-Remaining", "RateLimit-Reset"}


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user("admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    return user


def patterns(
    resolver: URLResolver | None = None, prefix: str = "/"
) -> Iterator[tuple[str, URLPattern]]:
    """Every URL pattern of the site, with the route that leads to it."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, prefix + route)
        else:
            yield prefix + route, pattern


def path_of(route: str, values: dict[str, Any]) -> str:
    """A path that a route matches, with these values in its place holders."""

    def value(match: re.Match[str]) -> str:
        return str(values[match["name"]])

    path = re.sub(
        r"<(?:\w+:)?(?P<name>\w+)>", value, re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", route)
    )
    return re.sub(r"\\(.)", r"\1", path.replace("^", "").replace("$", "")).replace(r"\Z", "")


def compared(headers: Any) -> dict[str, str]:
    return {name: text for name, text in headers.items() if name not in _DIFFERENT}


def test_every_address_of_the_site_answers_head_as_get(client: Client, admin: User) -> None:
    job = make_full_job(admin)
    file = Artifact.objects.filter(job=job).first()
    assert file
    ids: dict[str, Any] = {
        "job_id": job.pk, "file_id": file.pk, "artifact_id": file.pk, "item_id": UUID(int=1),
        "story_id": UUID(int=1), "token_id": 1, "id": 1, "pk": 1, "object_id": str(job.pk),
        "content_type_id": ContentType.objects.get_for_model(Job).pk, "app_label": "jobs",
        "session_id": 1, "name": "a.jpg", "url": "nowhere/", "path": "nowhere", "token": "x",
        "secret": "x", "key": "x", "uidb36": "1",
        "package_id": UUID(int=1), "watch_id": UUID(int=1), "user_id": 1, "invitation_id": 1,
        "code": "x", "text": "x",
    }  # fmt: skip
    walked = 0
    for route, pattern in patterns():
        path = path_of(route, ids)
        resolve(path)
        client.force_login(admin)  # a page of the walk may sign out
        head = client.head(path)
        client.force_login(admin)
        get = client.get(path)
        where = f"{path} ({pattern.lookup_str})"
        assert head.status_code == get.status_code, where
        assert compared(head.headers).keys() == compared(get.headers).keys(), where
        assert b"".join(head) == b"", where
        for name in {"Content-Type", "Location", "ETag", "Cache-Control", "Last-Modified"}:
            assert head.headers.get(name) == get.headers.get(name), where
        walked += 1
        b"".join(get)  # a file is closed when it is read
    assert walked > 80


def test_every_call_of_the_api_that_takes_get_takes_head(
    client: Client, set_env: Callable[..., None]
) -> None:
    set_env(watches="members")
    script = Script(make_user("alice"), client)
    watch = make_watch(script.user)
    job = make_full_job(script.user)
    file = Artifact.objects.filter(job=job).first()
    assert file
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    walked = 0
    for route, operations in paths.items():
        if "get" not in operations:
            continue
        path = route.removeprefix("/api/v1").format(
            job_id=job.pk, file_id=file.pk, watch_id=watch.pk
        )
        get, head = script.call("GET", path), script.call("HEAD", path)
        assert (get.status_code, head.status_code) == (200, 200), path
        assert compared(head.headers) == compared(get.headers), path
        assert int(head.headers["Content-Length"]) > 0
        assert b"".join(head) == b""
        b"".join(get)  # a file is closed when it is read
        walked += 1
    assert walked >= 4


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/jobs/{}", 304),
        ("HEAD", "/nowhere", 404),
        ("HEAD", "/jobs/00000000-0000-4000-8000-000000000000", 404),
        ("HEAD", "/jobs/{}/cancel", 405),
        ("PUT", "/jobs/{}", 405),
    ],
)
def test_head_of_the_api_beside_the_way(
    method: str, path: str, status: int, client: Client
) -> None:
    script = Script(make_user("alice"), client)
    job = make_full_job(script.user)
    tag = script.call("GET", f"/jobs/{job.pk}").headers["ETag"]
    response = script.call(method, path.format(job.pk), If_None_Match=tag)
    assert response.status_code == status
    if status == 405:
        allowed = response.headers["Allow"].split(", ")
        assert ("HEAD" in allowed) == ("GET" in allowed)
    if method == "HEAD":
        assert response.content == b""


def test_head_of_the_api_needs_a_token_as_well(client: Client) -> None:
    assert client.head("/api/v1/me").status_code == 401
    assert client.head("/api/v1/jobs").status_code == 401


def test_a_preview_of_a_link_does_not_use_it_up(client: Client) -> None:
    """Messengers and mail scanners look at a link before a person does."""
    token = setup.create_link()
    assert token
    alice = make_user("alice")
    links = [
        reverse("setup", args=[token]),
        reverse("join", args=[invitations.create(alice)]),
        signin.password_reset_path(alice),
    ]
    for link in links:
        for method in (client.head, client.get):
            assert method(link, follow=True).status_code == 200, link
        page = Client().get(link, follow=True).content.decode()
        assert 'name="password1"' in page, link
    assert setup.is_valid(token)
    assert invitations.pending().count() == 1
