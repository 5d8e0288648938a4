"""The side queue: messages as Celery itself sends them, through a broker in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from kombu import Connection

from jobs import tasks
from jobs.queue.routing import (
    BACK_UP,
    FILL_LIBRARY,
    HOUSEKEEPING,
    PACK_PACKAGE,
    REPAIR,
    SCRUB,
    SEND_NOTICES,
    SIDE_QUEUE,
    SWEEP,
)
from webapp.celery import app
from webapp.processes import side_queue


class Broker:
    """A broker in memory, with the step's own consumer on its queue."""

    def __init__(self, connection: Connection) -> None:
        self.channel: Any = connection.channel()
        self._connection = connection
        step = side_queue.HousekeepingConsumer(None)
        (self.consumer,) = step.get_consumers(self.channel)
        self.consumer.purge()

    def send(self, name: str, args: Any = (), **options: Any) -> None:
        """Send a task as the app does: Celery decides in which form, our routes to which queue."""
        with app.amqp.Producer(self.channel) as producer:
            app.send_task(name, args, producer=producer, ignore_result=True, **options)

    def publish(self, body: Any, **properties: Any) -> None:
        """Put a message of any kind into the queue."""
        with app.amqp.Producer(self.channel) as producer:
            producer.publish(body, routing_key=SIDE_QUEUE, exchange="", **properties)

    def deliver(self) -> None:
        """Hand every message in the queue to the consumer."""
        with self.consumer:
            while self.waiting():
                self._connection.drain_events(timeout=1)

    def waiting(self) -> int:
        """How many messages nobody has taken."""
        return int(self.channel.queue_declare(SIDE_QUEUE, passive=True).message_count)

    def unacknowledged(self) -> int:
        """How many messages were taken, and would come back with another worker."""
        self.channel.qos._flush()
        return len(self.channel.qos._delivered)


@pytest.fixture
def broker() -> Iterator[Broker]:
    with Connection("memory://") as connection:
        broker = Broker(connection)
        yield broker
        assert (broker.waiting(), broker.unacknowledged()) == (0, 0)


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Any]]]:
    """The tasks whose messages were taken."""
    calls: list[tuple[str, list[Any]]] = []
    monkeypatch.setattr(side_queue, "submit", lambda name, args: calls.append((name, args)))
    return calls


def test_a_task_arrives_by_its_name_and_with_its_arguments(
    broker: Broker, submitted: list[Any]
) -> None:
    broker.send(PACK_PACKAGE, ["0f8fad5b-d9cb-469f-a165-70867728950e"])
    for name in (*HOUSEKEEPING, FILL_LIBRARY, BACK_UP, SEND_NOTICES):
        broker.send(name)
    broker.deliver()
    assert submitted == [
        (PACK_PACKAGE, ["0f8fad5b-d9cb-469f-a165-70867728950e"]),
        *((name, []) for name in (*HOUSEKEEPING, FILL_LIBRARY, BACK_UP, SEND_NOTICES)),
    ]
    assert broker.unacknowledged() == 0


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=9)), timezone(timedelta(hours=-9))])
def test_an_expired_task_is_not_run(
    broker: Broker, submitted: list[Any], zone: timezone, caplog: pytest.LogCaptureFixture
) -> None:
    """`expires` is a moment, whatever the time zone it is written in."""
    now = datetime.now(zone)
    broker.send(SWEEP, expires=now - timedelta(minutes=1))
    broker.deliver()
    assert submitted == []
    broker.send(SWEEP, expires=now + timedelta(minutes=1))
    broker.deliver()
    assert submitted == [(SWEEP, [])]
    assert "cannot be read" not in caplog.text


def test_seconds_until_a_task_expires_are_a_moment_with_a_zone(
    broker: Broker, submitted: list[Any]
) -> None:
    """A message may wait: what is sent is a point in time, not how long to wait."""
    sent: list[str] = []
    broker.consumer.register_callback(lambda _, message: sent.append(message.headers["expires"]))
    broker.send(SWEEP, expires=60)
    broker.deliver()
    left = datetime.fromisoformat(sent[0]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert submitted == [(SWEEP, [])]


def test_a_task_that_never_expires(broker: Broker, submitted: list[Any]) -> None:
    broker.send(SWEEP, expires=None)
    broker.deliver()
    assert submitted == [(SWEEP, [])]


JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
CALL: list[Any] = [[], {}, {}]


@pytest.mark.parametrize(
    ("body", "properties", "error"),
    [
        pytest.param(CALL, {}, "KeyError", id="no headers"),
        pytest.param(CALL, {"headers": {"id": "1"}}, "KeyError", id="no task named"),
        pytest.param(
            {"task": SWEEP, "args": [], "kwargs": {}}, {}, "KeyError", id="the older protocol"
        ),
        pytest.param(
            CALL, {"headers": {"task": SWEEP, "expires": "soon"}}, "ValueError", id="no moment"
        ),
        pytest.param(CALL, {"headers": {"task": SWEEP, "expires": 60}}, "TypeError", id="a number"),
        pytest.param(
            CALL,
            {"headers": {"task": SWEEP, "expires": "2999-01-01T00:00:00"}},
            "TypeError",
            id="a moment nowhere",
        ),
        pytest.param([], {"headers": {"task": SWEEP}}, "ValueError", id="an empty body"),
        pytest.param(7, {"headers": {"task": SWEEP}}, "TypeError", id="a body that is no call"),
        pytest.param("{", {"headers": {"task": SWEEP}, **JSON}, "DecodeError", id="no JSON"),
        pytest.param(
            b"\x80\x04.",
            {
                "headers": {"task": SWEEP},
                "content_type": "application/x-python-serialize",
                "content_encoding": "binary",
            },
            "ContentDisallowed",
            id="a pickle",
        ),
    ],
)
def test_a_message_that_cannot_be_read_is_dropped(
    broker: Broker,
    submitted: list[Any],
    caplog: pytest.LogCaptureFixture,
    body: Any,
    properties: dict[str, Any],
    error: str,
) -> None:
    """Acknowledged, or it would come back with every start of a worker."""
    broker.publish(body, **properties)
    broker.send(SWEEP)
    broker.deliver()
    assert f"a message that cannot be read: {error}" in caplog.text
    assert submitted == [(SWEEP, [])]  # the next one is taken
    assert broker.unacknowledged() == 0


def test_sending_does_not_wait_for_a_sweep() -> None:
    begun, end = threading.Event(), threading.Event()
    tasks = {SEND_NOTICES: begun.set, SWEEP: lambda: end.wait(10)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(side_queue, "current_app", SimpleNamespace(tasks=tasks))
        patch.setattr(side_queue, "_scrub_pool", SimpleNamespace(submit=lambda *_: None))
        side_queue.submit(SWEEP, ())
        side_queue.submit(SEND_NOTICES, ())
        assert begun.wait(10)
        end.set()
        side_queue._housekeeping_pool.submit(int).result(10)
        side_queue._sending_pool.submit(int).result(10)
    side_queue._waiting.discard(SCRUB)


def test_another_task_is_none_of_ours(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    broker.send("jobs.tasks.fetch_item", ["1"], queue=SIDE_QUEUE)
    broker.deliver()
    assert "no task of ours: jobs.tasks.fetch_item" in caplog.text
    assert broker.unacknowledged() == 0


def test_a_message_is_acknowledged_before_its_task_is_run(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    unacknowledged: list[int] = []
    monkeypatch.setattr(
        side_queue, "submit", lambda *_: unacknowledged.append(broker.unacknowledged())
    )
    broker.send(SWEEP)
    broker.deliver()
    assert unacknowledged == [0]


class Pool:
    """A pool whose threads are all busy."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, run: Callable[..., None], *args: Any) -> Future[None]:
        self.waiting.append(lambda: run(*args))
        return Future()


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> tuple[Pool, Pool]:
    """Of housekeeping and of packing."""
    housekeeping, packing = Pool(), Pool()
    monkeypatch.setattr(side_queue, "_housekeeping_pool", housekeeping)
    monkeypatch.setattr(side_queue, "_packing_pool", packing)
    monkeypatch.setattr(side_queue, "_scrub_pool", Pool())
    monkeypatch.setattr(side_queue, "_waiting", set())
    return housekeeping, packing


@pytest.mark.django_db  # a task gives its connections back
def test_of_two_sweeps_that_wait_one_is_enough(
    broker: Broker, pools: tuple[Pool, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[None] = []
    monkeypatch.setattr(tasks.sweep, "run", lambda: swept.append(None))
    housekeeping, packing = pools
    for _ in range(3):
        broker.send(SWEEP)
    broker.send(PACK_PACKAGE, ["1"])
    broker.send(PACK_PACKAGE, ["2"])
    broker.deliver()
    assert (len(housekeeping.waiting), len(packing.waiting)) == (1, 2)
    housekeeping.waiting.pop()()
    assert swept == [None]
    broker.send(SWEEP)  # one that runs does not stand in for one that is sent later
    broker.deliver()
    assert len(housekeeping.waiting) == 1


def test_files_are_read_beside_each_sweep_and_hold_up_nothing(
    pools: tuple[Pool, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    housekeeping, _packing = pools
    reading = Pool()
    monkeypatch.setattr(side_queue, "_scrub_pool", reading)
    for name in (REPAIR, SWEEP, SWEEP):
        side_queue.submit(name, ())
    assert (len(housekeeping.waiting), len(reading.waiting)) == (2, 1)


@pytest.mark.django_db  # a test before may have left an error on the connection that is looked at
def test_a_task_that_meets_a_locked_database_is_put_off_and_no_crash(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked() -> None:
        raise OperationalError("database is locked")

    monkeypatch.setitem(app.tasks, SWEEP, locked)
    side_queue._run(SWEEP, ())
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
