"""A line's views are what its row objects say, one by one."""

from __future__ import annotations

import pytest

from jobs.queries.job_view import FileView
from tests.factories import make_user
from tests.unit.jobs.queries.random_jobs import (
    make_random_job,
    plain_author,
    plain_file,
    plain_stories,
)
from tests.unit.jobs.queries.snapshots import load

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("redis_reports")
@pytest.mark.parametrize("seed", range(12))
def test_a_job_with_a_bit_of_everything(seed: int) -> None:
    alice = make_user("alice")
    job = make_random_job(alice, seed)
    make_random_job(alice, seed + 1000)
    found = load(job)
    now = job.created_at
    items = list(job.items.order_by("position"))
    assert [view.id for view in found.items] == [item.pk for item in items]
    for view, item in zip(found.items, items, strict=True):
        assert view.stories == plain_stories(item, now)
        assert view.author == plain_author(item)
        assert (view.line, view.state, view.kind) == (item.line, item.state, item.kind)
        assert view.refetch_of == item.refetch_of
    for package, shown in ((job.bundle, found.bundle), (job.selection, found.selection)):
        kept: FileView | None = None
        if package and package.artifact:
            kept = plain_file(package.artifact, now)
        assert shown in {kept, None}
    assert (found.selection is None) == (job.selection is None or job.selection.artifact is None)
