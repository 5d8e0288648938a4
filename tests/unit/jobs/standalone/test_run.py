"""A run into a folder: the verdict on each line, and the calls to the listener."""

from __future__ import annotations

import csv
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from django.conf import LazySettings

from jobs.errors import Internal
from jobs.lines import read_lines
from jobs.standalone.client import RunIdentities, RunRateLimit
from jobs.standalone.output_folder import FolderFull, OutputFolder
from jobs.standalone.report import as_dict
from jobs.standalone.results import LineResult, RunResult, SavedFile
from jobs.standalone.run import fetch
from jobs.standalone.tally import Totals
from jobs.states import ItemState
from stories.client import StoryClient
from stories.config import ClientConfig
from stories.harvest import HarvestOptions
from stories.http.session import RateLimit
from tests.fake_tiktok import Account, FakeTikTok


class Recorder:
    """A ProgressListener that writes down its calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.totals: list[Totals] = []

    def line_started(self, line: LineResult) -> None:
        self.calls.append(("looking up", line.line.text))

    def stories_listed(self, line: LineResult) -> None:
        self.calls.append(("found", line.line.text))

    def file_saved(self, line: LineResult, file: SavedFile) -> None:
        self.calls.append(("saved", line.line.text))

    def line_settled(self, line: LineResult) -> None:
        self.calls.append((line.state.value, line.line.text))

    def progressed(self, totals: Totals) -> None:
        self.totals.append(totals)

    def verdicts(self) -> list[tuple[str, str]]:
        """The last call for each line."""
        verdicts = [call for call in self.calls if call[0] not in {"looking up", "found", "saved"}]
        assert len({line for _, line in verdicts}) == len(verdicts), "a line was settled twice"
        return verdicts


@pytest.fixture
def tiktok() -> FakeTikTok:
    return FakeTikTok(page_bytes=20_000)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    return tiktok.account("alice")


class Run:
    """fetch() against the fake."""

    def __init__(self, tiktok: FakeTikTok, out: Path) -> None:
        self.tiktok, self.out, self.recorder = tiktok, out, Recorder()

    def client(self, rate_limit: RateLimit) -> StoryClient:
        transport = self.tiktok.transport()
        return StoryClient(
            ClientConfig(),
            rate_limit=rate_limit,
            identities=RunIdentities(),
            page_transport=transport,
            media_transport=transport,
        )

    def __call__(
        self,
        *lines: str,
        zipped: bool = False,
        concurrency: int = 4,
        audio: Literal["none", "mp3"] = "none",
    ) -> RunResult:
        self.recorder = Recorder()
        return fetch(
            read_lines(lines),
            into=self.out,
            zipped=zipped,
            options=HarvestOptions(posters=False, audio=audio),
            rate_limit=RunRateLimit(0, 1),
            concurrency=concurrency,
            listener=self.recorder,
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
    result = run("@alice")
    assert run.recorder.calls == [
        ("looking up", "@alice"),
        ("found", "@alice"),
        ("saved", "@alice"),
        ("saved", "@alice"),
        ("done", "@alice"),
    ]
    size_bytes = sum(file.facts.size_bytes for file in result.lines[0].files)
    last = run.recorder.totals[-1]
    assert last == Totals(
        files_done=2, files_total=2, bytes_done=size_bytes, bytes_total=size_bytes
    )
    done = [totals.bytes_done for totals in run.recorder.totals]
    assert done == sorted(done)


def test_a_share_text_of_the_light_app_is_one_saved_line_and_an_advert(
    run: Run, tiktok: FakeTikTok, alice: Account
) -> None:
    story = tiktok.short_link("ZSfakeOne", to=alice.photo(), host="vt.tiktok.com")
    advert = tiktok.short_link(
        "ZSfakeApp", to="https://www.tiktok.com/tiktoklite", host="vt.tiktok.com"
    )
    result = run(f"Alice'in videosuna bak! {story}\nLite üzerinden paylaşıldı: {advert}")
    assert [line.state for line in result.lines] == [ItemState.DONE, ItemState.EMPTY]
    assert (result.state, result.exit_code) == (ItemState.DONE, 0)
    error = as_dict(result)["items"][1]["error"]
    assert (error["code"], error["retryable"]) == ("advert", False)
    alone = run(advert)
    assert (alone.state, alone.exit_code) == (ItemState.EMPTY, 0)


def test_two_stories_of_one_minute(run: Run, alice: Account) -> None:
    ago_s = 7200 + int(time.time() % 60) - 10  # ten seconds into a minute
    for _ in range(2):
        alice.photo(ago_s=ago_s)
    result = run("@alice")
    names = [file.name for file in result.lines[0].files]
    assert len({*names, *run.files()}) == 4
    assert sorted(name.endswith("_2.jpg") for name in names) == [False, True]
    named = {
        json.loads((run.out / name).read_text())["story_id"]: json.loads(
            (run.out / name).read_text()
        )["files"][0]["name"]
        for name in run.files()
        if name.endswith(".json")
    }
    assert named == {story.story.id: story.files[0].name for story in result.lines[0].stories}
    # Once more changes nothing.
    before = run.files()
    assert run("@alice").exit_code == 0
    assert run.files() == before


def test_one_author_by_several_lines_is_fetched_in_one_folder(run: Run, alice: Account) -> None:
    story = alice.photo()
    result = run("@alice", story.shared_url, concurrency=1)
    assert result.exit_code == 0
    assert len(run.files()) == 2
    assert {file.path for line in result.lines for file in line.files} == {
        run.out / name for name in run.files() if name.endswith(".jpg")
    }
    # The second line knew the account already.
    assert run.tiktok.count("profile") == 1


# --- trouble ----------------------------------------------------------------------------------


def test_a_bug_in_one_line_is_that_lines_alone(
    run: Run, tiktok: FakeTikTok, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.photo()
    tiktok.account("bob").photo()
    place = OutputFolder.place

    def broken(self: OutputFolder, key: str, name: str, *args: Any, **options: Any) -> Path:
        if name.startswith("bob"):
            raise ZeroDivisionError
        return place(self, key, name, *args, **options)

    monkeypatch.setattr(OutputFolder, "place", broken)
    result = run("@alice", "@bob")
    assert sorted(run.recorder.verdicts()) == [("done", "@alice"), ("failed", "@bob")]
    error = result.lines[1].error
    assert isinstance(error, Internal)
    assert len(error.detail) == 8
    assert result.exit_code == 1
    assert [name.split("/")[0] for name in run.files()] == ["alice", "alice"]


@pytest.mark.parametrize("zipped", [False, True])
def test_a_full_disk(
    run: Run, alice: Account, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    alice.photo()

    def full(*_: Any, **__: Any) -> Path:
        raise FolderFull("No space left on device")

    monkeypatch.setattr(OutputFolder, "place", full)
    result = run("@alice", zipped=zipped)
    assert result.exit_code == 2
    assert run.recorder.verdicts() == [("failed", "@alice")]
    assert not run.out.exists()
    plain = as_dict(result)
    (item,) = plain["items"]
    assert item["error"]["code"] == "disk_full"
    assert item["error"]["message"] == (
        "The output folder takes no more files. (No space left on device)"
    )
    assert item["stories"][0]["files"] == []
    assert plain["bundle"] is None


def test_no_line_is_understood_and_nothing_is_touched(run: Run) -> None:
    result = run("??", "https://example.com/")
    assert [state for state, _ in run.recorder.verdicts()] == ["failed", "failed"]
    assert result.exit_code == 2
    assert not run.out.exists()


def test_a_zip_of_nothing_is_not_made(run: Run, alice: Account) -> None:
    result = run("@alice", zipped=True)
    assert (result.exit_code, result.bundle) == (0, None)
    assert not run.out.exists()


def test_a_folder_sorts_by_when_the_stories_were_posted(run: Run, alice: Account) -> None:
    alice.photo(ago_s=3 * 3600)
    alice.carousel(2, ago_s=5 * 3600)
    result = run("@alice")
    posted = {story.story.posted_at.timestamp() for story in result.lines[0].stories}
    times = [path.stat().st_mtime for path in run.out.rglob("*") if path.is_file()]
    assert len(times) == 3 + 2
    assert set(times) == posted


def test_names_show_the_clock_of_the_machine(
    run: Run, alice: Account, settings: LazySettings
) -> None:
    settings.TIME_ZONE = "Asia/Kathmandu"
    alice.photo(ago_s=3 * 3600)
    result = run("@alice")
    (story,) = result.lines[0].stories
    local = story.story.posted_at.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert run.files() == [
        f"alice_{local:%Y-%m-%d_%H%M}.jpg",
        f"alice_{local:%Y-%m-%d_%H%M}_story.json",
    ]


@pytest.mark.parametrize("zipped", [False, True])
def test_of_three_listed_stories_one_cannot_be_read(
    run: Run, alice: Account, *, zipped: bool
) -> None:
    alice.photo()
    alice.photo(item={"video": {}, "imagePost": None})
    alice.photo()
    result = run("@alice", zipped=zipped)
    (line,) = result.lines
    assert (line.state.value, len(line.files), result.exit_code) == ("partial", 2, 1)
    assert line.error
    assert "itemList[].video" in line.error.detail, "for whoever reports it"
    if result.bundle and result.bundle.path:
        with zipfile.ZipFile(result.bundle.path) as bundle:
            text = bundle.read("manifest.csv").decode("utf-8-sig")
        *files, left_out = csv.DictReader(io.StringIO(text))
        assert [row["what"] for row in files] == ["media", "media"]
        assert left_out["file"] == left_out["sha256"] == ""
        assert [left_out[name] for name in ("author", "what", "left_out", "reason")] == [
            "alice",
            "left_out",
            "1",
            "no_media",
        ]
    (item,) = as_dict(result)["items"]
    assert item["error"]["code"] == "upstream_changed"
    assert item["left_out"] == [
        {
            "reason": "no_media",
            "count": 1,
            "code": "upstream_changed",
            "message": "1 story came without a file that can be saved.",
        }
    ]


def test_an_account_of_which_nothing_is_for_everyone_is_not_empty(run: Run, alice: Account) -> None:
    alice.photo(item={"privateItem": True})
    result = run("@alice")
    assert (result.lines[0].state.value, result.exit_code) == ("failed", 2)
    (item,) = as_dict(result)["items"]
    assert item["error"]["code"] == "private_post"
    assert [entry["count"] for entry in item["left_out"]] == [1]


def test_a_whole_list_leaves_nothing_out(run: Run, alice: Account) -> None:
    alice.photo()
    result = run("@alice")
    assert (result.exit_code, as_dict(result)["items"][0]["left_out"]) == (0, [])


@pytest.mark.parametrize("fault", [404, 503])
def test_a_song_that_was_asked_for_and_does_not_come(
    run: Run, tiktok: FakeTikTok, alice: Account, fault: int
) -> None:
    alice.photo(song="mp3")
    tiktok.fault("song", fault)
    result = run("@alice", audio="mp3")
    (line,) = result.lines
    assert (line.state.value, len(line.files), result.exit_code) == ("partial", 1, 1)
    assert as_dict(result)["items"][0]["error"]["code"] == "sound_missing"


def test_a_video_whose_sound_does_not_come(run: Run, tiktok: FakeTikTok, alice: Account) -> None:
    clip = alice.video(1, gears=[("h264", (144, 256))], low=False, watermark=False)
    alice.add_dash(clip, (288, 512))
    del clip.renditions[0]
    assert clip.renditions[0].sound is not None
    tiktok.fault(clip.renditions[0].sound, 503)
    result = run("@alice")
    (line,) = result.lines
    assert (line.state.value, len(line.files), result.exit_code) == ("partial", 1, 1)
    assert line.files[0].facts.labels == ("no_sound", "sound_missing")
