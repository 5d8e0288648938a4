"""Filters beside the lists: state, error code, and what is on disk."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from jobs.left_out import LABELS
from jobs.models import Artifact, Item, Job
from jobs.states import ItemState
from stories.left_out import LeftOutReason

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [*ItemState.values, "nonsense"])
def test_jobs_are_filtered_by_state(browser: Client, job: Job, state: str) -> None:
    page = browser.get(f"/admin/jobs/job/?state={state}").content.decode()
    assert (str(job.pk) in page) is (state in {"queued", "nonsense"})


def test_lines_are_filtered_by_code(browser: Client, job: Job) -> None:
    failed, queued = job.items.order_by("position")
    for code, there in (("upstream_down", {failed.pk}), ("-", {queued.pk}), ("gone", set())):
        page = browser.get(f"/admin/jobs/item/?error_code={code}").content.decode()
        found = {one.pk for one in (failed, queued) if f"item/{one.pk}/change" in page}
        assert found == there
    page = browser.get("/admin/jobs/item/").content.decode()
    assert "?error_code=upstream_down" in page
    assert '?error_code="' not in page


@pytest.mark.parametrize(
    ("asked", "there"), [("any", True), ("private", True), ("held_back", False), ("x", True)]
)
def test_lines_are_filtered_by_what_their_list_left_out(
    browser: Client, job: Job, asked: str, *, there: bool
) -> None:
    short, whole = job.items.order_by("position")
    Item.objects.filter(pk=short.pk).update(left_out={"private": 2, "foreign": 1})
    page = browser.get(f"/admin/jobs/item/?left_out={asked}").content.decode()
    assert (f"item/{short.pk}/change" in page) is there
    assert (f"item/{whole.pk}/change" in page) is (asked == "x")
    if there:
        for words in ("2\N{NO-BREAK SPACE}private", "1\N{NO-BREAK SPACE}of another account"):
            assert words in page
            assert words in shown(browser, f"item/{short.pk}")
        assert ">3<" in browser.get("/admin/jobs/job/").content.decode()


def test_reasons_in_the_filter_are_words_in_the_readers_language(
    browser: Client,
) -> None:
    page = browser.get("/admin/jobs/item/").content.decode()
    assert "By stories left out" in " ".join(page.split())
    for reason in LeftOutReason:
        assert f'?left_out={reason}">{LABELS[reason]}</a>' in page
    assert ">any reason</a>" in page


def shown(browser: Client, row: str) -> str:
    """A row's own page."""
    return browser.get(f"/admin/jobs/{row}/change/").content.decode()


def test_files_are_filtered_by_presence(browser: Client, job: Job) -> None:
    file = Artifact.objects.get()
    for there, gone in ((True, False), (False, True)):
        assert (str(file.pk) in listed(browser, "yes")) is there
        assert (str(file.pk) in listed(browser, "no")) is gone
        Artifact.objects.update(removed_at=timezone.now())


def listed(browser: Client, present: str) -> str:
    """The list of files that are there, or not."""
    return browser.get(f"/admin/jobs/artifact/?present={present}").content.decode()
