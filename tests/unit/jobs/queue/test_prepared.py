"""Reads that are compiled once and run with other values say what the query says."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from jobs.models import Artifact, Item
from jobs.queue.prepared import PreparedRow
from tests.factories import make_artifact, make_item, make_job, make_story

pytestmark = pytest.mark.django_db


def attempts(item_id: UUID, start: str, before: int) -> QuerySet[Item, Any]:
    """An item's attempt below a number, and whether one of its files has such a name."""
    named = Artifact.objects.filter(item=OuterRef("pk"), name__istartswith=start)
    items = Item.objects.filter(pk=item_id, attempt__lt=before)
    return items.values_list("attempt", Exists(named))


def prepared() -> PreparedRow:
    return PreparedRow(attempts, item_id=uuid4(), start="a sample", before=123_456)


def test_each_row_is_that_of_its_values() -> None:
    row, job = prepared(), make_job()
    items = [make_item(job, attempt=attempt) for attempt in (3, 4)]
    make_artifact(make_story(items[1]), name="100%_sure.jpg")
    assert row.first(item_id=items[0].pk, start="100%_", before=9) == (3, False)
    assert row.first(item_id=items[1].pk, start="100%_", before=9) == (4, True)
    assert row.first(item_id=items[1].pk, start="100%%", before=9) == (4, False)
    assert row.first(item_id=items[1].pk, start="100__", before=9) == (4, False)
    assert row.first(item_id=items[1].pk, start="100%_", before=4) is None
    assert row.first(item_id=uuid4(), start="", before=9) is None


def test_a_query_is_compiled_once() -> None:
    row, item = prepared(), make_item()
    row.first(item_id=item.pk, start="", before=9)
    with patch.object(SQLCompiler, "as_sql", side_effect=AssertionError("compiled again")):
        assert row.first(item_id=item.pk, start="b", before=9) == (0, False)


def test_a_sample_that_is_not_a_value_of_the_query_is_refused() -> None:
    def without(item_id: UUID, start: str) -> QuerySet[Item, Any]:
        return Item.objects.filter(pk=item_id).values_list("attempt")

    row = PreparedRow(without, item_id=uuid4(), start="a sample")
    with pytest.raises(ValueError, match="a sample is not in the statement"):
        row.first(item_id=uuid4(), start="")
