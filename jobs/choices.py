"""The choices of columns, and the words people read for them; an item's states are in `states`."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Prefer(models.TextChoices):
    """The rendition of a video to save."""

    COMPATIBLE = "compatible", _("plays everywhere (H.264)")
    HIGHEST = "highest", _("best quality (HEVC; may not play everywhere)")


class Audio(models.TextChoices):
    """Whether the audio track is also saved on its own, and in which form."""

    NONE = "none", pgettext_lazy("audio track", "none")
    M4A = "m4a", _("M4A (original)")
    MP3 = "mp3", _("MP3")


class ItemKind(models.TextChoices):
    """What the line was taken for; a short link counts as a story until it is resolved."""

    USER = "user", _("account")
    STORY = "story", _("story")
    POST = "post", _("post")


class StoryKind(models.TextChoices):
    """How a story is made up."""

    VIDEO = "video", _("video")
    PHOTO = "photo", _("photo")
    CAROUSEL = "carousel", _("carousel")


class Role(models.TextChoices):
    """The role of a file in its story or job."""

    MEDIA = "media", _("the story itself")
    CONVERTED = "converted", _("a JPEG made from it")
    AUDIO_TRACK = "audio_track", _("its sound")
    ATTACHED_SONG = "attached_song", _("the attached song")
    POSTER = "poster", _("a preview picture")
    ZIP = "zip", _("a carousel as ZIP")
    BUNDLE = "bundle", _("all files as ZIP")
    SELECTION = "selection", _("a selection as ZIP")


FETCHED_ROLES: Final = (Role.MEDIA, Role.ATTACHED_SONG)
"""Files as TikTok has them, and not made here."""
DAMAGED: Final = "damaged"
"""The label of a removed file that was given up because the disk had not kept it as it was."""
JOB_ZIP_ROLES: Final = (Role.BUNDLE, Role.SELECTION)
"""ZIPs of a whole job's files, and not of one carousel's."""


class PackageState(models.TextChoices):
    """The state of a ZIP in the making."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("packing")
    DONE = "done", _("ready")
    FAILED = "failed", _("failed")


class WatchState(models.TextChoices):
    """Whether a watched account is looked at for somebody. CHECKING: its first look is to come."""

    CHECKING = "checking", pgettext_lazy("watch", "first look")
    ACTIVE = "active", pgettext_lazy("watch", "watching")
    PAUSED = "paused", pgettext_lazy("watch", "paused")
    ENDED = "ended", pgettext_lazy("watch", "ended")


OPEN_PACKAGES: Final = frozenset({PackageState.QUEUED, PackageState.RUNNING})


class PackOrigin(models.TextChoices):
    """How a protocol pack came here."""

    FILE = "file", _("a file")
    ADDRESS = "address", _("looked for")
    WEEKLY = "weekly", _("the weekly look")
