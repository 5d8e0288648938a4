"""`manage.py fetch` as it is typed: a process of its own, with neither database nor Redis."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pty
import zipfile
from pathlib import Path

import pytest

from tests.fake_tiktok import Account, FakeTikTok
from tests.fake_tiktok.proxy import FakeProxy
from tests.integration.shell import Shell, digest, shapes


@pytest.fixture
def shell(tmp_path: Path, proxy: FakeProxy, tiktok: FakeTikTok) -> Shell:
    return Shell(tmp_path, proxy)


@pytest.fixture
def alice(tiktok: FakeTikTok) -> Account:
    """A video, a photo not everything opens, and a carousel."""
    account = tiktok.account("alice", nickname="Älice 🌻")
    account.video(seconds=2, caption="três 🎬", ago_s=4 * 3600)
    account.photo(formats=("webp",), ago_s=3 * 3600)
    account.carousel(3, ago_s=2 * 3600)
    return account


# --- what it is for ---------------------------------------------------------------------------


def test_one_author_without_database_and_redis(shell: Shell, alice: Account) -> None:
    done = shell.fetch("@alice", "--audio", "m4a")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert sorted(shapes(shell.files())) == sorted(
        [
            "alice_….m4a",
            "alice_….mp4",
            "alice_…_story.json",
            "alice_….jpg",
            "alice_….webp",
            "alice_…_story.json",
            "alice_…_01.jpg",
            "alice_…_02.jpg",
            "alice_…_03.jpg",
            "alice_…_story.json",
        ]
    )
    wanted = {
        hashlib.sha256(thing.body).hexdigest() for story in alice.stories for thing in story.files
    }
    assert wanted <= {digest(path) for path in shell.out.iterdir()}
    assert "found 3 stories" in done.stdout
    assert sorted(path.name for path in shell.data.iterdir()) == ["secret-key"]


def test_two_names_in_one_word_are_two_lines(shell: Shell, tiktok: FakeTikTok) -> None:
    for name in ("tiny.garden", "night.trains"):
        tiktok.account(name).photo()
    done = shell.fetch("@tiny.garden, @night.trains", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert [item["line"] for item in told["items"]] == ["@tiny.garden", "@night.trains"]


def test_json_says_everything_and_nothing_else(shell: Shell, alice: Account) -> None:
    done = shell.fetch("alice", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert "found 3 stories" in done.stderr
    assert (told["state"], told["bundle"]) == ("done", None)
    (item,) = told["items"]
    assert (item["line"], item["kind"], item["state"], item["error"]) == (
        "alice",
        "user",
        "done",
        None,
    )
    assert item["author"] == {"id": alice.id, "name": "alice", "nickname": "Älice 🌻"}
    assert [story["kind"] for story in item["stories"]] == ["video", "photo", "carousel"]
    assert [len(story["files"]) for story in item["stories"]] == [1, 2, 3]
    video = item["stories"][0]
    assert video["caption"] == "três 🎬"
    assert video["source_url"] == alice.stories[0].url
    assert video["leaves_tiktok_at"].endswith("Z")
    for story in item["stories"]:
        assert (story["state"], story["error"]) == ("done", None)
        for file in story["files"]:
            path = Path(file["path"])
            assert path.parent == shell.out
            assert path.name == file["name"]
            assert path.stat().st_size == file["size_bytes"]
            assert digest(path) == file["sha256"]
            assert file["checked"]
    assert item["stories"][1]["files"][1]["labels"] == ["converted"]
    assert "http" not in json.dumps([story["files"] for story in item["stories"]])


def test_everything_as_one_zip(shell: Shell, alice: Account, tiktok: FakeTikTok) -> None:
    bob = tiktok.account("bob")
    bob.photo()
    done = shell.fetch("@alice", "@bob", alice.stories[2].shared_url, "--zip", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert shell.files() == [told["bundle"]["name"]]
    assert shapes(shell.files()) == ["storykeep_…_all.zip"]
    bundle = shell.out / told["bundle"]["name"]
    assert told["bundle"]["path"] == str(bundle)
    assert told["bundle"]["sha256"] == digest(bundle)
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode("utf-8-sig"))))
        files = [
            file for item in told["items"] for story in item["stories"] for file in story["files"]
        ]
        for file in files:
            assert file["path"] is None
            assert hashlib.sha256(archive.read(file["name"])).hexdigest() == file["sha256"]
    # The carousel came by two lines and is packed once; a sidecar for each story, and the manifest.
    assert len(files) == 6 + 1 + 3
    assert len(names) == 6 + 1 + 4 + 1
    assert sorted(row["file"] for row in rows) == sorted({file["name"] for file in files})
    assert [row["author"] for row in rows] == ["alice"] * 6 + ["bob"]


def test_several_authors_and_kinds_of_lines(
    shell: Shell, alice: Account, tiktok: FakeTikTok
) -> None:
    bob = tiktok.account("bob")
    clip = bob.video(seconds=1)
    post = bob.post(kind="photo")
    done = shell.fetch(
        "--posts",
        "--json",
        alice.stories[1].url,
        "-",
        pasted=f"Look: {tiktok.short_link('ZMclip', to=clip)}\n\n{post.shared_url}\n",
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [item["kind"] for item in told["items"]] == ["story", "story", "post"]
    assert [item["author"]["name"] for item in told["items"]] == ["alice", "bob", "bob"]
    assert shapes(shell.files()) == [
        "alice/alice_….jpg",
        "alice/alice_….webp",
        "alice/alice_…_story.json",
        "bob/bob_….jpg",
        "bob/bob_…_story.json",
        "bob/bob_….mp4",
        "bob/bob_…_story.json",
    ]


def test_the_same_twice_is_fetched_once(shell: Shell, alice: Account, tiktok: FakeTikTok) -> None:
    done = shell.fetch("@alice", "alice", f"{alice.url}?lang=de", "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["items"]) == 1
    assert tiktok.count("list") == 1


def test_an_account_without_stories_is_an_answer(shell: Shell, tiktok: FakeTikTok) -> None:
    tiktok.account("quiet.owl")
    done = shell.fetch("@quiet.owl", "--json")
    assert done.returncode == 0
    (item,) = json.loads(done.stdout)["items"]
    assert (item["state"], item["stories"], item["error"]) == ("empty", [], None)
    assert not shell.out.exists()


def test_a_bar_on_a_terminal(shell: Shell, alice: Account) -> None:
    ours, theirs = pty.openpty()
    process = shell.start("@alice", stdout=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert b"saving " in shown
    assert b"of 5" in shown
    assert b"\r" in shown


def test_nobody_listens_any_more(shell: Shell, alice: Account) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = shell.start("@alice", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert len(shell.files()) == 6 + 3


# --- what was there before --------------------------------------------------------------------


def test_what_lies_there_is_never_touched(shell: Shell, alice: Account) -> None:
    assert shell.fetch("@alice").returncode == 0
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in shell.out.iterdir()}
    taken = next(path for path in before if path.suffix == ".mp4")
    taken.write_bytes(b"something else by now")
    (shell.out / "notes.txt").write_text("mine")
    before[taken] = (b"something else by now", taken.stat().st_ino)

    done = shell.fetch("@alice", "--json")
    assert done.returncode == 0
    for path, facts in before.items():
        assert (path.read_bytes(), path.stat().st_ino) == facts
    fresh = set(shell.out.iterdir()) - set(before) - {shell.out / "notes.txt"}
    # Its sidecar speaks of a file by another name, so it is another sidecar.
    video = f"{taken.stem}_2.mp4"
    assert {path.name for path in fresh} == {
        video,
        f"{taken.stem}_story_2.json",
    }
    told = json.loads(done.stdout)["items"][0]["stories"][0]["files"][0]
    assert told["name"] == video
    assert digest(shell.out / video) == told["sha256"]


# --- what goes wrong --------------------------------------------------------------------------


def test_bad_lines_harm_no_other(shell: Shell, alice: Account, tiktok: FakeTikTok) -> None:
    tiktok.account("locked.diary", private=True)
    tag = "https://www.tiktok.com/tag/sunset"
    done = shell.fetch("??", "@alice", tag, "@locked.diary", "@nobody.here", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["state"] == "partial"
    assert [(item["state"], item["error"] and item["error"]["code"]) for item in told["items"]] == [
        ("failed", "not_understood"),
        ("done", None),
        ("failed", "unsupported_link"),
        ("failed", "private_account"),
        ("failed", "no_such_account"),
    ]
    verdicts = [line for line in done.stderr.splitlines() if line.startswith("fetch: ")]
    assert len(verdicts) == 4
    assert f"fetch: {tag}: unsupported_link: This is a hashtag page, not a story." in (done.stderr)


def test_nothing_but_bad_lines(shell: Shell, tiktok: FakeTikTok) -> None:
    done = shell.fetch("??", "https://example.com/@alice")
    assert done.returncode == 2
    assert "fetch: ??: not_understood: " in done.stderr
    assert "unsupported_link" in done.stderr
    assert done.stdout == ""
    assert not shell.out.exists()
    assert tiktok.requests == []


def test_a_line_that_fails_alone(shell: Shell, tiktok: FakeTikTok) -> None:
    done = shell.fetch("@nobody.here", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["state"] == "failed"
    assert not shell.out.exists()


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param((), id="no line"),
        pytest.param(("@alice", "--audio", "wav"), id="no such sound"),
        pytest.param(("@alice", "--faster"), id="no such option"),
        pytest.param(("-",), id="nothing on stdin"),
        pytest.param((" ",), id="a blank line"),
    ],
)
def test_typed_wrongly(shell: Shell, typed: tuple[str, ...]) -> None:
    done = shell.fetch(*typed)
    assert done.returncode == 2
    assert done.stderr
    assert done.stdout == ""


def test_a_folder_that_cannot_be_made(shell: Shell, alice: Account) -> None:
    shell.out.write_text("a file")
    done = shell.fetch("@alice")
    assert done.returncode == 2
    assert done.stderr == f"fetch: cannot write into {shell.out}: File exists\n"
    assert shell.out.read_text() == "a file"


def test_a_part_that_did_not_arrive(shell: Shell, alice: Account, tiktok: FakeTikTok) -> None:
    second = alice.stories[2].pictures[1][0]
    tiktok.fault(second, 404)
    done = shell.fetch("@alice", "--json")
    assert done.returncode == 1
    item = json.loads(done.stdout)["items"][0]
    assert (item["state"], item["error"]["code"]) == ("partial", "media_unavailable")
    assert [story["state"] for story in item["stories"]] == ["done", "done", "partial"]
    assert [file["name"][-6:] for file in item["stories"][2]["files"]] == ["01.jpg", "03.jpg"]
    assert "fetch: @alice: only 4 of 5 saved" in done.stderr
    assert "media_unavailable" in done.stderr


def test_after_a_refusal_nobody_asks(shell: Shell, tiktok: FakeTikTok) -> None:
    names = [f"author{number}" for number in range(6)]
    for name in names:
        tiktok.account(name).photo()
    tiktok.fault("pages", 429)
    tiktok.fault("list", 429)
    done = shell.fetch(*names, "--json", env={"STORYKEEP_ITEM_CONCURRENCY": "1"})
    assert done.returncode == 2
    codes = {item["error"]["code"] for item in json.loads(done.stdout)["items"]}
    assert codes == {"rate_limited"}
    assert {one.where.account for one in tiktok.requests} == {"author0"}


# --- a site that refuses us, a clock that is wrong ----------------------------------------------


def test_an_identity_that_is_served_is_kept_to_for_the_run(
    shell: Shell, tiktok: FakeTikTok
) -> None:
    names = ["@tiny.garden", "@night.trains", "@corner.bakery"]
    for name in names:
        tiktok.account(name[1:]).photo()
    tiktok.fault({"endpoint": "profile", "agent": "Chrome/150", "referer": False}, 403)
    done = shell.fetch(*names, env={"STORYKEEP_ITEM_CONCURRENCY": "1"})
    assert done.returncode == 0, done.stderr
    assert [seen.status for seen in tiktok.seen("profile")] == [403, 200, 200, 200]


@pytest.mark.parametrize(("days", "way"), [(2, "ahead of"), (-2, "behind")])
def test_a_clock_that_is_days_off_costs_no_story_and_is_told(
    shell: Shell, tiktok: FakeTikTok, days: int, way: str
) -> None:
    tiktok.advance(-days * 86_400)
    tiktok.account("tiny.garden").photo(ago_s=3600)
    done = shell.fetch("@tiny.garden", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "done"
    assert f"fetch: warning: This server's clock is 2 days {way} TikTok's" in done.stderr
