"""The terminal of a run: what is printed where, and streams that cannot take it."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from signal import Signals
from typing import BinaryIO, TextIO

import pytest

from jobs.errors import Cancelled
from jobs.lines import Line
from jobs.models import ItemKind
from jobs.standalone.results import LineResult, RunResult, SavedFile, StoryResult
from jobs.standalone.tally import Totals
from jobs.standalone.terminal import Display, escape_unencodable, print_line, printable, quiet_log
from jobs.states import ItemState
from jobs.zips.archive import FileFacts
from stories.errors import (
    Advert,
    MediaUnavailable,
    RateLimited,
    StoriesError,
    UpstreamChanged,
    UpstreamDown,
)
from stories.left_out import LeftOutReason
from stories.structures import Author, Media, MediaKind, Story, StoryKind
from stories.targets import parse_line

ALICE = Author(id="1", name="alice")


def a_line(*stories: StoryResult, state: ItemState = ItemState.DONE) -> LineResult:
    return LineResult(
        line=Line("@alice", parse_line("@alice"), None),
        kind=ItemKind.USER,
        state=state,
        stories=list(stories),
    )


def a_file(path: Path | None, size_bytes: int = 1500, name: str = "a.jpg") -> SavedFile:
    facts = FileFacts(
        key="1.part",
        role="media",
        position=1,
        name=name,
        content_type="image/jpeg",
        size_bytes=size_bytes,
        sha256="0" * 64,
        width=None,
        height=None,
        duration_s=None,
        labels=(),
    )
    return SavedFile(facts=facts, name=name, path=path)


def a_story(
    *files: SavedFile, expected: int = 1, error: StoriesError | None = None, number: int = 1
) -> StoryResult:
    story = Story(
        id=f"750000000000000000{number}",
        kind=StoryKind.PHOTO,
        author=ALICE,
        posted_at=datetime(2026, 11, 20, 14, 3, tzinfo=UTC),
        leaves_at=None,
        caption="",
        media=tuple(
            Media(kind=MediaKind.PICTURE, position=place, variants=())
            for place in range(1, expected + 1)
        ),
        source_url=f"https://www.tiktok.com/@alice/story/{number}",
    )
    return StoryResult(story=story, author=ALICE, saved=len(files), files=list(files), error=error)


class Streams:
    """A display without a terminal, and what it wrote."""

    def __init__(self) -> None:
        self.out, self.err = io.StringIO(), io.StringIO()
        self.display = Display(self.out, self.err)

    def read(self) -> tuple[str, str]:
        """What went to either stream."""
        return self.out.getvalue(), self.err.getvalue()


@pytest.fixture
def streams() -> Iterator[Streams]:
    streams = Streams()
    with streams.display:
        yield streams


def test_a_file_that_lacks_something_says_so(streams: Streams) -> None:
    silent = a_file(Path("out/a.mp4"))
    facts = replace(silent.facts, labels=("hevc", "no_sound", "joined"))
    opened = replace(a_file(Path("out/b.heic")), checked=False)
    for file in (replace(silent, facts=facts), opened):
        streams.display.file_saved(a_line(), file)
    assert streams.read()[0].splitlines() == [
        "saved out/a.mp4 (2 kB, HEVC, no sound)",
        "saved out/b.heic (2 kB, opened, but its format hides damage inside)",
    ]


# --- what happens, line by line -------------------------------------------------------------------


def test_each_event_is_a_line_where_there_is_no_bar(streams: Streams) -> None:
    first, second = a_file(Path("out/a.jpg")), a_file(Path("out/b.jpg"), 2_340_000)
    line = a_line(a_story(first), a_story(second, number=2))
    streams.display.line_started(line)
    streams.display.stories_listed(line)
    streams.display.file_saved(line, first)
    streams.display.file_saved(line, second)
    streams.display.progressed(Totals(files_done=2, files_total=2, bytes_done=9, bytes_total=9))
    streams.display.line_settled(line)
    out, err = streams.read()
    assert out.splitlines() == [
        "@alice: looking up",
        "@alice: found 2 stories",
        "saved out/a.jpg (2 kB)",
        "saved out/b.jpg (2.3 MB)",
        "@alice: saved, 2 stories, 2 files",
    ]
    assert err == ""


def test_one_of_something_is_no_plural(streams: Streams) -> None:
    line = a_line(a_story(a_file(None)))
    streams.display.stories_listed(line)
    streams.display.line_settled(line)
    assert streams.read()[0] == "@alice: found 1 story\n@alice: saved, 1 story, 1 file\n"


def test_a_file_that_waits_to_be_packed_is_not_called_saved(streams: Streams) -> None:
    streams.display.file_saved(a_line(), a_file(None))
    assert streams.read() == ("", "")


def test_an_account_without_stories_is_no_error(streams: Streams) -> None:
    line = a_line(state=ItemState.EMPTY)
    streams.display.stories_listed(line)
    streams.display.line_settled(line)
    assert streams.read() == ("@alice: no public story\n", "")


def test_an_advert_is_called_one_and_is_no_error(streams: Streams) -> None:
    line = a_line()
    line.settle(Advert("the short link leads to where the app is offered"))
    assert line.state == ItemState.EMPTY
    streams.display.line_settled(line)
    assert streams.read() == ("@alice: This is an ad for the app, not a story.\n", "")


# --- errors ---------------------------------------------------------------------------------------


def test_a_line_that_failed_says_why_on_the_error_stream(streams: Streams) -> None:
    line = a_line(state=ItemState.FAILED)
    line.error = RateLimited("status 429", retry_after_s=59.6)
    streams.display.line_settled(line)
    out, err = streams.read()
    assert out == ""
    assert err.startswith("fetch: @alice: rate_limited: ")
    assert " Try again in 60 s. " in err
    assert err.count("\n") == 1


def test_a_line_saved_in_part_counts_and_names_what_is_missing(streams: Streams) -> None:
    whole = a_story(a_file(None))
    short = a_story(a_file(None), expected=3, error=MediaUnavailable(), number=2)
    line = a_line(whole, short, state=ItemState.PARTIAL)
    line.error = short.error
    streams.display.line_settled(line)
    first, second = streams.read()[1].splitlines()
    assert first == "fetch: @alice: only 2 of 4 saved"
    assert second.startswith(
        "fetch: @alice: https://www.tiktok.com/@alice/story/2: media_unavailable: "
    )


def test_a_line_whose_list_leaves_something_out_says_how_many_and_why(streams: Streams) -> None:
    line = a_line(a_story(a_file(Path("/out/a.jpg"))), state=ItemState.PARTIAL)
    line.left_out = {LeftOutReason.HELD_BACK: 2, LeftOutReason.PRIVATE: 1}
    line.error = UpstreamDown()
    streams.display.line_settled(line)
    out, err = streams.read()
    assert out == ""
    assert err == (
        "fetch: @alice: saved in part, 1 file\n"
        "fetch: @alice: upstream_down: TikTok counts 2 more stories than it shows us. "
        "Trying again later often works.\n"
        "fetch: @alice: private_post: 1 story is private. "
        "Only public stories and posts can be saved.\n"
    )


def test_a_story_that_cannot_be_read_is_said_with_its_place_and_without_admin_pages(
    streams: Streams,
) -> None:
    line = a_line(state=ItemState.FAILED)
    line.left_out, line.details = {LeftOutReason.NO_MEDIA: 1}, {"no_media": "video.playAddr"}
    line.error = UpstreamChanged("left out of the list: 1 no_media (video.playAddr)")
    streams.display.line_settled(line)
    assert streams.read()[1] == (
        "fetch: @alice: upstream_changed: 1 story came without a file that can be saved. "
        "(video.playAddr) Report this with the detail in brackets.\n"
    )


def test_the_lines_own_error_is_said_besides_those_of_its_stories(streams: Streams) -> None:
    line = a_line(a_story(error=MediaUnavailable()), state=ItemState.FAILED)
    line.error = UpstreamDown()
    streams.display.line_settled(line)
    first, second = streams.read()[1].splitlines()
    assert "story/1: media_unavailable: " in first
    assert second.startswith("fetch: @alice: upstream_down: ")


def test_of_an_interrupted_line_its_stories_are_not_listed(streams: Streams) -> None:
    line = a_line(
        a_story(error=Cancelled()), a_story(error=Cancelled(), number=2), state=ItemState.CANCELLED
    )
    line.error = Cancelled()
    streams.display.line_settled(line)
    assert streams.read()[1] == "fetch: @alice: cancelled: Interrupted. What was finished stays.\n"


# --- the last line --------------------------------------------------------------------------------


def test_a_file_that_came_by_two_lines_is_counted_once(streams: Streams) -> None:
    same = a_file(Path("out/a.jpg"), 600_000)
    other = a_file(Path("out/b.jpg"), 400_000)
    result = RunResult(lines=[a_line(a_story(same, other)), a_line(a_story(same))])
    streams.display.print_summary(result, Path("out"))
    assert streams.read() == ("2 files, 1.0 MB, in out\n", "")


def test_in_a_zip_files_are_told_apart_by_their_path_in_it(streams: Streams) -> None:
    files = [a_file(None, 100, "alice/1.jpg"), a_file(None, 100, "alice/2.jpg")]
    bundle = a_file(Path("out/all.zip"), 4000)
    result = RunResult(lines=[a_line(a_story(*files))], bundle=bundle)
    streams.display.print_summary(result, Path("out"))
    assert streams.read() == ("2 files, 0 kB, in out/all.zip\n", "")


def test_an_interrupted_run_says_so_even_with_nothing_saved(streams: Streams) -> None:
    result = RunResult(lines=[a_line(state=ItemState.CANCELLED)], signal=Signals.SIGINT)
    streams.display.print_summary(result, Path("out"))
    assert streams.read() == ("", "fetch: interrupted\n")


@pytest.mark.parametrize(
    ("size_bytes", "said"),
    [(0, "0 kB"), (999_499, "999 kB"), (1_000_000, "1.0 MB"), (12_345_678_901, "12345.7 MB")],
)
def test_sizes(streams: Streams, size_bytes: int, said: str) -> None:
    streams.display.file_saved(a_line(), a_file(Path("a.jpg"), size_bytes))
    assert streams.read()[0] == f"saved a.jpg ({said})\n"


# --- the bar --------------------------------------------------------------------------------------


@pytest.fixture
def screen() -> Iterator[tuple[BinaryIO, TextIO]]:
    """A terminal: what it shows, and the stream that writes to it."""
    shown_fd, written_fd = os.openpty()
    with (
        os.fdopen(shown_fd, "rb", buffering=0) as shown,
        os.fdopen(written_fd, "w", encoding="utf-8") as stream,
    ):
        yield shown, stream


def test_on_a_terminal_there_is_a_bar_and_nothing_of_it_stays(
    screen: tuple[BinaryIO, TextIO],
) -> None:
    shown, stream = screen
    line = a_line(state=ItemState.EMPTY)
    with Display(stream, stream) as display:
        display.line_started(line)
        display.progressed(Totals(files_done=0, files_total=0, bytes_done=0, bytes_total=0))
        display.progressed(Totals(files_done=1, files_total=3, bytes_done=500, bytes_total=2000))
        display.progressed(Totals(files_done=1, files_total=3, bytes_done=0, bytes_total=0))
        display.line_settled(line)
    print_line("end", stream)
    written = b""
    while not written.endswith(b"end\r\n"):  # a terminal hands over what it has so far
        written += shown.read(4096)
    parts = written.decode().split("\r")
    assert any(part.startswith("looking up |") for part in parts)
    assert any(part.startswith("saving 1 of 3 |") for part in parts)
    assert "@alice: looking up" not in parts
    assert "@alice: no public story" in parts
    # The last thing written over the bar is blanks.
    assert [part.strip() for part in parts[-3:]] == ["", "end", ""]


# --- streams --------------------------------------------------------------------------------------


def test_a_reader_that_has_gone_does_not_end_the_run() -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    with os.fdopen(write_fd, "w", encoding="utf-8") as stream:
        print_line("first", stream)
        print_line("second", stream)
        # What follows goes nowhere, and closing finds nothing that cannot be written.
        assert os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())


def test_a_line_is_written_at_once() -> None:
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as reader, os.fdopen(write_fd, "w", encoding="utf-8") as stream:
        print_line("first", stream)
        os.set_blocking(read_fd, False)
        assert reader.read() == b"first\n"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"out/a.jpg", "out/a.jpg"),
        ("out/ä 🎉.jpg".encode(), "out/ä 🎉.jpg"),
        (b"out/\xff.jpg", "out/\N{REPLACEMENT CHARACTER}.jpg"),
        (b"out/\x1b[31m\nsaved.jpg", "out/ [31m saved.jpg"),
        ("out/\u202egpj.exe".encode(), "out/gpj.exe"),
    ],
)
def test_a_path_is_shown_whatever_bytes_it_is_made_of(path: bytes, shown: str) -> None:
    said = printable(Path(os.fsdecode(path)))
    assert said == shown
    said.encode()


def test_a_character_the_stream_does_not_know_is_written_as_its_number() -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    escape_unencodable(stream)
    print_line("ä 🎉", stream)
    assert written.getvalue() == b"\\xe4 \\U0001f389\n"


def test_a_stream_that_cannot_be_told_is_left_as_it_is() -> None:
    stream = io.StringIO()
    escape_unencodable(stream)
    print_line("ä", stream)
    assert stream.getvalue() == "ä\n"


# --- the log --------------------------------------------------------------------------------------


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, at INFO."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield root
    root.setLevel(before)


@pytest.mark.parametrize(
    ("verbosity", "level"),
    [(0, logging.WARNING), (1, logging.WARNING), (2, logging.INFO), (3, logging.INFO)],
)
def test_only_who_asks_for_it_sees_the_whole_log(
    root: logging.Logger, verbosity: int, level: int
) -> None:
    with quiet_log(verbosity):
        assert root.level == level
    assert root.level == logging.INFO


def test_a_log_that_was_quieter_stays_so(root: logging.Logger) -> None:
    root.setLevel(logging.ERROR)
    with quiet_log(0):
        assert root.level == logging.ERROR


def test_the_log_is_as_before_when_a_run_fails(root: logging.Logger) -> None:
    handlers = list(root.handlers)
    with pytest.raises(ZeroDivisionError), quiet_log(0):
        raise ZeroDivisionError
    assert (root.level, root.handlers) == (logging.INFO, handlers)
