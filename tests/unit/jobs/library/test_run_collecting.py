"""What the library has of a watch's files is collected."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from django.utils import timezone

from jobs.files import collection
from jobs.library import run
from jobs.models import Artifact
from tests.unit.jobs.library.test_run import due_again, saved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("is_killed", [False, True])
def test_what_a_watch_found_is_collected_once_the_library_has_it(
    library: Path, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    """Though a worker died right after it wrote that."""
    story = saved()
    job = story.item.job
    job.from_watch = True
    job.save()
    Artifact.objects.update(expires_at=timezone.now() + timedelta(days=3))
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        if is_killed:
            patch.setattr(collection, "note_collected", Mock(side_effect=KeyboardInterrupt))
        run.run()
    due_again()
    run.run()
    artifact = Artifact.objects.get()
    assert artifact.collected_at is not None
    assert artifact.expires_at < timezone.now() + timedelta(days=1)
