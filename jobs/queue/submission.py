"""Submission: pasted lines become a job with its items, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs.errors import BatchTooLong, QuotaExceeded, StorageUnavailable
from jobs.files import capacity, times
from jobs.files.naming_choices import own_template
from jobs.lines import Line, read_lines, target_fields
from jobs.models import Audio, Item, Job, Prefer
from jobs.queue import idempotency, quotas
from jobs.queue.dispatch import dispatch
from jobs.queue.transitions import begin_in
from jobs.states import ItemState
from jobs.text import clean_text
from jobs.upstream import protocol
from stories.errors import Advert, InputError, NotUnderstood, UnsupportedLink

NOTE_LENGTH: Final = 500


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
        if isinstance(self.lines[0].error, UnsupportedLink | Advert):
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
    refuse_double: bool = False,
) -> Job:
    """Make a job of these lines and queue it.

    A refused line becomes a FAILED item at once, an advert an EMPTY one, and harms no other; lines
    that ask for the same are one item. With an idempotency_key this owner used before, returns that
    job. refuse_double: a second request with a key whose first one is still being taken is refused;
    else it waits for the first. While the disk for saved files is away, lines are taken and wait
    for it. Raises EmptySubmission, NothingUnderstood, BatchTooLong, DiskFull, QuotaExceeded,
    IdempotencyMismatch and IdempotencyInProgress.
    """
    key = idempotency.stored_key(idempotency_key)
    note = clean_text(note, NOTE_LENGTH, multiline=True)
    fingerprint = idempotency.fingerprint(lines, note, asdict(options))
    earlier = idempotency.earlier_job(owner.pk, key, fingerprint)
    if earlier:
        return earlier
    protocol.look()  # it says whose links are read
    with idempotency.keys_in_progress.hold(owner.pk, key if refuse_double else None):
        verdicts = _admissible(read_lines(lines))
        with suppress(StorageUnavailable):  # the lines wait for such a disk, as others do
            capacity.require_room()
        try:
            with transaction.atomic():
                quotas.admit(owner, sum(1 for line in verdicts if line.target))
                job = _create(
                    owner,
                    verdicts,
                    note=note,
                    options=options,
                    idempotency_key=key,
                    idempotency_fingerprint=fingerprint if key else "",
                )
                transaction.on_commit(dispatch, robust=True)
        except (IntegrityError, QuotaExceeded):
            # The same key a moment ago: the other request's job is the answer, and fills the quota.
            earlier = idempotency.earlier_job(owner.pk, key, fingerprint)
            if earlier is None:
                raise
            return earlier
    return job


def _admissible(verdicts: Sequence[Line]) -> Sequence[Line]:
    """The lines of a job, unchanged. Raises EmptySubmission, NothingUnderstood, BatchTooLong."""
    limit = settings.STORYKEEP.batch_max
    if not verdicts:
        raise EmptySubmission("nothing was pasted")
    if not any(line.target for line in verdicts):
        raise NothingUnderstood(verdicts)
    if len(verdicts) > limit:
        raise BatchTooLong(len(verdicts), limit)
    return verdicts


def _create(
    owner: AbstractBaseUser, verdicts: Sequence[Line], *, options: Options, **columns: Any
) -> Job:
    """Write a job and its items. columns: the job's own."""
    now = timezone.now()
    job = Job.objects.create(
        owner_id=owner.pk,
        created_at=now,
        time_zone=times.reader_zone_name(),
        name_template=own_template(owner.pk),
        **asdict(options),
        **columns,
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
    begin_in(item, ItemState.EMPTY if error.nothing_to_save else ItemState.FAILED)
    item.settled_at = item.created_at
    item.error_code, item.error_detail = error.code, clean_text(error.detail, 500)
