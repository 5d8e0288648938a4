from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0003_fetch_key"),
    ]

    operations = [
        migrations.AddField(
            model_name="item",
            name="left_out",
            field=models.JSONField(default=dict, verbose_name="left out"),
        ),
        migrations.AddField(
            model_name="item",
            name="refetch_of",
            field=models.UUIDField(
                default=None, null=True, verbose_name="fetches the rest of"
            ),
        ),
    ]
