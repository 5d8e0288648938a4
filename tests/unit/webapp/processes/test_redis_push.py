"""Pushing to Redis without a library: what goes over the wire, and what comes of the answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis.connection import parse_url

from webapp.processes import redis_push
from webapp.processes.redis_push import Address, Refused

Serve = Callable[[bytes], list[bytes]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.sock"


@pytest.fixture
def serve(path: Path) -> Iterator[Serve]:
    """`serve(answers)`: a server that takes one connection; a list with what it was sent."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def start(answers: bytes) -> list[bytes]:
        sent: list[bytes] = []

        def run() -> None:
            caller, _ = listener.accept()
            with caller:
                sent.append(caller.recv(64 * 1024))
                caller.sendall(answers)

        threads.append(threading.Thread(target=run, daemon=True))
        threads[-1].start()
        return sent

    yield start
    for thread in threads:
        thread.join(5)
    listener.close()


def test_a_value_goes_to_the_left_of_a_list(serve: Serve, path: Path) -> None:
    sent = serve(b":1\r\n")
    redis_push.push(Address(path=str(path)), "aside", "ü")
    assert sent == [b"*3\r\n$5\r\nLPUSH\r\n$5\r\naside\r\n$2\r\n\xc3\xbc\r\n"]


def test_a_name_a_password_and_a_database_come_first(serve: Serve, path: Path) -> None:
    sent = serve(b"+OK\r\n+OK\r\n:1\r\n")
    address = Address(path=str(path), user="keep", password="s3cret", database=3)
    redis_push.push(address, "aside", "x")
    assert [word for word in sent[0].split(b"\r\n") if word[:1] not in b"*$"] == [
        *(b"AUTH", b"keep", b"s3cret", b"SELECT", b"3", b"LPUSH", b"aside", b"x")
    ]


def test_a_password_alone(serve: Serve, path: Path) -> None:
    sent = serve(b"+OK\r\n:1\r\n")
    redis_push.push(Address(path=str(path), password="s3cret"), "aside", "x")
    assert sent[0].startswith(b"*2\r\n$4\r\nAUTH\r\n$6\r\ns3cret\r\n")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"-READONLY You can't write against a read only replica.\r\n", "READONLY"),
        (b"-MISCONF Redis is configured to save\r\n", "MISCONF"),
        (b"-NOAUTH Authentication required.\r\n", "NOAUTH"),
        (b"-ERR\r\n", "ERR"),
    ],
)
def test_a_redis_that_refuses_says_why(
    serve: Serve, path: Path, answer: bytes, reason: str
) -> None:
    serve(answer)
    with pytest.raises(Refused, match=f"^{reason}$"):
        redis_push.push(Address(path=str(path)), "aside", "x")


@pytest.mark.parametrize("answer", [b"", b":1"], ids=["nothing", "half a line"])
def test_an_answer_that_breaks_off_is_none(serve: Serve, path: Path, answer: bytes) -> None:
    serve(answer)
    with pytest.raises(OSError, match="breaks off"):
        redis_push.push(Address(path=str(path)), "aside", "x")


def test_nobody_there(path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        redis_push.push(Address(path=str(path)), "aside", "x")


def test_a_redis_that_accepts_and_never_answers_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_push, "TIMEOUT_S", 0.01)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(TimeoutError):
            redis_push.push(Address(path=str(path)), "aside", "x")


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis:6379/0",
        "redis://redis",
        "redis://redis/",
        "redis://redis:7000/5",
        "redis://redis:7000?db=4",
        "redis://:p%40ss@redis/2",
        "redis://keep:p%2Fss@10.0.0.7:6380/2",
        "redis://[::1]:6380/1",
        "unix:///run/redis.sock",
        "unix:///run/my%20folder/redis.sock?db=3",
        "unix://keep:secret@/run/redis.sock",
    ],
)
def test_an_address_is_read_as_the_library_reads_it(url: str) -> None:
    address = redis_push.parse(url)
    assert address
    theirs = parse_url(url)  # type: ignore[no-untyped-call]  # the library has no types
    assert (
        address.path,
        address.host,
        address.port,
        address.user,
        address.password,
        address.database,
    ) == (
        theirs.get("path", ""),
        theirs.get("host", ""),
        theirs.get("port", 6379),
        theirs.get("username", ""),
        theirs.get("password", ""),
        theirs.get("db", 0),
    )


@pytest.mark.parametrize(
    "url",
    [
        "rediss://redis:6379/0",
        "redis://redis?protocol=2",
        "unix:///run/redis.sock?db=x",
        "unix:///run/redis.sock?password=secret",
    ],
)
def test_what_takes_a_library_is_left_to_it(url: str) -> None:
    assert redis_push.parse(url) is None
