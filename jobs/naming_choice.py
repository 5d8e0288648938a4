"""The table of how people want their files named; models.py has the others."""

from django.conf import settings
from django.db import models

from jobs.name_template import TEMPLATE_LENGTH


class NamingChoice(models.Model):
    """A user's own template of file names; without a row the instance's holds.

    It holds for jobs sent from then on: each job keeps the one it was sent with.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="naming"
    )
    template = models.CharField(max_length=TEMPLATE_LENGTH)

    def __str__(self) -> str:
        return self.template
