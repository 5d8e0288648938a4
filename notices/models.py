"""The tables: messages, where they go, and how each member wants to be told."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notices.kinds import DeliveryState, Kind, Reason, Way

TOPIC_LENGTH = 32
"""Characters of a push message's topic, which a push service takes at most."""


class Message(models.Model):
    """A message to one member: the outbox.

    key: made of what happened, so that the same is told once. facts: what `notices.wording` makes
    sentences of, in the language of whoever reads them; emptied once all of it was sent. path: of
    the page it leads to, with a sub-path if there is one. topic: what it is about, for a newer one
    to take its place; also how it is found when that is forgotten. kept_until: when our copy goes.
    not_before: when it is looked at next. rides: it goes along with another one and causes none.
    batch: of what it was put together with; null until it is to be sent.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    key = models.CharField(max_length=200, unique=True)
    facts = models.JSONField(default=dict)
    path = models.CharField(max_length=300, blank=True, default="")
    topic = models.CharField(max_length=TOPIC_LENGTH, blank=True, default="", db_index=True)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    kept_until = models.DateTimeField(null=True, default=None)
    not_before = models.DateTimeField(default=timezone.now)
    rides = models.BooleanField(default=False)
    batch = models.UUIDField(null=True, default=None, db_index=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        indexes = [
            models.Index(
                fields=["not_before"],
                condition=Q(batch__isnull=True, rides=False),
                name="message_due",
            ),
            models.Index(fields=["created_at"], name="message_age"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"


class PushSubscription(models.Model):
    """A browser that takes push messages.

    endpoint: its address at its push service. p256dh, auth: the keys a message to it is encrypted
    with, in base64url. server_key: the public key it was made for. base: address this instance had
    there, for links. last_ok_at: when the push service last took a message.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    endpoint = models.CharField(max_length=1000, unique=True)
    p256dh = models.CharField(max_length=100)
    auth = models.CharField(max_length=40)
    server_key = models.CharField(max_length=100)
    base = models.CharField(max_length=300)
    device = models.CharField(_("device"), max_length=100)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    last_ok_at = models.DateTimeField(_("last sent"), null=True, default=None)

    class Meta:
        verbose_name = _("device")
        verbose_name_plural = _("devices")

    def __str__(self) -> str:
        return self.device


class Channel(models.Model):
    """A way to tell people that an admin has made and members may pick.

    address: of Apprise, sealed (notices/sealing.py); it may hold passwords, and `{user}`, for which
    the member's name is put. scheme: its first word, which may be shown.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    address = models.TextField(editable=False)
    scheme = models.CharField(_("service"), max_length=30, editable=False)
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Webhook(models.Model):
    """A member's own address that messages are posted to. address, secret: sealed; the secret was
    shown once. host: of the address."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    address = models.TextField(editable=False)
    secret = models.TextField(editable=False)
    host = models.CharField(max_length=255)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    last_ok_at = models.DateTimeField(_("last sent"), null=True, default=None)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.host


class Preference(models.Model):
    """How a member wants to be told. Whoever has none is told nothing.

    own: also of what they asked for themselves, not of watches alone. names: third parties may read
    which accounts it is about. digest_hour: hour of the one message a day; null = as things happen.
    quiet_from, quiet_until: hours between which nothing is sent; null = none. time_zone: IANA name
    of the zone these hours are in; "" = the instance's. language: of the messages. told_at: when
    something was last put together for them.
    """

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    channel = models.ForeignKey(
        Channel, on_delete=models.SET_NULL, null=True, default=None, related_name="+"
    )
    own = models.BooleanField(default=True)
    names = models.BooleanField(default=False)
    digest_hour = models.PositiveSmallIntegerField(
        null=True, default=None, validators=[MaxValueValidator(23)]
    )
    quiet_from = models.PositiveSmallIntegerField(
        null=True, default=None, validators=[MaxValueValidator(23)]
    )
    quiet_until = models.PositiveSmallIntegerField(
        null=True, default=None, validators=[MaxValueValidator(23)]
    )
    time_zone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    told_at = models.DateTimeField(null=True, default=None, editable=False)

    def __str__(self) -> str:
        return f"preference of {self.owner_id}"


class Delivery(models.Model):
    """A batch of messages on one way to one member.

    target: which device or channel, by its id; "" for the webhook. label: its name, as it was then.
    tries: so many were begun. not_before: of the next one. leased_until: while a worker tries it.
    reason: why it waits or was given up. ended_at: when it was sent or given up.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="+",
        verbose_name=_("owner"),
    )
    batch = models.UUIDField()
    way = models.CharField(_("way"), max_length=10, choices=Way)
    target = models.CharField(max_length=20, blank=True, default="")
    label = models.CharField(_("to"), max_length=100, blank=True, default="")
    state = models.CharField(
        _("state"), max_length=10, choices=DeliveryState, default=DeliveryState.WAITING
    )
    reason = models.CharField(
        _("reason"), max_length=20, choices=Reason, blank=True, default=Reason.NONE
    )
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    not_before = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True, default=None)
    ended_at = models.DateTimeField(_("ended at"), null=True, default=None)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(
                fields=["not_before"],
                condition=Q(state=DeliveryState.WAITING),
                name="delivery_due",
            ),
            models.Index(fields=["owner", "state"], name="delivery_owner"),
            models.Index(fields=["created_at"], name="delivery_age"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["batch", "way", "target"], name="delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.id}"
