"""Submission: pasted lines become a job with its items, all or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.errors import BatchTooLong, QuotaExceeded
from jobs.files import capacity
from jobs.lines import Line, read_lines, target_fields
from jobs.models import Audio, Item, Job, Prefer
from jobs.queue import quotas
from jobs.queue.dispatch import dispatch
from jobs.queue.transitions import begin_in
from jobs.states import ItemState
from jobs.text import clean_text
from stories.errors import InputError, NotUnderstood, UnsupportedLink

NOTE_LENGTH: Final = 500
KEY_LENGTH: Final = 200


class UnusablePaste(NotUnderstood):
    """A paste of which no job can be made.

    field: the request's field that holds the paste, for a caller whose requests have several.
    """

    field = ""


class EmptySubmission(UnusablePaste):
    """Nothing was pasted. Shares its code with a line that is not understood."""


class NothingUnderstood(UnusablePaste):
    """Not one pasted line can be saved. lines: each with its error, in the order pasted."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__(f"{len(lines)} lines, and none can be saved")
        self.lines = tuple(lines)

    @property
    def common_code(self) -> str:
        """The code all lines share, `not_understood` when they differ."""
        codes = {line.error.code for line in self.lines if line.error}
        return codes.pop() if len(codes) == 1 else self.code

    def said(self) -> str:
        """The message, in the reader's language."""
        if len(self.lines) > 1:
            return _("None of these lines can be saved.")
        if isinstance(self.lines[0].error, UnsupportedLink):
            return _("This line cannot be saved.")
        return _("There is no name and no link in that.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a job: what to save and how; the same for every line."""

    prefer: Prefer = Prefer.COMPATIBLE
    posts: bool = False
    audio: Audio = Audio.NONE


def submit(
    owner: AbstractBaseUser,
    lines: Sequence[str],
    *,
    note: str = "",
    options: Options = Options(),
    idempotency_key: str | None = None,
) -> Job:
    """Make a job of these lines and queue it.

    A refused line becomes a FAILED item at once and harms no other; lines that ask for the same are
    one item. With an idempotency_key this owner used before, returns that job. Raises
    EmptySubmission, NothingUnderstood, BatchTooLong, DiskFull and QuotaExceeded.
    """
    key = _stored_key(idempotency_key)
    earlier = _earlier(owner, key)
    if earlier:
        return earlier
    verdicts = read_lines(lines)
    limit = settings.STORYKEEP.batch_max
    if not verdicts:
        raise EmptySubmission("nothing was pasted")
    understood = sum(1 for line in verdicts if line.target)
    if not understood:
        raise NothingUnderstood(verdicts)
    if len(verdicts) > limit:
        raise BatchTooLong(len(verdicts), limit)
    capacity.require_room()
    try:
        with transaction.atomic():
            quotas.admit(owner, understood)
            job = _create(
                owner, verdicts, clean_text(note, NOTE_LENGTH, multiline=True), options, key
            )
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
            item.target = target_fields(line.target)
            item.key = line.target.key
        else:
            _refuse(item, line.error or NotUnderstood())
        items.append(item)
    Item.objects.bulk_create(items)
    return job


def _refuse(item: Item, error: InputError) -> None:
    begin_in(item, ItemState.FAILED)
    item.settled_at = item.created_at
    item.error_code, item.error_detail = error.code, clean_text(error.detail, 500)


def _earlier(owner: AbstractBaseUser, key: str | None) -> Job | None:
    return Job.objects.filter(owner_id=owner.pk, idempotency_key=key).first() if key else None


def _stored_key(key: str | None) -> str | None:
    if not key:
        return None
    plain = clean_text(key, KEY_LENGTH)
    # A key that cannot be stored as it is must not become equal to another one.
    return plain if plain == key else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
