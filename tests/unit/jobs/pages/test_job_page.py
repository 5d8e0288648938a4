"""A job's page, as it is rendered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import DjangoAssertNumQueries

from jobs.errors import BY_CODE, message_and_hint
from jobs.files.bundles import Amount
from jobs.models import Artifact, Item, ItemKind, Job, Role, Story, StoryKind
from jobs.pages.saving import offer_of
from jobs.states import ItemState
from jobs.templatetags.words import when
from jobs.zips.contents import package_files
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of, saved, shown

pytestmark = pytest.mark.django_db


def test_a_queued_job_waits_in_words(client: Client, alice: User) -> None:
    job = make_job(alice, links=1)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Queued, next in line" in page
    assert "data-settled" not in page
    assert '<meta http-equiv="refresh"' in page
    assert "Cancel" in page


def test_an_advert_beside_a_saved_line_is_no_failure_and_says_so(
    client: Client, alice: User
) -> None:
    job = saved(alice)
    make_item(
        job, name="app", state=ItemState.EMPTY, error_code="advert", settled_at=timezone.now()
    )
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "This is an ad for the app, not a story." in page
    assert "Nothing to save" in page
    assert "1 file saved and checked" in page
    for wrong in ("without a public story", "failed", "Check again", "Retry"):
        assert wrong not in page, wrong
    card = shown(client.get("/history/"))
    assert "1 with nothing to save" in card
    assert "without a public story" not in card


def test_nothing_but_adverts(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    for number in range(2):
        make_item(job, name=f"app{number}", state=ItemState.EMPTY, error_code="advert")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "This is an ad for the app, not a story" in page
    assert "without a public story" not in page
    assert "Nothing to save" in shown(client.get("/history/?state=empty"))
    make_item(job, name="quiet", state=ItemState.EMPTY)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "No public story right now" in page


def test_a_settled_job_does_not_reload_itself(client: Client, alice: User) -> None:
    page = shown(client.get(f"/jobs/{saved(alice).pk}/"))
    assert "data-settled" in page
    assert "http-equiv" not in page
    assert "1 file saved and checked" in page
    assert "Download image" in page
    assert "/cancel/" not in page


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
    with django_assert_max_num_queries(8):
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
    assert "This account does not exist" in page
    assert "TikTok is not answering" in page
    assert "No public story right now" in page
    assert "Save this post anyway" in page
    assert "Retry the one that can work" in page
    assert "Skipped" in page
    assert page.count("/retry/") == 2  # the job's and the one line's that can gain by it


def test_a_line_that_is_alone_has_one_button_to_retry(client: Client, alice: User) -> None:
    job = make_job(alice, settled_at=timezone.now())
    make_item(job, name="slow", state=ItemState.FAILED, error_code="upstream_down")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "TikTok is not answering" in page
    assert page.count("/retry/") == 1
    assert "can work" not in page


def test_waiting_for_tiktok_is_said_once_for_all_lines(client: Client, alice: User) -> None:
    job = make_job(alice)
    until = timezone.now() + timedelta(minutes=9)
    for name in ("a1", "b2", "c3"):
        make_item(job, name=name, not_before=until, error_code="refused")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count("TikTok is refusing this server right now") == 1
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
    assert page.count("4 of 5. Photo 3 did not arrive.") == 1
    assert "<span>4/5</span>" not in page
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
    assert 'href="?show=failed">5 failed</a>' in page
    assert 'href="?" aria-current="true">All 7</a>' in page
    page = shown(client.get(f"{address}?show=empty"))
    assert page.count('<section class="line') == 2
    assert 'href="?show=empty" aria-current="true">2 without a public story</a>' in page
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
    assert page.count('class="reason"') == 5
    assert page.count('class="verdict') == 0
    hint = escape(BY_CODE["upstream_down"].hint)
    assert page.count(hint) == 1
    page = shown(client.get(f"/jobs/{crowd(alice, failed=2).pk}/"))
    assert page.count('class="verdict failed"') == 2
    assert page.count(hint) == 2


def test_cleaned_up_tiles_stay(client: Client, alice: User) -> None:
    job = saved(alice)
    Artifact.objects.update(removed_at=timezone.now())
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "<br>Deleted <time " in page
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
        assert f'href="/files/{file.pk}/{file.name}" data-download' in thumbs
        assert page.count(f'href="/files/{file.pk}/{file.name}" data-download') == 1
    assert str(zipped.pk) not in thumbs


def test_a_tile_says_when_its_story_was_posted_and_the_whole_caption(
    client: Client, alice: User
) -> None:
    job = saved(alice, caption="word " * 100 + "last")
    posted = when(Story.objects.get().posted_at, "near")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert f'<dd class="posted">{posted}' in page, "it is alone, and large"
    assert "last</dd>" in page
    for _ in range(2):
        make_artifact(make_story(job.items.get()))
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert f"Posted {posted}" in page
    assert "last</p>" in page


def test_labels_are_said(client: Client, alice: User) -> None:
    job = saved(alice, kind=StoryKind.VIDEO)
    Artifact.objects.update(labels=["hevc", "watermarked"], content_type="video/mp4")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "HEVC: may not play everywhere" in page
    assert "With watermark" in page
    assert "Download MP4" in page


@pytest.mark.parametrize(
    ("label", "words"),
    [("no_sound", "No sound"), ("odd_format", "Unusual format: few players open it")],
)
def test_a_video_that_lacks_something_says_so(
    client: Client, alice: User, label: str, words: str
) -> None:
    job = saved(alice, kind=StoryKind.VIDEO)
    Artifact.objects.update(labels=[label], content_type="video/mp4")
    assert f"<li>{words}</li>" in shown(client.get(f"/jobs/{job.pk}/"))


@pytest.mark.parametrize("label", ["joined", "retagged"])
def test_what_was_done_to_a_file_that_plays_is_no_warning(
    client: Client, alice: User, label: str
) -> None:
    job = saved(alice, kind=StoryKind.VIDEO)
    Artifact.objects.update(labels=[label], content_type="video/mp4")
    assert 'class="labels"' not in shown(client.get(f"/jobs/{job.pk}/"))


def test_a_file_whose_format_hides_damage_is_opened_and_has_no_tick(
    client: Client, alice: User
) -> None:
    job = saved(alice)
    assert "saved and checked" in shown(client.get(f"/jobs/{job.pk}/"))
    Artifact.objects.update(checked=False, content_type="image/heic")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "and checked" not in page
    assert ">opened</span>" in page


def test_hostile_text_stays_text(client: Client, alice: User) -> None:
    evil = '"><script>alert(1)</script>'
    job = make_job(alice, note=evil, settled_at=timezone.now())
    item = make_item(
        job, line=evil, state=ItemState.DONE, author_name="x", author_nickname=evil, author_id="1"
    )
    make_artifact(make_story(item, caption=evil), name=f"{evil}.jpg".replace("/", "_"))
    for address in (f"/jobs/{job.pk}/", "/", f"/history/?q={evil}", f"/jobs/{job.pk}/forget/"):
        assert "<script>alert" not in shown(client.get(address))


def test_a_retry_of_lines_that_saved_a_part_is_not_of_failed_ones(
    client: Client, alice: User
) -> None:
    job = saved(alice)
    job.items.update(state=ItemState.PARTIAL, error_code="upstream_down")
    assert page_of(job).retry_label == "Retry"
    make_item(job, name="bea", state=ItemState.DONE)
    assert page_of(job).retry_label == "Retry"
    failed = make_item(job, name="cy", state=ItemState.FAILED, error_code="upstream_down")
    assert page_of(job).retry_label == "Retry 2"
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert "Retry 2" in page
    gone = make_item(job, name="dee", state=ItemState.FAILED, error_code="gone")
    assert page_of(job).retry_label == "Retry the 2 that can work"
    job.items.exclude(pk__in=(failed.pk, gone.pk)).update(state=ItemState.DONE, error_code="")
    assert page_of(job).retry_label == "Retry the one that can work"


def test_the_zip_button_counts_what_the_zip_will_hold(client: Client, alice: User) -> None:
    job = make_job(alice)
    by_name, by_link = (
        make_item(job, name="nora", state=state, author_name="nora")
        for state in (ItemState.PARTIAL, ItemState.DONE)
    )
    story = make_story(by_name, tiktok_id="70")
    make_artifact(story, content=b"one picture", sha256="a" * 64)
    make_artifact(story, role=Role.CONVERTED, content=b"the same as JPEG", sha256="b" * 64)
    make_artifact(story, role=Role.POSTER, content=b"small", sha256="c" * 64)
    # The same story by its link, and one whose file is gone.
    make_artifact(make_story(by_link, tiktok_id="70"), content=b"one picture", sha256="a" * 64)
    gone = make_artifact(make_story(by_link, tiktok_id="71"), content=b"gone")
    Artifact.objects.filter(pk=gone.pk).update(removed_at=timezone.now())
    make_artifact(make_story(by_link, tiktok_id="72"), content=b"another", sha256="d" * 64)
    packed = package_files(job.pk)
    assert [file.role for file in packed].count(Role.MEDIA) == 2
    offer = offer_of(page_of(job))
    assert offer
    assert offer.amount == Amount(2, sum(file.size_bytes for file in packed))
    assert 'Save 2<span class="visually-hidden"> files</span>' in shown(
        client.get(f"/jobs/{job.pk}/")
    )


def test_a_lone_advert_is_said_once(client: Client, alice: User) -> None:
    job = make_job(alice)
    make_item(job, line="https://lite.tiktok.com/t/ZAd/", state=ItemState.EMPTY, target={},
              error_code="advert")  # fmt: skip
    words = message_and_hint("advert")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count(words[0].rstrip(".")) == 2, "for eyes, and for screen readers"
    assert page.count(words[1]) == 1
    assert "Check again" not in page
    make_item(job, name="bea", state=ItemState.DONE)
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert page.count(words[0]) == 1, "in the box of its line"


def test_a_right_to_left_name_turns_nothing_around_it(client: Client, alice: User) -> None:
    """Where no markup can be, as in the page's title, marks keep it apart."""
    job = make_job(alice)
    make_item(job, name="nora", author_id="1", author_name="nora", author_nickname="نورا")
    page = shown(client.get(f"/jobs/{job.pk}/"))
    assert " · \u2068نورا\u2069 · Storykeep</title>" in page
