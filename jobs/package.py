"""The table of ZIPs that were asked for; models.py has what they hold."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.choices import PackageState
from jobs.owned import Owned
from jobs.querysets import PackageQuerySet


class Package(Owned):
    """A ZIP someone asked for: a whole job, or a selection of its files.

    selection: artifact ids, sorted; [] means every file of the job. language: of the person who
    asked for it, for its manifest.
    attempt: grows with every claim. tries: attempts that came to an end. holder, deaths, outages:
    as an item's. sent_at: when a message was last sent to the broker. heartbeat_at: the packing
    worker's last heartbeat.
    """

    job = models.ForeignKey(
        "jobs.Job", on_delete=models.CASCADE, related_name="packages", verbose_name=_("job")
    )
    selection = models.JSONField(_("selection"), default=list)
    language = models.CharField(max_length=16, blank=True, default="", editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=PackageState, default=PackageState.QUEUED
    )
    attempt = models.PositiveIntegerField(_("attempt"), default=0)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    holder = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    deaths = models.PositiveSmallIntegerField(_("workers lost"), default=0, db_default=0)
    outages = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent at"), null=True, default=None)
    heartbeat_at = models.DateTimeField(_("last seen"), null=True, default=None)
    artifact = models.ForeignKey(
        "jobs.Artifact",
        on_delete=models.SET_NULL,
        null=True,
        default=None,
        related_name="+",
        verbose_name=_("file"),
    )
    error_code = models.CharField(_("code"), max_length=32, blank=True, default="")

    objects = PackageQuerySet.as_manager()

    class Meta:
        verbose_name = _("ZIP job")
        verbose_name_plural = _("ZIP jobs")
        indexes = [models.Index(fields=["state", "created_at"], name="package_state")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"
