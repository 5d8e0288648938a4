"""Whole harvests of one line into a workspace in memory."""

import io
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar

from stories.client import StoryClient
from stories.config import ClientConfig
from stories.events import Event, FileReady
from stories.harvest import HarvestOptions, harvest
from stories.targets import parse_line
from tests.fake_tiktok import FakeTikTok
from tests.fake_tiktok.accounts import Gear

T = TypeVar("T")

TINY: dict[str, Any] = {"size": (270, 480)}
SMALL_H264: Gear = ("h264", (144, 256))


class Kept(io.BytesIO):
    """A file whose content outlives its closing."""

    content = b""

    def close(self) -> None:
        if not self.closed:
            self.content = self.getvalue()
        super().close()


@dataclass
class Folder:
    """A workspace in memory that counts what is made and what is thrown away."""

    files: dict[str, Kept] = field(default_factory=dict)
    discarded: list[str] = field(default_factory=list)
    reserved: list[int] = field(default_factory=list)
    most_open: int = 0

    def create(self) -> tuple[str, BinaryIO]:
        key = f"file-{len(self.files) + len(self.discarded)}"
        self.files[key] = Kept()
        self.most_open = max(self.most_open, sum(not f.closed for f in self.files.values()))
        return key, self.files[key]

    def discard(self, key: str) -> None:
        assert key not in self.discarded
        self.discarded.append(key)
        del self.files[key]

    def reserve(self, size_bytes: int, key: str) -> None:
        assert key in self.files
        self.reserved.append(size_bytes)

    def content(self, ready: FileReady) -> bytes:
        return self.files[ready.key].content


def client_of(tiktok: FakeTikTok, **settings: Any) -> StoryClient:
    transport = tiktok.transport()
    return StoryClient(
        ClientConfig(**settings), page_transport=transport, media_transport=transport
    )


class Log(list[Event]):
    """Events, by kind."""

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self if isinstance(event, kind)]

    def files(self, role: str = "media") -> list[FileReady]:
        found = [ready for ready in self.of(FileReady) if ready.role == role]
        return sorted(found, key=lambda ready: (ready.story_id, ready.position))


async def saved(client: StoryClient, folder: Folder, line: str = "alice", **more: Any) -> Log:
    """Every event of one harvest."""
    have = more.pop("have", ())
    now = more.pop("now", None)
    events = harvest(
        client,
        parse_line(line),
        options=HarvestOptions(**more),
        workspace=folder,
        have=have,
        now=now,
    )
    return Log([event async for event in events])
