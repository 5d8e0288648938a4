"""The pages: what they show, to whom, and that acts need a POST."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from jobs.errors import BY_CODE
from jobs.housekeeping import sweep
from jobs.models import (
    Artifact,
    Item,
    ItemKind,
    Job,
    Package,
    PackageState,
    Role,
    Story,
    StoryKind,
)
from jobs.pages import history
from jobs.states import ItemState
from jobs.templatetags.words import when
from jobs.upstream import breaker
from tests.factories import make_artifact, make_item, make_job, make_story, make_user
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db

CSP = "default-src 'none'"


@pytest.fixture
def alice() -> User:
    """Owns what the tests look at."""
    return make_user("alice")


@pytest.fixture
def client(alice: User) -> Client:
    """Alice's browser."""
    browser = Client()
    browser.force_login(alice)
    return browser


@pytest.fixture
def bobs(alice: User) -> Client:
    """Another user's browser."""
    browser = Client()
    browser.force_login(make_user("bob"))
    return browser


# --- one job ------------------------------------------------------------------------------------


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
    assert "Nothing was done" in shown(response)


def test_a_queued_job_waits_in_words(client: Client, alice: User) -> None:
    job = make_job(alice, links=1)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Queued, next in line" in page
    assert "data-settled" not in page
    assert '<meta http-equiv="refresh"' in page
    assert "Cancel" in page


def test_a_settled_job_does_not_reload_itself(client: Client, alice: User) -> None:
    page = shown(client.get(f"/jobs/{saved(alice).pk}/"))
    assert "data-settled" in page
    assert "http-equiv" not in page
    assert "1 file saved and checked" in page
    assert "Download image" in page
    assert "Cancel" not in page


def test_the_fragment_is_the_part_that_changes(client: Client, alice: User) -> None:
    job = saved(alice)
    response = client.get(f"/jobs/{job.pk}/progress/")
    page = response.content.decode()
    assert page.lstrip().startswith('<div id="job"')
    assert "<html" not in page
    assert response["ETag"] in shown(client.get(f"/jobs/{job.pk}/")).replace("&quot;", '"')


def test_the_fragment_is_cheap_and_silent_while_nothing_changes(
    client: Client, alice: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    job = saved(alice)
    for _ in range(3):
        make_artifact(make_story(make_item(job, state=ItemState.DONE)))
    address = f"/jobs/{job.pk}/progress/"
    with django_assert_max_num_queries(3):
        tag = client.get(address)["ETag"]
    with django_assert_max_num_queries(3):
        response = client.get(address, headers={"If-None-Match": tag})
    assert response.status_code == 304
    assert response.content == b""
    Item.objects.filter(job=job).update(error_code="timed_out", state=ItemState.PARTIAL)
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def test_the_fragment_changes_when_tiktok_forgets(client: Client, alice: User) -> None:
    job = saved(alice)
    address = f"/jobs/{job.pk}/progress/"
    tag = client.get(address)["ETag"]
    Story.objects.update(leaves_at=timezone.now() - timedelta(seconds=1))
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 200


def test_every_line_has_its_verdict(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    make_item(job, name="gone", state=ItemState.FAILED, error_code="no_such_account")
    make_item(job, name="slow", state=ItemState.FAILED, error_code="upstream_down")
    make_item(job, name="none", state=ItemState.EMPTY, author_id="1", author_name="none")
    make_item(
        job,
        name="p",
        line="https://www.tiktok.com/@p/video/7300000000000000001",
        kind=ItemKind.POST,
        state=ItemState.FAILED,
        error_code="not_a_story",
    )
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "No public account with that name" in page
    assert "TikTok does not answer" in page
    assert "No active story that everyone can see" in page
    assert "Save this post anyway" in page
    assert "Retry failed (1)" in page
    assert page.count("/retry/") == 2  # the job's and the one line's that can gain by it


def test_a_line_that_is_alone_has_one_button_to_retry(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    make_item(job, name="slow", state=ItemState.FAILED, error_code="upstream_down")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "TikTok does not answer" in page
    assert page.count("/retry/") == 1
    assert "Retry failed" not in page


def test_waiting_for_tiktok_is_said_once_for_all_lines(client: Client, alice: User) -> None:
    job = make_job(alice)
    until = timezone.now() + timedelta(minutes=9)
    for name in ("a1", "b2", "c3"):
        make_item(job, name=name, not_before=until, error_code="refused")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count("TikTok refuses this server at the moment") == 1
    assert "Next attempt" in page


def test_a_missing_photo_is_named(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    item = make_item(
        job, name="n", state=ItemState.PARTIAL, error_code="media_unavailable", author_name="n"
    )
    story = make_story(
        item, kind=StoryKind.CAROUSEL, media_count=5, state=ItemState.PARTIAL,
        error_code="media_unavailable",
    )  # fmt: skip
    for position in (1, 2, 4, 5):
        make_artifact(story, position=position)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "4 of 5. Photo 3 did not arrive." in page
    assert "4 of 5 files saved" in page


def crowd(owner: User, *, failed: int = 5, empty: int = 2, **facts: Any) -> Job:
    """More lines than one sees at a glance."""
    job = make_job(owner, settled_at=timezone.now(), **facts)
    for number in range(failed):
        make_item(job, name=f"bad{number}", state=ItemState.FAILED, error_code="upstream_down")
    for number in range(empty):
        make_item(job, name=f"quiet{number}", state=ItemState.EMPTY)
    return job


def test_many_lines_are_narrowed_down_by_result(client: Client, alice: User) -> None:
    job = crowd(alice)
    address = f"/jobs/{job.pk}/"
    page = shown(client.get(address))
    assert page.count('<section class="line') == 7
    assert f'href="{address}?show=failed">5 failed</a>' in page
    assert f'href="{address}" aria-current="true"' in page
    page = shown(client.get(f"{address}?show=empty"))
    assert page.count('<section class="line') == 2
    assert f'href="{address}?show=empty" aria-current="true">2 without active stories</a>' in page
    # What polls asks for the same.
    assert f'data-fragment="{address}progress/?show=empty"' in page
    part = shown(client.get(f"{address}progress/?show=empty"))
    assert part.count('<section class="line') == 2


@pytest.mark.parametrize("show", ["running", "nonsense", ""])
def test_what_no_line_is_in_hides_none(client: Client, alice: User, show: str) -> None:
    job = crowd(alice)
    page = shown(client.get(f"/jobs/{job.pk}/?show={show}"))
    assert page.count('<section class="line') == 7


def test_few_lines_need_no_narrowing(client: Client, alice: User) -> None:
    job = crowd(alice, failed=2)
    page = shown(client.get(f"/jobs/{job.pk}/?show=failed"))
    assert "?show=" not in page
    assert page.count('<section class="line') == 4


def test_among_many_lines_a_failure_takes_little_room(client: Client, alice: User) -> None:
    page = shown(client.get(f"/jobs/{crowd(alice).pk}/"))
    assert page.count('class="verdict failed slim"') == 5
    hint = escape(BY_CODE["upstream_down"].hint)
    assert page.count(hint) == 1
    page = shown(client.get(f"/jobs/{crowd(alice, failed=2).pk}/"))
    assert page.count('class="verdict failed"') == 2
    assert page.count(hint) == 2


def test_cleaned_up_tiles_stay(client: Client, alice: User) -> None:
    job = saved(alice)
    Artifact.objects.update(removed_at=timezone.now())
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Cleaned up" in page
    assert "Fetch again" in page
    Story.objects.update(leaves_at=timezone.now() - timedelta(hours=1))
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Gone from TikTok too" in page
    assert "Fetch again" not in page


def test_a_carousel_shows_every_picture_with_its_download(client: Client, alice: User) -> None:
    job = saved(alice, kind=StoryKind.CAROUSEL, media_count=3)
    story = Story.objects.get()
    files = [Artifact.objects.get(), make_artifact(story), make_artifact(story)]
    zipped = make_artifact(story, role=Role.ZIP, position=0)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    thumbs = page.split('<ul class="thumbs">')[1].split("</ul>")[0]
    for file in files:
        assert f'href="/files/{file.pk}/{file.name}?inline=1"' in thumbs
        assert f'href="/files/{file.pk}/{file.name}" download' in thumbs
        assert page.count(f'href="/files/{file.pk}/{file.name}" download') == 1
    assert str(zipped.pk) not in thumbs


def test_a_tile_says_when_its_story_was_posted_and_the_whole_caption(
    client: Client, alice: User
) -> None:
    job = saved(alice, caption="word " * 100 + "last")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert f"Posted {when(Story.objects.get().posted_at, 'near')}" in page
    assert "last</p>" in page


def test_labels_are_said(client: Client, alice: User) -> None:
    job = saved(alice, kind=StoryKind.VIDEO)
    Artifact.objects.update(labels=["hevc", "watermarked"], content_type="video/mp4")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "HEVC: may not play everywhere" in page
    assert "with watermark" in page
    assert "Download MP4" in page


def test_hostile_text_stays_text(client: Client, alice: User) -> None:
    evil = '"><script>alert(1)</script>'
    job = make_job(alice, note=evil, settled_at=timezone.now())
    item = make_item(
        job, line=evil, state=ItemState.DONE, author_name="x", author_nickname=evil, author_id="1"
    )
    make_artifact(make_story(item, caption=evil), name=f"{evil}.jpg".replace("/", "_"))
    for address in (f"/jobs/{job.pk}/", "/", f"/history/?q={evil}", f"/jobs/{job.pk}/forget/"):
        assert "<script>alert" not in shown(client.get(address))


# --- acts ---------------------------------------------------------------------------------------


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
    sweep.delete_files(job)
    said = shown(client.post(f"/jobs/{job.pk}/extend/", follow=True))
    assert "There are no files here to keep any longer." in said


def test_the_button_says_until_when_files_would_be_kept(
    client: Client, alice: User, set_env: Callable[..., object]
) -> None:
    set_env(artifact_ttl=timedelta(hours=2), artifact_ttl_max=timedelta(hours=5))
    job = saved(alice)
    until = Artifact.objects.get().expires_at + timedelta(hours=2)
    assert f"Keep until {when(until, 'near')}" in shown(client.get(f"/jobs/{job.pk}/"))
    for _ in range(2):
        client.post(f"/jobs/{job.pk}/extend/")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Keep until" not in page
    assert "as long as this instance keeps them" in page
    # One that was saved later may still be kept longer.
    later = timedelta(hours=1)
    make_artifact(
        Story.objects.get(),
        created_at=timezone.now() + later,
        expires_at=Artifact.objects.get().expires_at,
    )
    assert "Keep longer" in shown(client.get(f"/jobs/{job.pk}/"))


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


# --- ZIPs and files -----------------------------------------------------------------------------


def test_a_bundle_is_packed_then_taken(client: Client, alice: User) -> None:
    job = saved(alice)
    assert client.post(f"/jobs/{job.pk}/bundle/")["Location"] == f"/jobs/{job.pk}/"
    package = Package.objects.get()
    zipped = make_artifact(job=job)
    package.state, package.artifact = PackageState.DONE, zipped
    package.save()
    response = client.post(f"/jobs/{job.pk}/bundle/")
    assert response["Location"] == f"/files/{zipped.pk}/{zipped.name}"


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
    assert response["Location"] == f"/jobs/{job.pk}/"
    assert str(other.pk) in Package.objects.get().selection


def test_nothing_selected_is_said(client: Client, alice: User) -> None:
    job = saved(alice)
    page = shown(client.post(f"/jobs/{job.pk}/selection/", follow=True))
    assert "There are no files to put into a ZIP" in page
    assert not Package.objects.exists()


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
    assert "Our copy of this file has been deleted" in shown(response)


# --- lists and words ----------------------------------------------------------------------------


def test_history_is_by_day_and_searchable(client: Client, alice: User) -> None:
    today, before = saved(alice), saved(alice)
    Job.objects.filter(pk=before.pk).update(
        created_at=timezone.now() - timedelta(days=2), note="harbour"
    )
    page = shown(client.get("/history/"))
    assert page.count('<section class="day">') == 2
    assert page.index(str(today.pk)) < page.index(str(before.pk))
    found = shown(client.get("/history/?q=HARB"))
    assert str(before.pk) in found
    assert str(today.pk) not in found
    assert "Nothing here mentions" in shown(client.get("/history/?q=nowhere"))
    assert "@nora" in shown(client.get("/history/?q=@nora"))


def test_history_can_be_narrowed_to_a_result(client: Client, alice: User) -> None:
    done = saved(alice)
    mixed = saved(alice)
    make_item(mixed, name="gone", state=ItemState.FAILED, error_code="no_such_account")
    failed = make_job(alice, links=2, state=ItemState.FAILED)
    page = shown(client.get("/history/"))
    assert all(str(job.pk) in page for job in (done, mixed, failed))
    assert '<li class="failed">1 failed</li>' in page
    for state, job in (("done", done), ("partial", mixed), ("failed", failed)):
        page = shown(client.get(f"/history/?state={state}"))
        assert [other.pk for other in (done, mixed, failed) if str(other.pk) in page] == [job.pk]
        assert f'href="?state={state}" aria-current="true"' in page
    assert "No job ended like that" in shown(client.get("/history/?state=cancelled"))
    assert str(done.pk) not in shown(client.get("/history/?state=failed&q=author1"))
    assert str(done.pk) in shown(client.get("/history/?state=nonsense"))


def test_history_has_pages(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "JOBS_PER_PAGE", 2)
    for _ in range(3):
        saved(alice)
    assert "page=2" in shown(client.get("/history/"))
    assert client.get("/history/?page=999").status_code == 200


def test_help_has_every_code_and_needs_no_account() -> None:
    page = shown(Client().get("/help/"))
    for code in BY_CODE:
        assert f"<code>{code}</code>" in page, code


@pytest.mark.parametrize("address", ["/", "/help/", "/history/", "/account/", "/login/"])
def test_every_page_keeps_its_policy(client: Client, address: str) -> None:
    response = client.get(address, follow=True)
    assert CSP in response["Content-Security-Policy"]
    page = response.content.decode()
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


def test_what_does_not_exist_is_a_plain_page(client: Client) -> None:
    response = client.get(f"/jobs/{uuid.uuid4()}/")
    assert response.status_code == 404
    assert "There is nothing here" in shown(response)


def test_a_crash_gives_an_id_to_quote(
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(*_: Any) -> Any:
        raise RuntimeError("nobody is to read this")

    monkeypatch.setattr(breaker, "breaker_status", crash)
    browser = Client(raise_request_exception=False)
    browser.force_login(alice)
    response = browser.get("/")
    page = response.content.decode()
    assert response.status_code == 500
    assert "nobody is to read this" not in page
    assert "Traceback" not in page
    quoted = page.split('<code class="quote">')[1].split("<")[0]
    assert any(quoted in record.getMessage() for record in caplog.records)


def test_account_and_password(client: Client, alice: User) -> None:
    assert "alice" in shown(client.get("/account/"))
    response = client.post(
        "/account/password/",
        {
            "oldpassword": "alicealice",
            "password1": "correct horse 9",
            "password2": "correct horse 9",
        },
    )
    assert response["Location"] == "/account/"
    alice.refresh_from_db()
    assert alice.check_password("correct horse 9")
