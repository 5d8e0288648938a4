"""From pasted lines to a job with its items, all or nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs.errors import BatchTooLong, QuotaExceeded
from jobs.files import capacity
from jobs.models import LINE_LENGTH, Audio, Item, ItemKind, Job, Prefer
from jobs.queue import quotas
from jobs.queue.dispatch import dispatch
from jobs.states import ItemState
from stories.errors import InputError, NotUnderstood
from stories.structures import Story, Target, TargetKind
from stories.targets import find_lines, parse_line

NOTE_LENGTH: Final = 500
KEY_LENGTH: Final = 200
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MULTILINE: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_TURNS: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_KINDS: Final = {
    TargetKind.USER: ItemKind.USER,
    TargetKind.STORY: ItemKind.STORY,
    TargetKind.POST: ItemKind.POST,
    TargetKind.SHORT: ItemKind.STORY,
}


def kind_found(kind: str, stories: Sequence[Story]) -> ItemKind:
    """What a line turned out to be: a link that looked like a post may be a story, and a short
    link anything."""
    if kind == ItemKind.USER or not stories:
        return ItemKind(kind)
    if len(stories) > 1:
        return ItemKind.USER
    return ItemKind.STORY if stories[0].is_story else ItemKind.POST


class EmptySubmission(NotUnderstood):
    """Nothing was pasted. Shares its code with a line that is not understood.

    field: where it was to be, for who sends more than one.
    """

    field = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to save and how; the same for every line of a job."""

    prefer: Prefer = Prefer.COMPATIBLE
    posts: bool = False
    audio: Audio = Audio.NONE


@dataclass(frozen=True, slots=True)
class Line:
    """One pasted line and its verdict: a target, or why not. text: as it may be stored."""

    text: str
    target: Target | None
    error: InputError | None

    @property
    def kind(self) -> ItemKind:
        """What it was taken for, before anything was looked up."""
        if self.target:
            return _KINDS[self.target.kind]
        return ItemKind.USER if isinstance(self.error, NotUnderstood) else ItemKind.POST


def read(lines: Sequence[str]) -> list[Line]:
    """A verdict for each line, without the network; blank ones and repetitions left out.

    An entry that names several things, "@a, @b", is as many lines. Of lines that ask for the same
    thing the first is kept.
    """
    found: dict[str, Line] = {}
    for given in _single(lines):
        text = tame(given, LINE_LENGTH)
        if not text:
            continue
        try:
            target = parse_line(given)
        except InputError as error:
            found.setdefault(f"refused:{text}", Line(text, None, error))
        else:
            found.setdefault(target.key, Line(text, target, None))
    return list(found.values())


def _single(entries: Sequence[str]) -> Iterator[str]:
    """One entry for each thing that is asked for; what holds no more than one stays as typed."""
    for entry in entries:
        parts = find_lines(entry)
        yield from parts if len(parts) > 1 else [entry]


def submit(
    owner: AbstractBaseUser,
    lines: Sequence[str],
    *,
    note: str = "",
    options: Options = Options(),
    idempotency_key: str | None = None,
) -> Job:
    """Make a job of these lines and queue it.

    A refused line becomes a FAILED item at once and harms no other; the same thing twice is one
    item. With an idempotency_key this owner used before, returns that job. Raises EmptySubmission,
    BatchTooLong (its detail says the limit), DiskFull, QuotaExceeded.
    """
    key = _stored_key(idempotency_key)
    earlier = _earlier(owner, key)
    if earlier:
        return earlier
    verdicts = read(lines)
    limit = settings.STORYKEEP.batch_max
    if not verdicts:
        raise EmptySubmission("nothing was pasted")
    if len(verdicts) > limit:
        raise BatchTooLong(len(verdicts), limit)
    wanted = sum(1 for line in verdicts if line.target)
    if wanted:
        capacity.check()
    try:
        with transaction.atomic():
            if wanted:
                quotas.admit(owner, wanted)
            job = _create(owner, verdicts, tame(note, NOTE_LENGTH, multiline=True), options, key)
            transaction.on_commit(dispatch, robust=True)
    except (IntegrityError, QuotaExceeded):
        # The same key a moment ago: the other request's job is the answer, and fills the quota.
        earlier = _earlier(owner, key)
        if earlier is None:
            raise
        return earlier
    return job


def _create(
    owner: AbstractBaseUser, verdicts: Sequence[Line], note: str, options: Options, key: str | None
) -> Job:
    now = timezone.now()
    job = Job.objects.create(
        owner_id=owner.pk,
        note=note,
        idempotency_key=key,
        created_at=now,
        settled_at=None if any(line.target for line in verdicts) else now,
        **asdict(options),
    )
    items = []
    for position, line in enumerate(verdicts, start=1):
        item = Item(
            job=job,
            owner_id=owner.pk,
            position=position,
            line=line.text,
            kind=line.kind,
            created_at=now,
            asked_at=now,
        )
        if line.target:
            item.target = _fields(line.target)
            item.key = line.target.key
        else:
            _refuse(item, line.error or NotUnderstood())
        items.append(item)
    Item.objects.bulk_create(items)
    return job


def _refuse(item: Item, error: InputError) -> None:
    item.state = ItemState.FAILED
    item.settled_at = item.created_at
    item.error_code, item.error_detail = error.code, tame(error.detail, 500)


def _earlier(owner: AbstractBaseUser, key: str | None) -> Job | None:
    return Job.objects.filter(owner_id=owner.pk, idempotency_key=key).first() if key else None


def _stored_key(key: str | None) -> str | None:
    if not key:
        return None
    plain = tame(key, KEY_LENGTH)
    # A key that cannot be stored as it is must not become equal to another one.
    return plain if plain == key else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def tame(text: str, limit: int, *, multiline: bool = False) -> str:
    """Text that every database takes and no log or terminal stumbles over, cut to `limit`.

    Control characters become spaces, and half characters question marks. What turns the direction
    of text is left out: it would turn what stands around it on a page, too.
    """
    whole = text[: limit * 4].replace("\r\n", "\n").encode("utf-8", "replace").decode()
    whole = _TURNS.sub("", whole)
    plain = (_MULTILINE if multiline else _CONTROLS).sub(" ", whole)
    return plain.strip()[:limit].strip()


def _fields(target: Target) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(target).items() if value is not None}


def target_of(item: Item) -> Target:
    """The target an item was made for. Raises NotUnderstood for a refused line."""
    if not item.target:
        raise NotUnderstood(item.error_detail)
    fields: dict[str, Any] = dict(item.target)
    return Target(kind=TargetKind(fields.pop("kind")), **fields)
