"""The tables: jobs, their items, the stories behind them, artifacts and packages."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.author_picture import AuthorPicture
from jobs.choices import (
    DAMAGED,
    FETCHED_ROLES,
    JOB_ZIP_ROLES,
    OPEN_PACKAGES,
    Audio,
    ItemKind,
    PackageState,
    Prefer,
    Role,
    StoryKind,
    WatchState,
)
from jobs.feed_address import FeedAddress
from jobs.folder_mark import FolderMark
from jobs.library_copy import (
    CopyRole,
    CopyState,
    LibraryChoice,
    LibraryCopy,
    LibraryMark,
    LibraryMode,
    SendState,
)
from jobs.name_template import TEMPLATE_LENGTH
from jobs.naming_choice import NamingChoice
from jobs.owned import Owned
from jobs.package import Package
from jobs.protocol_pack import ProtocolPack
from jobs.querysets import (
    ArtifactQuerySet,
    ItemQuerySet,
    JobQuerySet,
    StoryQuerySet,
)
from jobs.quota import Quota
from jobs.states import ItemState
from jobs.watch import Watch, WatchedAccount, WatchGap, WatchingPause
from jobs.way_switch import WaySwitch

__all__ = [
    "DAMAGED",
    "FETCHED_ROLES",
    "JOB_ZIP_ROLES",
    "LINE_LENGTH",
    "OPEN_PACKAGES",
    "Artifact",
    "Audio",
    "AuthorPicture",
    "CopyRole",
    "CopyState",
    "FeedAddress",
    "FolderMark",
    "Item",
    "ItemKind",
    "Job",
    "LibraryChoice",
    "LibraryCopy",
    "LibraryMark",
    "LibraryMode",
    "NamingChoice",
    "Package",
    "PackageState",
    "Prefer",
    "ProtocolPack",
    "Quota",
    "Role",
    "SendState",
    "Story",
    "StoryKind",
    "Watch",
    "WatchGap",
    "WatchState",
    "WatchedAccount",
    "WatchingPause",
    "WaySwitch",
]

LINE_LENGTH = 500


_JobManager = models.Manager.from_queryset(JobQuerySet)


class KeptJobs(_JobManager["Job"]):
    """The jobs there are, for whoever does not ask for erased ones by name."""

    def get_queryset(self) -> JobQuerySet[Job]:
        """Jobs that were not erased."""
        return JobQuerySet(self.model, using=self._db).kept()


class Job(Owned):
    """One submission by one user. Its state is computed from its items, never stored.

    settled_at: when the last item settled; cleared when an item is retried. bundle: the package of
    all files, selection: the package of the files chosen last; null until one is asked for.
    idempotency_fingerprint: a hash of the request that came with the idempotency key; "" without a
    key, and for jobs made before there were fingerprints. time_zone: IANA name of the zone its
    owner's pages showed times in when they sent it; names of files show that clock. "" = the
    instance's zone. name_template: how its files are named, as its owner had chosen it then; "" =
    as the instance has it. erased_at: when its owner had it forgotten; from then on nobody finds
    it, while its rows and files go in the background (jobs/queue/erasure.py). from_watch: nobody
    sent it, a look at a watched account found something new; watch: whose, until that is deleted.
    """

    note = models.CharField(_("note"), max_length=500, blank=True, default="")
    prefer = models.CharField(
        _("preference"), max_length=12, choices=Prefer, default=Prefer.COMPATIBLE
    )
    posts = models.BooleanField(_("posts too"), default=False)
    audio = models.CharField(_("sound"), max_length=6, choices=Audio, default=Audio.NONE)
    idempotency_key = models.CharField(max_length=200, null=True, default=None)
    idempotency_fingerprint = models.CharField(
        max_length=64, blank=True, default="", editable=False
    )
    time_zone = models.CharField(max_length=64, blank=True, default="", editable=False)
    name_template = models.CharField(
        max_length=TEMPLATE_LENGTH, blank=True, default="", db_default="", editable=False
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, default=None)
    erased_at = models.DateTimeField(null=True, default=None, editable=False)
    from_watch = models.BooleanField(
        _("from a watch"), default=False, db_default=False, editable=False
    )
    watch = models.ForeignKey(
        "jobs.Watch",
        on_delete=models.SET_NULL,
        null=True,
        default=None,
        editable=False,
        related_name="jobs",
        db_index=False,
    )
    bundle = models.ForeignKey(
        "jobs.Package",
        on_delete=models.SET_NULL,
        null=True,
        default=None,
        related_name="+",
        verbose_name=_("bundle"),
    )
    selection = models.ForeignKey(
        "jobs.Package",
        on_delete=models.SET_NULL,
        null=True,
        default=None,
        related_name="+",
        verbose_name=_("selection"),
    )

    objects = KeptJobs()
    with_erased = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="job_owner_newest"),
            models.Index(fields=["settled_at"], name="job_settled"),
            models.Index(
                fields=["erased_at", "id"],
                condition=models.Q(erased_at__isnull=False),
                name="job_erased",
            ),
            models.Index(
                fields=["owner"],
                condition=models.Q(from_watch=True),
                name="job_from_watch",
            ),
            models.Index(
                fields=["watch"],
                condition=models.Q(watch__isnull=False),
                name="job_of_watch",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="job_idempotent"),
        ]
        permissions = [
            ("cancel_job", "Can cancel jobs of others"),
            ("retry_job", "Can retry jobs of others"),
            ("requeue_job", "Can queue jobs of others again"),
            ("purge_job", "Can delete files of jobs of others"),
            ("view_operations", "Can see the operations page"),
            ("run_diagnosis", "Can run a diagnosis"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class Item(Owned):
    """One line of a job.

    line: as it was typed, cut to 500 characters. target: the fields of `stories.structures.Target`,
    {} when the line was refused. key: `Target.key`, equal for equal targets.
    attempt: grows with every claim and fences off a worker presumed dead. tries: automatic
    attempts since the user last asked. holder: the process that claimed it last
    (jobs/queue/holders.py). deaths: workers that died with it in hand; from the first on it is
    tried alone, so the others died of it. outages: how often it lost its worker without such a
    death, by a power cut for one. Both are 0 again once it was tried to an end.
    sent_at: when a message was last sent to the broker.
    asked_at: when the user last asked, by submitting or retrying; the queue is in this order. Of a
    line that a watch made it may lie ahead: until then everything that people asked for goes first.
    refused_since: since when the item waits because TikTok refuses this server.
    heartbeat_at: the running worker's last heartbeat.
    fetch_key: what this running item fetches, for items that ask for the same at the same time
    (jobs/fetching/coalescing.py); null when nobody may wait for it. listed_at: when this attempt
    got its list.
    error_code, error_detail: why it waits or failed; `jobs.errors` has the words for a code.
    left_out: `stories.left_out.LeftOutReason` -> how many stories the last list names or promises
    and does not hand over; {} when that list was complete, and for a single link.
    refetch_of: id of the line of an earlier job that this one fetches the rest of; what that line
    has saved is linked, not fetched. It may be erased by now.
    only_ids: TikTok's ids of the stories that are wanted of the list, with spaces between, where a
    look at a watched account found them; "" = all of it. look_id: that look, equal for the lines
    that it made for several owners.
    """

    job = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="items", verbose_name=_("job")
    )
    position = models.PositiveIntegerField(_("position"))
    line = models.CharField(_("line"), max_length=LINE_LENGTH)
    kind = models.CharField(_("kind"), max_length=8, choices=ItemKind)
    target = models.JSONField(default=dict)
    key = models.CharField(max_length=300, blank=True, default="")

    state = models.CharField(_("state"), max_length=10, choices=ItemState, default=ItemState.QUEUED)
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    holder = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    deaths = models.PositiveSmallIntegerField(_("workers lost"), default=0, db_default=0)
    outages = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    not_before = models.DateTimeField(_("not before"), null=True, default=None)
    refused_since = models.DateTimeField(_("refused since"), null=True, default=None)
    sent_at = models.DateTimeField(_("sent at"), null=True, default=None)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, default=None)
    heartbeat_at = models.DateTimeField(_("last seen"), null=True, default=None)
    fetch_key = models.CharField(max_length=64, null=True, default=None, unique=True)
    listed_at = models.DateTimeField(_("listed at"), null=True, default=None)
    settled_at = models.DateTimeField(_("settled at"), null=True, default=None)
    error_code = models.CharField(_("code"), max_length=32, blank=True, default="")
    error_detail = models.CharField(_("detail"), max_length=500, blank=True, default="")
    left_out = models.JSONField(_("left out"), default=dict)
    refetch_of = models.UUIDField(_("fetches the rest of"), null=True, default=None)
    only_ids = models.TextField(blank=True, default="", db_default="", editable=False)
    look_id = models.UUIDField(null=True, default=None, editable=False)

    author_id = models.CharField(_("author id"), max_length=32, blank=True, default="")
    author_name = models.CharField(_("author"), max_length=64, blank=True, default="")
    author_nickname = models.CharField(_("nickname"), max_length=200, blank=True, default="")

    objects = ItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("line")
        verbose_name_plural = _("lines")
        indexes = [
            models.Index(fields=["state", "not_before"], name="item_due"),
            models.Index(fields=["state", "heartbeat_at"], name="item_lease"),
            models.Index(fields=["job", "state"], name="item_job_state"),
            models.Index(fields=["owner", "created_at"], name="item_owner_newest"),
            models.Index(fields=["settled_at"], name="item_settled"),
            # The line of each owner that waits, in the order of the queue; and what the broker
            # knows of. Few rows are in them, so they cost the others nothing.
            models.Index(
                fields=["owner", "asked_at", "position", "id"],
                condition=models.Q(state=ItemState.QUEUED),
                name="item_waiting",
            ),
            models.Index(
                fields=["sent_at"],
                condition=models.Q(state=ItemState.QUEUED, sent_at__isnull=False),
                name="item_in_broker",
            ),
            models.Index(
                fields=["refused_since"],
                condition=models.Q(state=ItemState.QUEUED, refused_since__isnull=False),
                name="item_refused",
            ),
            models.Index(
                fields=["look_id"],
                condition=models.Q(look_id__isnull=False),
                name="item_of_look",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="item_position"),
        ]
        permissions = [
            ("cancel_item", "Can cancel lines of others"),
            ("retry_item", "Can retry lines of others"),
            ("requeue_item", "Can queue lines of others again"),
            ("purge_item", "Can delete files of lines of others"),
            ("reveal_target", "Can reveal what others fetched, and search by it"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class Story(Owned):
    """One story (or post) found behind an item, kept after its files are gone.

    tiktok_id: TikTok's item id. media_count: how many pictures or videos it has.
    state: QUEUED while its files are on their way, then DONE, PARTIAL, FAILED or CANCELLED.
    position: 1-based, oldest first within the item; grows when a later attempt finds more.
    """

    item = models.ForeignKey(
        Item, on_delete=models.CASCADE, related_name="stories", verbose_name=_("line")
    )
    tiktok_id = models.CharField(_("TikTok id"), max_length=32)
    position = models.PositiveIntegerField(_("position"))
    kind = models.CharField(_("kind"), max_length=10, choices=StoryKind)
    is_story = models.BooleanField(_("is a story"), default=True)
    caption = models.TextField(_("caption"), blank=True, default="")
    source_url = models.CharField(_("source link"), max_length=300, blank=True, default="")
    posted_at = models.DateTimeField(_("posted at"))
    leaves_at = models.DateTimeField(_("leaves TikTok at"), null=True, default=None)
    media_count = models.PositiveIntegerField(_("media"), default=1)
    captured_at = models.DateTimeField(_("captured at"), null=True, default=None)
    state = models.CharField(_("state"), max_length=10, choices=ItemState, default=ItemState.QUEUED)
    error_code = models.CharField(_("code"), max_length=32, blank=True, default="")
    error_detail = models.CharField(_("detail"), max_length=500, blank=True, default="")

    objects = StoryQuerySet.as_manager()

    class Meta:
        verbose_name = _("story")
        verbose_name_plural = _("stories")
        constraints = [
            models.UniqueConstraint(fields=["item", "tiktok_id"], name="story_once_per_item"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class Artifact(Owned):
    """A file that can be downloaded until it expires. Its bytes lie in the store under its id.

    position: of the media within its story (1-based); 0 for ZIPs. name: the file name of a
    download, unique within its job. expires_at: moved by extending. removed_at: when the bytes were
    deleted; the row stays, so that pages can say when. content_id: equal for files that are one
    file on the disk under several names (hard links): the id of the first of them; null for a file
    that was never linked. collected_at: when its owner had it, where a watch found it and it is
    kept until then.
    """

    # Without an index of its own, which SQLite would take instead of the one with the bytes.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
        db_index=False,
    )
    job = models.ForeignKey(
        Job, on_delete=models.CASCADE, related_name="artifacts", verbose_name=_("job")
    )
    item = models.ForeignKey(
        Item, on_delete=models.CASCADE, null=True, related_name="artifacts", verbose_name=_("line")
    )
    story = models.ForeignKey(
        Story,
        on_delete=models.CASCADE,
        null=True,
        related_name="artifacts",
        verbose_name=_("story"),
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    position = models.PositiveIntegerField(_("position"), default=0)
    name = models.CharField(_("name"), max_length=255)
    content_type = models.CharField(_("content type"), max_length=64)
    size_bytes = models.PositiveBigIntegerField(_("bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    width = models.PositiveIntegerField(_("width"), null=True, default=None)
    height = models.PositiveIntegerField(_("height"), null=True, default=None)
    duration_s = models.FloatField(_("duration in seconds"), null=True, default=None)
    has_audio = models.BooleanField(_("has sound"), default=False)
    checked = models.BooleanField(_("checked"), default=False)
    labels = models.JSONField(_("labels"), default=list)
    content_id = models.UUIDField(null=True, default=None, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    removed_at = models.DateTimeField(_("removed at"), null=True, default=None)
    collected_at = models.DateTimeField(_("collected at"), null=True, default=None)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        indexes = [
            # Partial, and of one column: as (removed_at, expires_at) SQLite took it for everything
            # that asks for present files, and read all of them to find one line's.
            models.Index(
                fields=["expires_at"],
                condition=models.Q(removed_at=None),
                name="artifact_expiring",
            ),
            # Bytes of an owner are summed from the index alone.
            models.Index(
                fields=["owner", "role", "size_bytes", "job"],
                condition=models.Q(removed_at=None),
                name="artifact_stored",
            ),
            models.Index(
                fields=["content_id", "size_bytes"],
                condition=models.Q(removed_at=None, content_id__isnull=False),
                name="artifact_linked",
            ),
        ]
        constraints = [
            # A late double of a worker can never add the same file a second time.
            models.UniqueConstraint(
                fields=["story", "role", "position"],
                condition=models.Q(removed_at=None, story__isnull=False),
                name="artifact_once_per_story",
            ),
        ]
        permissions = [("purge_artifact", "Can delete files of others")]

    def __str__(self) -> str:
        return f"{self.get_role_display()} {self.id}"
