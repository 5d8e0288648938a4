"""Saved files over HTTP: whole, in parts, not at all, and not too many at once."""

from __future__ import annotations

import gc
import os
import re
import resource
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.test import RequestFactory
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Damaged, Expired, TooManyDownloads
from jobs.files import serving, store
from jobs.models import Artifact, Role
from tests.factories import make_artifact, make_job, make_user

pytestmark = pytest.mark.django_db

CONTENT = bytes(range(256)) * 40
SIZE = len(CONTENT)


@pytest.fixture
def file() -> Artifact:
    return make_artifact(content=CONTENT, name="é ann.mp4", content_type="video/mp4")


@pytest.fixture(autouse=True)
def database_stays_open() -> Iterator[None]:
    """Closing a response ends the request, and with that the connection the test still needs."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


@pytest.fixture(autouse=True)
def slots(monkeypatch: pytest.MonkeyPatch) -> Iterator[serving.DownloadSlots]:
    """Counted anew, and every slot given back at the end."""
    fresh = serving.DownloadSlots()
    monkeypatch.setattr(serving, "slots", fresh)
    yield fresh
    gc.collect()
    assert fresh.total() == 0


def ask(
    file: Artifact | uuid.UUID,
    *,
    user: User | None = None,
    method: str = "GET",
    inline: bool = False,
    **headers: str,
) -> HttpResponseBase:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, "/x", headers=sent)
    artifact_id = file.pk if isinstance(file, Artifact) else file
    return serving.file_response(request, user or make_user(), artifact_id, inline=inline)


def body(response: HttpResponseBase) -> bytes:
    if isinstance(response, FileResponse):
        content = b"".join(response)
    else:
        assert isinstance(response, HttpResponse)
        content = response.content
    response.close()
    return content


def stream_of(response: HttpResponseBase) -> Any:
    """The open file of a response, which a server may send by itself."""
    assert isinstance(response, FileResponse)
    return response.file_to_stream


def test_the_whole_file(file: Artifact) -> None:
    response = ask(file)
    assert response.status_code == 200
    assert response.headers["Content-Length"] == str(SIZE)
    assert response.headers["Content-Type"] == "video/mp4"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"] == f'"{file.pk}"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert body(response) == CONTENT


def test_the_server_may_send_a_file_or_its_part_by_itself(file: Artifact) -> None:
    response = ask(file)
    assert isinstance(response, FileResponse)
    assert response.block_size == 64 * 1024
    assert stream_of(response).fileno() > 0
    assert stream_of(response).tell() == 0
    body(response)
    part = ask(file, Range="bytes=5-9")
    assert os.lseek(stream_of(part).fileno(), 0, os.SEEK_CUR) == 5
    assert body(part) == CONTENT[5:10]


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        pytest.param("bytes=0-", 0, SIZE - 1, id="everything"),
        pytest.param("bytes=0-0", 0, 0, id="first-byte"),
        pytest.param("bytes=0-1", 0, 1, id="what-safari-asks-first"),
        pytest.param("bytes=100-199", 100, 199, id="middle"),
        pytest.param(f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1, id="last-byte"),
        pytest.param("bytes=-1", SIZE - 1, SIZE - 1, id="last-byte-as-suffix"),
        pytest.param("bytes=-500", SIZE - 500, SIZE - 1, id="suffix"),
        pytest.param("bytes=-99999999", 0, SIZE - 1, id="suffix-too-long"),
        pytest.param("bytes=10-99999999", 10, SIZE - 1, id="end-too-far"),
        pytest.param("Bytes=1-2", 1, 2, id="case"),
        pytest.param(" bytes=1-2 ", 1, 2, id="spaces-around"),
    ],
)
def test_a_part(file: Artifact, header: str, start: int, end: int) -> None:
    response = ask(file, Range=header)
    assert response.status_code == 206
    assert response.headers["Content-Range"] == f"bytes {start}-{end}/{SIZE}"
    assert response.headers["Content-Length"] == str(end - start + 1)
    assert body(response) == CONTENT[start : end + 1]


@pytest.mark.parametrize(
    "header",
    ["bytes=5-3", "bytes=0-1,5-6", "items=0-1", "bytes=-", "bytes", "bytes=a-b", "bytes=1 - 2",
     "bytes=" + "9" * 30 + "-", "bytes=٣-٤", ""],
)  # fmt: skip
def test_what_is_no_single_range_is_answered_with_everything(file: Artifact, header: str) -> None:
    response = ask(file, Range=header)
    assert response.status_code == 200
    assert "Content-Range" not in response.headers
    assert body(response) == CONTENT


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=999999-9999999", "bytes=-0"])
def test_past_the_end(file: Artifact, header: str) -> None:
    response = ask(file, Range=header)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{SIZE}"
    assert "Content-Type" not in response.headers
    assert body(response) == b""


@given(first=st.none() | st.integers(0, SIZE * 2), last=st.none() | st.integers(0, SIZE * 2))
def test_any_range_agrees_with_a_slice(first: int | None, last: int | None) -> None:
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    request = RequestFactory().get("/x", headers={"Range": header})
    parsed = serving._requested_range(request, '"x"', "", SIZE)
    if first is None and last is None:
        assert parsed is None
        return
    if first is None:
        expected = CONTENT[-last:] if last else b""
    elif last is not None and last < first:
        assert parsed is None
        return
    else:
        expected = CONTENT[first : SIZE if last is None else last + 1]
    if not expected:
        assert parsed == serving.UNSATISFIABLE
    else:
        assert parsed
        assert CONTENT[parsed[0] : parsed[1] + 1] == expected
        assert 0 <= parsed[0] <= parsed[1] < SIZE


def test_if_range(file: Artifact) -> None:
    same = ask(file, Range="bytes=0-9", If_Range=f'"{file.pk}"')
    assert same.status_code == 206
    assert len(body(same)) == 10
    for other in ('"other"', f'W/"{file.pk}"', "Fri, 20 Nov 2026 14:03:00 GMT"):
        changed = ask(file, Range="bytes=0-9", If_Range=other)
        assert changed.status_code == 200
        assert body(changed) == CONTENT


@pytest.mark.parametrize("tags", ['"{id}"', 'W/"{id}"', '"a", "{id}" , "b"', "*"])
def test_if_none_match(file: Artifact, tags: str) -> None:
    response = ask(file, If_None_Match=tags.format(id=file.pk))
    assert response.status_code == 304
    assert response.headers["ETag"] == f'"{file.pk}"'
    assert body(response) == b""


def test_another_tag_is_no_match(file: Artifact) -> None:
    assert body(ask(file, If_None_Match=f'"{uuid.uuid4()}"')) == CONTENT


def test_head(file: Artifact) -> None:
    whole, head = ask(file), ask(file, method="HEAD", Range="bytes=0-1")
    assert head.status_code == 200
    assert dict(head.headers) == dict(whole.headers)
    assert body(head) == b""
    body(whole)


def test_an_empty_file() -> None:
    file = make_artifact(content=b"")
    assert body(ask(file)) == b""
    assert ask(file, Range="bytes=0-").status_code == 416


# --- whose, and how long ---


def test_only_its_owner_gets_it(file: Artifact) -> None:
    for stranger in (make_user("bob"), make_user("admin", is_staff=True, is_superuser=True)):
        with pytest.raises(Http404):
            ask(file, user=stranger)
    with pytest.raises(Http404):
        ask(uuid.uuid4())


@pytest.mark.parametrize("end", ["expired", "removed", "file is gone"])
def test_what_is_gone_is_said_to_its_owner_alone(file: Artifact, end: str) -> None:
    now = timezone.now()
    if end == "expired":
        file.expires_at = now
    elif end == "removed":
        file.removed_at = now
    else:
        store.remove(file.pk)
    file.save()
    with pytest.raises(Damaged if end == "file is gone" else Expired):
        ask(file)
    with pytest.raises(Http404):
        ask(file, user=make_user("bob"))
    if end != "file is gone":
        with pytest.raises(Expired):
            ask(file, If_None_Match=f'"{file.pk}"')


def test_one_query(file: Artifact, django_assert_num_queries: Callable[..., Any]) -> None:
    user = make_user()
    with django_assert_num_queries(1):
        body(ask(file, user=user))


# --- names and types ---


@pytest.mark.parametrize(
    ("name", "header"),
    [
        pytest.param(
            "a_01.jpg", "attachment; filename=\"a_01.jpg\"; filename*=UTF-8''a_01.jpg", id="ascii"
        ),
        pytest.param(
            "é 東.jpg",
            "attachment; filename=\"e .jpg\"; filename*=UTF-8''%C3%A9%20%E6%9D%B1.jpg",
            id="both-forms",
        ),
        pytest.param(
            'a"b\\c%41.jpg',
            "attachment; filename=\"a_b_c_41.jpg\"; filename*=UTF-8''a%22b%5Cc%2541.jpg",
            id="quotes",
        ),
        pytest.param(
            "東京", "attachment; filename=\"download\"; filename*=UTF-8''%E6%9D%B1%E4%BA%AC",
            id="nothing-plain",
        ),
    ],
)  # fmt: skip
def test_disposition(name: str, header: str) -> None:
    assert serving.disposition(name, attachment=True) == header


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_no_name_breaks_the_header(name: str) -> None:
    header = serving.disposition(name, attachment=True)
    matched = re.fullmatch(
        r"attachment; filename=\"([^\"\\\r\n]*)\"; filename\*=UTF-8''([!-~]*)", header, re.ASCII
    )
    assert matched
    assert matched[1].isascii()
    assert matched[1].isprintable()
    assert unquote(matched[2]) == name


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("video/mp4", "inline"),
        ("image/jpeg", "inline"),
        ("audio/mp4", "inline"),
        ("image/svg+xml", "attachment"),
        ("text/html", "attachment"),
        ("application/zip", "attachment"),
        ("video/mp4; x=<script>", "attachment"),
    ],
)
def test_only_what_is_safe_is_shown(content_type: str, kind: str) -> None:
    file = make_artifact(content=b"x", content_type=content_type)
    response = ask(file, inline=True, method="HEAD")
    assert response.headers["Content-Disposition"].startswith(kind)
    plain = ask(file, method="HEAD")
    assert plain.headers["Content-Disposition"].startswith("attachment")


def test_a_preview_may_rest_in_the_browser_but_not_past_its_end(file: Artifact) -> None:
    assert file.story
    poster = make_artifact(file.story, content=b"p", role=Role.POSTER, position=1)
    assert ask(poster, method="HEAD").headers["Cache-Control"] == "private, max-age=600"
    poster.expires_at = timezone.now() + timedelta(seconds=30)
    poster.save()
    matched = re.fullmatch(
        r"private, max-age=(\d+)", ask(poster, method="HEAD").headers["Cache-Control"]
    )
    assert matched
    assert 20 <= int(matched[1]) <= 30


# --- how many at once ---


@pytest.mark.parametrize(
    ("descriptors", "downloads"),
    [(4, 2), (1024, 256), (4096, 1024), (65_536, 4096), (resource.RLIM_INFINITY, 4096)],
)
def test_as_many_downloads_as_there_are_descriptors_for(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, downloads: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (descriptors, descriptors))
    assert serving.downloads_at_once() == downloads


def test_a_household_of_two_hundred_phones_is_served(slots: serving.DownloadSlots) -> None:
    places = [slots.take("the household") for _ in range(200)]
    for place in (*places, slots.take("somebody else")):
        slots.give_back(place)


def test_a_user_has_half_of_the_downloads_and_all_leave_descriptors_free(
    file: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "downloads_at_once", lambda: 40)
    bob, carol = make_user("bob"), make_user("carol")
    of_bob, of_carol = (make_artifact(job=make_job(owner), content=b"x") for owner in (bob, carol))

    alices = [ask(file) for _ in range(20)]
    with pytest.raises(TooManyDownloads) as caught:
        ask(file)
    assert caught.value.retry_after_s
    others = [ask(of_bob, user=bob) for _ in range(20)]
    with pytest.raises(TooManyDownloads):
        ask(of_carol, user=carol)
    # What holds no file open for long is answered all the same.
    assert ask(of_carol, user=carol, method="HEAD").status_code == 200
    assert ask(file, If_None_Match="*").status_code == 304
    assert file.story
    poster = make_artifact(file.story, content=b"p", role=Role.POSTER, position=1)
    body(ask(poster))

    alices.pop().close()
    others.append(ask(of_carol, user=carol))
    for response in alices + others:
        response.close()


def test_a_place_is_given_back_once(file: Artifact, slots: serving.DownloadSlots) -> None:
    first, second = ask(file), ask(file)
    assert slots.total() == 2
    for _ in range(3):
        first.close()
    assert slots.total() == 1
    body(second)
    assert slots.total() == 0


def test_a_client_that_leaves_in_the_middle(file: Artifact, slots: serving.DownloadSlots) -> None:
    response = ask(file, Range="bytes=0-9999")
    assert isinstance(response, FileResponse)
    next(iter(response))
    stream_of(response).close = response.close  # as Django does for the server
    stream_of(response).close()
    assert slots.total() == 0


def test_an_answer_nobody_reads_or_closes(file: Artifact, slots: serving.DownloadSlots) -> None:
    response = ask(file)
    opened = stream_of(response)
    del response
    gc.collect()
    assert slots.total() == 0
    assert opened.closed


def test_places_are_counted_right_from_many_threads() -> None:
    counted = serving.DownloadSlots()
    refused = 0

    def come_and_go() -> None:
        nonlocal refused
        for _ in range(500):
            try:
                place = counted.take(1)
            except TooManyDownloads:
                refused += 1
            else:
                counted.give_back(place)

    threads = [threading.Thread(target=come_and_go) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.total() == 0
    assert refused == 0
