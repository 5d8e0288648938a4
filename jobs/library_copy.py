"""The tables of the library: what is kept for good, and how each member wants it; models.py has the
others."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class LibraryMode(models.TextChoices):
    """What a member wants kept for good."""

    NEVER = "never", _("Nothing")
    ASK = "ask", _("Only what I choose")
    WATCHES = "watches", _("Everything from watched accounts, and what I choose")
    EVERYTHING = "everything", _("Everything I save")


class CopyRole(models.TextChoices):
    """What a file of the library is. The words of these three are for whoever reads the table."""

    MEDIA = "media", "picture or video, with its sidecar"
    STORY = "story", "JSON of a story"


class CopyState(models.TextChoices):
    """How far a file of the library has come.

    REMOVING: its owner had it forgotten, and it goes when it is as it was written.
    """

    WAITING = "waiting", "waiting"
    KEPT = "kept", "kept"
    FAILED = "failed", "given up"
    REMOVING = "removing", "to be removed"


class SendState(models.TextChoices):
    """Whether a file of the library is at Immich. NONE: it is not to be sent."""

    NONE = "", "not sent"
    WAITING = "waiting", "waiting"
    THERE = "there", "there"
    FAILED = "failed", "given up"


class LibraryChoice(models.Model):
    """How a member wants things kept; without a row, nothing is.

    folder: name of the member's folder in the library, once there is one; it stays when they are
    renamed. immich_key: encrypted (notices/sealing.py); "" without one. album: name of the
    album at Immich; "" for none. album_id: Immich's id of it, once found. immich_error: why Immich
    took nothing the last time; "" when it did.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="library"
    )
    mode = models.CharField(max_length=12, choices=LibraryMode, default=LibraryMode.NEVER)
    folder = models.CharField(max_length=255, null=True, default=None, unique=True)
    immich_key = models.TextField(blank=True, default="")
    album = models.CharField(max_length=100, blank=True, default="")
    album_id = models.CharField(max_length=64, blank=True, default="")
    immich_error = models.CharField(max_length=32, blank=True, default="")

    def __str__(self) -> str:
        return self.mode


class LibraryCopy(models.Model):
    """A file of the library: to be written, written, or given up. One per member, story, role and
    position.

    owner: None once their account is gone; then only what is to be removed stays, until it is.
    tiktok_id: of the story. position: of the picture or video in it, from 1; of STORY files a
    number from 0, for a story may be added to. path: relative to the library, noted just before the
    file gets it; "" before that. was_there: the file was not written for this row, and stays when
    the row is forgotten. source_sha256: of our saved file; sha256, sha1: of the file as written,
    with its date. sidecar_sha256: of the XMP beside it; "" for one that was there. reason: why it
    waits or was given up. not_before: it is not touched earlier; while somebody works on it, so is
    it. posted_at: of the story.
    send_state, asset_id, send_reason, send_tries, send_not_before: the same at Immich.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        db_index=False,
    )
    tiktok_id = models.CharField(max_length=32)
    role = models.CharField(max_length=8, choices=CopyRole, default=CopyRole.MEDIA)
    position = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=CopyState, default=CopyState.WAITING)
    reason = models.CharField(max_length=16, blank=True, default="")
    tries = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField(null=True, default=None)
    path = models.CharField(max_length=1000, blank=True, default="")
    was_there = models.BooleanField(default=False, db_default=False)
    size_bytes = models.PositiveBigIntegerField(default=0)
    source_sha256 = models.CharField(max_length=64, blank=True, default="")
    sha256 = models.CharField(max_length=64, blank=True, default="")
    sha1 = models.CharField(max_length=40, blank=True, default="")
    sidecar_sha256 = models.CharField(max_length=64, blank=True, default="")
    posted_at = models.DateTimeField(null=True, default=None)
    created_at = models.DateTimeField(default=timezone.now)
    kept_at = models.DateTimeField(null=True, default=None)
    send_state = models.CharField(
        max_length=8, choices=SendState, blank=True, default=SendState.NONE
    )
    send_reason = models.CharField(max_length=32, blank=True, default="")
    send_tries = models.PositiveIntegerField(default=0)
    send_not_before = models.DateTimeField(null=True, default=None)
    asset_id = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "tiktok_id", "role", "position"], name="library_copy_once"
            ),
            models.UniqueConstraint(
                fields=["path"], condition=~models.Q(path=""), name="library_copy_path"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "not_before"], name="library_copy_due"),
            models.Index(fields=["send_state", "send_not_before"], name="library_copy_unsent"),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class LibraryMark(models.Model):
    """The number in the library's folder, by which folder and database know each other: one row.

    is_away: the workers did not find the folder when they last looked.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField(default=uuid.uuid4, editable=False)
    is_away = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return str(self.mark)
