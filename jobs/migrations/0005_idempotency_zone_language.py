"""What a request with an idempotency key held, the zone and language of people, linked files."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0004_left_out")]

    operations = [
        migrations.AddField(
            model_name="job",
            name="idempotency_fingerprint",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="job",
            name="time_zone",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="package",
            name="language",
            field=models.CharField(blank=True, default="", editable=False, max_length=16),
        ),
        migrations.AddField(
            model_name="artifact",
            name="content_id",
            field=models.UUIDField(default=None, editable=False, null=True),
        ),
    ]
