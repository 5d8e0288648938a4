"""What someone leaves behind, and how it goes: people and their jobs meet here alone."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from accounts import invitations, people
from accounts.models import ApiToken
from jobs.queue import actions, erasure
from jobs.queue.erasure import Belongings


@dataclass(frozen=True, slots=True, kw_only=True)
class Estate:
    """What goes with a person.

    invitations: links they made that nobody has used yet. acts: what the admin's log says they did.
    """

    saved: Belongings
    tokens: int
    invitations: int
    acts: int


def estate(user: User) -> Estate:
    """What would go now; said before anything does."""
    return Estate(
        saved=erasure.belongings(user.pk),
        tokens=ApiToken.objects.filter(owner=user).count(),
        invitations=invitations.pending().filter(created_by=user).count(),
        acts=LogEntry.objects.filter(user=user).count(),
    )


def delete_data(user: User) -> Belongings:
    """Forget everything this person saved, and when and why; the account stays. What went."""
    return erasure.erase_all(user.pk)


def block(user: User) -> None:
    """Let someone in no more; what they have in the works is cancelled, what is saved stays.

    Raises LastAdmin. Blocked first, so that nothing new comes after the cancelling.
    """
    people.block(user)
    actions.cancel_all(user.pk)


def delete_user(user: User) -> Belongings:
    """Remove a person with everything they have here; what went. Raises LastAdmin.

    Blocked first, so that nothing new comes while the rest goes. If this process dies midway, the
    account is blocked and can be deleted again.
    """
    people.block(user)
    went = erasure.erase_all(user.pk)
    people.remove(user)
    return went
