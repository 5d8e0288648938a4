"""The library: what members keep for good."""

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0016_watching"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LibraryChoice",
            fields=[
                (
                    "owner",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="library",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[
                            ("never", "Nothing"),
                            ("ask", "Only what I choose"),
                            (
                                "watches",
                                "Everything from watched accounts, and what I choose",
                            ),
                            ("everything", "Everything I save"),
                        ],
                        default="never",
                        max_length=12,
                    ),
                ),
                ("folder", models.CharField(default=None, max_length=255, null=True, unique=True)),
                ("immich_key", models.TextField(blank=True, default="")),
                ("album", models.CharField(blank=True, default="", max_length=100)),
                ("album_id", models.CharField(blank=True, default="", max_length=64)),
                ("immich_error", models.CharField(blank=True, default="", max_length=32)),
            ],
        ),
        migrations.CreateModel(
            name="LibraryMark",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("mark", models.UUIDField(default=uuid.uuid4, editable=False)),
                ("is_away", models.BooleanField(db_default=False, default=False)),
            ],
        ),
        migrations.CreateModel(
            name="LibraryCopy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tiktok_id", models.CharField(max_length=32)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("media", "picture or video, with its sidecar"),
                            ("story", "JSON of a story"),
                        ],
                        default="media",
                        max_length=8,
                    ),
                ),
                ("position", models.PositiveIntegerField(default=0)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("kept", "kept"),
                            ("failed", "given up"),
                            ("removing", "to be removed"),
                        ],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=16)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("not_before", models.DateTimeField(default=None, null=True)),
                ("path", models.CharField(blank=True, default="", max_length=1000)),
                ("size_bytes", models.PositiveBigIntegerField(default=0)),
                ("source_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("sha256", models.CharField(blank=True, default="", max_length=64)),
                ("sha1", models.CharField(blank=True, default="", max_length=40)),
                ("sidecar_sha256", models.CharField(blank=True, default="", max_length=64)),
                ("posted_at", models.DateTimeField(default=None, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("kept_at", models.DateTimeField(default=None, null=True)),
                (
                    "send_state",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "not sent"),
                            ("waiting", "waiting"),
                            ("there", "there"),
                            ("failed", "given up"),
                        ],
                        default="",
                        max_length=8,
                    ),
                ),
                ("send_reason", models.CharField(blank=True, default="", max_length=32)),
                ("send_tries", models.PositiveIntegerField(default=0)),
                ("send_not_before", models.DateTimeField(default=None, null=True)),
                ("was_there", models.BooleanField(db_default=False, default=False)),
                ("asset_id", models.CharField(blank=True, default="", max_length=64)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "not_before"], name="library_copy_due"),
                    models.Index(
                        fields=["send_state", "send_not_before"], name="library_copy_unsent"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("owner", "tiktok_id", "role", "position"), name="library_copy_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("path", ""), _negated=True),
                        fields=("path",),
                        name="library_copy_path",
                    ),
                ],
            },
        ),
    ]
