"""Pages and API answers are compressed, and nothing else is."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

from accounts import tokens
from jobs.models import Job
from jobs.states import ItemState
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from webapp import compression

pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def browser(client: Client) -> Client:
    """Alice's browser."""
    client.force_login(make_user("alice"))
    return client


@pytest.fixture
def job() -> Job:
    """A settled job of Alice's with some files."""
    job = make_job(make_user("alice"))
    for name in ("corner.bakery", "harbour.crane"):
        item = make_item(job, name=name, state=ItemState.DONE)
        for _ in range(3):
            make_artifact(make_story(item), content=b"bytes")
    return job


def unpacked(response: Any) -> bytes:
    """The body of a compressed answer."""
    assert response.headers["Content-Encoding"] == "gzip"
    assert response.headers["Content-Length"] == str(len(response.content))
    return gzip.decompress(response.content)


@pytest.mark.parametrize("path", ["", "progress/"])
def test_a_jobs_page_is_a_fraction_of_itself_on_the_wire(
    browser: Client, job: Job, path: str
) -> None:
    plain = browser.get(f"/jobs/{job.pk}/{path}")
    assert "Content-Encoding" not in plain.headers
    packed = browser.get(f"/jobs/{job.pk}/{path}", headers=GZIP)
    assert 5 * len(packed.content) < len(plain.content)
    assert b"harbour.crane" in unpacked(packed)
    for response in (plain, packed):
        assert "Accept-Encoding" in response.headers["Vary"]


def test_an_unchanged_fragment_is_met_with_304_through_the_coding(
    browser: Client, job: Job
) -> None:
    address = f"/jobs/{job.pk}/progress/"
    tag = browser.get(address, headers=GZIP).headers["ETag"]
    assert tag.startswith('W/"')
    response = browser.get(address, headers=GZIP | {"If-None-Match": tag})
    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["ETag"] == tag
    assert "Accept-Encoding" in response.headers["Vary"]
    assert "Content-Encoding" not in response.headers


def test_the_apis_json_is_compressed_too(client: Client, job: Job) -> None:
    script = GZIP | {"Authorization": f"Bearer {tokens.create(job.owner, 'test')}"}
    address = f"/api/v1/jobs/{job.pk}"
    response = client.get(address, headers=script)
    assert str(job.pk).encode() in unpacked(response)
    unchanged = client.get(address, headers=script | {"If-None-Match": response.headers["ETag"]})
    assert unchanged.status_code == 304


def test_head_names_the_length_of_what_get_would_send(browser: Client, job: Job) -> None:
    response = browser.head(f"/jobs/{job.pk}/progress/", headers=GZIP)
    assert response.content == b""
    assert response.headers["Content-Encoding"] == "gzip"
    length = int(response.headers["Content-Length"])
    body = len(browser.get(f"/jobs/{job.pk}/progress/", headers=GZIP).content)
    assert abs(length - body) <= compression.MAX_PADDING_BYTES


def test_the_length_is_blurred(browser: Client) -> None:
    lengths = {len(browser.get("/help/", headers=GZIP).content) for _ in range(30)}
    assert len(lengths) > 5


def test_files_go_as_they_are(browser: Client, job: Job) -> None:
    file = job.artifacts.first()
    assert file
    response = browser.get(f"/files/{file.pk}/{file.name}", headers=GZIP)
    assert "Content-Encoding" not in response.headers
    assert b"".join(response.streaming_content) == b"bytes"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    ["/account/", "/account/tokens/", "/account/invitations/", "/account/data/", "/admin/"],
)
def test_a_page_that_may_show_a_secret_is_not_compressed(client: Client, path: str) -> None:
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    response = client.get(path, headers=GZIP, follow=True)
    assert len(response.content) > compression.MIN_BYTES
    assert "Content-Encoding" not in response.headers


def test_nor_is_the_sign_in(client: Client) -> None:
    response = client.get("/login/", headers=GZIP)
    assert len(response.content) > compression.MIN_BYTES
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("address", ["/history/?q=harbour", "/?text=harbour", "/?url=harbour"])
def test_a_page_that_repeats_its_address_is_not_compressed(
    browser: Client, job: Job, address: str
) -> None:
    assert "Content-Encoding" not in browser.get(address, headers=GZIP).headers
    plain_address = address.partition("?")[0]
    assert "Content-Encoding" in browser.get(plain_address, headers=GZIP).headers


def _names(patterns: list[URLPattern | URLResolver]) -> set[str]:
    names = set()
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            names |= _names(pattern.url_patterns)
        elif pattern.name:
            names.add(pattern.name)
    return names


def test_every_view_that_is_compressed_exists() -> None:
    assert _names(get_resolver().url_patterns) >= compression.PAGES


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP;q=0.5", True),
        ("br, gzip ; q=0", False),
        ("identity", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=nonsense", False),
        ("gzipped", False),
        ("x-gzip, deflate", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(header: str, accepted: bool) -> None:
    request = RequestFactory().get("/", headers={"Accept-Encoding": header})
    assert compression.accepts_gzip(request) is accepted


def _answer(make: Callable[[], HttpResponse | StreamingHttpResponse], name: str = "job") -> Any:
    def get_response(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        request.resolver_match = get_resolver().resolve("/help/")
        request.resolver_match.view_name = name
        return make()

    return compression.compress(get_response)(RequestFactory().get("/", headers=GZIP))


LONG = "word " * 1000


@pytest.mark.parametrize(
    "make",
    [
        lambda: HttpResponse("short"),
        lambda: HttpResponse(LONG, content_type="image/svg+xml"),
        lambda: HttpResponse(LONG, headers={"Content-Encoding": "br"}),
        lambda: StreamingHttpResponse([LONG.encode()]),
    ],
    ids=["short", "a picture", "coded already", "a stream"],
)
def test_what_is_left_as_it_is(make: Callable[[], HttpResponse]) -> None:
    assert _answer(make).headers.get("Content-Encoding") != "gzip"


def test_a_strong_tag_becomes_weak_in_either_coding() -> None:
    for text in ("short", LONG):
        response = _answer(partial(HttpResponse, text, headers={"ETag": '"a"'}))
        assert response.headers["ETag"] == 'W/"a"'


def test_a_view_that_is_not_named_is_left_alone() -> None:
    response = _answer(lambda: HttpResponse(LONG, headers={"ETag": '"a"'}), "tokens")
    assert response.headers["ETag"] == '"a"'
    assert "Vary" not in response.headers
