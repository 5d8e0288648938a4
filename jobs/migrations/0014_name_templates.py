"""How people want their files named, and how those of a job are."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("jobs", "0013_protocol_packs"),
    ]

    operations = [
        migrations.CreateModel(
            name="NamingChoice",
            fields=[
                (
                    "owner",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="naming",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("template", models.CharField(max_length=120)),
            ],
        ),
        migrations.AddField(
            model_name="job",
            name="name_template",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=120
            ),
        ),
    ]
