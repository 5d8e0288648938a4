"""The public picture of each line's author, in a table of its own; the line has its digest."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_growth")]

    operations = [
        migrations.AddField(
            model_name="item",
            name="author_picture",
            field=models.CharField(blank=True, default="", editable=False, max_length=16),
        ),
        migrations.CreateModel(
            name="AuthorPicture",
            fields=[
                (
                    "item",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="jobs.item",
                        verbose_name="line",
                    ),
                ),
                ("picture", models.BinaryField()),
            ],
            options={
                "verbose_name": "author’s picture",
                "verbose_name_plural": "authors’ pictures",
            },
        ),
    ]
