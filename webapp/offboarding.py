"""Deleting and blocking people together with their jobs: `accounts` and `jobs` meet here alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction

from accounts import invitations, people
from accounts.models import ApiToken
from jobs.library import forgetting
from jobs.models import Watch
from jobs.queue import actions, erasure, residue
from jobs.queue.erasure import Belongings
from jobs.watching import watches
from notices import outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPreview:
    """Numbers of what is deleted with a person, and of what stays.

    invitations: links they made that nobody has used yet. log_entries: their entries in the admin's
    log, which stay, without their name.
    """

    saved: Belongings
    tokens: int
    invitations: int
    log_entries: int
    watches: int = 0


def deletion_preview(user: User) -> DeletionPreview:
    """Numbers of what `delete_user` would delete and keep now."""
    return DeletionPreview(
        saved=erasure.belongings(user.pk),
        watches=Watch.objects.filter(owner=user).count(),
        tokens=ApiToken.objects.filter(owner=user).count(),
        invitations=invitations.pending().filter(created_by=user).count(),
        log_entries=LogEntry.objects.filter(user=user).count(),
    )


def delete_data(user: User) -> Belongings:
    """Delete all of a person's jobs, files and watches; the account stays, and so do files in the
    library, of which nothing is known any more. Returns what was deleted.

    The watches first, so that none of them makes a new job; the library last, so that nothing of
    these jobs is taken for missing there.
    """
    watches.delete_all(user.pk)
    deleted = erasure.erase_all(user.pk)
    forgetting.drop_rows(user.pk)
    return deleted


def block(user: User) -> None:
    """Block a person, cancel their open lines and tell them nothing any more; saved files stay.
    Raises LastAdmin.

    Blocked first, so that nothing new comes after the cancelling.
    """
    people.block(user)
    outbox.silence(user.pk)
    actions.cancel_all(user.pk)


def delete_user(user: User) -> Belongings:
    """Delete a person with all their jobs and files. Returns what was deleted. Raises LastAdmin.

    Blocked first, so that nothing new comes while the rest goes. If this process dies midway, the
    account is blocked and can be deleted again.
    """
    people.block(user)
    watches.delete_all(user.pk)
    outbox.silence(user.pk)
    deleted = erasure.erase_all(user.pk)
    forgetting.drop_rows(user.pk)
    with transaction.atomic():
        people.remove(user)
        residue.note()
    return deleted
