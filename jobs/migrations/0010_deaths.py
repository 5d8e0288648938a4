"""Deaths of workers, counted apart from tries."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0009_option_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="item",
            name="holder",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=64
            ),
        ),
        migrations.AddField(
            model_name="item",
            name="deaths",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, verbose_name="workers lost"
            ),
        ),
        migrations.AddField(
            model_name="item",
            name="outages",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="package",
            name="holder",
            field=models.CharField(
                blank=True, db_default="", default="", editable=False, max_length=64
            ),
        ),
        migrations.AddField(
            model_name="package",
            name="deaths",
            field=models.PositiveSmallIntegerField(
                db_default=0, default=0, verbose_name="workers lost"
            ),
        ),
        migrations.AddField(
            model_name="package",
            name="outages",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
