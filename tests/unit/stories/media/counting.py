"""Counts what PyAV is asked to do: files opened, video frames decoded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import pytest


@dataclass
class Work:
    """What was done. formats: of each decoder, as it was known on opening; None: not decoded."""

    opened: int = 0
    decoded: int = 0
    formats: list[str | None] = field(default_factory=list)


class _Wrapped:
    """Something of PyAV's, passed on but for what the subclass counts."""

    def __init__(self, real: Any, work: Work) -> None:
        self.__dict__.update(real=real, work=work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)


class _Decoder(_Wrapped):
    def decode(self, packet: Any) -> Any:
        frames = self.real.decode(packet)
        self.work.decoded += len(frames)
        return frames


class _Stream(_Wrapped):
    @property
    def codec_context(self) -> Any:
        return _Decoder(self.real.codec_context, self.work)


class _Streams(_Wrapped):
    def __iter__(self) -> Iterator[Any]:
        return iter(self.real)

    @property
    def video(self) -> list[_Stream]:
        return [_Stream(stream, self.work) for stream in self.real.video]


class _Container(_Wrapped):
    def __enter__(self) -> _Container:
        self.real.__enter__()
        return self

    def __exit__(self, *about: object) -> Any:
        return self.real.__exit__(*about)

    @property
    def streams(self) -> _Streams:
        return _Streams(self.real.streams, self.work)

    def demux(self, streams: Any) -> Any:
        return self.real.demux(_unwrapped(streams))

    def decode(self, stream: Any) -> Iterator[Any]:
        for frame in self.real.decode(_unwrapped(stream)):
            self.work.decoded += isinstance(frame, av.VideoFrame)
            yield frame


def _unwrapped(streams: Any) -> Any:
    if isinstance(streams, list):
        return [_unwrapped(stream) for stream in streams]
    return streams.real if isinstance(streams, _Stream) else streams


def count_work(monkeypatch: pytest.MonkeyPatch) -> Work:
    """Count from now on what is opened to be read."""
    work = Work()
    real_open: Any = av.open

    def counted_open(file: Any, mode: str | None = None, *args: Any, **options: Any) -> Any:
        container = real_open(file, mode, *args, **options)
        if mode == "w":
            return container
        work.opened += 1
        work.formats += [stream.codec_context.pix_fmt for stream in container.streams.video]
        return _Container(container, work)

    monkeypatch.setattr(av, "open", counted_open)
    return work
