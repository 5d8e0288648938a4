"""Downloads say when their story was posted, and answer conditions about that date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import RequestFactory

from jobs.files import serving
from jobs.models import Artifact, Role
from tests.factories import make_artifact, make_job, make_story

pytestmark = pytest.mark.django_db
CONTENT = b"0123456789"
POSTED = datetime(2026, 11, 20, 23, 30, 31, 250_000, tzinfo=UTC)
DATE = "Fri, 20 Nov 2026 23:30:31 GMT"
EARLIER, LATER = "Fri, 20 Nov 2026 23:30:30 GMT", "Fri, 20 Nov 2026 23:30:32 GMT"


def make_file(**facts: Any) -> Artifact:
    return make_artifact(make_story(posted_at=POSTED), content=CONTENT, **facts)


def ask(file: Artifact, method: str = "GET", **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    request = RequestFactory().generic(method, "/x", headers=sent)
    response: Any = serving.file_response(request, file.owner, file.pk)
    if isinstance(response, serving._ArtifactResponse):
        response.file_to_stream.close()  # type: ignore[union-attr]  # it is open
        if response._release is not None:
            response._release()
    return response


@pytest.mark.parametrize("role", [role for role in Role if role not in {"bundle", "selection"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_download_is_as_old_as_its_story(role: Role, method: str) -> None:
    assert ask(make_file(role=role), method).headers["Last-Modified"] == DATE


def test_a_zip_of_many_stories_is_as_old_as_its_packing() -> None:
    bundle = make_artifact(job=make_job(), content=CONTENT, created_at=POSTED)
    assert ask(bundle).headers["Last-Modified"] == DATE


@pytest.mark.parametrize(
    ("posted", "date"),
    [
        (datetime(1, 1, 1, tzinfo=UTC), "Thu, 01 Jan 1970 00:00:00 GMT"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), DATE),
        (POSTED + timedelta(days=2), DATE),
    ],
)
def test_a_hostile_posting_time_makes_a_date_that_headers_can_hold(
    posted: datetime, date: str
) -> None:
    story = make_story(posted_at=POSTED)
    story.posted_at = posted
    story.leaves_at = None
    story.save()
    file = make_artifact(story, content=CONTENT, created_at=POSTED)
    assert ask(file).headers["Last-Modified"] == date


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": LATER}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "yesterday"}, 200),
        ({"If_Modified_Since": DATE, "If_None_Match": '"other"'}, 200),
        ({"If_Modified_Since": EARLIER, "If_None_Match": '"{id}"'}, 304),
        ({"If_Unmodified_Since": DATE}, 200),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Unmodified_Since": EARLIER, "If_Match": '"{id}"'}, 200),
        ({"If_Match": '"{id}"'}, 200),
        ({"If_Match": "*"}, 200),
        ({"If_Match": 'W/"{id}"'}, 412),
        ({"If_Match": '"other"', "If_None_Match": '"{id}"'}, 412),
        ({"Range": "bytes=3-", "If_Range": DATE}, 206),
        ({"Range": "bytes=3-", "If_Range": LATER}, 200),
        ({"Range": "bytes=3-", "If_Range": EARLIER}, 200),
        ({"Range": "bytes=3-", "If_Range": '"{id}"'}, 206),
        ({"Range": "bytes=3-", "If_Unmodified_Since": DATE}, 206),
        ({"Range": "bytes=3-", "If_Modified_Since": DATE}, 304),
    ],
    ids=str,
)
def test_conditions(headers: dict[str, str], status: int) -> None:
    file = make_file()
    sent = {name: value.format(id=file.pk) for name, value in headers.items()}
    response = ask(file, **sent)
    assert response.status_code == status
    assert response.headers["ETag"] == f'"{file.pk}"'
    assert response.headers["Last-Modified"] == DATE


def test_two_files_of_the_same_second_are_told_apart_by_their_tags() -> None:
    story = make_story(posted_at=POSTED)
    first, second = (make_artifact(story, content=CONTENT) for _ in range(2))
    assert ask(first).headers["Last-Modified"] == ask(second).headers["Last-Modified"]
    response = ask(second, Range="bytes=3-", If_Range=f'"{first.pk}"')
    assert response.status_code == 200
    assert ask(second, If_None_Match=f'"{first.pk}"').status_code == 200
