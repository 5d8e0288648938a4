"""Whether somebody the provider knows is let in, as whom, and as what.

The groups are looked at with each sign-in: they raise and lower the role, and keep out who left
them. Who is kept out loses their sessions, the role that a group gave, and the way in by password
or passkey, all of which they have again with the groups. They are not blocked, and keep tokens and
files: a provider that forgets to send the groups would otherwise clear the house.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from accounts import invitations, people, setup, username_lookalikes
from accounts.oidc import configured, links
from accounts.oidc.errors import Reason, Refused
from accounts.oidc.identity import Identity

logger = logging.getLogger(__name__)

_ATTEMPTS = 3


def admit(identity: Identity, *, invitation: str = "", set_up: str = "") -> User:
    """The account of an identity, made when it may be made. Raises Refused.

    invitation, set_up: tokens of the links somebody came by, "" for none.
    """
    user = links.owner(identity)
    if user is not None and not user.is_active:
        raise Refused(Reason.BLOCKED)
    check_group(identity)
    if user is None:
        user = _join(identity, invitation, set_up)
    _set_role(user, identity)
    links.note(identity)
    return user


def check_group(identity: Identity) -> None:
    """Raise Refused for somebody in none of the groups that may sign in, and shut them out."""
    if _in_a_group(identity):
        return
    user = links.owner(identity)
    if user is not None:
        with transaction.atomic():
            _set_role(user, identity)
            links.note_refusal(identity)
            people.sign_out_everywhere(user)
    raise Refused(Reason.NOT_IN_GROUP)


def keeps_out(user: User) -> bool:
    """Whether somebody is shut out of the other ways in, too: the provider's last word on them was
    that they are in none of the groups.

    False for admins while all of them are: somebody has to be able to put it right.
    """
    if not (configured.is_on() and settings.STORYKEEP.oidc_member_group):
        return False
    refused = links.refused()
    if user.pk not in refused:
        return False
    return not user.is_superuser or people.admins().exclude(pk__in=refused).exists()


def _in_a_group(identity: Identity) -> bool:
    env = settings.STORYKEEP
    if not env.oidc_member_group:
        return True
    return not identity.groups.isdisjoint({env.oidc_member_group, env.oidc_admin_group})


def _join(identity: Identity, invitation: str, set_up: str) -> User:
    """A new account. Raises Refused."""
    for _attempt in range(_ATTEMPTS):
        name = username_lookalikes.free_name(identity.name)
        try:
            with transaction.atomic():
                user = _new_user(identity, name, invitation, set_up)
                if user is not None:
                    links.create(user, identity)
        except IntegrityError:  # the name is taken by now, or a second tab was quicker
            user = None
        user = user or links.owner(identity)
        if user is not None:
            return user
    raise Refused(Reason.NOT_INVITED)


def _new_user(identity: Identity, name: str, invitation: str, set_up: str) -> User | None:
    """A row by the first rule that allows one; None when none does."""
    if set_up:
        return setup.make_admin(set_up, name, None)
    if invitation:
        user = invitations.accept(invitation, name, None)
        if user is not None:
            return user
    env = settings.STORYKEEP
    groups = {group for group in (env.oidc_member_group, env.oidc_admin_group) if group}
    is_open = env.oidc_signup == "anyone" or (
        env.oidc_signup == "group" and not identity.groups.isdisjoint(groups)
    )
    return get_user_model().objects.create_user(name) if is_open else None


def _set_role(user: User, identity: Identity) -> None:
    """Make somebody what their groups say, where a group says it; the last admin stays one."""
    group = settings.STORYKEEP.oidc_admin_group
    if not group:
        return
    is_admin = group in identity.groups
    if is_admin == user.is_superuser:
        return
    try:
        people.set_role(user, admin=is_admin)
    except people.LastAdmin:
        logger.warning("user %d left the group of admins and stays one, as the last", user.pk)
    else:
        logger.info("user %d is now %s by group", user.pk, "an admin" if is_admin else "a member")
