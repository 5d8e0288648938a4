"""What a job's page may say, worked out a second time from what the job holds."""

from __future__ import annotations

import re
from collections import Counter

from jobs.errors import BY_CODE, Internal, retry_may_help
from jobs.models import Role
from jobs.pages.presenter import JobPage, PresentedLine
from jobs.pages.saving import offer_of
from jobs.pages.tiles import Tile
from jobs.queries.job_view import FileView, ItemView, Snapshot
from jobs.states import OPEN, ItemState
from stories.errors import InputError

S = ItemState
PACKED = {Role.MEDIA, Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG}
FINAL_WORDS = ("saved and", "deleted", "Cancelled", "could be saved", "cannot be saved")
"""Words of a job that has ended."""


def skipped(item: ItemView) -> bool:
    """Whether nothing but what was pasted is at fault."""
    code = item.error.code if item.error else ""
    return item.state == S.FAILED and issubclass(BY_CODE.get(code, Internal), InputError)


def check(page: JobPage) -> None:
    """Raises AssertionError where the page says more than its job holds, or anything else."""
    _check_head(page)
    _check_words(page.summary, page.job)
    _check_words(page.announcement, page.job)
    _check_offers(page)
    for line in page.lines:
        _check_line(line)
        for tile in line.tiles:
            _check_tile(tile)


def _check_head(page: JobPage) -> None:
    job, items = page.job, page.job.items
    settled = all(item.state not in OPEN for item in items)
    assert 0 <= page.percent <= 100
    assert (page.percent == 100) == settled
    here = [file for file in _media(job) if file.present]
    if page.look == "cleaned":
        assert settled
        assert _media(job)
        assert not job.present
    elif page.look == "skipped":
        assert all(map(skipped, items))
        assert not here
    else:
        assert page.look == job.state
    assert (page.removed_at is not None) == (page.look == "cleaned")
    if job.note.strip():
        assert page.title == " ".join(job.note.split())
        assert page.names
    if page.look_counts:
        looks = Counter("skipped" if skipped(item) else item.state for item in items)
        assert {shown.look: shown.count for shown in page.look_counts} == looks
        for shown in page.look_counts:
            assert shown.words.startswith(f"{shown.count} ")
    if page.all_on_tiktok_until:
        assert page.stories_on_tiktok == len(job.stories)


def _check_words(text: str, job: Snapshot) -> None:
    files = _media(job)
    here = [file for file in files if file.present]
    wanted = sum(story.media_count for story in job.stories)
    if job.state in OPEN:
        assert not any(word in text for word in FINAL_WORDS), text
        left = sum(item.state in OPEN for item in job.items)
        for number in _numbers(r"(\d+) (?:account|link)s? to go", text):
            assert number == left
        for number in _numbers(r"(\d+) files? so far", text):
            assert number == len(files)
    if "saved and checked" in text:
        assert files
        assert len(files) == len(here) >= wanted
        assert all(file.checked for file in files)
    if "saved and opened" in text or "only opened" in text:
        assert len(files) == len(here) >= wanted
        assert not all(file.checked for file in files)
    for number in _numbers(r"(?<!of )\b(\d+) files? saved(?: and|,)", text):
        assert number == len(files)
    for saved, of in re.findall(r"(\d+) of (\d+) files saved", text):
        assert (int(saved), int(of)) == (len(files), wanted)
        assert len(here) == len(files)
    for number in _numbers(r"(\d+) files? deleted", text):
        assert number == len(files)
        assert not here
    for number, saved in re.findall(r"(\d+) of (\d+) saved files? still here", text):
        assert (int(number), int(saved)) == (len(here), len(files))
    for number in _numbers(r"(\d+) failed", text):
        assert number == sum(i.state == S.FAILED and not skipped(i) for i in job.items)
    for number in _numbers(r"(\d+) skipped", text):
        assert number == sum(map(skipped, job.items))


def _check_offers(page: JobPage) -> None:
    job = page.job
    packed = {
        (story.tiktok_id, file.role, file.position, file.sha256)
        for story in job.stories
        for file in story.files
        if file.present and file.role in PACKED
    }
    offer = offer_of(page)
    if offer is not None and not offer.address:
        media = [key for key in packed if key[1] == Role.MEDIA]
        assert offer.files == len(media) or not media
    assert offer is None or packed
    assert page.files_present == len(job.present)
    assert page.present_bytes == sum(file.size_bytes for file in job.present)
    hopeful = [
        item
        for item in job.items
        if retry_may_help(item.state, item.error.code if item.error else "")
    ]
    assert bool(page.retry_label) == bool(hopeful)
    for number in _numbers(r"(\d+)", page.retry_label):
        assert number == len(hopeful)
    if page.retry_label and not re.search(r"\d", page.retry_label):
        assert len(hopeful) == 1
    short = sum(item.state in {S.FAILED, S.PARTIAL} for item in job.items)
    if "can work" in page.retry_label:
        assert len(hopeful) < short
    else:
        assert not hopeful or len(hopeful) == short


def _check_line(line: PresentedLine) -> None:
    item = line.item
    assert line.look == ("skipped" if skipped(item) else item.state)
    assert (line.state_label == "skipped") == skipped(item)
    for said in (line.message, line.hint):
        assert "__" not in said, said
    if line.retry_offered:
        assert item.state in {S.FAILED, S.PARTIAL}
    files = [f for story in item.stories for f in story.files if f.role == Role.MEDIA]
    if item.state == S.RUNNING and item.progress.files_done < item.progress.files_total:
        assert not any(word in line.summary for word in ("Packing", "Finishing", "saved"))
    for saved, of in re.findall(r"(\d+) of (\d+) files saved", line.summary):
        wanted = sum(story.media_count for story in item.stories)
        assert (int(saved), int(of)) == (len(files), wanted)


def _check_tile(tile: Tile) -> None:
    story = tile.story
    here = [
        file
        for file in story.files
        if file.role == Role.MEDIA and file.present and 0 < file.position <= story.media_count
    ]
    whole = bool(here) and len(here) == story.media_count
    assert tile.checked == (whole and all(file.checked for file in here))
    assert tile.opened == (whole and not tile.checked)
    assert bool(tile.tally) == (bool(here) and not whole and not tile.coming)
    if tile.tally:
        assert tile.tally == f"{len(here)}/{story.media_count}"
    assert tile.size_bytes == sum(file.size_bytes for file in here)
    assert len(tile.viewer_items) == len(here)
    assert not (tile.removed_at and here)


def _media(job: Snapshot) -> list[FileView]:
    return [file for story in job.stories for file in story.files if file.role == Role.MEDIA]


def _numbers(pattern: str, text: str) -> list[int]:
    return [int(number) for number in re.findall(pattern, text)]
