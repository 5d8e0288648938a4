"""Plain functions that make rows: `make_job(owner=alice, links=3)`."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from jobs.models import Artifact, Item, ItemKind, Job, Role, Story, StoryKind
from jobs.states import ItemState

_POSTED = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)


def make_user(name: str = "alice", **facts: Any) -> User:
    """A user by that name, made once; the password is the name twice."""
    user = User.objects.filter(username=name).first()
    return user or User.objects.create_user(name, password=name * 2, **facts)


def make_job(
    owner: User | None = None, *, links: int = 0, state: ItemState = ItemState.QUEUED, **facts: Any
) -> Job:
    """A job with `links` items in `state`; settled when they are."""
    job = Job.objects.create(owner=owner or make_user(), **facts)
    for _ in range(links):
        make_item(job, state=state)
    if links and state not in (ItemState.QUEUED, ItemState.RUNNING) and not job.settled_at:
        job.settled_at = timezone.now()
        job.save()
    return job


def make_item(job: Job | None = None, *, name: str | None = None, **facts: Any) -> Item:
    """An item for the account `name`, at the end of its job. A RUNNING one has a fresh lease."""
    job = job or make_job()
    position = job.items.count() + 1
    name = name or f"author{position}"
    now = timezone.now()
    state = facts.setdefault("state", ItemState.QUEUED)
    if state == ItemState.RUNNING:
        facts = {"attempt": 1, "claimed_at": now, "heartbeat_at": now} | facts
    elif state != ItemState.QUEUED:
        facts = {"settled_at": now} | facts
    defaults: dict[str, Any] = {
        "line": f"@{name}",
        "kind": ItemKind.USER,
        "target": {"kind": "user", "name": name},
        "key": f"user:{name}",
    }
    return Item.objects.create(job=job, owner=job.owner, position=position, **(defaults | facts))


def make_story(item: Item | None = None, **facts: Any) -> Story:
    """A finished photo story of the item, posted some minutes after the one before it."""
    item = item or make_item(state=ItemState.DONE)
    position = item.stories.count() + 1
    posted_at = facts.pop("posted_at", _POSTED + timedelta(minutes=position))
    defaults: dict[str, Any] = {
        "tiktok_id": str(int(posted_at.timestamp()) << 32 | position),
        "kind": StoryKind.PHOTO,
        "state": ItemState.DONE,
        "leaves_at": posted_at + timedelta(hours=24),
        "source_url": "https://www.tiktok.com/@someone/photo/1",
    }
    return Story.objects.create(
        item=item, owner=item.owner, position=position, posted_at=posted_at, **(defaults | facts)
    )


def make_artifact(
    story: Story | None = None,
    *,
    job: Job | None = None,
    content: bytes | None = None,
    **facts: Any,
) -> Artifact:
    """A file of the story (or, given a job, of the job as a whole). With `content`, its bytes are
    put into storage too."""
    if job is None:
        story = story or make_story()
        job = story.item.job
    item = story.item if story else None
    artifact_id = uuid.uuid4()
    defaults: dict[str, Any] = {
        "role": Role.MEDIA if story else Role.BUNDLE,
        "position": story.artifacts.filter(role=Role.MEDIA).count() + 1 if story else 0,
        "name": f"{artifact_id.hex[:8]}.jpg" if story else "all.zip",
        "content_type": "image/jpeg" if story else "application/zip",
        "size_bytes": len(content) if content is not None else 1000,
        "sha256": "0" * 64 if content is None else hashlib.sha256(content).hexdigest(),
        "checked": True,
        "expires_at": timezone.now() + timedelta(hours=2),
    }
    artifact = Artifact.objects.create(
        id=artifact_id, owner=job.owner, job=job, item=item, story=story, **(defaults | facts)
    )
    if content is not None:
        _put(artifact.id, content)
    return artifact


def _put(artifact_id: uuid.UUID, content: bytes) -> None:
    from jobs.files.workspace import Workspace

    with Workspace(f"factory-{artifact_id}") as workspace:
        key, file = workspace.create()
        with file:
            file.write(content)
        workspace.commit(key, artifact_id)
