"""A diagnosis: run every check and, given an account, probe TikTok once through it.

Nothing secret or private goes into the report: no addresses, paths, host names, cookies or
signatures, and no account's name but the one that was given.
"""

from __future__ import annotations

import asyncio
import platform
from typing import TYPE_CHECKING, Any, Final

import django
from django.conf import settings
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from jobs import VERSION
from jobs.ops import way_rows
from jobs.ops.checks import (
    CHECKS,
    clock_finding,
    proxy_error,
    run_checks,
    unknown_hosts_finding,
)
from jobs.ops.findings import FORMS, Finding, Report, Verdict, lazy_error_words, short_duration
from jobs.ops.hints import PROXY_HINT
from jobs.text import scrub
from jobs.upstream import protocol, rate_limit, way_switches
from jobs.upstream.client import instance_client
from jobs.upstream.ways import ALWAYS
from stories.errors import AccessError, NotUnderstood, StoriesError
from stories.lookup import ways_of
from stories.probe import ProbeReport, Step, StepResult, probe
from stories.structures import Target, TargetKind
from stories.targets import parse_line

if TYPE_CHECKING:
    from jobs.ops.findings import LazyStr
    from stories.neutral import Recorder

_HINTS: Final = {
    "upstream_changed": _(
        "TikTok changed something. Look for a newer protocol pack or a newer Storykeep; if there "
        "is none, record a sample (`--record`) and report it."
    )
}
"""By code: what an admin can do, where the words for members send them to one."""
MAX_DETAIL_LENGTH: Final = 160
"""Characters of an error's detail that a finding quotes."""


def parse_account(line: str) -> Target:
    """The account a line names. Raises an InputError when it names none, or something else."""
    target = parse_line(line)
    if target.kind is not TargetKind.USER or target.name is None:
        raise NotUnderstood("name an account, such as @name")
    return target


def run(
    target: Target | None = None, way: str = ALWAYS, recorder: Recorder | None = None
) -> Report:
    """Check every part and, when an account is given, probe TikTok once through it.

    way: the name of the one to ask by. recorder: is given every page and list of that probe.
    """
    protocol.look()
    findings = [_as_asked_here(finding) for finding in run_checks(CHECKS)]
    if target is not None:
        probed = probe_tiktok(target, way, recorder)
        # What was learnt just now is newer than what a worker learnt.
        told = {finding.part for finding in probed} & {"siteclock"}
        findings = [finding for finding in findings if finding.part not in told] + probed
    asked = way if target is not None else ALWAYS
    return Report(at=timezone.now(), about=_about(asked), findings=tuple(findings))


def _as_asked_here(finding: Finding) -> Finding:
    """The finding about the ways with what they say themselves, as this process would ask them."""
    if finding.part != "ways" or not finding.known or way_switches.set_up() == {ALWAYS}:
        return finding
    now = timezone.now()
    unready = {name: _safe(reason) for name, reason in asyncio.run(_unready()).items()}
    return way_rows.finding(way_rows.read(now), now, unready)


async def _unready() -> dict[str, str]:
    client = instance_client(rate_limit.acquire_token)  # not opened, as nothing is asked
    told = {way.name: await way.ready() for way in ways_of(client)}
    return {name: readiness.reason for name, readiness in told.items() if not readiness.ok}


def _about(way: str) -> str:
    env = settings.STORYKEEP
    own = "curl" if env.page_transport == "curl" else "httpx"
    route = [f"pages by {own if way == ALWAYS else way}"]
    route.append("through a proxy" if env.proxy else "no proxy")
    if env.ca_bundle:
        route.append("an extra authority")
    return (
        f"Storykeep {VERSION}, Python {platform.python_version()}, Django {django.__version__}, "
        f"{platform.system()} {platform.machine()}; {', '.join(route)}"
    )


# --- TikTok -------------------------------------------------------------------------------------


def probe_tiktok(
    target: Target, way: str = ALWAYS, recorder: Recorder | None = None
) -> list[Finding]:
    """Profile, list and the first bytes of a file, over the worker's route and at its rate limit.

    It goes ahead while a pause runs, and by a way that rests or is switched off, for that is when
    an admin wants to know; it ends none.
    """
    if settings.STORYKEEP.proxy and proxy_error():
        message = _("cannot be asked: the proxy takes no connection")
        return [Finding("tiktok", Verdict.FAIL, message, PROXY_HINT)]
    try:
        report = asyncio.run(_probe(target, way, recorder))
    except OSError as error:
        reason = format_lazy(_("cannot be asked ({kind})"), kind=type(error).__name__)
        return [Finding("tiktok", Verdict.FAIL, reason)]
    if report.not_ready:
        said = _("{way} cannot be asked: {why}")
        message = format_lazy(said, way=way, why=_safe(report.not_ready))
        hint = "" if way in way_switches.set_up() else way_rows.SET_UP.get(way, "")
        return [Finding("tiktok", Verdict.FAIL, message, hint)]
    findings = [_step_finding(step, target) for step in report.steps]
    findings += [
        unknown_hosts_finding(step.unknown_hosts) for step in report.steps if step.unknown_hosts
    ]
    if report.clock_ahead_s is not None:
        findings.append(clock_finding("siteclock", "TikTok", report.clock_ahead_s))
    return findings


async def _probe(target: Target, way: str, recorder: Recorder | None) -> ProbeReport:
    async with instance_client(rate_limit.acquire_token, recorder=recorder) as client:
        if way == ALWAYS:
            return await probe(client, target)
        asked = next((one for one in ways_of(client) if one.name == way), None)
        if asked is None:
            return ProbeReport(not_ready="not set up")
        return await probe(client, target, asked)


def _safe(words: str, name: str = "") -> str:
    return scrub(words, MAX_DETAIL_LENGTH, name)


def _step_finding(step: StepResult, target: Target) -> Finding:
    part = step.step.value
    facts: dict[str, Any] = {"name": f"@{target.name}", "took": short_duration(step.took_s)}
    if step.broke:
        said = _("the way broke after {took}: {why}")
        why = _safe(step.broke, target.name or "")
        return Finding(part, Verdict.FAIL, format_lazy(said, why=why, **facts))
    if step.error is not None:
        return _failed_step(part, step.error, target, facts)
    if step.skipped:
        message = _("{name} has no active story; name an account that has one to try a file")
        return Finding(part, Verdict.NOTE, format_lazy(message, **facts))
    if step.step is Step.PROFILE:
        message = _("{name} found in {took}")
    elif step.step is Step.LIST:
        facts["n"] = step.stories
        message = ngettext_lazy(
            "{n} active story listed in {took}",
            "{n} active stories listed in {took}",
            step.stories,
        )
    elif step.mirror > 1:
        message = _("{n} bytes of {form} in {took}, from address {mirror}")
    else:
        message = _("{n} bytes of {form} in {took}")
    if step.step is Step.MEDIA:
        facts |= {
            "n": step.sample_bytes,
            "form": FORMS.get(step.file_format, step.file_format),
            "mirror": step.mirror,
        }
    return Finding(part, Verdict.OK, format_lazy(message, **facts))


def _failed_step(part: str, error: StoriesError, target: Target, facts: dict[str, Any]) -> Finding:
    # What is wrong with an account needs no further word, and its own may be a name.
    detail = "" if isinstance(error, AccessError) else _safe(error.detail, target.name or "")
    message: LazyStr = format_lazy(_("{name}: {code} after {took}"), code=error.code, **facts)
    if detail:
        message = format_lazy("{said} ({detail})", said=message, detail=detail)
    proxied = type(error.__cause__).__name__ == "ProxyError"  # so both transports call it
    hint = PROXY_HINT if proxied else _HINTS.get(error.code) or lazy_error_words(error.code)
    return Finding(part, Verdict.FAIL, message, hint, reason=error.code)
