"""A job's buttons: for whom they work, and what they do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.files import deletion
from jobs.models import Artifact, Job, Package, PackageState, Role, Story
from jobs.states import ItemState
from jobs.templatetags.words import when
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db
S = ItemState


def test_someone_elses_job_is_not_found(bobs: Client, alice: User) -> None:
    job = saved(alice)
    item, story = job.items.get(), Story.objects.get()
    file = Artifact.objects.get()
    assert bobs.get(f"/stories/{story.pk}/clean/").status_code == 404
    for address in ("", "progress/", "forget/", "clean/"):
        assert bobs.get(f"/jobs/{job.pk}/{address}").status_code == 404
    for act in ("cancel", "retry", "again", "bundle", "selection", "extend", "clean", "forget"):
        assert bobs.post(f"/jobs/{job.pk}/{act}/").status_code == 404
    for act in (f"items/{item.pk}/retry", f"items/{item.pk}/again"):
        assert bobs.post(f"/{act}/").status_code == 404
    for act in (f"stories/{story.pk}/again", f"stories/{story.pk}/clean"):
        assert bobs.post(f"/{act}/").status_code == 404
    assert bobs.get(f"/files/{file.pk}/{file.name}").status_code == 404
    assert Job.objects.filter(pk=job.pk).exists()


def test_a_stranger_is_sent_to_the_sign_in(alice: User) -> None:
    job = saved(alice)
    file = Artifact.objects.get()
    addresses = ("/", "/history/", "/account/", f"/jobs/{job.pk}/", f"/jobs/{job.pk}/progress/")
    for address in (*addresses, f"/files/{file.pk}/x.jpg"):
        assert Client().get(address)["Location"].startswith("/login/?next="), address


def test_acts_need_a_post_and_a_token(client: Client, alice: User) -> None:
    job = saved(alice)
    for act in ("cancel", "retry", "again", "bundle", "selection", "extend"):
        assert client.get(f"/jobs/{job.pk}/{act}/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    response = strict.post(f"/jobs/{job.pk}/forget/")
    assert response.status_code == 403
    assert "Nothing was changed" in shown(response)


@pytest.mark.parametrize("state", [S.DONE, S.PARTIAL, S.EMPTY, S.FAILED, S.CANCELLED])
def test_a_job_cancelled_from_a_second_tab_after_it_ended_stays_as_it_is_and_says_so(
    client: Client, alice: User, state: ItemState
) -> None:
    job = make_job(alice, links=1, state=state)
    settled_at = job.settled_at
    page = shown(client.post(f"/jobs/{job.pk}/cancel/", follow=True))
    assert "Nothing was cancelled: this job had already ended." in page
    job.refresh_from_db()
    assert (job.items.get().state, job.settled_at) == (state, settled_at)


def test_a_job_cancelled_in_time_needs_no_words(client: Client, alice: User) -> None:
    job = make_job(alice, links=1)
    make_item(job, state=S.DONE)
    page = shown(client.post(f"/jobs/{job.pk}/cancel/", follow=True))
    assert "already ended" not in page
    assert sorted(job.items.values_list("state", flat=True)) == ["cancelled", "done"]


def test_cancel(client: Client, alice: User) -> None:
    job = make_job(alice, links=2)
    assert client.post(f"/jobs/{job.pk}/cancel/")["Location"] == f"/jobs/{job.pk}/"
    assert set(job.items.values_list("state", flat=True)) == {ItemState.CANCELLED}


def test_retry_all_and_one(client: Client, alice: User) -> None:
    job = make_job(alice, links=2, state=ItemState.FAILED)
    job.items.update(error_code="upstream_down")
    first, second = job.items.order_by("position")
    response = client.post(f"/items/{first.pk}/retry/")
    assert response["Location"] == f"/jobs/{job.pk}/#line-{first.pk}"
    assert job.items.get(pk=first.pk).state == ItemState.QUEUED
    assert job.items.get(pk=second.pk).state == ItemState.FAILED
    client.post(f"/jobs/{job.pk}/retry/")
    assert job.items.get(pk=second.pk).state == ItemState.QUEUED


def test_save_a_post_anyway(client: Client, alice: User) -> None:
    line = "https://www.tiktok.com/@p/video/7300000000000000001"
    old = make_job(alice, note="why", settled_at=timezone.now())
    item = make_item(old, line=line, state=ItemState.FAILED, error_code="not_a_story")
    response = client.post(f"/items/{item.pk}/again/", {"posts": "1"})
    job = Job.objects.exclude(pk=old.pk).get()
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert (job.posts, job.note, job.items.get().line) == (True, "why", line)


def test_fetch_a_story_again(client: Client, alice: User) -> None:
    url = "https://www.tiktok.com/@nora/story/7300000000000000001"
    old = saved(alice, source_url=url)
    client.post(f"/stories/{Story.objects.get().pk}/again/")
    job = Job.objects.exclude(pk=old.pk).get()
    assert (job.posts, job.items.get().line) == (False, url)


def test_extend(client: Client, alice: User) -> None:
    job = saved(alice)
    Artifact.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    client.post(f"/jobs/{job.pk}/extend/")
    assert Artifact.objects.get().expires_at > timezone.now() + timedelta(hours=1)


def test_keeping_longer_says_until_when(
    client: Client, alice: User, set_env: Callable[..., object]
) -> None:
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=24))
    job = saved(alice)
    said = shown(client.post(f"/jobs/{job.pk}/extend/", follow=True))
    until = Artifact.objects.get().expires_at
    assert f"Files are kept until {when(until)}." in said
    # Where there is nothing to gain, that is said, too.
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=2))
    said = shown(client.post(f"/jobs/{job.pk}/extend/", follow=True))
    assert f"Files are kept until {when(until)}, as long as this instance allows." in said
    deletion.delete_job_files(job)
    said = shown(client.post(f"/jobs/{job.pk}/extend/", follow=True))
    assert "There are no files here to keep any longer." in said


def test_the_button_says_until_when_files_would_be_kept(
    client: Client, alice: User, set_env: Callable[..., object]
) -> None:
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=5))
    job = saved(alice)
    first = Artifact.objects.get().expires_at
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert f"Keep 2 h longer (until {when(first + timedelta(hours=2), 'near')})" in page
    assert f"Keep as long as possible (until {when(first + timedelta(hours=3), 'near')})" in page
    client.post(f"/jobs/{job.pk}/extend/", {"hours": "24"})
    short = first + timedelta(hours=3) - Artifact.objects.get().expires_at
    assert abs(short) < timedelta(seconds=1)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Keep" not in page.replace("Storykeep", "")
    assert "Files stay as long as this instance allows." in page
    # One that was saved later may still be kept longer.
    later = timedelta(hours=1)
    make_artifact(
        Story.objects.get(),
        created_at=timezone.now() + later,
        expires_at=Artifact.objects.get().expires_at,
    )
    assert "Keep as long as possible<" in shown(client.get(f"/jobs/{job.pk}/"))


@pytest.mark.parametrize("hours", ["", "3", "-2", "nonsense", "²"])
def test_what_is_no_choice_is_one_lifetime(
    client: Client, alice: User, set_env: Callable[..., object], hours: str
) -> None:
    set_env(artifact_ttl=timedelta(hours=3), artifact_ttl_max=timedelta(hours=30))
    job = saved(alice)
    first = Artifact.objects.get().expires_at
    client.post(f"/jobs/{job.pk}/extend/", {"hours": hours})
    assert Artifact.objects.get().expires_at == first + timedelta(hours=3)


def test_deleting_asks_first_and_says_what_went(client: Client, alice: User) -> None:
    job = saved(alice)
    story = Story.objects.get()
    make_artifact(story, size_bytes=1_699_995)
    make_artifact(story, role=Role.POSTER, position=1, size_bytes=9)
    make_artifact(make_story(job.items.get()), size_bytes=300_000)
    for address, files, size in (
        (f"/stories/{story.pk}/clean/", 2, "1.7 MB"),
        (f"/jobs/{job.pk}/clean/", 1, "300 kB"),
    ):
        page = shown(client.get(address)).replace("\N{NO-BREAK SPACE}", " ")
        assert f"Delete {files} file{'s' * (files > 1)}, {size}?" in page
        here = Artifact.objects.filter(removed_at=None).count()
        assert here >= files
        page = shown(client.post(address, follow=True)).replace("\N{NO-BREAK SPACE}", " ")
        assert f"{files} file{'s' * (files > 1)} deleted, {size}." in page
        assert Artifact.objects.filter(removed_at=None).count() < here
    assert not Artifact.objects.filter(removed_at=None).exists()
    assert "There are no files here any more." in shown(client.get(address, follow=True))


def test_after_deleting_one_story_its_tile_is_in_sight(client: Client, alice: User) -> None:
    saved(alice)
    story = Story.objects.get()
    back = f"/jobs/{story.item.job_id}/#story-{story.pk}"
    assert f'href="{back}"' in shown(client.get(f"/stories/{story.pk}/clean/"))
    assert client.post(f"/stories/{story.pk}/clean/")["Location"] == back
    assert f'id="story-{story.pk}" tabindex="-1"' in shown(client.get(back))


def test_forget_asks_first(client: Client, alice: User) -> None:
    job = saved(alice)
    assert "cannot be undone" in shown(client.get(f"/jobs/{job.pk}/forget/"))
    assert Job.objects.exists()
    response = client.post(f"/jobs/{job.pk}/forget/", follow=True)
    assert "Forgotten" in shown(response)
    assert not Job.objects.exists()


def test_a_bundle_is_packed_then_taken(client: Client, alice: User) -> None:
    job = saved(alice)
    response = client.post(f"/jobs/{job.pk}/bundle/")
    package = Package.objects.get()
    assert response["Location"] == f"/jobs/{job.pk}/zips/{package.pk}/"
    zipped = make_artifact(job=job)
    package.state, package.artifact = PackageState.DONE, zipped
    package.save()
    response = client.post(f"/jobs/{job.pk}/bundle/")
    assert response["Location"] == f"/files/{zipped.pk}/{zipped.name}"


def test_a_page_switched_to_german_offers_to_pack_again_and_the_english_one_its_own(
    client: Client, alice: User
) -> None:
    job = saved(alice)
    make_artifact(make_story(job.items.get()), content=b"another")
    later = timezone.now() + timedelta(seconds=1)
    zipped = make_artifact(job=job, role=Role.BUNDLE, created_at=later)
    english = Package.objects.create(
        job=job, owner=alice, state=PackageState.DONE, artifact=zipped, language="en"
    )
    Job.objects.filter(pk=job.pk).update(bundle=english)

    def offer(language: str) -> str:
        response = client.get(f"/jobs/{job.pk}/", headers={"Accept-Language": language})
        return "take" if f"/files/{zipped.pk}" in shown(response) else "pack"

    assert (offer("en"), offer("de")) == ("take", "pack")
    client.post(f"/jobs/{job.pk}/bundle/", headers={"Accept-Language": "de"})
    assert Package.objects.latest("created_at").language == "de"
    assert offer("en") == "take"


def test_a_single_file_is_never_wrapped(client: Client, alice: User) -> None:
    job = saved(alice)
    story, file = Story.objects.get(), Artifact.objects.get()
    make_artifact(story, role=Role.POSTER, position=1, name="poster.jpg")
    response = client.post(f"/jobs/{job.pk}/selection/", {"story": str(story.pk)})
    assert response["Location"] == f"/files/{file.pk}/{file.name}"


def test_several_are(client: Client, alice: User) -> None:
    job = saved(alice)
    other = make_artifact(make_story(job.items.get()))
    chosen = [str(story.pk) for story in Story.objects.all()]
    response = client.post(f"/jobs/{job.pk}/selection/", {"story": [*chosen, "nonsense"]})
    package = Package.objects.get()
    assert response["Location"] == f"/jobs/{job.pk}/zips/{package.pk}/"
    assert str(other.pk) in package.selection


def test_nothing_selected_is_said(client: Client, alice: User) -> None:
    job = saved(alice)
    page = shown(client.post(f"/jobs/{job.pk}/selection/", follow=True))
    assert "There are no files for a ZIP" in page
    assert not Package.objects.exists()
