"""The admin's part of the pictures: an instance that is fine, in trouble, young; people, system."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page

from jobs.ephemeral import log_lines, processes
from jobs.ephemeral.orphan_files import WaitingOrphans
from jobs.models import Artifact, Item, Job, Package, PackageState, Quota, Story
from jobs.ops import dashboard
from jobs.ops.dashboard import Dashboard, HourlyOutcomes, RecentOutcomes
from jobs.ops.findings import Finding, Verdict
from jobs.ops.problems import Facts
from jobs.ops.way_rows import DeadWay
from jobs.states import ItemState
from jobs.upstream import browser_budget, page_identity, way_switches, ways
from jobs.upstream.breaker import BreakerState
from jobs.upstream.pauses import Pause
from jobs.upstream.ways import WayRecord
from tests import factories
from webapp import problems
from webapp.backups import kept, making, postgresql

Shoot = Callable[..., bool]
Take = Callable[..., None]
Change = Callable[[Dashboard], Dashboard]

NIGHT = (9, 12, 7, 4, 0, 2, 0, 0, 1, 3, 8, 5, 0, 0, 2, 6, 14, 21, 17, 9, 4, 6, 3, 2)
"""Links of each hour of a day."""


def _outcomes(now: Dashboard, counts: tuple[int, ...], failing: frozenset[int]) -> RecentOutcomes:
    hours = tuple(
        HourlyOutcomes(at=hour.at, succeeded=0 if n in failing else count, failed=count // 2)
        if n in failing
        else HourlyOutcomes(at=hour.at, succeeded=count, failed=0)
        for n, (hour, count) in enumerate(zip(now.outcomes.hours, counts, strict=True))
    )
    failed = sum(hour.failed for hour in hours)
    settled = failed + sum(hour.succeeded for hour in hours)
    codes = (("upstream_down", failed),) if failed else ()
    return RecentOutcomes(settled=settled, failed=failed, codes=codes, hours=hours)


def fine(now: Dashboard) -> Dashboard:
    """A day without a failure."""
    outcomes = _outcomes(now, NIGHT, frozenset())
    idle = {"due": 0, "waiting": 0, "waiting_for_tiktok": 0, "running": 0, "packages": 0}
    queue = replace(now.queue, oldest_due_since=None, **idle)
    today = dashboard.Today(saved=84, failed=0)
    return replace(now, queue=queue, outcomes=outcomes, today=today, pauses=(), week=())


def night(now: Dashboard) -> Dashboard:
    """TikTok slowed this server down several times; all went on."""

    def pause(hours_ago: float, minutes: int, waited: int) -> Pause:
        since = now.now - timedelta(hours=hours_ago)
        until = since + timedelta(minutes=minutes)
        return Pause(since=since, until=until, code="rate_limited", waited=waited)

    outcomes = _outcomes(now, NIGHT, frozenset({3, 9, 10}))
    found = (pause(20.5, 12, 1), pause(14, 95, 4), pause(11, 30, 2))
    week = (("upstream_down", 19), ("private_account", 6), ("rate_limited", 2))
    return replace(fine(now), outcomes=outcomes, pauses=found, week=week)


def young(now: Dashboard) -> Dashboard:
    """Everything there is happened within the hour."""
    counts = (*([0] * 23), 41)
    return replace(fine(now), outcomes=_outcomes(now, counts, frozenset()), week=())


def trouble(now: Dashboard) -> Dashboard:
    """TikTok refuses this server, and a worker is missing."""
    until = now.now + timedelta(minutes=14)
    queue = replace(fine(now).queue, waiting=12, waiting_for_tiktok=12, due=0)
    return replace(night(now), queue=queue, breaker=BreakerState(until, "refused"))


def read_only(now: Dashboard) -> Dashboard:
    """The disk cannot be written, files were damaged, and a worker left some behind."""
    orphans = WaitingOrphans(15, 11_500_000, now.now + timedelta(minutes=9))
    return replace(fine(now), disk_reason="not_writable", orphans=orphans, damaged=2)


OVERVIEWS: dict[str, Change] = {
    "fine": fine,
    "night": night,
    "young": young,
    "trouble": trouble,
    "read-only": read_only,
}


@contextmanager
def _overview(change: Change) -> Iterator[None]:
    real = dashboard.read_dashboard
    with patch.object(dashboard, "read_dashboard", lambda now: change(real(now))):
        yield


def _facts(*, many: bool) -> Facts:
    now = timezone.now()
    good = Facts(now=now, public_url="https://keep.example", backed_up_at=now)
    if not many:
        return good
    findings = (
        Finding(part="worker", verdict=Verdict.FAIL, message="no sign of life", reason="none"),
        Finding(
            part="disk",
            verdict=Verdict.WARN,
            message="91 per cent of the 50 GB allowed are used",
            hint="Set STORYKEEP_DISK_MAX higher, or let files go sooner.",
            reason="near",
        ),
        Finding(part="clock", verdict=Verdict.WARN, message="the clock is 4 minutes behind"),
    )
    return Facts(
        now=now,
        findings=findings,
        refused_since=now - timedelta(hours=31),
        refusal_code="challenged",
        begun_at=now - timedelta(days=40),
        version="0.2.0",
        other_versions=(("worker-812@attic", "0.1.0"),),
        mail_failed_at=now - timedelta(minutes=25),
        dead_ways=(DeadWay(name="direct", since=now - timedelta(hours=3), why="challenged"),),
        secure=False,
    )


@contextmanager
def _problems(*, many: bool) -> Iterator[None]:
    with patch.object(problems, "memory", problems.Memory(lambda: _facts(many=many))):
        yield


def _records(now: datetime) -> dict[str, WayRecord]:
    """The direct way is refused, the browser does its work, a program broke once."""

    def ago(minutes: int) -> datetime:
        return now - timedelta(minutes=minutes)

    direct = WayRecord(
        name="direct", served=38, refused=5, served_at=ago(190), refused_at=ago(12),
        refused_code="challenged", tries="rrrrr", bad_since=ago(180),
        resting_until=now + timedelta(minutes=43),
    )  # fmt: skip
    browser = WayRecord(name="browser", served=6, served_at=ago(3), tries="sssss")
    helper = WayRecord(
        name="gallery-dl", failed=1, failed_at=ago(170), failed_reason="exit code 3, no list",
        tries="f", bad_since=ago(170),
    )  # fmt: skip
    return {way.name: way for way in (direct, browser, helper)}


@contextmanager
def _ways(*, many: bool) -> Iterator[None]:
    now = timezone.now()
    known = _records(now) if many else {name: WayRecord(name=name) for name in ways.NAMES}
    there = frozenset(ways.NAMES if many else ways.NAMES[:1])
    resting = {"chrome150": now.timestamp() + 700} if many else {}
    name = "chrome146+referer" if many else "chrome150"
    with (
        patch.object(ways, "records", lambda _now=None: known),
        patch.object(way_switches, "set_up", lambda: there),
        patch.object(browser_budget, "left", lambda: 14),
        patch.object(page_identity, "in_use", lambda: name),
        patch.object(page_identity, "is_usual", lambda told: told == "chrome150"),
        patch.object(page_identity, "resting", lambda: resting),
    ):
        yield


@contextmanager
def morning_after() -> Iterator[None]:
    """The overview tells of a night of pauses, after which all is well."""
    with _overview(night), _problems(many=False):
        yield


def _process(name: str, version: str, now: datetime) -> processes.RunningProcess:
    since = now - timedelta(days=3, hours=4)
    return processes.RunningProcess(name=name, version=version, started_at=since)


def prepare() -> None:
    """More people, a ZIP that was not packed, and what processes tell of themselves."""
    now = timezone.now()
    bea = factories.make_user("bea")
    Quota.objects.create(owner=bea, items_per_day=4, stored_bytes=3_000_000)
    story = factories.make_story(factories.make_item(factories.make_job(bea), state="done"))
    factories.make_artifact(story, size_bytes=2_800_000, content=b"x")
    factories.make_job(bea, links=4)
    factories.make_user("a-very-long-name-that-somebody-chose.for.no@good-reason.example")
    User.objects.filter(pk=factories.make_user("gone.quiet").pk).update(is_active=False)
    Package.objects.create(
        job=factories.make_job(bea, links=1, state=ItemState.DONE), owner=bea,
        state=PackageState.FAILED, error_code="disk_full",
    )  # fmt: skip
    processes.running = lambda now=None: (_process("worker-812@attic", "0.1.0", timezone.now()),)
    log_lines.recent = lambda: [
        log_lines.LogLine(
            at=now - timedelta(minutes=7 * number),
            process="worker" if number % 3 else "web",
            level="ERROR" if number % 4 == 1 else "WARNING",
            logger="jobs.fetching.pipeline" if number % 3 else "webapp.error_pages",
            text=(
                "item 0d5b crashed, bug 9f3c1a7b [KeyError in jobs/fetching/pipeline.py:141]"
                if number % 4 == 1
                else "TikTok answers 429; asking again in 120 s"
            ),
        )
        for number in range(12)
    ]


def _backup(page: Page, tail: str, shoot: Shoot, take: Take) -> None:
    now = timezone.now()
    ages: tuple[tuple[kept.BackupKind, timedelta], ...] = (
        ("daily", timedelta(hours=5)),
        ("manual", timedelta(hours=20)),
        ("daily", timedelta(hours=29)),
        ("upgrade", timedelta(days=12)),
        ("replaced", timedelta(days=13)),
    )
    made = [
        kept.KeptBackup(
            name=kept.file_name(now - age, kind), at=now - age, kind=kind, size_bytes=41_000_000
        )
        for kind, age in ages
    ]
    with (
        patch.object(kept, "kept", lambda: made),
        patch.object(kept, "last_at", lambda: made[0].at),
    ):
        if shoot("admin-backup", "/admin/system/backup/"):
            if page.locator("#id_password").count():
                _confirm(page, "**/system/backup/")
                take(page, f"admin-backup-{tail}")
            page.fill("#id_passphrase", "correct horse")
            page.fill("#id_again", "another horse")
            page.locator("form.stack button").click()
            page.wait_for_selector("[role=alert]")
            take(page, f"admin-backup-slip-{tail}")
        with patch.object(making, "check", _no_tool):
            shoot("admin-backup-no-tool", "/admin/system/backup/")
    shoot("admin-backup-none", "/admin/system/backup/")


def _confirm(page: Page, place: str) -> None:
    page.fill("#id_password", "keeperkeeper")
    page.click("main form button.primary")
    page.wait_for_url(place)


def _no_tool() -> None:
    postgresql.tool_for("pg_dump", 990_000)


def take_all(page: Page, tail: str, jobs: dict[str, Job], shoot: Shoot, take: Take) -> None:
    """Pages of the admin, seen by the one who keeps the instance."""
    for name, change in OVERVIEWS.items():
        with _overview(change), _problems(many=name == "trouble"):
            shoot(f"admin-overview-{name}", "/admin/")
    with _problems(many=False):
        shoot("admin-overview", "/admin/")
        shoot("admin-problems-none", "/admin/problems/")
    with _problems(many=True):
        shoot("admin-problems-many", "/admin/problems/")
    with _ways(many=False):
        shoot("admin-ways-young", "/admin/system/ways/")
    with _ways(many=True), _problems(many=False):
        if shoot("admin-ways", "/admin/system/ways/"):
            page.locator("#way-gallery-dl button").click()
            take(page, f"admin-ways-switched-{tail}")
            page.locator("#way-gallery-dl button").click()
    shoot("admin-ways-nothing-known", "/admin/system/ways/")
    shoot("admin-tables", "/admin/tables/", full=False)
    shoot("admin-diagnosis", "/admin/diagnosis/", full=False)
    if shoot("admin-people-page", "/admin/people/"):
        page.locator(".people summary").first.click()
        page.locator(".invite summary").click()
        take(page, f"admin-people-open-{tail}")
    shoot("admin-system", "/admin/system/")
    _backup(page, tail, shoot, take)
    shoot("admin-jobs", "/admin/jobs/job/")
    shoot("admin-lines", "/admin/jobs/item/")
    shoot("admin-packages", "/admin/jobs/package/", full=False)
    _rows(page, tail, jobs, shoot, take)


def _rows(page: Page, tail: str, jobs: dict[str, Job], shoot: Shoot, take: Take) -> None:
    """The pages of single rows."""
    shoot("admin-job-many", f"/admin/jobs/job/{jobs['many'].pk}/change/")
    failed = Item.objects.filter(job=jobs["failed"]).first()
    if failed and shoot("admin-line-failed", f"/admin/jobs/item/{failed.pk}/change/"):
        reveal: Any = page.locator("form.reveal button")
        if reveal.count():
            reveal.click()
            take(page, f"admin-line-revealed-{tail}")
    partial = jobs["partial"].items.first()
    if partial:
        shoot("admin-line", f"/admin/jobs/item/{partial.pk}/change/")
    story = Story.objects.filter(error_code="media_corrupt").first()
    if story:
        shoot("admin-story", f"/admin/jobs/story/{story.pk}/change/")
    file = Artifact.objects.filter(job=jobs["done"]).first()
    if file:
        shoot("admin-file", f"/admin/jobs/artifact/{file.pk}/change/")
    package = Package.objects.filter(state=PackageState.FAILED).first()
    if package:
        shoot("admin-package", f"/admin/jobs/package/{package.pk}/change/")
    if shoot("admin-job", f"/admin/jobs/job/{jobs['done'].pk}/change/"):
        page.locator(".acts button[value=purge_files]").click()
        take(page, f"admin-question-{tail}", full=False)
