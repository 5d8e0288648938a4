"""A run into a folder: what each line comes to, and what the run says of itself."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import Cancelled, Internal
from jobs.management.commands.fetch import as_plain
from jobs.models import ItemKind
from jobs.queue import submission
from jobs.queue.submission import Line
from jobs.standalone.output_folder import Folder, FolderFull
from jobs.standalone.run import (
    LineTaken,
    Names,
    Pace,
    Saved,
    Takeout,
    Totals,
    _same_author,
    asyncio,
    fetch,
)
from jobs.states import ItemState
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.errors import NotUnderstood, RateLimited
from stories.harvest import HarvestOptions
from stories.http.session import RateLimit
from stories.targets import parse_line
from tests.fake_tiktok import Account, FakeTikTok

S = ItemState


class Notes:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.totals: list[Totals] = []

    def looking_up(self, line: LineTaken) -> None:
        self.said.append(("looking up", line.line.text))

    def found(self, line: LineTaken) -> None:
        self.said.append(("found", line.line.text))

    def saved(self, line: LineTaken, file: Saved) -> None:
        self.said.append(("saved", line.line.text))

    def settled(self, line: LineTaken) -> None:
        self.said.append((line.state.value, line.line.text))

    def moved(self, totals: Totals) -> None:
        self.totals.append(totals)

    def verdicts(self) -> list[tuple[str, str]]:
        """The last words on each line."""
        told = [one for one in self.said if one[0] not in {"looking up", "found", "saved"}]
        assert len({line for _, line in told}) == len(told), "a line was settled twice"
        return told


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok(page_bytes=20_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    return tiktok.account("alice")


class Run:
    """fetch() against the fake."""

    def __init__(self, tiktok: FakeTikTok, out: Path) -> None:
        self.tiktok, self.out, self.notes = tiktok, out, Notes()

    def client(self, gate: RateLimit) -> StoryClient:
        transport = self.tiktok.transport()
        return StoryClient(
            ClientConfig(),
            rate_limit=gate,
            identities=Names(),
            page_transport=transport,
            media_transport=transport,
        )

    def __call__(self, *lines: str, zipped: bool = False, at_once: int = 4) -> Takeout:
        self.notes = Notes()
        return fetch(
            submission.read(lines),
            into=self.out,
            zipped=zipped,
            options=HarvestOptions(posters=False),
            pace=Pace(0, 1),
            at_once=at_once,
            watch=self.notes,
            make_client=self.client,
        )

    def files(self) -> list[str]:
        return sorted(
            path.relative_to(self.out).as_posix() for path in self.out.rglob("*") if path.is_file()
        )


@pytest.fixture
def run(tiktok: FakeTikTok, tmp_path: Path) -> Run:
    return Run(tiktok, tmp_path / "out")


# --- lines and files --------------------------------------------------------------------------


def test_what_is_told_meanwhile(run: Run, alice: Account) -> None:
    alice.carousel(2)
    taken = run("@alice")
    assert run.notes.said == [
        ("looking up", "@alice"),
        ("found", "@alice"),
        ("saved", "@alice"),
        ("saved", "@alice"),
        ("done", "@alice"),
    ]
    size_bytes = sum(file.facts.size_bytes for file in taken.lines[0].files)
    last = run.notes.totals[-1]
    assert last == Totals(
        files_done=2, files_total=2, bytes_done=size_bytes, bytes_total=size_bytes
    )
    done = [totals.bytes_done for totals in run.notes.totals]
    assert done == sorted(done)


def test_two_stories_of_one_minute(run: Run, alice: Account) -> None:
    ago_s = 7200 + int(time.time() % 60) - 10  # ten seconds into a minute
    for _ in range(2):
        alice.photo(ago_s=ago_s)
    taken = run("@alice")
    names = [file.name for file in taken.lines[0].files]
    assert len({*names, *run.files()}) == 4
    assert sorted(name.endswith("_01_2.jpg") for name in names) == [False, True]
    told = {
        json.loads((run.out / name).read_text())["story_id"]: json.loads(
            (run.out / name).read_text()
        )["files"][0]["name"]
        for name in run.files()
        if name.endswith(".json")
    }
    assert told == {story.story.id: story.files[0].name for story in taken.lines[0].stories}
    # Once more changes nothing.
    before = run.files()
    assert run("@alice").exit_code == 0
    assert run.files() == before


def test_one_author_by_several_lines_is_fetched_in_one_folder(run: Run, alice: Account) -> None:
    story = alice.photo()
    taken = run("@alice", story.shared_url, at_once=1)
    assert taken.exit_code == 0
    assert len(run.files()) == 2
    assert {file.path for line in taken.lines for file in line.files} == {
        run.out / name for name in run.files() if name.endswith(".jpg")
    }
    # The second line knew the account already.
    assert run.tiktok.count("profile") == 1


@pytest.mark.parametrize(
    ("lines", "same"),
    [
        (["@alice"], True),
        (["https://vm.tiktok.com/ZMabc/"], True),
        (["@alice", "https://www.tiktok.com/@alice/story/7500000000000000001"], True),
        (["@alice", "@bob"], False),
        (["@alice", "https://vm.tiktok.com/ZMabc/"], False),
        (["https://vm.tiktok.com/ZMabc/", "https://vm.tiktok.com/ZMabd/"], False),
    ],
)
def test_the_layout_is_known_from_the_lines(lines: list[str], same: bool) -> None:
    taken = [
        LineTaken(line=Line(text, parse_line(text), None), kind=ItemKind.USER) for text in lines
    ]
    assert _same_author(taken) is same


# --- trouble ----------------------------------------------------------------------------------


def test_a_bug_in_one_line_is_that_lines_alone(
    run: Run, tiktok: FakeTikTok, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.photo()
    tiktok.account("bob").photo()
    place = Folder.place

    def broken(self: Folder, key: str, name: str, *args: Any, **options: Any) -> Path:
        if name.startswith("bob"):
            raise ZeroDivisionError
        return place(self, key, name, *args, **options)

    monkeypatch.setattr(Folder, "place", broken)
    taken = run("@alice", "@bob")
    assert sorted(run.notes.verdicts()) == [("done", "@alice"), ("failed", "@bob")]
    error = taken.lines[1].error
    assert isinstance(error, Internal)
    assert len(error.detail) == 10
    assert taken.exit_code == 1
    assert [name.split("/")[0] for name in run.files()] == ["alice", "alice"]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_full_disk(
    run: Run, alice: Account, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    alice.photo()

    def full(*_: Any, **__: Any) -> Path:
        raise FolderFull("No space left on device")

    monkeypatch.setattr(Folder, "place", full)
    taken = run("@alice", zipped=zipped)
    assert taken.exit_code == 2
    assert run.notes.verdicts() == [("failed", "@alice")]
    assert not run.out.exists()
    told = as_plain(taken)
    (item,) = told["items"]
    assert item["error"]["code"] == "disk_full"
    assert item["error"]["message"] == (
        "The output folder takes no more files. (No space left on device)"
    )
    assert item["stories"][0]["files"] == []
    assert told["bundle"] is None


def test_no_line_is_understood_and_nothing_is_touched(run: Run) -> None:
    taken = run("??", "https://example.com/")
    assert [state for state, _ in run.notes.verdicts()] == ["failed", "failed"]
    assert taken.exit_code == 2
    assert not run.out.exists()


def test_a_zip_of_nothing_is_not_made(run: Run, alice: Account) -> None:
    taken = run("@alice", zipped=True)
    assert (taken.exit_code, taken.bundle) == (0, None)
    assert not run.out.exists()


# --- what it amounts to -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([S.DONE], 0),
        ([S.EMPTY], 0),
        ([S.DONE, S.EMPTY], 0),
        ([S.DONE, S.FAILED], 1),
        ([S.EMPTY, S.FAILED], 1),
        ([S.PARTIAL], 1),
        ([S.PARTIAL, S.FAILED], 1),
        ([S.FAILED], 2),
        ([S.FAILED, S.FAILED], 2),
        ([], 2),
    ],
)
def test_exit_codes(states: list[ItemState], code: int) -> None:
    line = Line("??", None, NotUnderstood())
    taken = Takeout(
        lines=[LineTaken(line=line, kind=ItemKind.USER, state=state) for state in states]
    )
    assert taken.exit_code == code
    taken.signal = signal.SIGTERM
    assert taken.exit_code == 143


def test_a_refusal_and_a_cancelled_line_have_words() -> None:
    waits = LineTaken(line=Line("@alice", parse_line("@alice"), None), kind=ItemKind.USER)
    waits.settle(RateLimited("status 429", retry_after_s=59.2))
    stopped = LineTaken(line=Line("@bob", parse_line("@bob"), None), kind=ItemKind.USER)
    stopped.settle(Cancelled())
    told = as_plain(Takeout(lines=[waits, stopped]))
    assert [item["state"] for item in told["items"]] == ["failed", "cancelled"]
    assert told["items"][0]["error"]["retry_after_s"] == 60
    assert told["items"][0]["error"]["retryable"]
    assert told["items"][1]["error"]["message"] == "Interrupted. What was finished stays."
    assert told["state"] == "cancelled"


# --- pace -------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_turns_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace(0.5, 2)
    for _ in range(4):
        await pace.gate()
    assert [round(seconds) for seconds in slept] == [0, 0, 2, 4]
    await pace.gate(at_once=True)
    await pace.gate()
    assert [round(seconds) for seconds in slept[4:]] == [0, 8], "counted, and not waited for"


@pytest.mark.anyio
async def test_nobody_asks_after_a_refusal() -> None:
    pace = Pace(0, 1)
    await pace.gate()
    pace.refused(RateLimited(retry_after_s=30))
    with pytest.raises(RateLimited) as caught:
        await pace.gate()
    assert caught.value.retry_after_s == 30
