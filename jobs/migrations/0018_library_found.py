"""The library: which files a row has found and not written, and whether the folder is away."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0017_library")]

    operations = [
        migrations.AddField(
            model_name="librarycopy",
            name="was_there",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="librarymark",
            name="is_away",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="librarychoice",
            name="mode",
            field=models.CharField(
                choices=[
                    ("never", "Nothing"),
                    ("ask", "Only what I choose"),
                    ("watches", "Everything from watched accounts, and what I choose"),
                    ("everything", "Everything I save"),
                ],
                default="never",
                max_length=12,
            ),
        ),
    ]
