"""Deliveries, one after the other: claimed, sent, and what came of it written down.

A delivery is claimed by an UPDATE that one worker wins, for as long as a try can take. What a
worker that died had in hand is tried again where a second one does no harm: a push message takes
the place of the same one, a webhook knows it by its id. A channel knows neither, so there it is
given up, and its member told that it may have arrived: all that is read for one is read before it
is claimed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from notices import channels, push_message, subscriptions, vapid, webhooks
from notices.kinds import OF_JOBS, THIRD_PARTIES, DeliveryState, Kind, Reason, Way
from notices.models import Delivery, Message, Preference, PushSubscription, Webhook
from notices.planning import KEPT, schedule_of, zone_of
from notices.sealing import Unreadable
from notices.turns import TURN, Turns, first_at, rest
from notices.wire import Answer, NotSent, Post, Request
from notices.wording import Text, write

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=3)
"""Longer than a try can take."""
WAITS: Final[Mapping[Way, tuple[timedelta, ...]]] = {
    Way.PUSH: tuple(timedelta(minutes=n) for n in (1, 5, 20, 60, 180)),
    Way.CHANNEL: tuple(timedelta(minutes=n) for n in (1, 5, 20, 60, 180)),
    Way.WEBHOOK: tuple(timedelta(minutes=n) for n in (1, 10)),
}
"""The waits between tries, of which there is one more."""
TEST_WAIT: Final = timedelta(seconds=15)
"""Somebody looks on: a test is tried twice, and then said to have failed."""
MAX_RETRY_AFTER: Final = timedelta(hours=6)
GIVEN_UP_AFTER: Final = timedelta(days=1)
_MAY_HAVE_ARRIVED: Final = frozenset({Reason.TOO_SLOW, Reason.INTERRUPTED})
"""What a channel says of a message that is not sent a second time."""
BATCH: Final = 100
"""Deliveries that are tried in one call at most."""
_turns: Final = Turns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What sending needs of the instance. post: has the network. contact: mail address for push
    services, None = no push. base: the site's address with a slash at its end, "" where it is not
    known. webhook_hosts: as of `webhooks.check_address`. stop: asked between two deliveries.
    is_late: whether what looks too old is; not by a clock that was set forward a moment ago."""

    post: Post
    contact: str | None = None
    base: str = ""
    webhook_hosts: Collection[str] = ()
    stop: Callable[[], bool] = lambda: False
    is_late: Callable[[], bool] = lambda: True


class _GivenUp(Exception):
    """No further try would help, or may be made. reason: why. slow: it took too long. device: that
    is removed then."""

    def __init__(
        self,
        reason: Reason,
        *,
        slow: bool = False,
        device: QuerySet[PushSubscription] | None = None,
    ) -> None:
        super().__init__(reason.value)
        self.reason, self.slow = reason, slow
        self.device = PushSubscription.objects.none() if device is None else device


class _Later(Exception):
    """A further try may help. retry_after_s: not before that."""

    def __init__(self, reason: Reason, retry_after_s: float | None = None) -> None:
        super().__init__(reason.value)
        self.reason, self.retry_after_s = reason, retry_after_s


def deliver(outside: Outside, clock: Callable[[], datetime] = timezone.now) -> int:
    """Send what is due, of one member after the other; how many deliveries were sent. It ends after
    a turn (`notices.turns`), and the next call goes on. Safe to run in several threads and workers
    at once."""
    begun, sent = clock(), 0
    without_key = _has_no_key()  # a worker with a data folder of its own: another one has the key
    for _ in range(BATCH):
        if outside.stop():
            break
        due = _due(clock())
        if without_key:
            due = due.exclude(way=Way.PUSH)
        place = _turns.take(due)
        if place is None:
            break
        try:
            row = first_at(place, due)
            sent += row is not None and _try(row, outside, clock)
        finally:
            _turns.release(place)
        if not timedelta(0) <= clock() - begun < TURN:
            break
    return sent


def _due(now: datetime) -> QuerySet[Delivery]:
    """Waiting deliveries that nobody has in hand. What lies farther ahead than it can was put there
    by a clock that was wrong."""
    return Delivery.objects.filter(
        Q(not_before__lte=now) | Q(not_before__gt=now + GIVEN_UP_AFTER + MAX_RETRY_AFTER),
        Q(leased_until=None) | Q(leased_until__lte=now) | Q(leased_until__gt=now + LEASE),
        state=DeliveryState.WAITING,
    )


def give_up_old(now: datetime) -> None:
    """Give up what nobody can send, for its member to see it: push messages for a day without the
    key they are signed with, and whatever waits for as long as it is kept. Not by a clock that was
    set a moment ago."""
    due = _due(now)
    if _has_no_key():
        without_key = due.filter(way=Way.PUSH, created_at__lt=now - GIVEN_UP_AFTER)
        _end(without_key, DeliveryState.GIVEN_UP, Reason.TOO_LATE, now)
    _end(due.filter(created_at__lt=now - KEPT), DeliveryState.GIVEN_UP, Reason.TOO_LATE, now)


def _has_no_key() -> bool:
    try:
        return vapid.find() is None
    except vapid.NoKey as error:
        logger.warning("the key of push messages cannot be used: %s", error)
        return True


def _try(row: Delivery, outside: Outside, clock: Callable[[], datetime]) -> bool:
    now = clock()
    due = _due(now).filter(pk=row.pk, tries=row.tries)
    if row.leased_until is not None and (
        row.way == Way.CHANNEL or row.tries > len(WAITS[Way(row.way)])
    ):
        _end(due, DeliveryState.GIVEN_UP, Reason.INTERRUPTED, now)
        return False
    messages = list(Message.objects.filter(batch=row.batch).order_by("created_at", "pk"))
    preference = _preference(row.owner_id)
    if not messages or preference is None or not preference.owner.is_active:
        due.delete()  # forgotten, or its member was blocked
        return False
    if not due.update(leased_until=clock() + LEASE, tries=F("tries") + 1):
        return False  # another worker was quicker
    claim = Delivery.objects.filter(pk=row.pk, tries=row.tries + 1, state=DeliveryState.WAITING)
    try:
        _SEND[Way(row.way)](_Parcel(row, messages, preference, now), outside)
    except _GivenUp as given_up:
        logger.info("message %s is given up: %s", row.pk, given_up.reason.value)
        if given_up.slow:
            _let_rest(row, clock())
        with transaction.atomic():
            if _end(claim, DeliveryState.GIVEN_UP, given_up.reason, clock()):
                given_up.device.delete()
        return False
    except _Later as later:
        _put_off(claim, row, preference, later, outside, clock())
        return False
    except DatabaseError:  # away, locked or full: the lease ends, and it is tried again
        raise
    except Exception:  # a bug: it holds up none of the others
        logger.exception("message %s crashed", row.pk)
        _put_off(claim, row, preference, _Later(Reason.FAULT), outside, clock())
        return False
    with transaction.atomic():
        # In turn, for the last of several ways to see that the others have it.
        batch = Message.objects.select_for_update().filter(batch=row.batch).order_by("pk")
        list(batch.values_list("pk"))
        _end(claim, DeliveryState.SENT, Reason.NONE, clock())
        _forget_what_was_said(row.batch)
    return True


def _preference(owner_id: int) -> Preference | None:
    """How a member wants to be told, with their channel."""
    rows = Preference.objects.select_related("owner", "channel")
    return rows.filter(pk=owner_id).first()


def _end(claim: QuerySet[Delivery], state: DeliveryState, reason: Reason, now: datetime) -> bool:
    return bool(claim.update(state=state, reason=reason, leased_until=None, ended_at=now))


def _put_off(
    claim: QuerySet[Delivery],
    row: Delivery,
    preference: Preference,
    later: _Later,
    outside: Outside,
    now: datetime,
) -> None:
    waits = WAITS[Way(row.way)]
    if later.reason == Reason.TOO_SLOW:
        _let_rest(row, now)
    if Message.objects.filter(batch=row.batch, kind=Kind.TEST).exists():
        _put_off_test(claim, row, later, now)
        return
    if row.tries >= len(waits):  # of the tries before this one
        _end(claim, DeliveryState.GIVEN_UP, later.reason, now)
        return
    wait = waits[row.tries]
    if later.retry_after_s is not None:
        asked = timedelta(seconds=min(later.retry_after_s, MAX_RETRY_AFTER.total_seconds()))
        wait = max(wait, asked)
    at = schedule_of(preference).outside_quiet(now + wait)
    if at - row.created_at > GIVEN_UP_AFTER and outside.is_late():
        _end(claim, DeliveryState.GIVEN_UP, Reason.TOO_LATE, now)
        return
    claim.update(not_before=at, reason=later.reason, leased_until=None)


def _put_off_test(claim: QuerySet[Delivery], row: Delivery, later: _Later, now: datetime) -> None:
    if row.tries or (later.retry_after_s or 0) > TEST_WAIT.total_seconds():
        _end(claim, DeliveryState.GIVEN_UP, later.reason, now)
        return
    claim.update(not_before=now + TEST_WAIT, reason=later.reason, leased_until=None)


def _let_rest(row: Delivery, now: datetime) -> None:
    """After one that was slow: nothing else there is any quicker."""
    waits = WAITS[Way(row.way)]
    rest(row, waits[min(row.tries, len(waits) - 1)], now)


def _forget_what_was_said(batch: UUID) -> None:
    """Once every way has it, who it was about is not kept; that it was told is."""
    if not Delivery.objects.filter(batch=batch).exclude(state=DeliveryState.SENT).exists():
        Message.objects.filter(batch=batch).update(facts={}, path="", topic="")


# --- the three ways -------------------------------------------------------------------------------


class _Parcel:
    """A claimed delivery with its messages."""

    def __init__(
        self, row: Delivery, messages: Sequence[Message], preference: Preference, now: datetime
    ) -> None:
        self.row, self.messages, self.preference, self.now = row, messages, preference, now
        self.names = preference.names or row.way not in THIRD_PARTIES

    def text(self, messages: Sequence[Message] | None = None) -> Text:
        """All of it in words, or some of its messages."""
        return write(
            messages or self.messages,
            names=self.names,
            language=self.preference.language,
            zone=zone_of(self.preference),
            now=self.now,
        )

    def path(self) -> str:
        """The page it leads to: that of its one message, else the first page."""
        return self.messages[0].path if len(self.messages) == 1 else ""

    def topic(self) -> str:
        """What a newer message takes the place of: that about the same job. Any other is about
        something that happened, and takes the place of itself alone."""
        only = self.messages[0]
        is_of_job = len(self.messages) == 1 and only.kind in OF_JOBS
        return (only.topic if is_of_job else "") or self.row.batch.hex

    def ttl(self) -> timedelta:
        """How long it is worth to be shown: until our last copy goes, or a day where there is
        none."""
        until = [message.kept_until for message in self.messages]
        return max(at - self.now if at else push_message.USUAL_TTL for at in until)


def _push(parcel: _Parcel, outside: Outside) -> None:
    devices = PushSubscription.objects.filter(owner_id=parcel.row.owner_id)
    device = devices.filter(pk=parcel.row.target).first()
    if device is None:
        raise _GivenUp(Reason.GONE)
    as_it_is = devices.filter(pk=device.pk, endpoint=device.endpoint)
    if outside.contact is None:
        raise _GivenUp(Reason.NOT_SET_UP)
    try:
        subscriptions.check_endpoint(device.endpoint)
        key = vapid.find()
    except subscriptions.SubscriptionRefused as error:
        raise _GivenUp(Reason.NOT_ALLOWED) from error
    except vapid.NoKey as error:
        raise _Later(Reason.NOT_SET_UP) from error
    if key is None or key.public != device.server_key:
        raise _GivenUp(Reason.OTHER_KEY)
    content = push_message.payload(
        parcel.text(),
        navigate=f"{device.base}{parcel.path()}",
        tag=parcel.topic(),
        language=parcel.preference.language,
    )
    try:
        request = push_message.build(
            content,
            device,
            key=key,
            contact=outside.contact,
            ttl=parcel.ttl(),
            topic=parcel.topic(),
        )
    except push_message.UnusableKeys as error:
        raise _GivenUp(Reason.BAD_KEYS, device=as_it_is) from error
    answer = _ask(outside.post, request)
    if answer.status in {404, 410}:
        raise _GivenUp(Reason.GONE, device=as_it_is)
    _judge(answer)
    devices.filter(pk=device.pk).update(last_ok_at=parcel.now)


def _channel(parcel: _Parcel, outside: Outside) -> None:
    channel = parcel.preference.channel
    if channel is None or str(channel.pk) != parcel.row.target:
        raise _GivenUp(Reason.NOT_SET_UP)
    text = parcel.text()
    link = f"{outside.base}{parcel.path()}" if outside.base else ""
    body = "\n".join(part for part in (text.body, link) if part)
    try:
        channels.send(
            channel,
            Text(title=text.title, body=body),
            user=parcel.preference.owner.get_username(),
        )
    except Unreadable as error:
        raise _GivenUp(Reason.UNREADABLE) from error
    except NotSent as error:
        if error.reason in _MAY_HAVE_ARRIVED:
            slow = error.reason == Reason.TOO_SLOW
            raise _GivenUp(Reason.INTERRUPTED, slow=slow) from error
        if error.reason == Reason.NOT_ALLOWED:
            raise _GivenUp(error.reason) from error
        raise _Later(error.reason) from error


def _webhook(parcel: _Parcel, outside: Outside) -> None:
    webhook = Webhook.objects.filter(pk=parcel.row.owner_id).first()
    if webhook is None:
        raise _GivenUp(Reason.NOT_SET_UP)
    try:
        request = webhooks.build(
            webhook,
            event(parcel.row.pk.hex, parcel.messages, parcel.text, outside.base, parcel.names),
            event_id=f"msg_{parcel.row.pk.hex}",
            now=parcel.now,
            hosts=outside.webhook_hosts,
        )
    except Unreadable as error:
        raise _GivenUp(Reason.UNREADABLE) from error
    except webhooks.AddressRefused as error:
        raise _GivenUp(Reason.NOT_ALLOWED) from error
    answer = _ask(outside.post, request)
    if not 200 <= answer.status < 300:
        busy = answer.status in {429, 503}
        raise _Later(Reason.BUSY if busy else Reason.REFUSED, answer.retry_after_s)
    Webhook.objects.filter(pk=webhook.pk).update(last_ok_at=parcel.now)


def event(
    event_id: str,
    messages: Sequence[Message],
    text: Callable[[Sequence[Message] | None], Text],
    base: str,
    names: bool,
) -> dict[str, Any]:
    """What a webhook is sent: {type, id, title, body, messages: [{kind, title, body, url, count,
    authors, kept_until}]}. url, authors, kept_until: null where not known, or not to be named."""
    whole = text(None)
    listed = []
    for message in messages:
        said = text([message])
        facts = message.facts
        only = facts.get("author") or facts.get("new")
        authors = facts.get("authors") or [name for name in [only] if name]
        kept = message.kept_until
        listed.append(
            {
                "kind": Kind(message.kind).value,
                "title": said.title,
                "body": said.body,
                "url": f"{base}{message.path}" if base else None,
                "count": facts.get("count"),
                "authors": authors if names else None,
                "kept_until": f"{kept.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if kept else None,
            }
        )
    return {
        "type": "storykeep.messages",
        "id": event_id,
        "title": whole.title,
        "body": whole.body,
        "messages": listed,
    }


def _ask(post: Post, request: Request) -> Answer:
    try:
        return post(request)
    except NotSent as error:
        if error.reason == Reason.NOT_ALLOWED:
            raise _GivenUp(error.reason) from error
        raise _Later(error.reason) from error


def _judge(answer: Answer) -> None:
    """What a push service says; 2xx is well."""
    if 200 <= answer.status < 300:
        return
    if answer.status == 429 or answer.status >= 500:
        raise _Later(Reason.BUSY, answer.retry_after_s)
    raise _GivenUp(Reason.REFUSED)


_SEND: Final[Mapping[Way, Callable[[_Parcel, Outside], None]]] = {
    Way.PUSH: _push,
    Way.CHANNEL: _channel,
    Way.WEBHOOK: _webhook,
}
