"""A right of its own to reveal what others fetched; words of the admin."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0007_author_pictures'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='item',
            options={'permissions': [('cancel_item', 'Can cancel lines of others'), ('retry_item', 'Can retry lines of others'), ('requeue_item', 'Can queue lines of others again'), ('purge_item', 'Can delete files of lines of others'), ('reveal_target', 'Can reveal what others fetched, and search by it')], 'verbose_name': 'line', 'verbose_name_plural': 'lines'},
        ),
        migrations.AlterModelOptions(
            name='package',
            options={'verbose_name': 'ZIP job', 'verbose_name_plural': 'ZIP jobs'},
        ),
        migrations.AlterField(
            model_name='item',
            name='heartbeat_at',
            field=models.DateTimeField(default=None, null=True, verbose_name='last seen'),
        ),
        migrations.AlterField(
            model_name='package',
            name='heartbeat_at',
            field=models.DateTimeField(default=None, null=True, verbose_name='last seen'),
        ),
    ]
