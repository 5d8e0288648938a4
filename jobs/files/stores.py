"""What a store of saved files does, whichever it is: the folder of this machine or a bucket.

Both raise what a file system raises: FileNotFoundError for a file that is not there, and OSError
with an errno of `disk.DISK_FAULTS` for a store that is away. Ids that are none raise ValueError.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A saved file as its store knows it. modified_at: Unix seconds."""

    id: UUID
    size_bytes: int
    modified_at: float


class Store(Protocol):
    """Saved files by artifact id. For threads."""

    def put(
        self, path: str, artifact_id: UUID | str, *, durable: bool, pulse: Callable[[], None]
    ) -> int:
        """Bring a finished file of this machine into the store; its size in bytes.

        The file is no longer at its path then. durable: it survives a power cut. pulse: called
        every few seconds where it takes long; may raise to stop, and then nothing is in the store.
        """

    def open_artifact(self, artifact_id: UUID | str) -> BinaryIO:
        """A saved file, open for reading anywhere in it."""

    def size(self, artifact_id: UUID | str) -> int | None:
        """A saved file's length in bytes; None when it is not there."""

    def identity(self, artifact_id: UUID | str) -> tuple[int, int] | None:
        """What is equal for files that share their bytes; None where there is none."""

    def link(self, artifact_id: UUID | str, path: str) -> bool:
        """Make a saved file one of a workspace as well, without sending its bytes; False where
        that does not go. path: in the workspace."""

    def remove(self, artifact_id: UUID | str) -> bool:
        """Delete a saved file; False when it was seen not to be there."""

    def walk(self, shards: Sequence[str]) -> Iterator[list[StoredFile]]:
        """Saved files, those of one shard (`disk.SHARDS`) at a time; foreign ones are left out."""


def parse_id(artifact_id: UUID | str) -> str:
    """An artifact's id as it names a file. Raises ValueError when it is none."""
    return str(artifact_id if isinstance(artifact_id, UUID) else UUID(artifact_id))


def length(file: BinaryIO) -> int:
    """The length in bytes of an open saved file."""
    try:
        return os.fstat(file.fileno()).st_size
    except io.UnsupportedOperation:  # of a bucket
        position = file.tell()
        size_bytes = file.seek(0, io.SEEK_END)
        file.seek(position)
        return size_bytes
