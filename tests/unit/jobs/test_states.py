"""The graph of states, and a job's state from its items."""

from __future__ import annotations

import pytest

from jobs.states import EDGES, OPEN, SHORT, ItemState, job_state, sources

S = ItemState


def test_every_state_has_its_edges() -> None:
    assert set(EDGES) == set(S)


@pytest.mark.parametrize("state", [S.DONE, S.EMPTY, S.CANCELLED])
def test_these_states_are_final(state: ItemState) -> None:
    assert EDGES[state] == frozenset()


def test_what_is_settled_runs_again_only_through_the_queue() -> None:
    assert all(EDGES[state] <= {S.QUEUED} for state in set(S) - OPEN)


def test_sources_inverts_the_table() -> None:
    for to in S:
        assert sources(to) == {state for state in S if to in EDGES[state]}
    assert sources(S.RUNNING) == {S.QUEUED}
    assert sources(S.DONE) == {S.RUNNING}


def test_what_is_short_is_settled_and_may_run_again() -> None:
    assert not OPEN & SHORT
    assert set(S) - OPEN - SHORT == {state for state in S if not EDGES[state]}


@pytest.mark.parametrize(
    ("items", "state"),
    [
        pytest.param([S.QUEUED, S.QUEUED], S.QUEUED, id="nothing started"),
        pytest.param([S.QUEUED, S.FAILED], S.QUEUED, id="a refused line is not a start"),
        pytest.param([S.QUEUED, S.DONE], S.RUNNING, id="one done, one waits"),
        pytest.param([S.RUNNING, S.QUEUED], S.RUNNING, id="one runs"),
        pytest.param([S.RUNNING, S.CANCELLED], S.RUNNING, id="open wins over cancelled"),
        pytest.param([S.DONE], S.DONE, id="done"),
        pytest.param([S.EMPTY, S.EMPTY], S.EMPTY, id="all empty"),
        pytest.param([S.FAILED], S.FAILED, id="failed"),
        pytest.param([S.DONE, S.EMPTY], S.DONE, id="an empty account is an answer"),
        pytest.param([S.DONE, S.FAILED], S.PARTIAL, id="some of it"),
        pytest.param([S.EMPTY, S.FAILED], S.PARTIAL, id="empty and failed"),
        pytest.param([S.PARTIAL], S.PARTIAL, id="one partial"),
        pytest.param([S.DONE, S.CANCELLED], S.CANCELLED, id="cancelled by the user"),
    ],
)
def test_job_state(items: list[str], state: ItemState) -> None:
    assert job_state(items) == state
