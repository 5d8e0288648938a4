"""What the options of a job are called."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0008_admin_words_and_reveal"),
    ]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="audio",
            field=models.CharField(
                choices=[("none", "none"), ("m4a", "M4A (original)"), ("mp3", "MP3")],
                default="none",
                max_length=6,
                verbose_name="sound",
            ),
        ),
        migrations.AlterField(
            model_name="job",
            name="prefer",
            field=models.CharField(
                choices=[
                    ("compatible", "plays everywhere (H.264)"),
                    ("highest", "best quality (HEVC; may not play everywhere)"),
                ],
                default="compatible",
                max_length=12,
                verbose_name="preference",
            ),
        ),
    ]
