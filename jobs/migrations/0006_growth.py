"""Indexes for what grows: the queue by owner, lines by job, bytes; erased jobs."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0005_idempotency_zone_language'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='artifact',
            name='artifact_expiry',
        ),
        migrations.AddField(
            model_name='job',
            name='erased_at',
            field=models.DateTimeField(default=None, editable=False, null=True),
        ),
        migrations.AlterField(
            model_name='artifact',
            name='owner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='owner'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['expires_at'], name='artifact_expiring'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(condition=models.Q(('removed_at', None)), fields=['owner', 'role', 'size_bytes', 'job'], name='artifact_stored'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(condition=models.Q(('content_id__isnull', False), ('removed_at', None)), fields=['content_id', 'size_bytes'], name='artifact_linked'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['job', 'state'], name='item_job_state'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['owner', 'created_at'], name='item_owner_newest'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(fields=['settled_at'], name='item_settled'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('state', 'queued')), fields=['owner', 'asked_at', 'position', 'id'], name='item_waiting'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('sent_at__isnull', False), ('state', 'queued')), fields=['sent_at'], name='item_in_broker'),
        ),
        migrations.AddIndex(
            model_name='item',
            index=models.Index(condition=models.Q(('refused_since__isnull', False), ('state', 'queued')), fields=['refused_since'], name='item_refused'),
        ),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('erased_at__isnull', False)), fields=['erased_at', 'id'], name='job_erased'),
        ),
        migrations.AddIndex(
            model_name='package',
            index=models.Index(fields=['state', 'created_at'], name='package_state'),
        ),
    ]
