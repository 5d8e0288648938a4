"""The doors of the worker: what a task does with the row it is told of."""

from __future__ import annotations

import pytest

from jobs import tasks
from jobs.queue import shutdown
from jobs.queue.claims import Claim
from jobs.queue.dispatch import dispatch
from jobs.states import ItemState
from tests.factories import make_item
from tests.unit.jobs.claims import row
from tests.unit.jobs.conftest import Broker

pytestmark = pytest.mark.django_db
S = ItemState


def test_a_worker_going_away_passes_its_messages_on(broker: Broker) -> None:
    item = make_item()
    dispatch()
    shutdown.shutdown_requested.set()
    tasks.fetch_item(str(item.pk))
    assert row(Claim(item.pk, 0)).state == S.QUEUED
    assert dispatch() == 1
    assert broker.sent == [item.pk] * 2
