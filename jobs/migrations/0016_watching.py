"""Watched accounts, and files that are kept until they are collected."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

_STATES = [
    ("checking", "first look"),
    ("active", "watching"),
    ("paused", "paused"),
    ("ended", "ended"),
]


def _time(name=None):
    return models.DateTimeField(name, default=None, null=True)


def _hidden_time():
    return models.DateTimeField(default=None, editable=False, null=True)


def _id():
    return models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)


ACCOUNT = migrations.CreateModel(
    name="WatchedAccount",
    fields=[
        ("id", _id()),
        ("tiktok_id", models.CharField("TikTok id", blank=True, default="", max_length=32)),
        ("name", models.CharField("name", max_length=64)),
        ("nickname", models.CharField("nickname", blank=True, default="", max_length=200)),
        ("sec_uid", models.CharField(blank=True, default="", editable=False, max_length=200)),
        ("created_at", models.DateTimeField("created at", default=django.utils.timezone.now)),
        ("looked_at", _time("looked at")),
        ("complete_at", _time("last whole list")),
        ("attempt", models.PositiveIntegerField(default=0, editable=False)),
        ("claimed_at", _hidden_time()),
    ],
    options={
        "verbose_name": "watched account",
        "verbose_name_plural": "watched accounts",
        "constraints": [
            models.UniqueConstraint(
                condition=models.Q(("tiktok_id", ""), _negated=True),
                fields=("tiktok_id",),
                name="watched_account_once",
            ),
            models.UniqueConstraint(
                condition=models.Q(("tiktok_id", "")),
                fields=("name",),
                name="watched_account_name_once",
            ),
        ],
    },
)
WATCH = migrations.CreateModel(
    name="Watch",
    fields=[
        ("id", _id()),
        (
            "owner",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
                verbose_name="owner",
            ),
        ),
        (
            "account",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="watches",
                to="jobs.watchedaccount",
                verbose_name="watched account",
            ),
        ),
        ("name", models.CharField("name", blank=True, default="", max_length=64)),
        ("nickname", models.CharField("nickname", blank=True, default="", max_length=200)),
        ("every_s", models.PositiveIntegerField("seconds between looks")),
        (
            "state",
            models.CharField("state", choices=_STATES, default="checking", max_length=10),
        ),
        ("note", models.CharField("note", blank=True, default="", max_length=500)),
        ("time_zone", models.CharField(blank=True, default="", editable=False, max_length=64)),
        ("notify", models.BooleanField("tell me", default=True)),
        ("created_at", models.DateTimeField("created at", default=django.utils.timezone.now)),
        ("next_at", _time("next look")),
        ("looked_at", _time("looked at")),
        ("covered_until", _time("covered until")),
        ("deadline_at", _hidden_time()),
        ("renew_by", models.DateTimeField("renew by")),
        ("checked_at", _hidden_time()),
        ("seen", models.JSONField(default=list, editable=False)),
        ("failures", models.PositiveSmallIntegerField("failed looks", default=0)),
        ("error_code", models.CharField("code", blank=True, default="", max_length=32)),
    ],
    options={
        "verbose_name": "watch",
        "verbose_name_plural": "watches",
        "permissions": [("pause_watch", "Can pause watches of others")],
        "indexes": [
            models.Index(
                condition=models.Q(("next_at__isnull", False)),
                fields=["next_at"],
                name="watch_due",
            ),
            models.Index(fields=["owner", "-created_at", "-id"], name="watch_owner_newest"),
        ],
        "constraints": [
            models.UniqueConstraint(fields=("owner", "account"), name="watch_once"),
        ],
    },
)
GAP = migrations.CreateModel(
    name="WatchGap",
    fields=[
        (
            "id",
            models.BigAutoField(
                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
            ),
        ),
        (
            "watch",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="gaps",
                to="jobs.watch",
                verbose_name="watch",
            ),
        ),
        ("begins_at", models.DateTimeField("from")),
        ("ends_at", models.DateTimeField("to")),
    ],
    options={
        "verbose_name": "gap",
        "verbose_name_plural": "gaps",
        "constraints": [
            models.UniqueConstraint(fields=("watch", "begins_at"), name="watch_gap_once"),
        ],
    },
)
PAUSE = migrations.CreateModel(
    name="WatchingPause",
    fields=[
        (
            "id",
            models.PositiveSmallIntegerField(
                default=1, editable=False, primary_key=True, serialize=False
            ),
        ),
        ("since", models.DateTimeField("since", default=django.utils.timezone.now)),
    ],
)
COLUMNS = [
    migrations.AddField("artifact", "collected_at", _time("collected at")),
    migrations.AddField(
        "item", "look_id", models.UUIDField(default=None, editable=False, null=True)
    ),
    migrations.AddField(
        "item",
        "only_ids",
        models.TextField(blank=True, db_default="", default="", editable=False),
    ),
    migrations.AddIndex(
        "item",
        models.Index(
            condition=models.Q(("look_id__isnull", False)), fields=["look_id"], name="item_of_look"
        ),
    ),
    migrations.AddField(
        "job",
        "from_watch",
        models.BooleanField("from a watch", db_default=False, default=False, editable=False),
    ),
    migrations.AddField(
        "job",
        "watch",
        models.ForeignKey(
            db_index=False,
            default=None,
            editable=False,
            null=True,
            on_delete=django.db.models.deletion.SET_NULL,
            related_name="jobs",
            to="jobs.watch",
        ),
    ),
    migrations.AddIndex(
        "job",
        models.Index(
            condition=models.Q(("from_watch", True)), fields=["owner"], name="job_from_watch"
        ),
    ),
    migrations.AddIndex(
        "job",
        models.Index(
            condition=models.Q(("watch__isnull", False)), fields=["watch"], name="job_of_watch"
        ),
    ),
]


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0015_feed_addresses"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [ACCOUNT, WATCH, GAP, PAUSE, *COLUMNS]
