"""The tables of watched accounts: who watches whom, when the next look is, and what was missed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.choices import WatchState

NOTE_LENGTH = 500


class WatchedAccount(models.Model):
    """An account of TikTok's that somebody watches: one look at it serves all who do.

    tiktok_id: "" until a first look has told it; until then it stands for its name. name: in lower
    case, without "@", as the last look had it. looked_at: when the last look ended, whatever came
    of it. complete_at: when the last look began that brought a whole list. claimed_at: when a look
    began that has not ended; attempt grows with each, so that one taken for dead writes nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tiktok_id = models.CharField(_("TikTok id"), max_length=32, blank=True, default="")
    name = models.CharField(_("name"), max_length=64)
    nickname = models.CharField(_("nickname"), max_length=200, blank=True, default="")
    sec_uid = models.CharField(max_length=200, blank=True, default="", editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    looked_at = models.DateTimeField(_("looked at"), null=True, default=None)
    complete_at = models.DateTimeField(_("last whole list"), null=True, default=None)
    attempt = models.PositiveIntegerField(default=0, editable=False)
    claimed_at = models.DateTimeField(null=True, default=None, editable=False)

    class Meta:
        verbose_name = _("watched account")
        verbose_name_plural = _("watched accounts")
        constraints = [
            models.UniqueConstraint(
                fields=["tiktok_id"],
                condition=~models.Q(tiktok_id=""),
                name="watched_account_once",
            ),
            models.UniqueConstraint(
                fields=["name"],
                condition=models.Q(tiktok_id=""),
                name="watched_account_name_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class Watch(models.Model):
    """One person's wish to have every story of an account, until it ends.

    name, nickname: of the account, as the last look made for this watch had them; "" before the
    first. Those of `account` may tell of looks for others. every_s: seconds between two looks.
    next_at: when it is looked again; null while it is paused or has ended. covered_until: the
    moment up to which every story was seen that stayed its full day; null until the first whole
    list. deadline_at: twenty hours after that, the latest next look. seen: TikTok's ids of stories
    that were handed on, those of the last 48 hours. failures: looks in a row that brought no whole
    list. error_code: why the last look failed, or why it ended. time_zone: IANA name of the zone
    its owner's pages showed times in when they last changed it, for the names of files; "" = not
    known. renew_by: when it ends unless it is renewed. checked_at: when its owner last asked for a
    look.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    account = models.ForeignKey(
        WatchedAccount,
        on_delete=models.CASCADE,
        related_name="watches",
        verbose_name=_("watched account"),
    )
    name = models.CharField(_("name"), max_length=64, blank=True, default="")
    nickname = models.CharField(_("nickname"), max_length=200, blank=True, default="")
    every_s = models.PositiveIntegerField(_("seconds between looks"))
    state = models.CharField(
        _("state"), max_length=10, choices=WatchState, default=WatchState.CHECKING
    )
    note = models.CharField(_("note"), max_length=NOTE_LENGTH, blank=True, default="")
    time_zone = models.CharField(max_length=64, blank=True, default="", editable=False)
    notify = models.BooleanField(_("tell me"), default=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    next_at = models.DateTimeField(_("next look"), null=True, default=None)
    looked_at = models.DateTimeField(_("looked at"), null=True, default=None)
    covered_until = models.DateTimeField(_("covered until"), null=True, default=None)
    deadline_at = models.DateTimeField(null=True, default=None, editable=False)
    renew_by = models.DateTimeField(_("renew by"))
    checked_at = models.DateTimeField(null=True, default=None, editable=False)
    seen = models.JSONField(default=list, editable=False)
    failures = models.PositiveSmallIntegerField(_("failed looks"), default=0)
    error_code = models.CharField(_("code"), max_length=32, blank=True, default="")

    class Meta:
        verbose_name = _("watch")
        verbose_name_plural = _("watches")
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(next_at__isnull=False),
                name="watch_due",
            ),
            models.Index(fields=["owner", "-created_at", "-id"], name="watch_owner_newest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["owner", "account"], name="watch_once"),
        ]
        permissions = [("pause_watch", "Can pause watches of others")]

    @property
    def known_name(self) -> str:
        """The account's name as its owner knows it, without "@"; reads `account` before a first
        look."""
        return self.name or self.account.name

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class WatchGap(models.Model):
    """A time of which a watch knows nothing: a story posted in it may be missing, for none of our
    looks came within its day."""

    watch = models.ForeignKey(
        Watch, on_delete=models.CASCADE, related_name="gaps", verbose_name=_("watch")
    )
    begins_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))

    class Meta:
        verbose_name = _("gap")
        verbose_name_plural = _("gaps")
        constraints = [
            models.UniqueConstraint(fields=["watch", "begins_at"], name="watch_gap_once"),
        ]

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m-%d %H:%M} – {self.ends_at:%Y-%m-%d %H:%M}"


class WatchingPause(models.Model):
    """All watching rests, because an admin said so; without the one row it does not."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    since = models.DateTimeField(_("since"), default=timezone.now)

    def __str__(self) -> str:
        return f"paused since {self.since:%Y-%m-%d %H:%M}"
