"""Problems: what is wrong with this instance right now, each with its one fix.

Pure functions over `Facts`: whoever asks gathers those. What a check of the diagnosis finds
(`jobs/ops/checks.py`) is not looked for a second time, only given a title here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs.errors import BY_CODE
from jobs.ops.findings import Finding, Verdict, lazy_error_words, short_span
from jobs.ops.way_rows import TITLES, DeadWay
from jobs.upstream.ways import ALWAYS, TRIES

if TYPE_CHECKING:
    from jobs.ephemeral.backups import Told
    from jobs.ops.findings import LazyStr

REFUSED_FOR: Final = timedelta(days=1)
"""TikTok refuses a server for minutes or hours; for a day is no passing matter."""
BACKUP_AFTER: Final = timedelta(days=7)
"""The age at which a backup, or an instance that has none, is a problem."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

CHECKED_PARTS: Final = (
    "database", "redis", "worker", "queue", "scheduler", "disk", "library", "clock", "dbclock",
    "siteclock", "protocol",
)  # fmt: skip
"""The checks whose findings are problems. They ask nobody outside and take milliseconds."""

FIRST: Final[dict[tuple[str, str], LazyStr]] = {
    ("database", ""): _("The database does not work"),
    ("database", "behind"): _("The database is not up to date"),
    ("database", "newer"): _("The database belongs to a newer version"),
    ("redis", ""): _("Redis does not work"),
    ("redis", "no_snapshot"): _("Redis cannot write its snapshot"),
    ("worker", ""): _("No worker is online: nothing is being saved"),
    ("worker", "few"): _("Some workers are not online"),
    ("queue", ""): _("No worker takes what is waiting"),
    ("queue", "late"): _("Lines wait longer than they should"),
    ("scheduler", ""): _("The clean-up is overdue"),
    ("disk", ""): _("Files cannot be saved"),
    ("disk", "near"): _("The disk is almost full"),
    ("disk", "full"): _("The disk is full: nothing new is saved"),
    ("library", ""): _("The library takes no files"),
    ("library", "immich"): _("Immich takes no files"),
    ("protocol", ""): _("The protocol pack is not known"),
    ("protocol", "unused"): _("A protocol pack that was imported is not used"),
    ("protocol", "look"): _("Looking for newer protocol packs fails"),
}
"""Titles of findings by part and reason; "" stands for reasons that are not named."""
CLOCK_TITLE: Final = _("The clock is off")
GENERAL_FIX: Final = _("Run a diagnosis: it looks at every part.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something to fix. code: its name in addresses and the admin log.

    title: a sentence without a full stop. fix: what to do, "" never. page: URL name of the page
    where it is done, "" for none. may_hide: somebody may well live with it.
    """

    code: str
    verdict: Verdict
    title: LazyStr
    fix: LazyStr
    detail: LazyStr = ""
    page: str = ""
    may_hide: bool = False

    @property
    def failing(self) -> bool:
        """Whether something does not work, and is not merely worth a look."""
        return self.verdict is Verdict.FAIL


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What problems are told from.

    findings: of the checks in CHECKED_PARTS. public_url: as set. secure: the reader came by https,
    or from this machine itself. refused_since, refusal_code: of a breaker that is open; None and ""
    while TikTok answers. begun_at: when the first admin came; None before. backed_up_at: None for
    never. backup_failed: the last daily one, since which none was made; None for none. version: of
    the web server; other_versions: name and version ("" for not known) of processes that run
    another one. mail_failed_at: of the last mail, when it could not be sent. damaged: saved files
    that the disk had not kept, within the last week. dead_ways: of asking TikTok, which others
    hide. unreadable: lines of the last day that failed on an answer that cannot be read; missing:
    what the last of them lacked.
    """

    now: datetime
    findings: tuple[Finding, ...] = ()
    public_url: str | None = None
    secure: bool = True
    refused_since: datetime | None = None
    refusal_code: str = ""
    begun_at: datetime | None = None
    backed_up_at: datetime | None = None
    backup_failed: Told | None = None
    version: str = ""
    other_versions: tuple[tuple[str, str], ...] = ()
    mail_failed_at: datetime | None = None
    damaged: int = 0
    dead_ways: tuple[DeadWay, ...] = ()
    unreadable: int = 0
    missing: str = ""


def found_by_checks(facts: Facts) -> Iterator[Problem]:
    """What the checks found: failures and warnings; three clocks that are off are one problem."""
    clocks = False
    title: LazyStr
    for finding in facts.findings:
        if not finding.known or finding.verdict not in {Verdict.WARN, Verdict.FAIL}:
            continue
        if finding.part.endswith("clock"):
            if clocks:
                continue
            clocks, code, title = True, "clock", CLOCK_TITLE
        else:
            code = f"{finding.part}_{finding.reason}".rstrip("_")
            unnamed = FIRST.get((finding.part, ""), finding.title)
            title = FIRST.get((finding.part, finding.reason), unnamed)
        yield Problem(
            code=code,
            verdict=finding.verdict,
            title=title,
            detail=format_lazy("{said}.", said=finding.message),
            fix=finding.hint or GENERAL_FIX,
            page="" if finding.hint else "diagnosis",
        )


def no_public_url(facts: Facts) -> Iterator[Problem]:
    """Nobody said under which address people come."""
    if facts.public_url:
        return
    yield Problem(
        code="no_public_url",
        verdict=Verdict.WARN,
        title=_("No public address is set"),
        detail=_(
            "Links and QR codes name the address you happen to use, and any name is accepted."
        ),
        fix=_("Set STORYKEEP_PUBLIC_URL to the address people use, and restart."),
        may_hide=True,
    )


def plain_http(facts: Facts) -> Iterator[Problem]:
    """Phones come by plain http, where browsers do without half of what this site can do."""
    public = urlsplit(facts.public_url or "")
    if public.scheme == "https" or public.hostname in LOOPBACK:
        return
    if not public.scheme and facts.secure:
        return
    yield Problem(
        code="plain_http",
        verdict=Verdict.WARN,
        title=_("This site uses http"),
        detail=_(
            "Browsers block Paste, Share, Install and notifications, "
            "and passwords travel unencrypted."
        ),
        fix=_(
            "Put a reverse proxy with https in front (docs/deploy.md), and set "
            "STORYKEEP_PUBLIC_URL to its address."
        ),
        may_hide=True,
    )


def refused(facts: Facts) -> Iterator[Problem]:
    """TikTok has refused this server for a day."""
    since = facts.refused_since
    if since is None or facts.now - since < REFUSED_FOR:
        return
    yield Problem(
        code="refused",
        verdict=Verdict.FAIL,
        title=format_lazy(
            _("TikTok has refused this server for {span}"), span=short_span(facts.now - since)
        ),
        detail=format_lazy(_("Its last answer: {code}."), code=facts.refusal_code),
        fix=_("Use another network, or a proxy: STORYKEEP_PROXY names it."),
        page="diagnosis",
    )


_FIX_WAY: Final = _("Run a diagnosis by this way. If it stays like this, switch the way off.")
_FIX_DIRECT: Final = _(
    "Run a diagnosis by this way. Leave it on: it is asked again now and then, and the others are "
    "slower. Another network, a proxy or a newer protocol pack may help."
)


def dead_ways(facts: Facts) -> Iterator[Problem]:
    """A way of asking TikTok no longer works, which members do not notice: another one does."""
    for way in facts.dead_ways:
        why: LazyStr = format_lazy(_("Reason: {why}."), why=way.why or "?")
        if way.why in BY_CODE:
            why = lazy_error_words(way.why, hint=False)
        said = _("Its last {n} tries brought nothing, for {span} now. Another way does the work.")
        if way.is_missing:
            said = _("It was needed {span} ago, and was not there.")
        yield Problem(
            code=f"way_{way.name}",
            verdict=Verdict.WARN,
            title=format_lazy(_("A way to TikTok no longer works: {way}"), way=TITLES[way.name]),
            detail=format_lazy(
                "{said} {why}",
                said=format_lazy(said, n=TRIES, span=short_span(facts.now - way.since)),
                why=why,
            ),
            fix=_FIX_DIRECT if way.name == ALWAYS else _FIX_WAY,
            page="admin:ways",
            may_hide=True,
        )


def unreadable_answers(facts: Facts) -> Iterator[Problem]:
    """TikTok changed what it sends."""
    if not facts.unreadable:
        return
    title = ngettext_lazy(
        "One of TikTok's answers cannot be read",
        "{n} of TikTok's answers cannot be read",
        facts.unreadable,
    )
    yield Problem(
        code="unreadable",
        verdict=Verdict.WARN,
        title=format_lazy(title, n=facts.unreadable),
        detail=format_lazy(_("The last one: {detail}."), detail=facts.missing or "?"),
        fix=_(
            "Look for a newer protocol pack or a newer version of Storykeep. A diagnosis with the "
            "account's name can record a sample for a report."
        ),
        page="diagnosis",
        may_hide=True,
    )


def no_backup(facts: Facts) -> Iterator[Problem]:
    """There is no backup, or none of the last days."""
    since = facts.backed_up_at or facts.begun_at
    if since is None or facts.now - since < BACKUP_AFTER:
        return
    days = (facts.now - since).days
    title: LazyStr = _("There is no backup")
    if facts.backed_up_at:
        old = ngettext_lazy(
            "The last backup is {n} day old", "The last backup is {n} days old", days
        )
        title = format_lazy(old, n=days)
    yield Problem(
        code="no_backup",
        verdict=Verdict.WARN,
        title=title,
        detail=_("Accounts, history and settings of people would be lost with this disk."),
        fix=_("Back up, and keep it on another disk. It takes a few seconds."),
        page="admin:backup",
        may_hide=True,
    )


WHY_NO_BACKUP: Final[dict[str, LazyStr]] = {
    "no_room": _("There is too little room in the folder for backups."),
    "no_tool": _("pg_dump is not installed there."),
    "old_tool": _("pg_dump is older than the server."),
    "disk": _("The folder for backups cannot be written."),
    "database": _("The database could not be copied."),
}


def backup_failed(facts: Facts) -> Iterator[Problem]:
    """The daily backup could not be made."""
    if facts.backup_failed is None:
        return
    failed = facts.backup_failed
    ago = short_span(max(timedelta(), facts.now - failed.at))
    yield Problem(
        code="backup_failed",
        verdict=Verdict.FAIL,
        title=_("The daily backup failed"),
        detail=format_lazy(
            _("{ago} ago, on {host}. {why}"),
            ago=ago,
            host=failed.host,
            why=WHY_NO_BACKUP.get(failed.kind, failed.kind),
        ),
        fix=_("Make room or mend the folder: it is tried again every hour. The log says more."),
        page="admin:backup",
    )


def damaged_files(facts: Facts) -> Iterator[Problem]:
    """The disk has not kept what was written to it."""
    if not facts.damaged:
        return
    title = ngettext_lazy(
        "{n} saved file was damaged on the disk",
        "{n} saved files were damaged on the disk",
        facts.damaged,
    )
    yield Problem(
        code="damaged_files",
        verdict=Verdict.WARN,
        title=format_lazy(title, n=facts.damaged),
        detail=_(
            "Found within the last 7 days and removed. Their pages offer to fetch them again."
        ),
        fix=_("Check the disk (`smartctl -a`, the system's log) and the memory."),
        may_hide=True,
    )


def other_version(facts: Facts) -> Iterator[Problem]:
    """Processes run another version than the web server."""
    if not facts.other_versions:
        return
    names = ", ".join(f"{name}: {version or '?'}" for name, version in facts.other_versions)
    yield Problem(
        code="other_version",
        verdict=Verdict.WARN,
        title=_("Not everything runs the same version"),
        detail=format_lazy(
            _("The web server runs {version}; {names}."), version=facts.version, names=names
        ),
        fix=_("Restart all of Storykeep, so that the upgrade reaches every part."),
    )


def mail_fails(facts: Facts) -> Iterator[Problem]:
    """The last mail could not be sent."""
    if facts.mail_failed_at is None:
        return
    ago = short_span(facts.now - facts.mail_failed_at)
    yield Problem(
        code="mail",
        verdict=Verdict.FAIL,
        title=_("Mail cannot be sent"),
        detail=format_lazy(_("The last attempt failed {ago} ago; the log says why."), ago=ago),
        fix=_("Check the server, name and password in STORYKEEP_EMAIL_URL, and restart."),
        page="admin:system",
    )


PROBLEMS: Final[tuple[Callable[[Facts], Iterator[Problem]], ...]] = (
    found_by_checks,
    refused,
    dead_ways,
    unreadable_answers,
    damaged_files,
    other_version,
    mail_fails,
    backup_failed,
    no_backup,
    plain_http,
    no_public_url,
)


def problems(facts: Facts) -> tuple[Problem, ...]:
    """Every problem there is: those that keep something from working first."""
    found = [problem for kind in PROBLEMS for problem in kind(facts)]
    return tuple(sorted(found, key=lambda problem: not problem.failing))
