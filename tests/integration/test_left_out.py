"""A worker and a list that leaves something out; and fetching only the rest of what was stopped."""

from __future__ import annotations

import json

from django.test import Client

from jobs.models import Artifact, Role
from jobs.queue import actions, resubmission
from jobs.states import ItemState
from tests.fake_tiktok import FakeTikTok
from tests.integration.conftest import Start, eventually
from tests.integration.test_queue import check_disk, settled, submit

S = ItemState


def test_two_of_three_listed_stories_are_saved_and_the_third_is_said_to_be_missing(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    account = tiktok.account("sample.user")
    account.photo()
    account.photo(item={"video": {}, "imagePost": None})
    account.photo()
    start_worker().ready()
    job = settled(submit(account.name))
    item = job.items.get()
    assert (item.state, item.error_code) == (S.PARTIAL, "upstream_changed")
    assert item.left_out == {"no_media": 1}
    assert item.artifacts.filter(role=Role.MEDIA).count() == 2
    client = Client()
    client.force_login(job.owner)
    page = client.get(f"/jobs/{job.pk}/").content.decode()
    assert "1 story came without a file that can be saved." in page
    assert "1 story left out" in page
    check_disk()


def test_fetching_the_rest_asks_for_what_is_missing_alone(
    start_worker: Start, tiktok: FakeTikTok
) -> None:
    account = tiktok.account("sample.user")
    account.photo()
    account.carousel(2)
    account.video(min_bytes=400_000)
    tiktok.fault("video", "slow", bytes_per_s=50_000)
    start_worker().ready()
    job = submit(account.name)
    # Only what is whole is linked: a picture whose poster is still being made is fetched again.
    files = Artifact.objects.filter(job=job)
    eventually(lambda: files.filter(role=Role.MEDIA).count() == 3)
    eventually(lambda: files.filter(role=Role.POSTER).count() == 2)
    assert actions.cancel(job) == 1
    tiktok.faults.clear()
    tiktok.forget_requests()
    new = resubmission.refetch(job)
    assert new
    settled(new)
    item = new.items.get()
    assert item.state == S.DONE, item.error_code
    assert item.artifacts.filter(role=Role.MEDIA).count() == 4
    assert item.artifacts.filter(role=Role.ZIP).count() == 1
    assert tiktok.count("picture") == 0, json.dumps([seen.url for seen in tiktok.seen("picture")])
    assert tiktok.count("video") > 0
    check_disk()
