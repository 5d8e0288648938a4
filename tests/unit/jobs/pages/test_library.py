"""Keeping for good on the pages: offered to who wants it, told, and forgotten when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from jobs.files import library_folder
from jobs.library import choices, run
from jobs.models import CopyState, Job, LibraryChoice, LibraryCopy, LibraryMode, Story
from jobs.queue import erasure
from tests.factories import make_user
from tests.immich import KEY
from tests.unit.jobs.library.test_run import files, saved

pytestmark = pytest.mark.django_db(transaction=True)

OFFER = "Keep for good"


@pytest.fixture
def library(set_env: Callable[..., None], tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    set_env(library_dir=folder, disk_min_free=0)
    return folder


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(make_user("alice"))
    return client


def story_of_alice(mode: LibraryMode | None = LibraryMode.ASK) -> Story:
    """A saved story that nobody keeps yet."""
    story = saved()
    LibraryCopy.objects.all().delete()
    if mode:
        choices.choose(story.owner_id, mode)
    return story


def page_of(client: Client, story: Story) -> str:
    return client.get(reverse("job", args=[story.item.job_id])).content.decode()


@pytest.mark.parametrize("mode", [None, *LibraryMode])
def test_who_wants_it_is_offered_to_keep_a_story(
    library: Path, browser: Client, mode: LibraryMode | None
) -> None:
    story = story_of_alice(mode)
    assert (OFFER in page_of(browser, story)) == (mode not in {None, LibraryMode.NEVER})


def test_without_a_library_nothing_is_offered(browser: Client) -> None:
    story = story_of_alice()
    assert OFFER not in page_of(browser, story)
    assert browser.post(reverse("story_keep", args=[story.pk])).status_code == 404
    assert browser.get(reverse("library_settings")).status_code == 404


def test_the_page_says_how_far_it_has_come(library: Path, browser: Client) -> None:
    story = story_of_alice()
    fragment = reverse("job_fragment", args=[story.item.job_id])
    tags = [browser.get(fragment).headers["ETag"]]
    answer = browser.post(reverse("story_keep", args=[story.pk]))
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"#story-{story.pk}")
    page = page_of(browser, story)
    assert page.count("Being copied to the library") == 2  # on the tile, and in its menu
    assert "data-settled data-copying>" in page  # so it is asked about until it is there
    assert OFFER not in page.replace("Kept for good", "")
    tags.append(browser.get(fragment).headers["ETag"])
    run.run()
    page = page_of(browser, story)
    assert page.count("Kept for good") == 2
    assert "data-copying" not in page
    assert '<dd class="library">' in page
    tags.append(browser.get(fragment).headers["ETag"])
    assert len(set(tags)) == 3
    assert len(files(library)) == 3


def test_it_still_says_so_when_the_job_has_no_files_any_more(
    library: Path, browser: Client
) -> None:
    story = story_of_alice()
    browser.post(reverse("story_keep", args=[story.pk]))
    run.run()
    browser.post(reverse("job_clean", args=[story.item.job_id]))
    page = page_of(browser, story)
    assert "Deleted" in page
    assert page.count("Kept for good") == 1
    assert OFFER not in page.replace("Kept for good", "")


def test_it_is_offered_again_after_it_failed(library: Path, browser: Client) -> None:
    story = story_of_alice()
    browser.post(reverse("story_keep", args=[story.pk]))
    LibraryCopy.objects.update(state=CopyState.FAILED)
    assert OFFER in page_of(browser, story)


def test_a_second_tap_says_that_it_is_there(library: Path, browser: Client) -> None:
    story = story_of_alice()
    for expected in ("1 file is being copied", "nothing new"):
        answer = browser.post(reverse("story_keep", args=[story.pk]), follow=True)
        assert expected in answer.content.decode()
    assert LibraryCopy.objects.count() == 2


def test_it_is_offered_again_once_it_was_forgotten(library: Path, browser: Client) -> None:
    story = story_of_alice()
    browser.post(reverse("story_keep", args=[story.pk]))
    run.run()
    LibraryCopy.objects.update(state=CopyState.REMOVING)
    assert "Being copied" not in page_of(browser, story)
    assert OFFER in page_of(browser, story)


def test_that_the_library_is_away_is_said_where_it_is_asked_for(
    library: Path, browser: Client
) -> None:
    story = story_of_alice()
    library_folder.root()
    library.rename(library.with_name("aside"))
    run.run()
    answer = browser.post(reverse("story_keep", args=[story.pk]), follow=True)
    assert "It is copied once the library’s disk is there." in answer.content.decode()
    page = answer.content.decode()
    assert "being copied" not in page.lower()
    assert page.count("Waits for the library’s disk") == 2
    assert "data-copying" not in page


def test_nobody_keeps_a_story_of_somebody_else(library: Path) -> None:
    story = story_of_alice()
    bob = make_user("bob")
    choices.choose(bob.pk, LibraryMode.EVERYTHING)
    client = Client()
    client.force_login(bob)
    assert client.post(reverse("story_keep", args=[story.pk])).status_code == 404
    assert not LibraryCopy.objects.exists()


def test_the_page_asks_nothing_of_the_library_where_there_is_none(
    browser: Client, django_assert_num_queries: Callable[..., object], set_env: Callable[..., None],
    tmp_path: Path,
) -> None:  # fmt: skip
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    story = story_of_alice(LibraryMode.NEVER)
    page_of(browser, story)
    with CaptureQueriesContext(connection) as without:
        page_of(browser, story)
    set_env(library_dir=tmp_path)
    with CaptureQueriesContext(connection) as never:
        page_of(browser, story)
    choices.choose(story.owner_id, LibraryMode.ASK)
    with CaptureQueriesContext(connection) as asked:
        page_of(browser, story)
    assert not any("library" in query["sql"] for query in without.captured_queries)
    assert len(never) == len(without) + 1
    assert len(asked) == len(without) + 2


# --- the page of choices --------------------------------------------------------------------------


def test_a_choice_is_kept(library: Path, browser: Client) -> None:
    address = reverse("library_settings")
    assert browser.post(address, {"mode": "watches"}).status_code == 302
    assert LibraryChoice.objects.get().mode == LibraryMode.WATCHES
    assert 'value="watches" checked' in browser.get(address).content.decode()
    browser.post(address, {"mode": "nonsense"})
    assert LibraryChoice.objects.get().mode == LibraryMode.WATCHES


@pytest.mark.parametrize("waiting", [True, False])
def test_that_what_is_on_its_way_still_arrives_is_said(
    library: Path, browser: Client, waiting: bool
) -> None:
    story_of_alice(LibraryMode.EVERYTHING)
    library_folder.root()
    if waiting:
        library.rename(library.with_name("aside"))
    run.run()
    page = browser.post(reverse("library_settings"), {"mode": "never"}, follow=True)
    assert ("still arrives" in page.content.decode()) == waiting
    if waiting:
        library.with_name("aside").rename(library)
    LibraryCopy.objects.update(not_before=None)
    run.run()
    assert LibraryCopy.objects.filter(state=CopyState.KEPT).count() == 2


def test_watches_are_no_choice_where_nobody_may_watch(
    library: Path, browser: Client, set_env: Callable[..., None]
) -> None:
    address = reverse("library_settings")
    assert 'value="watches"' in browser.get(address).content.decode()
    set_env(watches="off")
    assert 'value="watches"' not in browser.get(address).content.decode()


def test_a_key_is_taken_and_never_shown(
    library: Path, browser: Client, set_env: Callable[..., None]
) -> None:
    address = reverse("library_settings")
    assert "Immich" not in browser.get(address).content.decode()
    set_env(immich_url="http://127.0.0.1:9")
    assert "Immich" in browser.get(address).content.decode()
    browser.post(address, {"immich": "1", "key": KEY, "album": "Stories"})
    choice = LibraryChoice.objects.get()
    assert choice.immich_key
    assert choice.album == "Stories"
    page = browser.get(address).content.decode()
    assert KEY not in page
    assert choice.immich_key not in page
    browser.post(address, {"immich": "1", "key": "", "album": ""})
    assert LibraryChoice.objects.get().immich_key == choice.immich_key
    browser.post(address, {"forget": "1"})
    assert LibraryChoice.objects.get().immich_key == ""


def test_what_is_no_key_is_refused(
    library: Path, browser: Client, set_env: Callable[..., None]
) -> None:
    set_env(immich_url="http://127.0.0.1:9")
    answer = browser.post(reverse("library_settings"), {"immich": "1", "key": "a b"})
    assert answer.status_code == 422
    assert "does not look like" in answer.content.decode()


def test_without_an_immich_no_key_is_taken(library: Path, browser: Client) -> None:
    browser.post(reverse("library_settings"), {"immich": "1", "key": KEY})
    assert not LibraryChoice.objects.exclude(immich_key="").exists()


def test_numbers_and_reasons_are_told(library: Path, browser: Client) -> None:
    story_of_alice()
    LibraryCopy.objects.create(
        owner=make_user("alice"), tiktok_id="1", position=1, reason="full", state=CopyState.WAITING
    )
    page = browser.get(reverse("library_settings")).content.decode()
    assert "1 waiting" in page
    assert "disk is full" in page
    assert 'class="note warn stack"' in page
    LibraryCopy.objects.update(reason="")
    page = browser.get(reverse("library_settings")).content.decode()
    assert 'class="note stack"' in page


def test_the_account_page_leads_there(
    browser: Client, set_env: Callable[..., None], tmp_path: Path
) -> None:
    address = reverse("library_settings")
    assert address not in browser.get(reverse("account")).content.decode()
    set_env(library_dir=tmp_path)
    assert address in browser.get(reverse("account")).content.decode()


# --- forgetting -----------------------------------------------------------------------------------


def kept_story(browser: Client) -> Story:
    story = story_of_alice()
    browser.post(reverse("story_keep", args=[story.pk]))
    run.run()
    return story


def test_forgetting_asks_about_the_library(library: Path, browser: Client) -> None:
    story = kept_story(browser)
    address = reverse("job_forget", args=[story.item.job_id])
    assert "Also delete its copy in the library" in browser.get(address).content.decode()
    browser.post(address)
    run.run()
    assert len(files(library)) == 3


def test_what_is_in_the_library_is_not_forgotten_without_a_question(
    library: Path, browser: Client
) -> None:
    """With a script as well, which forgets anything else at once, with Undo."""
    story = story_of_alice()
    pages = [reverse("job", args=[story.item.job_id]), reverse("history")]
    for page in pages:
        assert "data-forget" in browser.get(page).content.decode()
    browser.post(reverse("story_keep", args=[story.pk]))
    for page in pages:
        html = browser.get(page).content.decode()
        assert "data-forget" not in html
        assert f'href="{reverse("job_forget", args=[story.item.job_id])}" data-confirm' in html
    assert "data-asks" in html


@pytest.mark.parametrize("several", [False, True])
def test_forgetting_with_the_library_removes_it_there(
    library: Path, browser: Client, several: bool
) -> None:
    story = kept_story(browser)
    if several:
        data = {"what": "forget", "sure": "1", "job": str(story.item.job_id), "library": "1"}
        browser.post(reverse("history_chosen"), data)
    else:
        browser.post(reverse("job_forget", args=[story.item.job_id]), {"library": "1"})
    run.run()
    assert files(library) == {}
    assert not LibraryCopy.objects.exists()


@pytest.mark.parametrize("several", [False, True])
def test_what_is_forgotten_is_not_kept_again_by_a_run_in_between(
    library: Path, browser: Client, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    story = story_of_alice(LibraryMode.EVERYTHING)
    jobs = [story.item.job_id]
    if several:
        jobs += [saved(tiktok_id=key).item.job_id for key in ("75", "76")]
    run.run()
    real = erasure.erase

    def slow(job: Job, **facts: Any) -> None:
        run.run()  # the clock's
        run.run()
        real(job, **facts)

    monkeypatch.setattr(erasure, "erase", slow)
    if several:
        data = {"what": "forget", "sure": "1", "job": jobs, "library": "1"}
        browser.post(reverse("history_chosen"), data)
    else:
        browser.post(reverse("job_forget", args=jobs), {"library": "1"})
    run.run()
    assert files(library) == {}
    assert not LibraryCopy.objects.exists()


@pytest.mark.parametrize("with_both", [False, True])
def test_a_story_of_two_jobs_goes_with_the_last_of_them(
    library: Path, browser: Client, with_both: bool
) -> None:
    jobs = [saved().item.job_id for _ in range(2)]
    run.run()
    chosen = jobs if with_both else jobs[:1]
    data = {"what": "forget", "sure": "1", "job": chosen, "library": "1"}
    browser.post(reverse("history_chosen"), data)
    run.run()
    assert len(files(library)) == (0 if with_both else 3)


def test_without_anything_in_the_library_nothing_is_asked(library: Path, browser: Client) -> None:
    story = story_of_alice()
    page = browser.get(reverse("job_forget", args=[story.item.job_id])).content.decode()
    assert "library" not in page
