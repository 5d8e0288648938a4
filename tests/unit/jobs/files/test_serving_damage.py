"""Saved files over HTTP: whether the disk has kept them, and what their digest is."""

from __future__ import annotations

import errno
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from django.core.signals import request_finished
from django.db import OperationalError, close_old_connections
from django.utils import timezone

from jobs.errors import Damaged, Expired, StorageUnavailable
from jobs.files import damage, store
from jobs.models import DAMAGED, Artifact
from tests.factories import make_artifact
from tests.unit.jobs.files.test_serving import CONTENT, SIZE, ask, body

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def database_stays_open() -> Iterator[None]:
    """Closing a response ends the request, and with that the connection the test still needs."""
    request_finished.disconnect(close_old_connections)
    yield
    request_finished.connect(close_old_connections)


@pytest.fixture
def file() -> Artifact:
    return make_artifact(content=CONTENT, name="ann.mp4", content_type="video/mp4")


def cut(file: Artifact, artifacts: Path) -> None:
    """Half of the file is lost."""
    path = artifacts / str(file.pk)[:2] / str(file.pk)
    path.write_bytes(path.read_bytes()[: SIZE // 2])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("part", ["", "bytes=0-9"])
def test_half_a_file_is_never_served(
    file: Artifact, artifacts: Path, method: str, part: str
) -> None:
    cut(file, artifacts)
    for _ in range(2):  # whoever asks again is told the same by the row
        with pytest.raises(Damaged):
            ask(file, method=method, Range=part)
    file.refresh_from_db()
    assert file.labels == [DAMAGED]
    assert store.size(file.pk) is None


def test_a_file_deleted_this_moment_is_not_called_damaged(
    file: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_artifact_id: object) -> BinaryIO:
        Artifact.objects.update(removed_at=timezone.now())
        raise FileNotFoundError

    monkeypatch.setattr(store, "open_artifact", late)
    with pytest.raises(Expired):
        ask(file)
    file.refresh_from_db()
    assert file.labels == []


def test_what_cannot_be_noted_is_said_all_the_same(
    file: Artifact, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    cut(file, artifacts)
    monkeypatch.setattr(damage, "give_up", locked)
    with pytest.raises(Damaged):
        ask(file)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a_disk_that_does_not_answer_says_nothing_of_the_file(
    file: Artifact, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(_artifact_id: object) -> BinaryIO:
        raise OSError(number, "no")

    with monkeypatch.context() as failing:
        failing.setattr(store, "open_artifact", fail)
        with pytest.raises(StorageUnavailable) as unavailable:
            ask(file)
    assert unavailable.value.retry_after_s
    assert body(ask(file)) == CONTENT


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("part", ["", "bytes=100-199", "bytes=-1"])
def test_the_digest_of_the_whole_file_comes_with_every_part(
    file: Artifact, method: str, part: str
) -> None:
    response = ask(file, method=method, Range=part)
    response.close()
    expected = b64encode(hashlib.sha256(CONTENT).digest()).decode()
    assert response.headers["Repr-Digest"] == f"sha-256=:{expected}:"


def test_an_answer_without_the_file_has_no_digest(file: Artifact) -> None:
    for response in (ask(file, If_None_Match="*"), ask(file, Range=f"bytes={SIZE}-")):
        assert "Repr-Digest" not in response.headers
