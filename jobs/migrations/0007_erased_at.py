"""A job that was erased and whose rows go in the background."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0006_growth_indexes'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='erased_at',
            field=models.DateTimeField(default=None, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('erased_at__isnull', False)), fields=['erased_at', 'id'], name='job_erased'),
        ),
    ]
