"""Immich's API over a real connection: files are streamed, and no answer is trusted."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from jobs.library import immich as client
from jobs.library.immich import ImmichError, KeyNotTaken, NotTaken, NotThere, Unreachable, Upload
from tests import immich
from tests.immich import KEY, Immich


@pytest.fixture
def server(set_env: Callable[..., None]) -> Iterator[Immich]:
    with immich.serving() as state:
        set_env(immich_url=state.url)
        yield state


class Pieces(io.BytesIO):
    """Remembers the longest piece that was read."""

    longest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.longest = max(self.longest, len(data))
        return data


def upload(data: bytes = b"a picture", file: io.BytesIO | None = None) -> Upload:
    return Upload(
        key="storykeep-7-1",
        name='größer " name.jpg',
        content_type="image/jpeg",
        file=file or io.BytesIO(data),
        sidecar=b"<x/>",
        at=datetime(2026, 11, 20, 14, 3, tzinfo=UTC),
        sha1=hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    )


def test_a_file_is_taken_and_then_known(server: Immich) -> None:
    with client.connected(KEY) as there:
        first = there.upload(upload())
        second = there.upload(upload())
    assert not first.is_duplicate
    assert second.is_duplicate
    assert first.id == second.id
    assert server.assets[first.id].data == b"a picture"


def test_a_large_file_is_read_in_pieces(server: Immich) -> None:
    data = bytes(8 * 1024 * 1024)
    file = Pieces(data)
    with client.connected(KEY) as there:
        asset = there.upload(upload(data, file))
    assert server.assets[asset.id].data == data
    assert 0 < file.longest <= 1024 * 1024


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, KeyNotTaken), (403, KeyNotTaken), (400, NotTaken), (413, NotTaken),
     (302, ImmichError), (404, NotThere),
     (500, Unreachable), (503, Unreachable), (429, Unreachable), (200, ImmichError)],
)  # fmt: skip
def test_answers_as_errors(server: Immich, status: int, error: type[ImmichError]) -> None:
    server.fail = [status]
    with client.connected(KEY) as there, pytest.raises(ImmichError) as caught:
        there.upload(upload())
    assert type(caught.value) is error


def test_an_id_that_would_lead_elsewhere_is_refused(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(immich, "uuid4", lambda: "../../users")
    with client.connected(KEY) as there, pytest.raises(ImmichError, match="no id"):
        there.upload(upload())


def test_an_album_is_found_by_its_name(server: Immich) -> None:
    with client.connected(KEY) as there:
        made = there.album("Stories")
        assert there.album("Stories") == made
        assert there.album("stories") != made


def test_an_answer_that_is_too_long_is_not_read(
    server: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_ANSWER_BYTES", 10)
    with client.connected(KEY) as there, pytest.raises(ImmichError, match="too long"):
        there.upload(upload())


def test_httpx_is_not_loaded_before_something_is_sent() -> None:
    code = (
        "import sys, django; django.setup(); import jobs.library.sending, jobs.library.run; "
        "sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
