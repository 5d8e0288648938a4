"""Protocol packs that were imported, one of them in use."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0012_way_switches"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProtocolPack",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("version", models.CharField(max_length=16, unique=True, verbose_name="version")),
                ("envelope", models.TextField(editable=False)),
                (
                    "how",
                    models.CharField(
                        choices=[
                            ("file", "a file"),
                            ("address", "looked for"),
                            ("weekly", "the weekly look"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "imported_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="imported"
                    ),
                ),
                ("dropped_at", models.DateTimeField(default=None, null=True)),
                ("active", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("active", True)),
                        fields=("active",),
                        name="protocol_pack_one_active",
                    )
                ],
            },
        ),
    ]
