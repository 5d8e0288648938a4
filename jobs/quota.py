"""The table of people's own limits; models.py has the others."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Quota(models.Model):
    """One user's own limits; without a row the instance's defaults hold.

    Each limit: null = the instance's default, 0 = no limit. forgotten_items: items of the day
    forgotten_on whose rows were erased; they count for that day all the same.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="quota"
    )
    active_items = models.PositiveIntegerField(
        _("lines at once"), null=True, blank=True, default=None
    )
    items_per_day = models.PositiveIntegerField(
        _("lines a day"), null=True, blank=True, default=None
    )
    stored_bytes = models.PositiveBigIntegerField(
        _("bytes of saved files"), null=True, blank=True, default=None
    )
    forgotten_on = models.DateField(null=True, default=None, editable=False)
    forgotten_items = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("quota")
        verbose_name_plural = _("quotas")

    def __str__(self) -> str:
        return f"{self._meta.verbose_name}: {self.owner}"
