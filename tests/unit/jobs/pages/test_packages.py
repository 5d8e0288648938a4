"""ZIPs with one click: what a script is told, what a browser without one is shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress
from jobs.errors import DiskFull
from jobs.models import Job, Package, PackageState, Role
from jobs.zips import packing
from tests.factories import make_artifact, make_story
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db

JSON = {"Accept": "application/json"}


@pytest.fixture
def job(alice: User) -> Job:
    """Two photos."""
    job = saved(alice)
    make_artifact(make_story(job.items.get()))
    return job


def asked(client: Client, job: Job) -> Any:
    """What a script is told that asks for a ZIP of the job."""
    return client.post(f"/jobs/{job.pk}/bundle/", headers=JSON)


def finish(job: Job, **facts: Any) -> Package:
    """The ZIP is packed."""
    package = job.packages.get()
    package.artifact = make_artifact(job=job, role=Role.BUNDLE, **facts)
    package.state = PackageState.DONE
    package.save()
    return package


def test_a_script_waits_and_is_told_where_the_zip_is(client: Client, job: Job) -> None:
    answer = asked(client, job)
    assert answer.status_code == 202
    watch = answer.json()["watch"]
    assert client.get(watch, headers=JSON).json() == {
        "state": "packing",
        "percent": None,
        "words": "",
    }
    file = finish(job).artifact
    assert file
    address = f"/files/{file.pk}/{file.name}"
    told = client.get(watch, headers=JSON)
    assert told.json() == {"state": "ready", "address": address, "words": ""}
    assert told["Cache-Control"] == "private, no-store"
    assert asked(client, job).json() == {"state": "ready", "address": address}, "asked once more"


def test_how_much_is_packed_is_told(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = asked(client, job).json()["watch"]
    packing = {str(job.packages.get().pk): ItemProgress(phase="packing", share=0.437)}
    monkeypatch.setattr(progress, "read", lambda _job_id: packing)
    assert client.get(watch, headers=JSON).json()["percent"] == 43
    assert "43%" in shown(client.get(watch))
    assert "Packing… 43%" in shown(client.get(f"/jobs/{job.pk}/"))
    poll = client.get(f"/jobs/{job.pk}/progress/")
    assert "Packing… 43%" in shown(poll)
    same = {"If-None-Match": poll["ETag"]}
    assert client.get(f"/jobs/{job.pk}/progress/", headers=same).status_code == 304
    packing.update({name: ItemProgress(phase="packing", share=0.44) for name in packing})
    assert "Packing… 44%" in shown(client.get(f"/jobs/{job.pk}/progress/", headers=same))
    job.packages.update(state=PackageState.FAILED)
    assert "Packing…" not in shown(client.get(f"/jobs/{job.pk}/progress/"))


def test_two_clicks_make_one_zip(client: Client, job: Job) -> None:
    assert asked(client, job).json() == asked(client, job).json()
    assert Package.objects.count() == 1


def test_without_a_script_one_page_becomes_one_link(client: Client, job: Job) -> None:
    page = shown(client.post(f"/jobs/{job.pk}/bundle/", follow=True))
    assert "Your ZIP is being packed" in page
    assert '<meta http-equiv="refresh" content="2">' in page
    file = finish(job).artifact
    assert file
    page = shown(client.get(f"/jobs/{job.pk}/zips/{job.packages.get().pk}/"))
    assert 'http-equiv="refresh"' not in page
    assert f'href="/files/{file.pk}/{file.name}" data-download' in page


def test_a_failure_is_said_in_words(client: Client, job: Job) -> None:
    watch = asked(client, job).json()["watch"]
    job.packages.update(state=PackageState.FAILED, error_code=DiskFull.code)
    told = client.get(watch, headers=JSON).json()
    assert told["state"] == "failed"
    assert told["words"].startswith(DiskFull.message)
    page = shown(client.get(watch))
    assert DiskFull.message in page
    assert 'http-equiv="refresh"' not in page


def test_a_zip_that_is_gone_again_is_not_offered(client: Client, job: Job) -> None:
    watch = asked(client, job).json()["watch"]
    finish(job, expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(watch, headers=JSON).json()["state"] == "failed"


def test_what_cannot_be_packed_at_all(
    client: Client, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(*_: object) -> None:
        raise DiskFull

    monkeypatch.setattr(packing, "request", request)
    told = asked(client, job).json()
    assert told["state"] == "failed"
    assert told["words"].startswith(DiskFull.message)
    back = client.post(f"/jobs/{job.pk}/bundle/", follow=True)
    assert back.redirect_chain[0][0] == f"/jobs/{job.pk}/"
    assert DiskFull.message in shown(back)


def test_nobody_watches_somebody_elses(client: Client, bobs: Client, job: Job) -> None:
    watch = asked(client, job).json()["watch"]
    assert bobs.get(watch, headers=JSON).status_code == 404
    assert bobs.get(watch).status_code == 404
    other = saved(job.owner)
    package = job.packages.get()
    assert client.get(f"/jobs/{other.pk}/zips/{package.pk}/").status_code == 404


def test_a_single_file_is_told_without_a_zip(client: Client, alice: User) -> None:
    job = saved(alice)
    file = job.artifacts.get()
    chosen = {"story": str(file.story_id)}
    told = client.post(f"/jobs/{job.pk}/selection/", chosen, headers=JSON).json()
    assert told == {"state": "ready", "address": f"/files/{file.pk}/{file.name}"}
    assert not Package.objects.exists()
