"""The table of ways of asking TikTok that an admin switched; models.py has the others."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class WaySwitch(models.Model):
    """Whether a way is switched off; one without a row is on.

    name: of the way. changed_by: the admin, null once the account is gone.
    """

    name = models.CharField(max_length=32, unique=True)
    off = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"{self.name}: {'off' if self.off else 'on'}"
