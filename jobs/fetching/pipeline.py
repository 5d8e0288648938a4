"""One claimed item, from its target to its files: the client's events go to the recorder.

Claim -> Item -> Target -> events of the client, or of another item that fetches the same
      -> rows and files -> Outcome
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import Final, Literal

from django.db.models import Exists, OuterRef
from django.utils import timezone

from jobs.ephemeral import progress
from jobs.fetching import bridge, coalescing, derived_files
from jobs.fetching.earlier_files import EarlierFiles
from jobs.fetching.recorder import Recorder, record_answer
from jobs.fetching.saved_media import MediaKey
from jobs.files.disk import translate_disk_errors
from jobs.files.workspace import Workspace
from jobs.lines import target_of
from jobs.models import Audio, AuthorPicture, Item, Job
from jobs.queue import claims, quotas
from jobs.queue.claims import HEARTBEAT_EVERY_S, Claim, ClaimLost
from jobs.queue.settling import Outcome
from jobs.queue.shutdown import ShutdownRequested, shutdown_requested
from jobs.upstream import protocol
from jobs.upstream.client import client_config
from stories.errors import AccessError, TimedOut
from stories.events import Event, Listed
from stories.harvest import HarvestOptions, harvest
from stories.structures import Author

logger = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 0.9
"""Seconds between two checks of a running item that its claim still holds."""
OVERTIME_S: Final = 60.0
"""The client ends an item that stands still; this much later we end it ourselves."""
_AUDIO: Final[Mapping[Audio, Literal["none", "m4a", "mp3"]]] = {
    Audio.NONE: "none",
    Audio.M4A: "m4a",
    Audio.MP3: "mp3",
}


def _ignore_list() -> None:
    """Nobody counts lines that look for their list."""


def run(claim: Claim, *, on_list: Callable[[], None] = _ignore_list) -> Outcome:
    """Fetch a claimed item, file by file; how it ended.

    on_list: called once it has its list, or leaves looking for one to another item; perhaps again.
    Raises ClaimLost when it was cancelled or given away, ShutdownRequested when this process is to
    end, and the StoriesError that ended the whole item. What is saved by then stays.
    """
    protocol.look()
    items = Item.objects.select_related("job").annotate(
        own_limit=quotas.own_stored_bytes(),
        has_author_picture=Exists(AuthorPicture.objects.filter(item=OuterRef("pk"))),
    )
    item = items.filter(pk=claim.item_id).first()
    if item is None:
        raise ClaimLost
    try:
        with translate_disk_errors():
            return _run(claim, item, quotas.stored_bytes_limit(vars(item)["own_limit"]), on_list)
    except ClaimLost:
        if not Job.objects.filter(pk=item.job_id).exists():
            progress.erase(item.job_id)  # erased, and we may have reported since
        raise


def _run(claim: Claim, item: Item, max_bytes: int | None, on_list: Callable[[], None]) -> Outcome:
    """max_bytes: of the owner's saved files; None = no limit."""
    watch = ClaimWatch(claim)
    with Workspace(
        claim.workspace, owner_id=item.owner_id, max_bytes=max_bytes, pulse=watch.keep
    ) as workspace:
        recorder = Recorder(claim, item, workspace)
        try:
            earlier = EarlierFiles(item, workspace, recorder.have)
            if earlier.keys or not _follow(claim, item, workspace, recorder, watch, on_list):
                _make_missing(item, workspace, recorder, watch)
                have = recorder.have | earlier.keys
                with closing(_fetch(item, workspace, have, watch)) as events:
                    for event in events:
                        recorder.record(event)
                        if isinstance(event, Listed):
                            on_list()
                            for file in earlier.of(event):
                                recorder.record(file)
                        watch.confirm(recorder.wrote_at)
        except AccessError:
            record_answer()
            raise
        finally:
            recorder.save()
        return recorder.outcome()


def _follow(
    claim: Claim,
    item: Item,
    workspace: Workspace,
    recorder: Recorder,
    watch: ClaimWatch,
    on_list: Callable[[], None],
) -> bool:
    """Reuse what another running item fetches, if there is one that fetches the same.

    True: that was everything. False: the rest is ours to fetch, and others may follow us. An item
    with a past does not follow, for what it saved earlier is not what TikTok lists now.
    """
    if recorder.has_past:
        return False
    sibling = coalescing.find_sibling(item)
    if sibling is not None:
        on_list()
        if _take_over(sibling, workspace, recorder, watch):
            return True
    fetch_key = coalescing.fetch_key(item)
    while not claims.try_lead(claim, fetch_key):
        leader = coalescing.find_leader(fetch_key, Audio(item.job.audio))
        if leader is None:
            continue  # gone this moment: the lead is to be had
        if leader.listed_before((item.claimed_at or timezone.now()) - coalescing.FRESH):
            return False
        logger.info("item %s waits for what item %s saves", item.pk, leader.item_id)
        on_list()
        if _take_over(leader, workspace, recorder, watch):
            return True
    return False


def _take_over(
    leader: coalescing.Leader, workspace: Workspace, recorder: Recorder, watch: ClaimWatch
) -> bool:
    """Record what another item saves, or has saved, as ours; whether that was everything."""
    for event in leader.events(workspace, recorder.have):
        recorder.record(event)
        watch.confirm(recorder.wrote_at)
        watch.check()
    recorder.save()
    if not leader.complete:
        recorder.reload()
    return leader.complete


def _make_missing(item: Item, workspace: Workspace, recorder: Recorder, watch: ClaimWatch) -> None:
    """Make what is missing beside saved files from their bytes, instead of fetching them again.

    Needed where a leader, or an earlier attempt, ended between a file and what is made of it.
    """
    if not recorder.underived:
        return
    for event in derived_files.make_missing(recorder.underived, item.job.audio, workspace):
        recorder.record(event)
        watch.confirm(recorder.wrote_at)
        watch.check()
    recorder.save()
    recorder.reload()


def _fetch(
    item: Item, workspace: Workspace, have: Iterable[MediaKey], watch: ClaimWatch
) -> Generator[Event | None, None, None]:
    """The client's events; None is a tick without one."""
    options = HarvestOptions(
        prefer="highest" if item.job.prefer == "highest" else "compatible",
        posts=item.job.posts,
        audio=_AUDIO[Audio(item.job.audio)],
        avatar=not vars(item)["has_author_picture"],
        # Not the owner's zone: others whom the file is shared with would learn it.
        zone=timezone.get_default_timezone(),
        only=frozenset(item.only_ids.split()),
        known=_known_author(item),
    )
    target, known = target_of(item), frozenset(have)
    with bridge.current().stream(
        lambda client: harvest(client, target, options=options, workspace=workspace, have=known)
    ) as events:
        for event in events:
            if event is not None:
                watch.extend()
            yield event
            # Once it is recorded: what that wrote has shown that the claim holds.
            watch.check()


def _known_author(item: Item) -> Author | None:
    """The account of a line that a look made: the look has said who it is."""
    if item.look_id is None or not item.target.get("user_id"):
        return None
    fields = {name: item.target.get(name) for name in ("name", "sec_uid")}
    return Author(id=item.target["user_id"], name=fields["name"] or "", sec_uid=fields["sec_uid"])


class ClaimWatch:
    """Renews the lease, and checks for a lost claim, a shutdown and the time limit."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        now = time.monotonic()
        self._check_at, self._heartbeat_at = now + CHECK_EVERY_S, now + HEARTBEAT_EVERY_S
        self._limit_s = client_config().item_timeout_s + OVERTIME_S
        self._end_at = now + self._limit_s

    def extend(self) -> None:
        """Note that the client goes on: it judges by itself whether an end is in sight."""
        self._end_at = time.monotonic() + self._limit_s

    def confirm(self, at: float) -> None:
        """Note that a write fenced by the claim went through at this time of the monotonic clock:
        until it is `CHECK_EVERY_S` old, no look is needed."""
        self._check_at = max(self._check_at, at + CHECK_EVERY_S)

    def keep(self) -> None:
        """Renew the lease where that is due, while files are uploaded. Raises ClaimLost."""
        now = time.monotonic()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_EVERY_S
            if not claims.heartbeat(self._claim):
                raise ClaimLost

    def check(self) -> None:
        """Raise ClaimLost, ShutdownRequested or TimedOut when the work is to end."""
        if shutdown_requested.is_set():
            raise ShutdownRequested
        now = time.monotonic()
        if now < min(self._check_at, self._heartbeat_at, self._end_at):
            return
        self._check_at = now + CHECK_EVERY_S
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + HEARTBEAT_EVERY_S
            held = claims.heartbeat(self._claim)
        else:
            held = claims.is_held(self._claim)
        if not held:
            raise ClaimLost
        if now >= self._end_at:
            raise TimedOut("no end was in sight")
