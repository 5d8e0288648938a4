"""The address of a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.errors import TooManyDownloads
from jobs.files import serving
from jobs.models import Artifact
from tests.factories import make_user
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db


def test_a_file_downloads_or_shows(client: Client, alice: User) -> None:
    saved(alice)
    file = Artifact.objects.get()
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response["Content-Disposition"].startswith("attachment")
    assert b"".join(response) == b"bytes"
    shows = client.get(f"/files/{file.pk}/{file.name}?inline=1")
    assert shows["Content-Disposition"].startswith("inline")
    shows.close()


def test_an_expired_file_says_so(client: Client, alice: User) -> None:
    saved(alice)
    Artifact.objects.update(removed_at=timezone.now())
    file = Artifact.objects.get()
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response.status_code == 410
    assert "Our copy of this file was deleted" in shown(response)
    assert f'href="/jobs/{file.job_id}/#story-{file.story_id}"' in shown(response)


def test_a_damaged_file_says_so_and_its_tile_too(
    client: Client, alice: User, artifacts: Path
) -> None:
    job = saved(alice)
    file = Artifact.objects.get()
    (artifacts / str(file.pk)[:2] / str(file.pk)).write_bytes(b"byt")
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response.status_code == 410
    assert "Our copy of this file was damaged on the disk." in shown(response)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Damaged on our disk." in page
    assert page.count("Fetch again") == 1


def test_while_the_disk_is_away_a_file_is_away_and_not_gone(
    client: Client, alice: User, artifacts: Path, tmp_path: Path
) -> None:
    saved(alice)
    file = Artifact.objects.get()
    artifacts.rename(tmp_path / "elsewhere")
    artifacts.mkdir()
    for address in (f"/files/{file.pk}/{file.name}", f"/files/{file.pk}/{file.name}?inline=1"):
        response = client.get(address)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "30"
        assert "disk for saved files cannot be used right now." in response.content.decode()
    for page in ("/", f"/jobs/{file.job_id}/", "/history/"):
        assert "Saved files are not available right now." in shown(client.get(page))
    artifacts.rmdir()
    (tmp_path / "elsewhere").rename(artifacts)
    assert b"".join(client.get(f"/files/{file.pk}/{file.name}")) == b"bytes"
    assert "Saved files are not available" not in shown(client.get("/"))


def test_too_many_downloads_are_a_page_that_leads_back(
    client: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(alice)
    file = Artifact.objects.get()

    def full(*_download: object) -> None:
        raise TooManyDownloads(retry_after_s=5)

    monkeypatch.setattr(serving.slots, "take", full)
    response = client.get(f"/files/{file.pk}/{file.name}")
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "5"
    assert "attachment" not in response.headers.get("Content-Disposition", "")
    assert f'href="/jobs/{file.job_id}/#story-{file.story_id}"' in shown(response)


def test_a_download_while_signed_out_leads_through_the_sign_in_to_its_page(alice: User) -> None:
    """Straight to the file, the form would go on standing there as if nothing had happened."""
    saved(alice)
    file = Artifact.objects.get()
    browser = Client()
    to_login = browser.get(f"/files/{file.pk}/{file.name}")
    assert to_login.status_code == 302
    assert to_login.headers["Location"].startswith(f"/login/?next=/files/{file.pk}/")
    form = {"login": "alice", "password": "alicealice"}
    back = browser.post(to_login.headers["Location"], form, follow=True)
    assert back.redirect_chain[-1][0] == f"/jobs/{file.job_id}/#story-{file.story_id}"
    assert back.status_code == 200


def test_a_picture_looked_at_while_signed_out_is_shown_after_the_sign_in(alice: User) -> None:
    saved(alice)
    file = Artifact.objects.get()
    browser = Client()
    to_login = browser.get(f"/files/{file.pk}/{file.name}?inline=1")
    form = {"login": "alice", "password": "alicealice"}
    shows = browser.post(to_login.headers["Location"], form, follow=True)
    assert shows["Content-Disposition"].startswith("inline")
    shows.close()


def test_another_persons_file_stays_unknown_after_the_sign_in(alice: User) -> None:
    saved(alice)
    file = Artifact.objects.get()
    browser = Client()
    browser.force_login(make_user("bob"))
    assert browser.get(f"/files/{file.pk}/{file.name}?signed-in").status_code == 404


def test_no_link_to_a_file_asks_the_browser_to_save_whatever_comes(
    client: Client, alice: User
) -> None:
    """With `download` it would save a sign-in page or an error as a file."""
    page = shown(client.get(f"/jobs/{saved(alice).pk}/"))
    assert "data-download" in page
    assert not re.search(r"<a [^>]*\sdownload[\s>=]", page)
