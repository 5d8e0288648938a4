"""The intake: a worker asks for messages while it has both a thread and a place."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.queue.in_hand import InHand
from webapp import intake
from webapp.celery import app
from webapp.intake import Intake


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> InHand:
    """What the process has in hand: nothing."""
    empty = InHand()
    monkeypatch.setattr(intake, "in_hand", empty)
    return empty


def started(*, thread: bool) -> Any:
    """The channel's limits of a consumer that has, or has no, free thread."""
    qos = SimpleNamespace(can_consume=lambda: thread)
    channel = SimpleNamespace(qos=qos)
    parent = SimpleNamespace(task_consumer=SimpleNamespace(channel=channel))
    Intake(parent).start(parent)
    return qos


@pytest.mark.parametrize("thread", [True, False])
def test_a_thread_is_what_it_takes(hands: InHand, thread: bool) -> None:
    assert started(thread=thread).can_consume() == thread


def test_while_something_is_alone_nothing_is_asked_for(hands: InHand) -> None:
    qos = started(thread=True)
    place = hands.begin()
    assert place
    with place:
        assert place.be_alone()
        assert not qos.can_consume()
    assert qos.can_consume()


def test_workers_have_it() -> None:
    assert Intake in app.steps["consumer"]
