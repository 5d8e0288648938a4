"""The table of protocol packs: what was learnt of TikTok since this version was released."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs.choices import PackOrigin


class ProtocolPack(models.Model):
    """A signed protocol pack that was imported; the active one is in use.

    envelope: as it came, signature and all: checked again by every process that reads it
    (jobs/upstream/protocol.py).
    dropped_at: when somebody went back from it; it comes back only when it is imported again.
    """

    version = models.CharField(_("version"), max_length=16, unique=True)
    envelope = models.TextField(editable=False)
    how = models.CharField(max_length=10, choices=PackOrigin)
    imported_at = models.DateTimeField(_("imported"), default=timezone.now)
    dropped_at = models.DateTimeField(null=True, default=None)
    active = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["active"], condition=models.Q(active=True), name="protocol_pack_one_active"
            ),
        ]

    def __str__(self) -> str:
        return self.version
