"""The saved files a ZIP holds, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from jobs.files.bundles import PACKED_ROLES, copy_key
from jobs.models import Artifact, Item, Job, Story
from jobs.zips.archive import rank_in_story


def packable(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """A story's files that go into its ZIP, in order."""
    return sorted(
        (artifact for artifact in artifacts if artifact.role in PACKED_ROLES), key=_rank_in_story
    )


def package_files(job_id: UUID, selection: Sequence[str] = ()) -> list[Artifact]:
    """The present files a package of a job holds: by author, oldest story first, as posted within.

    selection: artifact ids to keep to; () = all of the job's. Each file comes with its story and
    item. One query.
    """
    present = Artifact.objects.present().filter(
        job_id=job_id, role__in=PACKED_ROLES, story__isnull=False
    )
    if selection:
        present = present.filter(pk__in=selection)
    artifacts = sorted(present.select_related("story__item"), key=_rank_in_bundle)
    unique: dict[tuple[object, ...], Artifact] = {}
    for artifact in artifacts:
        tiktok_id = story_of(artifact).tiktok_id
        key = copy_key(tiktok_id, artifact.role, artifact.position, artifact.sha256)
        unique.setdefault(key, artifact)
    return list(unique.values())


def files_of_stories(job: Job, story_ids: Sequence[UUID | str]) -> list[Artifact]:
    """The present files of some of a job's stories that a ZIP would hold.

    story_ids: as a form sends them; text that is no id is no story.
    """
    wanted = set(parse_ids(story_ids))
    return [artifact for artifact in package_files(job.pk) if artifact.story_id in wanted]


def parse_ids(texts: Iterable[UUID | str]) -> list[UUID]:
    """The ids among untrusted texts; what is no id is left out."""
    ids = []
    for text in texts:
        try:
            ids.append(text if isinstance(text, UUID) else UUID(text))
        except ValueError:
            continue
    return ids


def any_removed(artifacts: Sequence[Artifact]) -> bool:
    """Whether one of these files was removed since it was looked up. One query."""
    present = Artifact.objects.filter(pk__in=[file.pk for file in artifacts], removed_at=None)
    return present.count() < len(artifacts)


def story_of(artifact: Artifact) -> Story:
    """The story a packed file belongs to."""
    assert artifact.story is not None  # noqa: S101  # nosec B101  # the query asks for files of stories only
    return artifact.story


def item_of(artifact: Artifact) -> Item:
    """The item a packed file belongs to."""
    return story_of(artifact).item


def _rank_in_story(artifact: Artifact) -> tuple[int, int, str]:
    return rank_in_story(artifact.position, artifact.role, artifact.name)


def _rank_in_bundle(artifact: Artifact) -> tuple[object, ...]:
    story = story_of(artifact)
    author = story.item.author_name
    return author, story.posted_at, story.tiktok_id, story.item_id, _rank_in_story(artifact)
