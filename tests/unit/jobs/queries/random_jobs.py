"""Jobs with a bit of everything, the same for the same seed; and their views made row by row."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Artifact, Item, Job, Package, PackageState, Role, Story
from jobs.queries.job_view import AuthorView, ErrorView, FileView, StoryView
from jobs.states import OPEN, ItemState
from tests.factories import make_artifact, make_item, make_job, make_story

ROLES = (Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG, Role.POSTER, Role.ZIP)
CODES = ("", "", "media_corrupt", "refused", "gone")


def make_random_job(owner: User, seed: int) -> Job:
    """Lines in every state, stories at one moment, some of them by two lines, files fetched again,
    expired and removed."""
    choose = random.Random(seed)
    now = timezone.now()
    job = make_job(owner, note=f"note {seed}", prefer="highest", audio="mp3", posts=True)
    settled = [state for state in ItemState if state not in OPEN]
    states = choose.choice([settled, list(ItemState)])
    for number in range(choose.randint(1, 6)):
        item = make_item(
            job,
            name=f"someone.{number}",
            state=choose.choice(states),
            error_code=choose.choice(CODES),
            error_detail="a tag",
            not_before=choose.choice([None, now + timedelta(minutes=5)]),
            left_out=choose.choice([{}, {"private": 2}, {"held_back": 1, "not_ready": 3}]),
            author_name=choose.choice(["", f"someone.{number}"]),
            author_id=str(number),
            author_nickname="Some One 🎉",
        )
        for _ in range(choose.randint(0, 4)):
            story = make_story(
                item,
                posted_at=now - timedelta(minutes=choose.randint(0, 2)),
                leaves_at=choose.choice([None, now + timedelta(hours=1)]),
                media_count=choose.randint(1, 3),
                caption=choose.choice(["", "hi 🎉 'quoted', \\ and \n more"]),
                error_code=choose.choice(CODES),
                state=choose.choice(list(ItemState)),
                is_story=choose.random() < 0.8,
            )
            _save_files(story, now, choose)
    for story in list(Story.objects.filter(item__job=job).order_by("item__position", "position")):
        if choose.random() < 0.3:
            _come_again(story, choose)
    for name in ("bundle", "selection"):
        if choose.random() < 0.7:
            _pack(job, name, choose)
    return job


def _save_files(story: Story, now: datetime, choose: random.Random) -> None:
    sha256, size_bytes = choose.choice([("0" * 64, 1000), ("a" * 64, 70_000)])
    for position in range(1, story.media_count + 1):
        for role in (Role.MEDIA, choose.choice(ROLES)):
            for removed in choose.choice([(), (False,), (True,), (True, False), (True, True)]):
                make_artifact(
                    story,
                    role=role,
                    position=0 if role == Role.ZIP and position == 1 else position,
                    sha256=sha256,
                    size_bytes=size_bytes + len(role),
                    labels=choose.choice([[], ["hevc"], ["watermarked", "poster"]]),
                    width=choose.choice([None, 1080]),
                    duration_s=choose.choice([None, 7.533333]),
                    has_audio=choose.random() < 0.5,
                    checked=choose.random() < 0.5,
                    created_at=now - timedelta(minutes=choose.randint(1, 90)),
                    expires_at=now + timedelta(minutes=choose.choice([-5, 5, 90])),
                    removed_at=now if removed else None,
                )


def _come_again(story: Story, choose: random.Random) -> None:
    """The story by another line, with files of its own, perhaps fewer."""
    others = story.item.job.items.exclude(stories__tiktok_id=story.tiktok_id).order_by("position")
    if not others:
        return
    copy = make_story(
        choose.choice(others),
        **{name: getattr(story, name) for name in ("tiktok_id", "posted_at", "media_count")},
        leaves_at=story.leaves_at,
    )
    for file in story.artifacts.all():
        if choose.random() < 0.8:
            names = ("role", "position", "sha256", "size_bytes", "expires_at", "removed_at")
            make_artifact(copy, **{name: getattr(file, name) for name in names})


def _pack(job: Job, name: str, choose: random.Random) -> None:
    state = choose.choice(list(PackageState))
    package = Package.objects.create(
        job=job,
        owner=job.owner,
        state=state,
        selection=[] if name == "bundle" else ["x"],
        language=choose.choice(["", "en", "de"]),
        artifact=make_artifact(job=job, role=Role(name)) if state == PackageState.DONE else None,
        error_code="disk_full" if state == PackageState.FAILED else "",
    )
    setattr(job, name, package)
    job.save()


# --- the plain way: one row object after the other ------------------------------------------------


def plain_file(artifact: Artifact, now: datetime) -> FileView:
    """The view of a file, made of its row object."""
    role = Role(artifact.role)
    values: dict[str, Any] = {
        name: getattr(artifact, name) for name in FileView.__dataclass_fields__ if name != "labels"
    }
    is_label = role in {Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG, Role.POSTER}
    added = [role.value] if is_label and role.value not in artifact.labels else []
    gone = artifact.removed_at or (artifact.expires_at if artifact.expires_at <= now else None)
    labels = (*artifact.labels, *added)
    return FileView(**(values | {"role": role, "labels": labels, "removed_at": gone}))


def plain_story(story: Story, now: datetime) -> StoryView:
    """The view of a story, made of its row object and those of its files."""
    chosen: dict[tuple[str, int], FileView] = {}
    for artifact in story.artifacts.order_by("position", "created_at", "id"):
        file, key = plain_file(artifact, now), (artifact.role, artifact.position)
        rank = (file.removed_at is None, file.created_at)
        if key not in chosen or rank >= (chosen[key].present, chosen[key].created_at):
            chosen[key] = file
    files = [file for file in chosen.values() if file.role != Role.ZIP]
    error = ErrorView(code=story.error_code, detail=story.error_detail)
    names = ("id", "tiktok_id", "kind", "is_story", "posted_at", "leaves_at", "caption")
    return StoryView(
        **{name: getattr(story, name) for name in (*names, "source_url", "media_count")},
        state=ItemState(story.state),
        error=error if story.error_code else None,
        files=tuple(files),
        zip=next((file for file in chosen.values() if file.role == Role.ZIP), None),
        saved=sum(file.role == Role.MEDIA for file in files),
    )


def plain_stories(item: Item, now: datetime) -> tuple[StoryView, ...]:
    """The views of a line's stories in their order."""
    stories = item.stories.order_by("posted_at", "tiktok_id", "id")
    return tuple(plain_story(story, now) for story in stories)


def plain_author(item: Item) -> AuthorView | None:
    """The view of a line's account."""
    if not item.author_name:
        return None
    return AuthorView(id=item.author_id, name=item.author_name, nickname=item.author_nickname)
