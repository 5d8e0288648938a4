"""Jobs whose files can be packed, and ZIPs opened again."""

from __future__ import annotations

import hashlib
import io
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.files import store, story_names
from jobs.files.story_names import NameFacts
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Job, Package, PackageState, Role, Story
from jobs.states import ItemState
from jobs.zips import builder, claims, packing
from tests.factories import make_artifact, make_item, make_job, make_story

POSTED = datetime(2026, 11, 20, 14, 3, 31, tzinfo=UTC)
CAPTURED = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def _name(author: str, posted_at: datetime, number: int) -> str:
    facts = NameFacts(author=author, posted_at=posted_at, zone=UTC)
    return story_names.media_name(facts, number, ".jpg")


def make_carousel(count: int = 3, *, author: str = "alice.b", **facts: Any) -> Story:
    """A finished carousel of so many pictures, at 20 Nov 2026, 14:03 UTC."""
    item = make_item(
        make_job(note=facts.pop("note", "for the archive")),
        state=ItemState.DONE,
        author_id="1",
        author_name=author,
        author_nickname="Älice",
    )
    given_facts: dict[str, Any] = {
        "kind": "carousel",
        "media_count": count,
        "caption": "três fotos 🎉",
        "posted_at": POSTED,
        "captured_at": CAPTURED,
        "source_url": "https://www.tiktok.com/@alice.b/photo/1?x-signature=secret#frag",
    }
    story = make_story(item, **(given_facts | facts))
    for number in range(1, count + 1):
        content = f"picture {number}".encode() * 100
        make_artifact(
            story,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            name=_name(author, POSTED, number),
            width=1080,
            height=1920,
        )
    return story


def make_full_job() -> Job:
    """A job with two authors, two stories each, and text a spreadsheet may misread."""
    job = make_job(links=0, note='=HYPERLINK("http://evil")')
    for author in ("bea", "ann"):
        item = make_item(
            job, name=author, state=ItemState.DONE, author_name=author, author_nickname="+1"
        )
        for minute in (2, 1):
            at = POSTED + timedelta(minutes=minute)
            story = make_story(item, posted_at=at, captured_at=CAPTURED, caption="-2\n@me; =3")
            content = f"{author} {minute}".encode()
            make_artifact(
                story,
                content=content,
                name=_name(author, at, 1),
                sha256=hashlib.sha256(content).hexdigest(),
                labels=["hevc"],
            )
            make_artifact(story, content=b"p", role=Role.POSTER, name="poster.jpg", position=1)
    return job


def pack(story: Story, files: list[Artifact] | None = None) -> Artifact:
    """The ZIP of a story's files, its row unsaved."""
    with Workspace(f"{uuid.uuid4()}.1") as workspace:
        return builder.build_carousel(story, files or list(story.artifacts.all()), workspace)


def work(package: Package) -> bool:
    """Claim and pack a package, as the worker's task does."""
    claim = claims.claim(package.pk)
    assert claim
    return packing.run(claim)


def bundle_of(job: Job) -> Artifact:
    """The ZIP of a job's files, asked for and packed."""
    package = packing.request(job)
    assert work(package)
    package.refresh_from_db()
    assert package.state == PackageState.DONE
    assert package.artifact
    return package.artifact


def opened(artifact: Artifact) -> zipfile.ZipFile:
    """A ZIP in the store, opened."""
    return zipfile.ZipFile(io.BytesIO(content_of(artifact)))


def content_of(artifact: Artifact) -> bytes:
    """The bytes of a file in the store."""
    with store.open_artifact(artifact.pk) as file:
        return file.read()
