"""What is written into the folder of saved files, so that folder and database know each other."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0010_deaths"),
    ]

    operations = [
        migrations.CreateModel(
            name="FolderMark",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("mark", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
            ],
        ),
    ]
