"""Bytes at their place in a file, from several ranges at once."""

import io
import os
from pathlib import Path

import pytest

from stories.media.write_buffer import WRITE_BATCH_BYTES, WriteBuffer


def test_ranges_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as real, io.BytesIO() as memory:
        for sink in (real, memory):
            first, second = WriteBuffer(sink, 0), WriteBuffer(sink, 6)
            for one, two in (("ab", "gh"), ("cd", "ij"), ("ef", "kl")):
                first.add(one.encode())
                second.add(two.encode())
                second.flush()
            first.flush()
            first.flush()
            sink.seek(0)
            assert sink.read() == b"abcdefghijkl"


def test_what_was_read_of_a_file_before_is_not_read_again(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+b") as sink:
        sink.write(b"the old file")
        sink.seek(0)
        assert sink.read(3) == b"the"
        sink.seek(0)
        sink.truncate()
        buffer = WriteBuffer(sink, 0)
        buffer.add(b"the new one")
        buffer.flush()
        sink.seek(0)
        assert sink.read() == b"the new one"


def test_small_pieces_are_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[int] = []

    def pwritev(descriptor: int, chunks: list[bytes], at: int) -> int:
        writes.append(at)
        return real(descriptor, chunks, at)

    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", pwritev)
    with (tmp_path / "file").open("w+b") as sink:
        buffer = WriteBuffer(sink, 0)
        for _ in range(2 * WRITE_BATCH_BYTES // 16_384):
            buffer.add(bytes(16_384))
        buffer.flush()
    assert writes == [0, WRITE_BATCH_BYTES]


@pytest.mark.parametrize("count", [511, 512, 1_025, 5_000])
def test_a_body_that_comes_byte_by_byte_is_written_all_the_same(tmp_path: Path, count: int) -> None:
    body = bytes(number % 251 for number in range(count))
    with (tmp_path / "file").open("w+b") as sink:
        buffer = WriteBuffer(sink, 0)
        for number in range(count):
            buffer.add(body[number : number + 1])
        buffer.flush()
        sink.seek(0)
        assert sink.read() == body


def test_a_write_that_falls_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pwritev(descriptor: int, chunks: list[bytes], at: int) -> int:
        return os.pwrite(descriptor, b"".join(chunks)[:5], at)

    monkeypatch.setattr(os, "pwritev", pwritev)
    with (tmp_path / "file").open("w+b") as sink:
        buffer = WriteBuffer(sink, 2)
        buffer.add(b"hello ")
        buffer.add(b"world")
        buffer.flush()
        assert sink.read() == b"\0\0hello world"


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (tmp_path / "file").open("rb") as sink:
        buffer = WriteBuffer(sink, 0)
        buffer.add(b"x")
        with pytest.raises(OSError, match="Bad file descriptor"):
            buffer.flush()
