"""Rows of API tokens, invitations, sign-in links, and the link that makes the first admin."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    """Scope of a token: `read` allows GET, HEAD and OPTIONS alone."""

    READ = "read", _("look and download")
    WRITE = "write", _("everything")


class ApiToken(models.Model):
    """An API token of a user. Only its SHA-256 is stored; the token itself is shown once.

    last_used_at: refreshed at most once a minute.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=5, choices=Scope, default=Scope.WRITE)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, default=None)
    expires_at = models.DateTimeField(null=True, default=None)

    def __str__(self) -> str:
        return self.name

    @property
    def is_expired(self) -> bool:
        """Whether it has expired; such a row is kept only to be listed."""
        return self.expires_at is not None and self.expires_at <= timezone.now()


class SetupLink(models.Model):
    """A link that makes the first admin. One row at most; using the link deletes it.

    digest: SHA-256 of the token in the link.
    """

    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"set-up link of {self.created_at:%Y-%m-%d %H:%M}"


class Invitation(models.Model):
    """A link that lets one person make an account. Using or revoking it deletes the row.

    digest: SHA-256 of the token in the link. created_by: None when made on the command line.
    whom: a reminder for whoever made it.
    """

    digest = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+"
    )
    makes_admin = models.BooleanField(default=False)
    whom = models.CharField(max_length=100, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"invitation until {self.expires_at:%Y-%m-%d %H:%M}"


class SignInLink(models.Model):
    """A link that signs one person in, made on the command line. One row a person at most; using
    the link deletes it.

    digest: SHA-256 of the token in the link.
    """

    digest = models.CharField(max_length=64, unique=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"sign-in link of {self.created_at:%Y-%m-%d %H:%M}"
