"""What people do with their watches: begin one, change, pause, renew and delete it, ask for a look.

Who a watch belongs to is asked by whoever calls: nothing here looks at rights but the right to
watch at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.errors import HiddenName, QuotaExceeded, SeveralAccounts, WatchingOff
from jobs.files import times
from jobs.models import Watch, WatchedAccount, WatchState
from jobs.queue import broker, routing
from jobs.text import clean_text
from jobs.watch import NOTE_LENGTH
from jobs.watching import looks, permission, rhythm, telling
from jobs.wording import time_of_day
from stories.targets import find_lines, parse_line

RENEWED_FOR: Final = timedelta(days=30)
"""A watch that nobody renews ends after this."""
CHECK_EVERY: Final = timedelta(minutes=10)
"""Between two looks that a person asks for."""
BEGUN_WITHIN: Final = timedelta(hours=1)
BEGUN_TIMES: Final = 4
"""Within that time a person begins so many times as many watches as they may have, at most: each is
a look at once, also at a name that nobody has, and one that was begun can be deleted again."""
_LIMIT_LOCK: Final = 0x7761746368
"""Our number for PostgreSQL's advisory lock on how many watches there may be."""


class BadRhythm(ValueError):
    """A rhythm this instance does not allow. choices: those it does, fastest first."""

    def __init__(self, choices: tuple[timedelta, ...]) -> None:
        super().__init__(", ".join(str(int(every.total_seconds())) for every in choices))
        self.choices = choices


def rhythms() -> tuple[timedelta, ...]:
    """The rhythms people may choose from here, fastest first."""
    return rhythm.choices(settings.STORYKEEP.watch_every_min)


def default_rhythm() -> timedelta:
    """The rhythm of who chooses none."""
    return rhythm.default(settings.STORYKEEP.watch_every_min)


def begin(
    owner: AbstractBaseUser,
    line: str,
    *,
    every: timedelta | None = None,
    note: str | None = None,
    notify: bool | None = None,
) -> Watch:
    """Watch the account that a name or link leads to, and look at it at once.

    Whether there is such an account, and whether everyone may see its stories, the look says: the
    watch ends with the error where not. One there is already is renewed, resumed where it rests,
    and returned. What is not said is as it was in a watch that has ended. Raises WatchingOff,
    InputError, BadRhythm, QuotaExceeded.
    """
    if not permission.may_watch(owner):
        raise WatchingOff
    name = account_name(line)
    if every is not None:
        _allowed(every)
    now = timezone.now()
    with transaction.atomic():
        _lock(owner.pk)
        running = Watch.objects.exclude(state=WatchState.ENDED)
        watch = running.filter(known_as(name), owner_id=owner.pk).first()
        if watch is not None and renew(watch):
            resume(watch)
            return watch
        ended = Watch.objects.filter(known_as(name), owner_id=owner.pk).first()
        _require_room(owner.pk)
        _count_begun(owner.pk, now)
        # Locked, so that it is not taken for one that nobody watches (looks.drop_unwatched).
        accounts = WatchedAccount.objects.select_for_update(no_key=True)
        account, _made = accounts.get_or_create(name=name, tiktok_id="")
        watch, _made = Watch.objects.update_or_create(
            owner_id=owner.pk,
            account=account,
            defaults={
                "state": WatchState.CHECKING,
                "time_zone": times.reader_zone_name(),
                "created_at": now,
                "next_at": now,
                "renew_by": now + RENEWED_FOR,
                "failures": 0,
                "error_code": "",
            }
            | _wishes(ended, every, note, notify),
        )
        _send_for_look(watch)
    return watch


def _wishes(
    ended: Watch | None, every: timedelta | None, note: str | None, notify: bool | None
) -> dict[str, Any]:
    """Columns of a new watch: what is asked for, else as in the one that has ended."""
    if ended is None:
        ended = Watch(every_s=int(default_rhythm().total_seconds()))
    if every is None:
        before = timedelta(seconds=ended.every_s)
        every = before if before in rhythms() else default_rhythm()
    if note is None:
        note = ended.note
    return {
        "every_s": int(every.total_seconds()),
        "note": clean_text(note, NOTE_LENGTH, multiline=True),
        "notify": ended.notify if notify is None else notify,
    }


def known_as(name: str) -> Q:
    """Watches whose owner knows the account by this name."""
    return Q(name=name) | Q(name="", account__name=name)


def account_name(line: str) -> str:
    """The name of the account that a pasted name or link leads to, in lower case.

    A link to a story leads to its author. Raises InputError for what names no account, or several.
    """
    target = parse_line(line)
    if len({each.casefold() for each in find_lines(line)}) > 1:
        raise SeveralAccounts
    if target.name is None:  # TikTok is asked by a look, which is made for an account
        raise HiddenName
    return target.name


def change(
    watch: Watch,
    *,
    every: timedelta | None = None,
    note: str | None = None,
    notify: bool | None = None,
) -> None:
    """Change what is given; that renews it. Raises BadRhythm."""
    if every is not None:
        _allowed(every)
    with transaction.atomic():
        # Locked and read anew: a look may have moved since what the next one is counted from.
        stored = Watch.objects.select_for_update(of=("self",)).filter(pk=watch.pk)
        current = stored.select_related("account").first()
        if current is None:  # deleted at this moment
            return
        fields: dict[str, Any] = {}
        if every is not None and every.total_seconds() != current.every_s:
            fields |= _in_rhythm(current, every)
        if note is not None:
            fields["note"] = clean_text(note, NOTE_LENGTH, multiline=True)
        if notify is not None:
            fields["notify"] = notify
        _write(watch, fields)
        renew(watch)


def _in_rhythm(watch: Watch, every: timedelta) -> dict[str, Any]:
    """The columns of a watch with another rhythm."""
    fields: dict[str, Any] = {"every_s": int(every.total_seconds())}
    if watch.state == WatchState.ACTIVE and watch.next_at is not None:
        # Never later than it was: what is due stays due.
        after = watch.looked_at or watch.created_at
        name = watch.account.tiktok_id or watch.account.name
        moment = rhythm.next_look(
            name, every, after=after, failures=watch.failures, deadline=watch.deadline_at
        )
        fields["next_at"] = max(moment, timezone.now())
    return fields


def renew(watch: Watch) -> bool:
    """Have a watch go on for another `RENEWED_FOR`; False for one that has ended, which stays
    so."""
    zone = times.reader_zone_name() or watch.time_zone
    fields = {"renew_by": timezone.now() + RENEWED_FOR, "time_zone": zone}
    return _write(watch, fields, ~Q(state=WatchState.ENDED))


def pause(watch: Watch) -> None:
    """Have a watch rest until it is resumed. What is posted meanwhile may be missed, which is told
    as a gap then."""
    _write(watch, {"state": WatchState.PAUSED, "next_at": None}, Q(state__in=looks.LOOKED))


def resume(watch: Watch) -> None:
    """Have a paused watch go on for another `RENEWED_FOR`, with a look at once, or `CHECK_EVERY`
    after the last one that somebody asked for."""
    known = bool(watch.account.tiktok_id)
    state = WatchState.ACTIVE if known else WatchState.CHECKING
    now = timezone.now()
    fields = {"state": state, "next_at": _free_at(watch, now), "renew_by": now + RENEWED_FOR}
    if fields["next_at"] == now:
        fields["checked_at"] = now
    if _write(watch, fields, Q(state=WatchState.PAUSED)):
        _send_for_look(watch)


def pause_all(owner_id: Any) -> int:
    """Pause all of a person's watches; how many that were."""
    watches = list(Watch.objects.filter(owner_id=owner_id, next_at__isnull=False))
    for watch in watches:
        pause(watch)
    return len(watches)


def resume_all(owner_id: Any) -> int:
    """Resume all of a person's paused watches; how many that were."""
    paused = Watch.objects.filter(owner_id=owner_id, state=WatchState.PAUSED)
    watches = list(paused.select_related("account"))
    for watch in watches:
        resume(watch)
    return len(watches)


def delete(watch: Watch) -> None:
    """Delete a watch, its gaps, and what is known of an account that nobody watches any more. Jobs
    that came of it stay."""
    with transaction.atomic():
        _lock_accounts([watch.account_id])
        Watch.objects.filter(pk=watch.pk).delete()
        telling.forget([watch.pk])
    looks.drop_unwatched()


def delete_all(owner_id: Any) -> int:
    """Delete all of a person's watches; how many there were."""
    with transaction.atomic():
        own = dict(Watch.objects.filter(owner_id=owner_id).values_list("pk", "account_id"))
        _lock_accounts(own.values())
        Watch.objects.filter(owner_id=owner_id).delete()
        telling.forget(own)
    looks.drop_unwatched()
    return len(own)


def check(watch: Watch) -> None:
    """Have an account looked at now. Raises QuotaExceeded within `CHECK_EVERY` of the last time and
    while all watching rests, WatchingOff for who may not watch; one that is paused or has ended is
    left as it is."""
    if not permission.may_watch(watch.owner):
        raise WatchingOff
    if permission.is_paused():
        raise QuotaExceeded(
            "all watching rests",
            said=_("An admin has paused all watching."),
            hint_said=_(
                "Nobody is looked at until it is resumed. What is missed then is shown as a gap."
            ),
        )
    now = timezone.now()
    free_at = _free_at(watch, now)
    if free_at > now:
        raise QuotaExceeded(
            "a look was asked for a moment ago",
            retry_after_s=(free_at - now).total_seconds(),
            said=_("You can check again at %(at)s.") % {"at": time_of_day(free_at)},
            hint_said=_("Watched accounts are looked at by themselves, too."),
        )
    # Of several that ask at the same moment one is enough.
    waits = Q(state__in=looks.LOOKED, checked_at=watch.checked_at)
    if _write(watch, {"next_at": now, "checked_at": now}, waits):
        _send_for_look(watch)


def _free_at(watch: Watch, now: datetime) -> datetime:
    """When its owner may ask for a look again; `now` where they may."""
    free_at = watch.checked_at + CHECK_EVERY if watch.checked_at else now
    # Later than it can be: the clock was set back since.
    return free_at if now < free_at <= now + CHECK_EVERY else now


def looks_a_day(watches: list[Watch]) -> int:
    """How many looks these watches cost a day, each by itself."""
    running = [watch for watch in watches if watch.next_at is not None]
    return round(sum(86400 / watch.every_s for watch in running))


def _allowed(every: timedelta) -> timedelta:
    if every not in rhythms():
        raise BadRhythm(rhythms())
    return every


def _require_room(owner_id: Any) -> None:
    env = settings.STORYKEEP
    _lock_limit()
    running = Watch.objects.exclude(state=WatchState.ENDED)
    if running.filter(owner_id=owner_id).count() >= env.watches_per_member:
        raise QuotaExceeded(
            "watches_per_member",
            said=ngettext(
                "You watch %(n)d account already, the most allowed here.",
                "You watch %(n)d accounts already, the most allowed here.",
                env.watches_per_member,
            )
            % {"n": env.watches_per_member},
            hint_said=_("Stop watching one that you need no longer."),
        )
    # Those of people who may not watch any more rest, and take nobody's place.
    if running.filter(permission.of_allowed()).count() >= env.watches_max:
        raise QuotaExceeded(
            "watches_max",
            said=_("This Storykeep watches as many accounts as it may."),
            hint_said=_("An admin can allow more."),
        )


def _count_begun(owner_id: Any, now: datetime) -> None:
    """Raise QuotaExceeded for who begins one watch after the other."""
    key = f"watches-begun-{owner_id}"
    within, at = BEGUN_WITHIN.total_seconds(), now.timestamp()
    begun = [moment for moment in cache.get(key, []) if 0 <= at - moment < within]
    if len(begun) >= BEGUN_TIMES * settings.STORYKEEP.watches_per_member:
        free_at = datetime.fromtimestamp(begun[0] + within, UTC)
        raise QuotaExceeded(
            "many watches were begun lately",
            retry_after_s=(free_at - now).total_seconds(),
            said=_("You began many watches within the last hour."),
            hint_said=_("You can begin another at %(at)s.") % {"at": time_of_day(free_at)},
        )
    cache.set(key, [*begun, at], within)


def _lock_limit() -> None:
    """Have whoever begins a watch beside this wait, so that it is counted, until the transaction
    ends. SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LIMIT_LOCK])


def _lock_accounts(ids: Iterable[UUID]) -> None:
    """Lock accounts before their watches, as a look does: the other order could deadlock."""
    accounts = WatchedAccount.objects.filter(pk__in=set(ids)).order_by("pk")
    list(accounts.select_for_update(no_key=True).values_list("pk"))


def _lock(owner_id: Any) -> None:
    """Lock a person's row, so that of two watches begun at once the second one counts the first."""
    users = get_user_model()._default_manager  # noqa: SLF001  # its name depends on the model
    list(users.select_for_update(no_key=True).filter(pk=owner_id).values_list("pk"))


def _write(watch: Watch, fields: dict[str, Any], where: Q | None = None) -> bool:
    """Write columns, by a statement of their own: a look may write others at this moment.

    where: what has to be so when they are written, whatever was read before; whether it was.
    """
    stored = Watch.objects.filter(where or Q(), pk=watch.pk)
    if not fields or not stored.update(**fields):
        return False
    for name, value in fields.items():
        setattr(watch, name, value)
    return True


def _send_for_look(watch: Watch) -> None:
    account_id = watch.account_id
    transaction.on_commit(lambda: broker.send(routing.LOOK, account_id), robust=True)
