"""What a message is about, where it goes, and what becomes of it there: what a column may hold."""

from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Kind(models.TextChoices):
    """What a message is about. `notices.wording` says which facts each needs."""

    SAVED = "saved", _("saved stories")
    FOUND = "found", _("new stories of a watched account")
    FAILED = "failed", _("stories that could not be saved")
    WATCH_ENDED = "watch_ended", _("a watch that ended")
    WATCH_RENAMED = "watch_renamed", _("a watched account with a new name")
    WATCH_RENEW_SOON = "watch_renew_soon", _("a watch that ends soon")
    WATCH_HOLE = "watch_hole", _("hours that were not covered")
    REFUSED = "refused", _("TikTok refuses this server")
    DISK = "disk", _("the disk is almost full")
    BACKUP = "backup", _("the backup failed")
    TEST = "test", _("a test")


WATCHING: Final = frozenset(
    {
        Kind.FOUND,
        Kind.WATCH_ENDED,
        Kind.WATCH_RENAMED,
        Kind.WATCH_RENEW_SOON,
        Kind.WATCH_HOLE,
    }
)
"""Kinds that come of watching."""
OWN: Final = frozenset({Kind.SAVED, Kind.FAILED})
"""Kinds that come of what a person asked for; they may be switched off."""
OF_JOBS: Final = OWN | {Kind.FOUND}
"""Kinds that tell of a job that settled."""
RIDING: Final = frozenset({Kind.WATCH_HOLE})
"""Kinds that go along with the next message and cause none."""
AT_ONCE: Final = frozenset({Kind.TEST})
"""Kinds that wait for no hour and are never put together with others."""


class Way(models.TextChoices):
    """Where a message goes."""

    PUSH = "push", pgettext_lazy("way of a message", "push")
    CHANNEL = "channel", pgettext_lazy("way of a message", "channel")
    WEBHOOK = "webhook", pgettext_lazy("way of a message", "webhook")


THIRD_PARTIES: Final = frozenset({Way.CHANNEL, Way.WEBHOOK})
"""Ways on which somebody else can read along."""


class DeliveryState(models.TextChoices):
    """What became of a delivery."""

    WAITING = "waiting", pgettext_lazy("delivery", "waiting")
    SENT = "sent", pgettext_lazy("delivery", "sent")
    GIVEN_UP = "given_up", pgettext_lazy("delivery", "given up")


class Reason(models.TextChoices):
    """Why a delivery waits for another try or was given up."""

    NONE = "", ""
    NO_ANSWER = "no_answer", _("No answer came.")
    REFUSED = "refused", _("It was refused there.")
    BUSY = "busy", _("The other side was busy.")
    GONE = "gone", _("That device no longer takes messages. It was removed.")
    BAD_KEYS = "bad_keys", _("The keys of that device cannot be used. It was removed.")
    OTHER_KEY = "other_key", _("This device has to be set up again.")
    NOT_ALLOWED = "not_allowed", _("Messages may not be sent to that address.")
    NOT_SET_UP = "not_set_up", _("This server is not set up for it any more.")
    UNREADABLE = "unreadable", _("Its address cannot be read any more. Enter it again.")
    TOO_SLOW = "too_slow", _("It took too long.")
    INTERRUPTED = "interrupted", _("The server stopped meanwhile. It may have arrived.")
    FAULT = "fault", _("An error of this server. The log says more.")
    TOO_LATE = "too_late", _("It could not be sent for a day.")
