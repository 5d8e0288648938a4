"""Whether a bucket can be used, and is ours."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from jobs.errors import StorageUnavailable
from jobs.files import bucket as bucket_module
from jobs.files import bucket_mark, capacity, damage, disk, marks, store
from jobs.files.bucket_access import bucket
from jobs.files.bucket_mark import looks
from jobs.models import Artifact, FolderMark
from jobs.ops import readiness
from tests import buckets
from tests.factories import make_artifact

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fresh(in_bucket: str) -> None:
    """The bucket without a mark, as a new instance finds it."""
    bucket().delete([marks.SENTINEL])
    looks.forget()


@pytest.mark.usefixtures("fresh")
def test_a_new_bucket_is_marked_and_known() -> None:
    assert not disk.is_unmounted()
    text = bucket().read(marks.SENTINEL)
    assert str(FolderMark.objects.get().mark).encode() in text
    looks.forget()
    assert not disk.is_unmounted(again=True)
    assert FolderMark.objects.count() == 1
    assert readiness.artifact_disk() == ""


@pytest.mark.usefixtures("fresh")
def test_a_bucket_that_lacks_all_our_files_is_another_one() -> None:
    disk.root()
    file = make_artifact(content=b"kept")
    bucket().delete([marks.SENTINEL, f"{str(file.pk)[:2]}/{file.pk}"])
    looks.forget()
    assert disk.is_unmounted()
    assert damage.give_up([file]) == []
    with pytest.raises(disk.StorageNotMounted):
        store.size(file.pk)
    with pytest.raises(StorageUnavailable):
        capacity.require_room()
    assert readiness.artifact_disk() == "store_is_another"
    with pytest.raises(FileNotFoundError):
        bucket().read(marks.SENTINEL)


@pytest.mark.usefixtures("fresh")
def test_a_bucket_with_files_of_another_database_is_left_alone() -> None:
    disk.root()
    make_artifact(content=b"theirs")
    FolderMark.objects.all().delete()
    Artifact.objects.all().delete()
    looks.forget()
    assert disk.is_away(again=True)


@pytest.mark.usefixtures("fresh")
def test_an_empty_mark_is_somebodys_word() -> None:
    make_artifact()
    assert disk.is_unmounted()
    bucket().write(marks.SENTINEL, b"")
    looks.forget()
    assert not disk.is_unmounted(again=True)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("mark", [b"", b"11111111-1111-4111-8111-111111111111\n", None])
def test_after_a_restore_it_is_adopted(mark: bytes | None) -> None:
    make_artifact()
    if mark is not None:
        bucket().write(marks.SENTINEL, mark)
    assert mark == b"" or disk.is_unmounted(again=True)
    bucket_mark.adopt()
    assert not disk.is_unmounted()
    assert bucket().read(marks.SENTINEL) == b""


@pytest.mark.usefixtures("fresh")
def test_adopted_the_mark_that_is_ours_stays() -> None:
    disk.root()
    before = bucket().read(marks.SENTINEL)
    bucket_mark.adopt()
    assert bucket().read(marks.SENTINEL) == before != b""


def test_a_store_that_is_silent_is_asked_by_one_and_the_others_are_told(
    set_env: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SILENT_S", "REQUEST_S", "CONNECT_S", "RETRIES"):
        monkeypatch.setattr(bucket_module, name, 1)
    done = threading.Event()
    with buckets.misbehaving(buckets.silent(done)) as (endpoint, asked):
        set_env(**buckets.settings_of(endpoint, "p"))
        assert disk.is_away()
        count = len(asked)
        for _ in range(20):
            assert disk.is_away()
            with pytest.raises(TimeoutError):
                store.open_artifact("00000000-0000-4000-8000-000000000000")
        assert len(asked) == count
        assert readiness.artifact_disk() == "store_away"
        with pytest.raises(StorageUnavailable):
            capacity.require_room()
        monkeypatch.setattr(bucket_mark, "AWAY_S", 0.0)
        assert disk.is_away()
        assert len(asked) > count
        done.set()


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [(403, "AccessDenied", "store_refuses"), (507, "StorageFull", "store_full"),
     (503, "SlowDown", "store_away"), (404, "NoSuchBucket", "store_missing")],
)  # fmt: skip
def test_the_reason_is_told(
    status: int, code: str, reason: str, set_env: Callable[..., None]
) -> None:
    with buckets.misbehaving(buckets.says(status, code)) as (endpoint, _asked):
        set_env(**buckets.settings_of(endpoint, "p"))
        assert readiness.artifact_disk() == reason
