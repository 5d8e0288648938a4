"""Files the disk has not kept as they were: told, given up, and never more than those."""

from __future__ import annotations

import errno
import shutil
import uuid
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from django.utils import timezone

from jobs.ephemeral import damaged_files
from jobs.fetching import saved_media
from jobs.files import capacity, damage, store
from jobs.files.workspace import Workspace
from jobs.models import DAMAGED, Artifact, Role
from jobs.queue import quotas
from tests.factories import make_artifact, make_item, make_job, make_story, make_user

pytestmark = pytest.mark.django_db


def path_of(artifacts: Path, artifact: Artifact) -> Path:
    return artifacts / str(artifact.pk)[:2] / str(artifact.pk)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def linked(file: Artifact) -> Artifact:
    """A row of another person whose file is the same one on the disk."""
    job = make_job(make_user("bob"))
    other = make_artifact(
        make_story(make_item(job, state="done")),
        size_bytes=file.size_bytes,
        sha256=file.sha256,
        content_id=file.pk,
    )
    with Workspace("bob.1") as workspace:
        workspace.commit(workspace.link_existing(file), other.pk)
    return other


def is_whole(artifact: Artifact) -> bool:
    with store.open_artifact(artifact.pk) as file:
        return damage.is_whole(file, artifact, lambda _size: None)


def test_one_bit_or_one_byte_tells(artifacts: Path) -> None:
    file = make_artifact(content=bytes(3_000_000))
    assert is_whole(file)
    flip_a_bit(path_of(artifacts, file))
    assert not is_whole(file)
    path_of(artifacts, file).write_bytes(bytes(1_500_000))
    assert not is_whole(file)


def test_reading_stops_where_the_caller_wants() -> None:
    file = make_artifact(content=bytes(3_000_000))
    read: list[int] = []

    def pause(size_bytes: int) -> None:
        read.append(size_bytes)
        if len(read) == 2:
            raise KeyboardInterrupt

    with store.open_artifact(file.pk) as opened, pytest.raises(KeyboardInterrupt):
        damage.is_whole(opened, file, pause)
    assert read == [damage.CHUNK_BYTES] * 2


def test_what_is_given_up_is_gone_and_its_row_says_why(artifacts: Path) -> None:
    file, other = make_artifact(content=b"bad", labels=["hevc"]), make_artifact(content=b"good")
    flip_a_bit(path_of(artifacts, file))
    now = timezone.now()
    assert damage.give_up([file], now) == [file.pk]
    file.refresh_from_db()
    assert (file.removed_at, file.expires_at, file.labels) == (now, now, ["hevc", DAMAGED])
    assert not path_of(artifacts, file).exists()
    assert is_whole(other)
    assert capacity.used_bytes() == other.size_bytes
    assert quotas.usage(file.owner).stored_bytes.used == other.size_bytes


def test_nobody_deleted_it_on_purpose(artifacts: Path) -> None:
    """So a retry of its line fetches it again."""
    file = make_artifact(content=b"bad")
    flip_a_bit(path_of(artifacts, file))
    damage.give_up([file])
    assert file.item is not None
    assert saved_media.load(file.item).saved_bytes == {}


def test_twice_is_once(artifacts: Path) -> None:
    file = make_artifact(content=b"bad")
    flip_a_bit(path_of(artifacts, file))
    assert damage.give_up([file, file]) == [file.pk]
    assert damage.give_up([file]) == []
    file.refresh_from_db()
    assert file.labels == [DAMAGED]


def test_what_was_deleted_before_is_not_called_damaged() -> None:
    file = make_artifact(content=b"x", removed_at=timezone.now())
    assert damage.give_up([file]) == []
    file.refresh_from_db()
    assert file.labels == []


def test_every_row_of_the_same_file_goes(artifacts: Path) -> None:
    file = make_artifact(content=b"shared")
    other = linked(file)
    third = linked(file)
    assert path_of(artifacts, other).stat().st_nlink == 3
    flip_a_bit(path_of(artifacts, file))
    assert set(damage.give_up([other])) == {file.pk, other.pk, third.pk}
    assert capacity.used_bytes() == 0
    assert not path_of(artifacts, file).exists()


def test_a_copy_that_is_a_file_of_its_own_stays(artifacts: Path) -> None:
    file = make_artifact(content=b"shared")
    other = linked(file)
    path_of(artifacts, other).unlink()
    path_of(artifacts, other).write_bytes(b"shared")
    flip_a_bit(path_of(artifacts, file))
    assert damage.give_up([file]) == [file.pk]
    assert is_whole(other)


def test_a_missing_file_takes_no_other_row_along(artifacts: Path) -> None:
    file = make_artifact(content=b"shared")
    other = linked(file)
    path_of(artifacts, file).unlink()
    assert damage.give_up([file]) == [file.pk]
    assert is_whole(other)


def test_in_another_folder_nothing_is_damaged(artifacts: Path) -> None:
    file = make_artifact(content=b"x")
    shutil.rmtree(artifacts)
    artifacts.mkdir()
    assert damage.give_up([file]) == []
    file.refresh_from_db()
    assert file.removed_at is None


def test_a_damaged_preview_is_only_a_preview(artifacts: Path) -> None:
    story = make_story()
    make_artifact(story, content=b"media")
    poster = make_artifact(story, content=b"poster", role=Role.POSTER)
    flip_a_bit(path_of(artifacts, poster))
    damage.give_up([poster])
    assert story.artifacts.filter(role=Role.MEDIA, removed_at=None).exists()


def test_it_is_counted_for_who_runs_the_instance(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded: list[set[uuid.UUID]] = []
    monkeypatch.setattr(damaged_files, "record", lambda ids, _now: recorded.append(set(ids)))
    file = make_artifact(content=b"bad")
    flip_a_bit(path_of(artifacts, file))
    damage.give_up([file], timezone.now() - timedelta(days=1))
    assert recorded == [{file.pk}]


def test_what_is_whole_at_a_second_look_stays() -> None:
    """Memory, a cable or a controller failed for a moment while it was read the first time."""
    file = make_artifact(content=b"kept")
    assert damage.give_up([file]) == []
    file.refresh_from_db()
    assert (file.removed_at, file.labels) == (None, [])
    assert is_whole(file)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EMFILE])
def test_what_cannot_be_looked_at_is_not_given_up(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_artifact(content=b"kept")

    def fail(*_: object) -> NoReturn:
        raise OSError(number, "no")

    with monkeypatch.context() as failing:
        failing.setattr(store, "open_artifact", fail)
        with pytest.raises(OSError, match="no"):
            damage.give_up([file])
    assert is_whole(file)
