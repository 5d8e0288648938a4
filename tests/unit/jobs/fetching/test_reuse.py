"""A saved file is linked into another workspace as if it had just arrived."""

from __future__ import annotations

from uuid import uuid4

import pytest

from jobs.errors import QuotaExceeded
from jobs.fetching.reuse import reuse
from jobs.files import store
from jobs.files.workspace import Workspace
from jobs.models import Role
from tests.factories import make_artifact, make_story

pytestmark = pytest.mark.django_db


def test_it_has_the_facts_of_the_file_and_its_bytes() -> None:
    story = make_story(tiktok_id="77")
    file = make_artifact(story, content=b"photo", name="a_01.jpg", labels=["watermarked"], width=9)
    with Workspace("other.1") as workspace:
        event = reuse(file, story, workspace)
        assert event
        assert (event.story_id, event.position, event.role) == ("77", 1, "media")
        assert (event.size_bytes, event.labels, event.sha256) == (5, ("watermarked",), file.sha256)
        assert (event.verified.suffix, event.verified.width) == (".jpg", 9)
        with workspace.open(event.key) as copy:
            assert copy.read() == b"photo"


def test_a_file_that_has_gone_is_none() -> None:
    file = make_artifact(make_story(), content=b"photo", role=Role.POSTER)
    store.remove(file.pk)
    assert file.story
    with Workspace("other.1") as workspace:
        assert reuse(file, file.story, workspace) is None


def test_its_bytes_count_for_whoever_links_it() -> None:
    file = make_artifact(make_story(), content=b"photo")
    assert file.story
    with (
        Workspace("other.1", owner_id=file.owner_id, max_bytes=7) as workspace,
        pytest.raises(QuotaExceeded),
    ):
        reuse(file, file.story, workspace)


def test_previews_need_no_room_in_the_quota() -> None:
    file = make_artifact(make_story(), content=b"photo", role=Role.POSTER)
    assert file.story
    with Workspace("other.1", owner_id=file.owner_id, max_bytes=6) as workspace:
        events = [reuse(file, file.story, workspace) for _ in range(2)]
        assert all(events)
        key, _ = workspace.create()
        workspace.reserve(6)
        workspace.discard(key)
        for event in filter(None, events):
            workspace.commit(event.key, uuid4(), quota=False)
        assert workspace.in_flight_bytes == 0
        workspace.reserve(6)
