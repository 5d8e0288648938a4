"""Every unit test has an artifact folder of its own."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone, translation

from jobs.files import bucket_mark, capacity, disk, marks
from jobs.files.bucket_access import bucket
from jobs.ops.problems import Facts
from jobs.upstream import protocol
from stories.protocol.current import built_in
from tests import buckets
from webapp import problems


@pytest.fixture
def set_env(settings: Any) -> Callable[..., None]:
    """Change what the environment says: `set_env(disk_max=1000)`."""

    def change(**values: Any) -> None:
        settings.STORYKEEP = settings.STORYKEEP.model_copy(update=values)
        capacity.invalidate()

    return change


@pytest.fixture(autouse=True)
def _no_attempts_yet() -> None:
    """Wrong passwords are counted in memory, which outlives a test."""
    cache.clear()


@pytest.fixture(autouse=True)
def _built_in_pack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody imported a protocol pack, and nobody looks for one unless a test has them look."""
    protocol.in_use.forget()
    monkeypatch.setattr(protocol.in_use, "_state", protocol.State(pack=built_in()))
    monkeypatch.setattr(protocol.in_use, "_look_at", float("inf"))
    yield
    protocol.in_use.forget()


@pytest.fixture(autouse=True)
def _no_reader_yet() -> None:
    """The language and time zone of whoever asked for a page last outlive the test that did."""
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _no_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every admin page counts what there is to fix, and would look at all of the instance."""
    quiet = Facts(now=timezone.now(), public_url="https://stories.example.org")
    monkeypatch.setattr(problems, "memory", problems.Memory(lambda: quiet))


@pytest.fixture(scope="session")
def _fresh_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One after the other. `mktemp` would read the names of all there are to find the next."""
    root = tmp_path_factory.mktemp("artifacts")
    return (root / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def artifacts(_fresh_folders: Iterator[Path], set_env: Callable[..., None]) -> Path:
    """The folder saved files go to."""
    folder = next(_fresh_folders)
    folder.mkdir(0o700)
    (folder / marks.SENTINEL).touch()
    disk._faulty.clear()
    bucket_mark.looks.forget()
    set_env(artifact_dir=folder)
    return folder


@pytest.fixture(scope="session")
def bucket_endpoint() -> Iterator[str]:
    """An object store in memory."""
    with buckets.moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def in_bucket(bucket_endpoint: str, set_env: Callable[..., None], artifacts: Path) -> str:
    """Saved files are in a bucket, under a prefix of this test's own; the endpoint."""
    set_env(**buckets.settings_of(bucket_endpoint, uuid.uuid4().hex))
    bucket().write(marks.SENTINEL, b"")
    return bucket_endpoint


@pytest.fixture(params=["folder", "bucket"])
def each_store(request: pytest.FixtureRequest) -> str:
    """The test runs twice: with saved files in the folder, and in a bucket."""
    if request.param == "bucket":
        request.getfixturevalue("in_bucket")
    return str(request.param)
