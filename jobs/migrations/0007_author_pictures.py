"""The public picture of each line's author, in a table of its own."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_growth")]

    operations = [
        migrations.CreateModel(
            name="AuthorPicture",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="author_picture",
                        serialize=False,
                        to="jobs.item",
                        verbose_name="line",
                    ),
                ),
                ("digest", models.CharField(max_length=16)),
                ("picture", models.BinaryField()),
            ],
            options={
                "verbose_name": "author’s picture",
                "verbose_name_plural": "authors’ pictures",
            },
        ),
    ]
