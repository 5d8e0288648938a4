"""An item's state moves along the edges of `EDGES`, and along no other."""

from __future__ import annotations

import itertools

import pytest

from jobs.models import Item
from jobs.queue.transitions import begin_in, edge, transition
from jobs.states import EDGES, ItemState
from tests.factories import make_item, make_job

PAIRS = [
    pytest.param(start, to, id=f"{start}-{to}")
    for start, to in itertools.product(ItemState, repeat=2)
]


@pytest.mark.django_db
@pytest.mark.parametrize(("start", "to"), PAIRS)
def test_a_row_moves_exactly_where_an_edge_leads(start: ItemState, to: ItemState) -> None:
    item = make_item(state=start, tries=1)
    moved = transition(Item.objects.filter(pk=item.pk), to, tries=2)
    item.refresh_from_db()
    if to in EDGES[start]:
        assert (moved, item.state, item.tries) == (1, to, 2)
    else:
        assert (moved, item.state, item.tries) == (0, start, 1)


@pytest.mark.parametrize(("start", "to"), PAIRS)
def test_an_unsaved_item_begins_where_an_edge_leads(start: ItemState, to: ItemState) -> None:
    item = Item(state=start)
    if to in EDGES[start]:
        begin_in(item, to)
        assert item.state == to
    else:
        with pytest.raises(ValueError, match=f"no edge leads from {start} to {to}"):
            begin_in(item, to)
        assert item.state == start


@pytest.mark.django_db
def test_of_many_rows_those_move_that_may_and_no_other() -> None:
    job = make_job()
    items = {state: make_item(job, state=state) for state in ItemState}
    stranger = make_item(state=ItemState.QUEUED)
    assert transition(job.items.all(), ItemState.CANCELLED) == 2
    for state, item in items.items():
        item.refresh_from_db()
        open_before = state in {ItemState.QUEUED, ItemState.RUNNING}
        assert item.state == (ItemState.CANCELLED if open_before else state)
    stranger.refresh_from_db()
    assert stranger.state == ItemState.QUEUED


def test_an_update_in_sql_follows_an_edge_or_is_none() -> None:
    assert edge(ItemState.QUEUED, ItemState.RUNNING).endswith("SET state = 'running'")
    with pytest.raises(ValueError, match="no edge leads from done to running"):
        edge(ItemState.DONE, ItemState.RUNNING)
