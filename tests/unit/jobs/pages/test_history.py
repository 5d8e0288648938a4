"""The history: by day, searched, filtered, in pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import Artifact, AuthorPicture, Job
from jobs.pages import history
from jobs.states import ItemState
from tests.factories import make_item, make_job
from tests.unit.jobs.pages.pages import saved, shown

pytestmark = pytest.mark.django_db


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


def test_history_can_be_narrowed_to_what_watches_found(client: Client, alice: User) -> None:
    own, found = saved(alice), saved(alice)
    Job.objects.filter(pk=found.pk).update(from_watch=True)
    assert "Found by a watch" not in shown(client.get("/history/"))  # who may not watch
    page = shown(client.get("/history/?state=found"))
    assert str(found.pk) in page
    assert str(own.pk) not in page
    assert 'href="?state=found" aria-current="true"' in page
    assert '<input type="hidden" name="state" value="found">' in page
    assert "Nothing here mentions" in shown(client.get("/history/?state=found&q=nowhere"))
    Job.objects.update(from_watch=False)
    assert "Watches have found nothing yet." in shown(client.get("/history/?state=found"))


def test_history_has_pages(client: Client, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "JOBS_PER_PAGE", 2)
    for _ in range(3):
        saved(alice)
    assert "page=2" in shown(client.get("/history/"))
    assert client.get("/history/?page=999").status_code == 200


def test_a_row_has_its_size_its_note_and_a_picture_or_a_letter(client: Client, alice: User) -> None:
    job = saved(alice)
    Job.objects.filter(pk=job.pk).update(note="Autumn & <b>")
    page = shown(client.get("/history/"))
    assert '<bdi>Autumn &amp; &lt;b&gt;</bdi></a> <p class="quiet names"><bdi>@nora</bdi>' in page
    assert "1 file, 5 B" in page
    assert '<span class="letter">N</span>' in page
    assert "· ·" not in page
    item = job.items.get()
    AuthorPicture.objects.create(item=item, digest="d1", picture=b"jpeg")
    assert f'<img src="/avatars/{item.pk}.jpg?d1"' in shown(client.get("/history/"))


def chosen(jobs: list[Job], **more: str) -> dict[str, object]:
    """The form as a browser sends it."""
    return {"job": [str(job.pk) for job in jobs], **more}


def test_several_are_forgotten_after_a_question(client: Client, alice: User) -> None:
    jobs = [saved(alice) for _ in range(3)]
    asked = shown(client.post("/history/chosen/", chosen(jobs[:2], what="forget")))
    assert "Forget 2 jobs?" in asked
    assert "2 files, 10 B, are deleted too." in asked
    assert Job.objects.count() == 3
    page = client.post("/history/chosen/", chosen(jobs[:2], what="forget", sure="1"), follow=True)
    assert "2 jobs forgotten." in shown(page)
    assert [job.pk for job in Job.objects.all()] == [jobs[2].pk]


def test_the_question_calls_a_job_as_the_history_does(client: Client, alice: User) -> None:
    job = saved(alice)
    assert "<bdi>@nora</bdi>" in shown(client.get(f"/jobs/{job.pk}/forget/"))
    Job.objects.filter(pk=job.pk).update(note="Autumn & <b>")
    asked = shown(client.get(f"/jobs/{job.pk}/forget/"))
    assert "<bdi>Autumn &amp; &lt;b&gt;</bdi>" in asked
    assert "@nora" not in asked


def test_one_of_them_is_asked_about_with_the_same_form(client: Client, alice: User) -> None:
    job = saved(alice)
    asked = client.post("/history/chosen/", chosen([job], what="forget")).content.decode()
    assert f'name="job" value="{job.pk}"' in asked
    assert 'name="sure"' in asked


def test_a_script_is_answered_without_a_page(client: Client, alice: User) -> None:
    job = saved(alice)
    given = chosen([job], what="forget", sure="1", quiet="1")
    for _ in range(2):  # a second tab may have done it
        answer = client.post("/history/chosen/", given)
        assert (answer.status_code, answer.content) == (204, b"")
    assert not Job.objects.exists()
    assert "forgotten" not in shown(client.get("/history/"))


@pytest.mark.parametrize("what", ["forget", "again"])
def test_others_jobs_and_nonsense_are_left_alone(
    what: str, client: Client, bobs: Client, alice: User
) -> None:
    job = saved(alice)
    for ids in ([str(job.pk)], ["x", "", "1" * 99], []):
        given = {"job": ids, "what": what, "sure": "1"}
        assert bobs.post("/history/chosen/", given).status_code == 302
    assert [other.pk for other in Job.objects.all()] == [job.pk]
    assert client.get("/history/chosen/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post("/history/chosen/", chosen([job], what=what, sure="1")).status_code == 403


def test_several_are_fetched_again(client: Client, alice: User) -> None:
    gone, here = saved(alice), saved(alice)
    Artifact.objects.filter(job=gone).update(removed_at=timezone.now())
    gone.items.update(line="@bea", author_name="bea")
    page = client.post("/history/chosen/", chosen([gone, here], what="again"), follow=True)
    assert "Fetching 1 job again." in shown(page)
    assert Job.objects.count() == 3
    page = client.post("/history/chosen/", chosen([here], what="again"), follow=True)
    assert "There is nothing to fetch again in these jobs." in shown(page)
