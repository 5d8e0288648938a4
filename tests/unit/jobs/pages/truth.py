"""What a job's page may say, worked out a second time from what the job holds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from jobs.errors import BY_CODE, Internal, retry_may_help
from jobs.models import Role
from jobs.pages.contact_sheet import row_of
from jobs.pages.presenter import JobPage, PresentedLine
from jobs.pages.saving import offer_of
from jobs.pages.tab import tab_of
from jobs.pages.tiles import Tile, present_tile
from jobs.queries.job_view import FileView, ItemView, Snapshot, StoryView
from jobs.states import OPEN, ItemState
from jobs.wording import size
from stories.errors import InputError

S = ItemState
PACKED = {Role.MEDIA, Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG}
FINAL_WORDS = ("saved and", "deleted", "Cancelled", "could be saved", "cannot be saved")
"""Words of a job that has ended."""


def skipped(item: ItemView) -> bool:
    """Whether nothing but what was pasted is at fault."""
    code = item.error.code if item.error else ""
    return item.state == S.FAILED and issubclass(BY_CODE.get(code, Internal), InputError)


@dataclass
class Media:
    """The pictures and videos of stories, each once however many lines it came by: numbers."""

    saved: int
    here: int
    wanted: int
    unchecked: int


def media_of(stories: Iterable[StoryView]) -> Media:
    """Counted copy by copy."""
    copies: dict[tuple[str, int, str], list[FileView]] = {}
    places: set[tuple[str, int]] = set()
    for story in stories:
        places |= {(story.tiktok_id, number + 1) for number in range(story.media_count)}
        for file in story.files:
            if file.role == Role.MEDIA:
                key = (story.tiktok_id, file.position, file.sha256)
                copies.setdefault(key, []).append(file)
    missing = places - {(tiktok_id, position) for tiktok_id, position, _ in copies}
    return Media(
        saved=len(copies),
        here=sum(any(file.present for file in files) for files in copies.values()),
        wanted=len(copies) + len(missing),
        unchecked=sum(not any(file.checked for file in files) for files in copies.values()),
    )


def bytes_to_save(stories: Iterable[StoryView]) -> int:
    """Of the files that Save hands over: one picture or video alone, else all there is."""
    sizes = {
        (story.tiktok_id, file.role, file.position, file.sha256): file.size_bytes
        for story in stories
        for file in story.files
        if file.present and file.role in PACKED
    }
    media = [size_bytes for key, size_bytes in sizes.items() if key[1] == Role.MEDIA]
    sounds = {Role.AUDIO_TRACK, Role.ATTACHED_SONG} & {key[1] for key in sizes}
    return media[0] if len(media) == 1 and not sounds else sum(sizes.values())


def check(page: JobPage) -> None:
    """Raises AssertionError where the page says more than its job holds, or anything else."""
    _check_head(page)
    _check_words(page.summary, page.job)
    _check_size(page)
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
    media = media_of(job.stories)
    if page.look == "cleaned":
        assert settled
        assert media.saved
        assert not job.present
    elif page.look == "skipped":
        assert all(map(skipped, items))
        assert not media.here
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
    assert page.stories_known == len({story.tiktok_id for story in job.stories})
    assert page.stories_on_tiktok <= page.stories_known
    if page.all_on_tiktok_until:
        assert page.stories_on_tiktok == page.stories_known
    for number in _numbers(r"^✓ (\d+) · ", tab_of(page).title):
        assert number == media.here or not media.here


def _check_size(page: JobPage) -> None:
    job = page.job
    if job.state not in OPEN | {S.EMPTY} and job.present and media_of(job.stories).saved:
        assert f", {size(bytes_to_save(job.stories))}" in page.summary


def _check_words(text: str, job: Snapshot) -> None:
    media = media_of(job.stories)
    if job.state in OPEN:
        assert not any(word in text for word in FINAL_WORDS), text
        left = sum(item.state in OPEN for item in job.items)
        for number in _numbers(r"(\d+) (?:account|link)s? to go", text):
            assert number == left
        for number in _numbers(r"(\d+) files? so far", text):
            assert number == media.saved
    for number in _numbers(r"(\d+) failed", text):
        assert number == sum(i.state == S.FAILED and not skipped(i) for i in job.items)
    for number in _numbers(r"(\d+) skipped", text):
        assert number == sum(map(skipped, job.items))
    _check_amounts(text, media)


def _check_amounts(text: str, media: Media) -> None:
    if "saved and checked" in text:
        assert media == Media(media.saved, media.saved, media.saved, 0)
        assert media.saved
    if "saved and opened" in text or "only opened" in text:
        assert media.saved == media.here == media.wanted
        assert media.unchecked
    for number in _numbers(r"(\d+) of them only opened", text):
        assert number == media.unchecked
    for number in _numbers(r"(?<!of )\b(\d+) files? saved(?: and|,)", text):
        assert number == media.saved
    for saved, of in re.findall(r"(\d+) of (\d+) files saved", text):
        assert (int(saved), int(of)) == (media.saved, media.wanted)
        assert media.here == media.saved
    for number in _numbers(r"(\d+) files? deleted", text):
        assert number == media.saved
        assert not media.here
    for number, saved in re.findall(r"(\d+) of (\d+) saved files? still here", text):
        assert (int(number), int(saved)) == (media.here, media.saved)


def _check_offers(page: JobPage) -> None:
    job = page.job
    media = media_of(job.stories)
    offer = offer_of(page)
    assert bool(page.amount.files) == bool(job.present)
    assert page.amount.files == media.here or not media.here
    assert page.amount.size_bytes == bytes_to_save(job.stories)
    if offer is not None:
        assert job.present
        assert offer.amount == page.amount
        assert offer.share_bytes == _bytes_to_share(job)
        assert not offer.single or offer.single.size_bytes == offer.amount.size_bytes
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
    media = media_of(item.stories)
    row = row_of(line)
    assert row.amount.files == media.here or not media.here
    assert row.amount.size_bytes == bytes_to_save(item.stories)
    if item.state == S.RUNNING and item.progress.files_done < item.progress.files_total:
        assert not any(word in line.summary for word in ("Packing", "Finishing", "saved"))
    for saved, of in re.findall(r"(\d+) of (\d+) files saved", line.summary):
        assert (int(saved), int(of)) == (media.saved, media.wanted)


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


def _bytes_to_share(job: Snapshot) -> int:
    """Of what the viewer would share, picture by picture, each once."""
    seen: dict[tuple[str, int, str], int] = {}
    for item in job.items:
        for story in item.stories:
            for shown in present_tile(story, item, story.posted_at).viewer_items:
                key = (story.tiktok_id, shown.file.position, shown.file.sha256)
                seen.setdefault(key, shown.share.size_bytes)
    return sum(seen.values())


def _numbers(pattern: str, text: str) -> list[int]:
    return [int(number) for number in re.findall(pattern, text)]
