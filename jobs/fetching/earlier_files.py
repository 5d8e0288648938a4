"""Files that earlier jobs saved of the same line: linked by the one that fetches the rest.

What is linked is the owner's own, checked when it was saved, and need not come from TikTok a second
time. Only a story that TikTok still lists gets its files: they live as long as fetched ones would.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from uuid import UUID

from django.utils import timezone

from jobs.errors import DiskFault, OurLimit
from jobs.fetching.reuse import reuse
from jobs.fetching.saved_media import MediaKey, derived_roles, lacks_sound
from jobs.files.workspace import Workspace
from jobs.models import Artifact, Item, Role, Story
from jobs.queue import resubmission
from jobs.states import SAVED
from stories.events import FileReady, Listed

logger = logging.getLogger(__name__)

_REUSED_ROLES = frozenset(
    {Role.MEDIA, Role.POSTER, Role.CONVERTED, Role.AUDIO_TRACK, Role.ATTACHED_SONG}
)


class EarlierFiles:
    """The files of the line that an item fetches the rest of, linked into its workspace.

    Where that line was itself to fetch the rest of another, the files of that one besides, and so
    on. have: media the item has itself. keys: media that need not be fetched besides. Linked bytes
    count: what has no room is not linked.
    """

    def __init__(self, item: Item, workspace: Workspace, have: Set[MediaKey]) -> None:
        self._events: dict[str, list[FileReady]] = defaultdict(list)
        self.keys: frozenset[MediaKey] = frozenset()
        for earlier in resubmission.earlier_lines(item):
            linked = frozenset(self._link(earlier, item, workspace, have | self.keys))
            self.keys |= linked

    def _link(
        self, earlier: UUID, item: Item, workspace: Workspace, have: Set[MediaKey]
    ) -> Iterator[MediaKey]:
        """Link what is whole: a picture or video with everything that was made from it."""
        rows = Artifact.objects.present(timezone.now()).filter(
            item=earlier,
            owner=item.owner_id,
            story__isnull=False,
            role__in=_REUSED_ROLES,
            # With another rendition or another form of sound it is not the same file.
            job__prefer=item.job.prefer,
            job__audio=item.job.audio,
        )
        groups: dict[MediaKey, dict[str, Artifact]] = defaultdict(dict)
        for artifact in rows.select_related("story").order_by("created_at"):
            if artifact.story is not None:
                key = (artifact.story.tiktok_id, artifact.position)
                groups[key][artifact.role] = artifact
        for key, by_role in groups.items():
            main = by_role.get(Role.MEDIA) or by_role.get(Role.ATTACHED_SONG)
            if key in have or main is None or main.story is None:
                continue
            missing = set(derived_roles(main, item.job.audio)) - set(by_role)
            if (missing and main.story.state not in SAVED) or lacks_sound(main, missing):
                continue
            events = _reuse_all(list(by_role.values()), main.story, workspace)
            if events:
                self._events[key[0]] += events
                yield key

    def of(self, event: Listed) -> list[FileReady]:
        """The files of the stories of a list, as if they had just arrived; each once."""
        ready = [file for story in event.stories for file in self._events.pop(story.id, ())]
        if ready:
            logger.info("%d files are kept from an earlier job", len(ready))
        return ready


def _reuse_all(files: Sequence[Artifact], story: Story, workspace: Workspace) -> list[FileReady]:
    """Link all these files, or none: one may be deleted this moment, or have no room."""
    events: list[FileReady] = []
    try:
        for file in files:
            event = reuse(file, story, workspace)
            if event is None:
                break
            events.append(event)
    except DiskFault:
        raise
    except OurLimit as error:
        logger.info("an earlier job's file is not kept: %s", error.code)
    if len(events) == len(files):
        return events
    for event in events:
        workspace.discard(event.key)
    return []
