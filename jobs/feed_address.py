"""The table of secret addresses of feeds; models.py has the others."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class FeedAddress(models.Model):
    """The secret address of a person's feed; without a row there is no feed.

    digest: SHA-256 of the secret in the address, which is shown once and kept nowhere.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="feed"
    )
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"feed since {self.created_at:%Y-%m-%d %H:%M}"
