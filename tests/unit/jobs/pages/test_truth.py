"""No page, badge, bar or title says more than the rows do, whatever state a job is in."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs.api.job_json import encoded_job
from jobs.ephemeral import progress
from jobs.ephemeral.progress import ItemProgress, Reporter
from jobs.errors import BY_CODE
from jobs.files.bundles import amount_of
from jobs.left_out import LeftOut
from jobs.models import JOB_ZIP_ROLES, Item, ItemKind, Role, Story, StoryKind
from jobs.pages import presenter
from jobs.queries import cards
from jobs.queries.job_view import (
    ErrorView,
    FileView,
    ItemView,
    ProgressView,
    Snapshot,
    StoryView,
)
from jobs.states import OPEN, ItemState, job_state
from jobs.wording import size
from jobs.zips.contents import package_files
from stories.left_out import LeftOutReason
from tests.factories import make_artifact, make_item, make_job, make_story
from tests.unit.jobs.pages.pages import page_of, shown
from tests.unit.jobs.pages.truth import bytes_to_save, check, media_of
from tests.unit.jobs.queries.random_jobs import make_random_job

S = ItemState
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
EXTRAS = tuple(role for role in Role if role not in {Role.MEDIA, *JOB_ZIP_ROLES})
PHASES = ("queued", "looking_up", "found", "saving", "checking", "packing")


# --- jobs that no database ever held --------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn, role: Role, position: int) -> FileView:
    removed = draw(st.booleans())
    size_bytes = draw(st.sampled_from([1, 999, 10**9]))
    return FileView(
        id=draw(st.uuids()),
        role=role,
        position=position,
        name="x",
        content_type=draw(st.sampled_from(["image/jpeg", "image/webp", "video/mp4"])),
        size_bytes=size_bytes,
        sha256=f"{size_bytes:064}",  # of two files of a story some are copies
        width=None,
        height=None,
        duration_s=None,
        has_audio=False,
        checked=draw(st.booleans()),
        labels=(),
        created_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(hours=1),
        removed_at=NOW - timedelta(minutes=9) if removed else None,
    )


@st.composite
def stories(draw: st.DrawFn) -> StoryView:
    count = draw(st.integers(1, 4))
    kept = draw(st.sets(st.integers(1, count)))
    saved = [draw(files(Role.MEDIA, position)) for position in kept]
    extras = [draw(files(role, 1)) for role in draw(st.sets(st.sampled_from(EXTRAS)))]
    return StoryView(
        id=draw(st.uuids()),
        tiktok_id=draw(st.sampled_from(["70", "71"])),
        kind=draw(st.sampled_from(list(StoryKind))),
        is_story=draw(st.booleans()),
        posted_at=NOW,
        leaves_at=draw(st.sampled_from([None, NOW - timedelta(1), NOW + timedelta(hours=3)])),
        caption="",
        source_url="https://www.tiktok.com/@x/video/1",
        media_count=count,
        state=draw(st.sampled_from([S.QUEUED, S.DONE, S.PARTIAL, S.FAILED, S.CANCELLED])),
        error=draw(st.none() | errors()),
        files=tuple(saved + [extra for extra in extras if extra.role != Role.ZIP]),
        zip=next((extra for extra in extras if extra.role == Role.ZIP), None),
        saved=len(saved),
    )


@st.composite
def errors(draw: st.DrawFn) -> ErrorView:
    left_out = st.builds(
        LeftOut, reason=st.sampled_from(list(LeftOutReason)), count=st.integers(1, 9)
    )
    return ErrorView(
        code=draw(st.sampled_from([*BY_CODE, "of_another_version"])),
        detail=draw(st.sampled_from(["", "__UNIVERSAL_DATA__ is missing", "a hashtag page"])),
        left_out=draw(st.none() | left_out),
    )


@st.composite
def lines(draw: st.DrawFn, position: int, states: Sequence[S]) -> ItemView:
    state = draw(st.sampled_from(states))
    total = draw(st.integers(0, 9))
    return ItemView(
        id=UUID(int=position),
        position=position,
        line=f"@{position}",
        kind=draw(st.sampled_from(list(ItemKind))),
        name=draw(st.sampled_from(["", f"name{position}"])),
        state=state,
        error=draw(st.none() | errors()) if state != S.RUNNING else None,
        author=None,
        stories=tuple(draw(st.lists(stories(), max_size=3))) if state != S.EMPTY else (),
        progress=ProgressView(
            phase=draw(st.sampled_from(PHASES)) if state == S.RUNNING else "ready",
            files_done=draw(st.integers(0, total)),
            files_total=total,
            share=draw(st.floats(0, 0.97)) if state in OPEN else 1.0,
        ),
        found=draw(st.none() | st.integers(0, 9)),
    )


@st.composite
def jobs(draw: st.DrawFn) -> Snapshot:
    # Of nine lines in any state one is open: a job that has settled has buttons of its own.
    states = [state for state in S if state not in OPEN] if draw(st.booleans()) else list(S)
    items = tuple(draw(lines(n + 1, states)) for n in range(draw(st.integers(1, 9))))
    state = job_state(item.state for item in items)
    running = [item.progress.phase for item in items if item.state == S.RUNNING]
    return Snapshot(
        id=UUID(int=0),
        state=state,
        note=draw(st.sampled_from(["", "  ", "Autumn\ncampaign", "everything"])),
        prefer="compatible",
        posts=False,
        audio="none",
        created_at=NOW,
        settled_at=None,
        files_expire_at=None,
        progress=ProgressView(
            phase=running[0] if running else "queued",
            eta_s=draw(st.none() | st.integers(0, 999)),
            share=sum(item.progress.share for item in items) / len(items),
        ),
        items=items,
        bundle=None,
        bundle_error=None,
        selection=None,
        selection_error=None,
        packing=draw(st.booleans()),
        queue_position=draw(st.none() | st.integers(1, 9)),
        refused_until=None,
        refused_code="",
    )


# A job is large: to make a failing one smaller would take minutes.
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(jobs())
def test_any_job_tells_the_truth(job: Snapshot) -> None:
    check(presenter.present(job, NOW))


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [*range(6), 8, 12, 19])
def test_page_fragment_card_and_api_agree_on_the_rows(
    client: Client, alice: User, seed: int
) -> None:
    job = make_random_job(alice, seed)
    if seed % 3 == 0:
        Item.objects.filter(state=S.FAILED).update(error_code="unsupported_link")
    page = page_of(job)
    check(page)
    (card,) = cards.job_cards([job])
    answer = json.loads(encoded_job(page.job))
    whole = shown(client.get(f"/jobs/{job.pk}/"))
    part = shown(client.get(f"/jobs/{job.pk}/progress/"))
    summary = " ".join(page.summary.split())
    here = media_of(page.job.stories).here
    amount = size(bytes_to_save(page.job.stories)).replace("\N{NO-BREAK SPACE}", " ")
    for html in (whole, part):
        assert f"<bdi>{escape(page.title)}</bdi>" in html
        assert page.look == "cleaned" or f">{escape(summary)}</span>" in html
        tiles = [tile for line in page.lines for tile in line.tiles]
        assert html.count('class="badge kept"') == sum(tile.checked for tile in tiles)
        assert html.count('class="badge short"') == sum(bool(tile.tally) for tile in tiles)
        bars = re.findall(r'<progress class="bar"[^>]*value="(\d+)"', html)
        assert bars == ([str(page.percent)] if page.job.state == S.RUNNING else [])
        for number in re.findall(r"Save (\d+)<span", html):
            assert int(number) == here
        for words in re.findall(
            r"(?:Save \d+<span[^>]*>[^<]*</span>|Download \w+) · ([^<]+)<", html
        ):
            assert words == amount
        assert "everything" not in html
        share = re.findall(r'id="share-all".*?</span> · ([^<]+)</span>', html)
        assert share in ([], [_size_of_shared(client, job.pk, html)])
    assert [item["state"] for item in answer["items"]] == [line.item.state for line in page.lines]
    assert answer["state"] == card.state == page.job.state
    media = [file for story in page.job.stories for file in story.present]
    assert card.files == here or not here
    assert (card.files, card.size_bytes) == (page.amount.files, page.amount.size_bytes)
    assert card.left_out == page.job.left_out
    zipped = package_files(job.pk)
    assert sum(file.role == Role.MEDIA for file in zipped) == here
    assert amount_of(zipped) == page.amount
    if here:
        clean = shown(client.get(f"/jobs/{job.pk}/clean/"))
        assert re.search(rf"Delete {card.files} files?, {amount}\?", clean)
        forget = shown(client.get(f"/jobs/{job.pk}/forget/"))
        assert re.search(rf"{card.files} files?, {amount}, (is|are) deleted too", forget)
    told = [
        file for item in answer["items"] for story in item["stories"] for file in story["files"]
    ]
    assert len(told) == len(media)
    assert (card.state_label, card.look) == (page.state_label, page.look)
    assert card.retryable == page.job.retryable
    if page.look_counts:
        assert card.look_counts == page.look_counts


def _size_of_shared(client: Client, job_id: UUID, html: str) -> str:
    """What the share sheet gathers, as its script does: of a file and its copy, one."""
    copies = re.findall(r'data-copies="([^"]*)"', html)
    first = json.loads(unescape(copies[0])) if copies else {}
    shares = client.get(f"/jobs/{job_id}/media.json").json()["files"]
    found = {first.get(address, address): size_bytes for address, size_bytes, *_ in shares}
    return size(sum(found.values())).replace("\N{NO-BREAK SPACE}", " ")


# --- progress over time ---------------------------------------------------------------------------


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is kept in Redis of one job, as a dict."""
    kept: dict[str, str] = {}

    class Server:
        def hgetall(self, _key: str) -> dict[str, str]:
            return dict(kept)

        def hget(self, _key: str, field: str) -> str | None:
            return kept.get(field)

        def hset(self, _key: str, field: str, text: str) -> int:
            kept[field] = text
            return 0

        def expire(self, _key: str, _seconds: int) -> None: ...

        def pipeline(self, *, transaction: bool) -> Server:
            assert not transaction
            return self

        def __enter__(self) -> Server:
            return self

        def __exit__(self, *_: object) -> None: ...

        def execute(self) -> None: ...

    def ask(question: Callable[[Any], Any]) -> Any:
        return question(Server())

    for way in ("execute", "write"):
        monkeypatch.setattr(progress, way, ask)
    monkeypatch.setattr(progress, "WRITE_EVERY_S", 0)
    return kept


class _Worker:
    """Moves one line at random, as a worker, the queue and a shaky TikTok would."""

    def __init__(self, item: Item, choose: random.Random) -> None:
        self.item, self.choose = item, choose
        self.reporter: Reporter | None = None
        self.coming: list[tuple[str, int]] = []
        self.saved: dict[tuple[str, int], int] = {}

    def step(self) -> None:
        if self.item.state not in OPEN:
            return
        if self.item.state == S.QUEUED:
            self._begin()
        elif self.choose.random() < 0.1:
            self._move(S.QUEUED, error_code="refused" if self.choose.random() < 0.5 else "")
        elif self.reporter and not self.coming and self.choose.random() < 0.5:
            self._list(self.reporter)
        elif self.reporter and self.coming:
            self._file(self.reporter)
        elif self.choose.random() < 0.5:
            self._move(self.choose.choice([S.DONE, S.FAILED, S.EMPTY, S.PARTIAL]))

    def _move(self, state: S, **fields: Any) -> None:
        self.item.state = state
        Item.objects.filter(pk=self.item.pk).update(
            state=state, **({"error_code": ""} | fields), settled_at=timezone.now()
        )

    def _begin(self) -> None:
        self.item.attempt += 1
        self._move(S.RUNNING)
        self.coming, self.reporter = [], None
        if self.choose.random() < 0.8:  # else the page looks before the worker has said a word
            self.reporter = Reporter(
                self.item.job_id,
                self.item.pk,
                asked_at=self.item.asked_at,
                is_first=self.item.attempt == 1,
            )

    def _list(self, reporter: Reporter) -> None:
        """A list that may be longer than the last one."""
        more = self.choose.randint(1, 4)
        story = make_story(self.item, kind=StoryKind.CAROUSEL, media_count=more, state=S.QUEUED)
        self.coming = [(str(story.pk), position) for position in range(1, more + 1)]
        expected = {file: self.choose.choice([0, 100, 9000]) for file in self.coming}
        reporter.found(1, expected=expected, already=self.saved)

    def _file(self, reporter: Reporter) -> None:
        file = self.coming[0]
        match self.choose.choice(["some", "some", "all", "fail", "check", "pack"]):
            case "some":
                reporter.arriving(file, self.choose.randint(0, 90), self.choose.choice([None, 900]))
            case "all":
                make_artifact(Story.objects.get(pk=file[0]), position=file[1])
                reporter.file_done(self.coming.pop(0), 1000)
                self.saved[file] = 1000
            case "fail":
                reporter.file_failed(self.coming.pop(0))
            case "check":
                reporter.checking()
            case _:
                reporter.packing()


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_the_bar_never_falls_and_is_full_only_at_the_end(
    reports: dict[str, str], seed: int
) -> None:
    choose = random.Random(seed)
    job = make_job()
    workers = [_Worker(make_item(job), choose) for _ in range(choose.randint(1, 4))]
    before = 0
    for _ in range(40):
        choose.choice(workers).step()
        page = page_of(job)
        check(page)
        assert page.percent >= before, "it fell"
        before = page.percent


@pytest.mark.django_db
def test_a_retry_begins_anew_and_its_first_report_takes_nothing_back(
    reports: dict[str, str],
) -> None:
    job = make_job()
    item = make_item(job, state=S.RUNNING)
    make_item(job, state=S.DONE)
    first = Reporter(job.pk, item.pk, asked_at=item.asked_at)
    first.found(1, expected={("7", 1): 100}, already={})
    first.arriving(("7", 1), 90, 100)
    assert page_of(job).percent > 85
    item.asked_at = timezone.now()
    Item.objects.filter(pk=item.pk).update(state=S.QUEUED, asked_at=item.asked_at)
    assert page_of(job).percent == 50
    Item.objects.filter(pk=item.pk).update(state=S.RUNNING)
    begun = page_of(job).percent
    assert begun >= 50
    Reporter(job.pk, item.pk, asked_at=item.asked_at, is_first=False)
    assert page_of(job).percent == begun


@pytest.mark.django_db
def test_the_time_left_is_that_of_all_lines(reports: dict[str, str]) -> None:
    job = make_job()
    now = timezone.now()
    for _ in range(2):
        done = make_item(job, state=S.DONE, settled_at=now)
        _report(reports, done, started_at=now - timedelta(seconds=10))
    running = make_item(job, state=S.RUNNING)
    _report(reports, running, share=0.5, eta_s=2.0)
    for _ in range(4):
        make_item(job)
    assert page_of(job).job.progress.eta_s == 45, "half a line, and four that have not begun"
    Item.objects.filter(state=S.QUEUED).update(error_code="refused")
    assert page_of(job).job.progress.eta_s is None, "when TikTok lets them go on, nobody knows"


def _report(reports: dict[str, str], item: Item, **facts: Any) -> None:
    report = ItemProgress(phase="saving", asked_at=item.asked_at, **facts)
    values = {name: getattr(report, name) for name in ItemProgress.__dataclass_fields__}
    reports[str(item.pk)] = json.dumps(values, default=datetime.isoformat)
